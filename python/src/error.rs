//! Converts errors and panics to the exceptions of `ranklet.errors`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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
/// As [`caught`].
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T, NativeError> {
    py.detach(|| caught(work))
}

/// How often the signal handlers of Python run while a call waits.
pub(crate) const SIGNAL_INTERVAL: Duration = Duration::from_millis(100);

/// Runs `work` in a thread, and signal handlers of Python meanwhile. The exception of a handler, such as
/// `KeyboardInterrupt`, ends the wait; the work goes on until it or the process ends.
///
/// # Errors
/// As [`caught`], and the exception of a signal handler.
pub(crate) fn interruptible<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> PyResult<T> {
    let (sender, receiver) = mpsc::channel();
    // The receiver is gone after an interrupt.
    std::thread::spawn(move || drop(sender.send(caught(work))));
    // A mutex, because a receiver is not `Sync`.
    let receiver = Mutex::new(receiver);
    loop {
        let received = py
            .detach(|| receiver.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(SIGNAL_INTERVAL));
        match received {
            Ok(result) => return Ok(result?),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(NativeError(Error::new(ErrorKind::Internal, "a thread ended early")).into());
            }
        }
    }
}

/// Runs `work` and turns a panic into an error. PyO3 would raise a `PanicException`, which `except Exception` misses.
///
/// # Errors
/// The errors of `work`; `internal` if it panics.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T, NativeError> {
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("without a message");
        Err(Error::new(ErrorKind::Internal, format!("Ranklet panicked: {text}")))
    });
    Ok(result?)
}

/// Panics, so that a test sees how a panic reaches Python.
#[pyfunction]
#[allow(clippy::panic, reason = "it is there to panic")]
pub(crate) fn panic_inside(py: Python<'_>, message: String) -> Result<(), NativeError> {
    detached(py, || std::panic::panic_any(message))
}
