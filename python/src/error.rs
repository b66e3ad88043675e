//! Converts errors and panics to the exceptions of `ranklet.errors`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::prelude::*;
use ranklet::{Error, ErrorItem, ErrorKind, Result};

/// An error that a binding raises.
pub(crate) struct NativeError(Error);

impl From<Error> for NativeError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<NativeError> for PyErr {
    /// Makes the exception with `ranklet.errors.from_native(code, message, item)`. `item` is `(kind, start, end)`, or
    /// `None`; the message does not name it.
    fn from(NativeError(error): NativeError) -> Self {
        let item = error.item().map(|ErrorItem { kind, range }| (kind.name(), range.start, range.end));
        let exception = Python::attach(|py| {
            let make = py.import("ranklet.errors")?.getattr("from_native")?;
            make.call1((error.kind().code(), error.context(), item)).map(PyErr::from_value)
        });
        exception.unwrap_or_else(|error| error)
    }
}

/// Runs `work` without the interpreter's lock, so that other threads of Python continue.
///
/// # Errors
/// Those of `work`; `internal` if it panics.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T, NativeError> {
    let caught = py.detach(|| catch_unwind(AssertUnwindSafe(work)));
    Ok(caught.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the engine panicked")))?)
}
