//! Runs the engine's futures, and the signal handlers of Python meanwhile.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use pyo3::prelude::*;
use ranklet::Result;

use crate::error::{SIGNAL_INTERVAL, caught};

/// Runs a future without the interpreter's lock, so that other threads of Python continue. Each time that the future is
/// pending, which it is after a micro-batch, calls `check` and the signal handlers. Their exception drops the future.
///
/// # Errors
/// As [`caught`], and the exception of `check` or of a signal handler.
pub(crate) fn run_future<T: Send>(
    py: Python<'_>,
    future: impl Future<Output = Result<T>> + Send,
    check: &Bound<'_, PyAny>,
) -> PyResult<T> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        let polled = py.detach(|| {
            let polled = caught(|| match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(result) => result.map(Some),
                Poll::Pending => Ok(None),
            });
            if matches!(polled, Ok(None)) {
                thread::park_timeout(SIGNAL_INTERVAL);
            }
            polled
        });
        if let Some(value) = polled? {
            return Ok(value);
        }
        check.call0()?;
        py.check_signals()?;
    }
}

/// Wakes a thread that has parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
