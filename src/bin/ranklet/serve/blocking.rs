//! Work that takes the time of a processor, on threads of its own.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use super::http_error::HttpError;

/// Runs work that takes the time of a processor, so that the threads that answer other requests stay free. As much runs at the
/// same time as there are cores.
#[derive(Debug)]
pub(super) struct Blocking(Arc<Semaphore>);

impl Blocking {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(available_parallelism().map_or(1, usize::from))))
    }

    /// Runs some work when it is its turn. If the client goes away before, this is dropped and the work is not done.
    ///
    /// # Errors
    /// 500 if the work panics.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HttpError> {
        let permit = Arc::clone(&self.0).acquire_owned().await.map_err(|_| HttpError::internal())?;
        let work = move || {
            let _permit = permit;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| HttpError::internal())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn as_much_work_runs_at_the_same_time_as_there_are_permits() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let blocking = Arc::new(Blocking(Arc::new(Semaphore::new(2))));
        let running = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..6)
            .map(|number| {
                let (blocking, running) = (Arc::clone(&blocking), Arc::clone(&running));
                runtime.spawn(async move {
                    let work = move || {
                        let others = running.fetch_add(1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(20));
                        running.fetch_sub(1, Ordering::SeqCst);
                        assert!(number != 3, "this work fails");
                        others
                    };
                    blocking.run(work).await
                })
            })
            .collect();
        for (number, task) in tasks.into_iter().enumerate() {
            match runtime.block_on(task).unwrap() {
                Ok(others) => assert!(number != 3 && others < 2, "{number}: {others}"),
                // Work that panics gives its permit back.
                Err(error) => assert_eq!((number, error.status.as_u16()), (3, 500)),
            }
        }
    }
}
