//! The one door from async code to CPU threads: a rayon pool of bounded size. Async code fetches
//! and stores, sync code computes; nothing else spawns computing threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::sync::oneshot;

/// A pool of computing threads; cheap to clone.
#[derive(Debug, Clone)]
pub struct Compute {
    pool: Arc<rayon::ThreadPool>,
}

/// A computation that gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    /// The pool could not be started.
    #[error("start {n_threads} computing threads")]
    Start {
        /// How many were asked for.
        n_threads: usize,
        /// What the system said.
        source: rayon::ThreadPoolBuildError,
    },
    /// The computation panicked; the process goes on.
    #[error("the computation panicked: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
    /// The pool ended before the computation did.
    #[error("the computing threads ended")]
    Ended,
}

impl Compute {
    /// Starts a pool; 0 threads means one a core.
    ///
    /// # Errors
    /// [`ComputeError::Start`] when the system gives no threads.
    pub fn new(n_threads: usize) -> Result<Self, ComputeError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .thread_name(|n| format!("compute-{n}"))
            .build()
            .map_err(|source| ComputeError::Start { n_threads, source })?;
        Ok(Self { pool: Arc::new(pool) })
    }

    /// How many computations run at once.
    pub fn n_threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs a computation on the pool; rayon's parallel iterators inside it stay in the pool.
    /// Dropping the future does not stop a computation that has begun; its result is thrown away.
    ///
    /// # Errors
    /// [`ComputeError::Panicked`] when it panics.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ComputeError> {
        self.outcome(work, |task| self.pool.spawn(task)).await
    }

    /// Runs work that mostly waits, for a disk or until somebody takes what it made, on a thread of
    /// its own: on the pool it would keep a computing thread from those it waits for. It must end
    /// soon after nobody waits for it any more, as dropping the future does not stop it.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn wait<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ComputeError> {
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        self.outcome(work, |task| drop(tokio::task::spawn_blocking(task))).await
    }

    async fn outcome<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        start: impl FnOnce(Box<dyn FnOnce() + Send>),
    ) -> Result<T, ComputeError> {
        let (give, take) = oneshot::channel();
        start(Box::new(move || {
            let outcome = catch_unwind(AssertUnwindSafe(work));
            // The receiver is gone when the run was cancelled: nobody waits for the result.
            drop(give.send(outcome));
        }));
        match take.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panic)) => Err(ComputeError::Panicked { message: panic_text(&*panic) }),
            Err(_) => Err(ComputeError::Ended),
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error_and_the_pool_lives_on() {
        let compute = Compute::new(1).unwrap();
        let failed = compute.run(|| panic!("boom")).await.map(|()| 0);
        assert!(matches!(failed, Err(ComputeError::Panicked { message }) if message == "boom"));
        assert_eq!(compute.run(|| 2 + 2).await.unwrap(), 4);
    }
}
