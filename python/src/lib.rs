//! The native part of the Python package, which only converts types.
//!
//! It is internal to the package: the API is the Python in `ranklet/`.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod documents;
mod error;
mod explaining;
mod future;
mod hub;
mod model;
mod ranking;
mod scoring;

use pyo3::prelude::*;

/// The bindings of the crate `ranklet`.
#[pymodule(name = "_ranklet")]
mod native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::documents::document_texts;
    #[pymodule_export]
    use super::error::panic_inside;
    #[pymodule_export]
    use super::explaining::{explain, explain_cost, highlights};
    #[pymodule_export]
    use super::hub::{download, wanted_files};
    #[pymodule_export]
    use super::model::{NativeCollection, NativeReranker, embedded_file};
    #[pymodule_export]
    use super::ranking::rank_scores;
    #[pymodule_export]
    use super::scoring::NativeScoring;

    /// Returns all codes that an error can have.
    #[pyfunction]
    fn error_codes() -> Vec<&'static str> {
        ranklet::ErrorKind::ALL.iter().map(|kind| kind.code()).collect()
    }
}
