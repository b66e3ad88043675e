//! Models on the Hub.

use std::path::PathBuf;

use pyo3::prelude::*;
use ranklet::hub::{self, HubOptions};
use ranklet::{Error, ErrorKind, ModelFiles};

use crate::error::{caught, interruptible};

/// Returns the folder in the cache of a model on the Hub, after downloading the files that it lacks. Ctrl-C ends it.
#[pyfunction]
#[pyo3(signature = (model, revision, weights, token, cache, local_files_only))]
pub(crate) fn download(
    py: Python<'_>,
    model: String,
    revision: Option<String>,
    weights: Option<String>,
    token: Option<String>,
    cache: Option<PathBuf>,
    local_files_only: bool,
) -> PyResult<PathBuf> {
    interruptible(py, move || {
        let options = HubOptions {
            revision: revision.as_deref(),
            weights: weights.as_deref(),
            token: token.as_deref(),
            cache: cache.as_deref(),
            local_files_only,
        };
        hub::folder(&model, options)
    })
}

/// Returns the files that a model is loaded from, of all files in `listing`. `read` returns the content of one.
#[pyfunction]
#[pyo3(signature = (listing, weights, read))]
pub(crate) fn wanted_files(
    listing: Vec<String>,
    weights: Option<&str>,
    read: &Bound<'_, PyAny>,
) -> Result<Vec<String>, PyErr> {
    let listing: Vec<&str> = listing.iter().map(String::as_str).collect();
    let mut raised = None;
    let mut content = |name: &str| {
        let content = read.call1((name,)).and_then(|content| content.extract::<Vec<u8>>());
        content.map_err(|error| {
            raised = Some(error);
            Error::new(ErrorKind::Network, format!("{name} cannot be read"))
        })
    };
    let wanted = caught(|| ModelFiles::wanted(&listing, weights, &mut content));
    // The exception of `read` itself says more.
    match (wanted, raised) {
        (Ok(files), _) => Ok(files),
        (Err(_), Some(error)) => Err(error),
        (Err(error), None) => Err(error.into()),
    }
}
