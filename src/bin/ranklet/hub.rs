//! Downloads models by their Hub id, into the cache of HF's own programs.
//!
//! `HF_HOME` sets the location of the cache and `HF_ENDPOINT` the server. The access token is the one that HF's login
//! saved.

use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo};
use ranklet::{Error, ErrorKind, ModelFiles, Result};

/// Returns the folder of a model: `model` itself if it is a folder; otherwise the folder in the cache, after
/// downloading the files that it lacks.
///
/// # Errors
/// `input` if `model` is neither a folder nor a model id, `network` if files cannot be downloaded, and those of
/// [`ModelFiles::wanted`].
pub(crate) fn folder(model: &str) -> Result<PathBuf> {
    let folder = Path::new(model);
    if folder.is_dir() {
        return Ok(folder.to_owned());
    }
    if !is_id(model) {
        return Err(Error::new(
            ErrorKind::Input,
            format!("{model} is neither a folder nor the id of a model, owner/name"),
        ));
    }
    let failed = |error: ApiError| network_error(model, error);
    let builder = ApiBuilder::from_env().with_progress(stderr().is_terminal());
    let repo = builder.build().map_err(failed)?.model(model.to_owned());
    match repo.info() {
        Ok(info) => {
            let listing: Vec<&str> = info.siblings.iter().map(|file| file.rfilename.as_str()).collect();
            download(&repo, &listing, failed)
        }
        // Without a network, files from an earlier run are good enough.
        Err(error) => cached(model).ok_or_else(|| failed(error)),
    }
}

/// Returns whether `text` is `owner/name`, with characters that the Hub allows.
fn is_id(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char))
    };
    text.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name))
}

/// Downloads the files that a model is loaded from, out of all files in `listing`. Returns the folder they are in.
fn download(repo: &ApiRepo, listing: &[&str], failed: impl Fn(ApiError) -> Error) -> Result<PathBuf> {
    let read = |name: &str| {
        let path = repo.get(name).map_err(&failed)?;
        std::fs::read(&path)
            .map_err(|error| Error::new(ErrorKind::Input, format!("{}: {error}", path.display())))
    };
    let mut folder = PathBuf::new();
    for file in ModelFiles::wanted(listing, read)? {
        let path = repo.get(&file).map_err(&failed)?;
        if file == "config.json" {
            folder = path.parent().map(Path::to_owned).unwrap_or_default();
        }
    }
    Ok(folder)
}

/// Returns the folder of a model that was downloaded before.
fn cached(model: &str) -> Option<PathBuf> {
    let config = Cache::from_env().repo(Repo::model(model.to_owned())).get("config.json")?;
    config.parent().map(Path::to_owned)
}

/// Explains a Hub error by the HTTP status of the response.
fn network_error(model: &str, error: ApiError) -> Error {
    let reason = match status(&error) {
        Some(404) => "there is no such model on the Hub".to_owned(),
        Some(401 | 403) => {
            "the Hub gives it only to users who have access: log in with `hf auth login`".to_owned()
        }
        _ => format!("the Hub cannot be reached: {error}"),
    };
    Error::new(ErrorKind::Network, format!("{model}: {reason}")).with_source(error)
}

/// Returns the HTTP status of the response, if there was one.
fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::RequestError(error) => match &**error {
            ureq::Error::Status(status, _) => Some(*status),
            ureq::Error::Transport(_) => None,
        },
        ApiError::TooManyRetries(error) => status(error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_an_owner_and_a_name() {
        for id in ["BAAI/bge-reranker-base", "cross-encoder/ms-marco-MiniLM-L6-v2", "a/b_c.d"] {
            assert!(is_id(id), "{id}");
        }
        for text in ["bert", "../up", "a/b/c", "/a/b", "a/", "a/..", "a b/c", "https://x/y"] {
            assert!(!is_id(text), "{text}");
        }
    }
}
