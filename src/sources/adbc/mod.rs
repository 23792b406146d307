//! Any database there is an ADBC driver for: a shared library, loaded into this process, that gives
//! its rows as Arrow record batches.
//!
//! A driver is foreign code. One that crashes takes the process with it; one that never returns
//! keeps its thread, so every read has a thread of its own and only so many may be lost that way.
//! No thread of the computing pool and none that the process waits for at its end is used.

mod failure;
mod frames;
mod guard;
mod session;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use adbc_core::CancelHandle;
use polars::prelude::DataFrame;
use tokio::sync::mpsc;

use super::{Outlet, SourceError};
use crate::domain::AdbcSpec;

/// Threads that may be inside drivers at once; more are lost to drivers that never return.
const MAX_THREADS: usize = 64;
/// Frames a driver may be ahead of who takes them.
const FRAMES_AHEAD: usize = 2;

/// A rendered query.
#[derive(Debug, Clone)]
pub(super) struct Query {
    /// Its text.
    pub(super) text: String,
    /// Where its template was read from.
    pub(super) origin: String,
}

/// What one read needs, for a thread that outlives whoever asked.
#[derive(Debug, Clone)]
struct Job {
    spec: AdbcSpec,
    query: Query,
    max_rows: usize,
}

/// Runs a query and sends its rows. Dropping the future asks the driver to cancel and leaves its
/// thread alone.
pub(super) async fn read(
    spec: &AdbcSpec,
    query: Query,
    out: &mut Outlet,
) -> Result<(), SourceError> {
    guard::check(&query)?;
    let (give, mut take) = mpsc::channel(FRAMES_AHEAD);
    let running = Running::default();
    let _cancel = CancelOnDrop(running.clone());
    let job = Job { spec: spec.clone(), query, max_rows: out.rows_left() };
    let thread = OnThread::begin()?;
    let work = move || {
        let _thread = thread;
        let send = |frame| give.blocking_send(Ok(frame)).is_ok();
        if let Err(error) = session::read(&job, &running, send) {
            // Nobody waits any more.
            drop(give.blocking_send(Err(error)));
        }
    };
    let spawned = std::thread::Builder::new().name("adbc".to_owned()).spawn(work);
    spawned.map_err(|source| SourceError::Start { program: "a thread".to_owned(), source })?;
    while let Some(frame) = take.recv().await {
        let frame: DataFrame = frame?;
        out.send(frame).await?;
    }
    Ok(())
}

/// The way to stop what a driver is doing.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<Option<Box<dyn CancelHandle>>>>);

impl Running {
    fn set(&self, handle: Box<dyn CancelHandle>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Asks the driver to cancel what it is still doing when nobody waits any more.
struct CancelOnDrop(Running);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let handle = self.0.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = handle {
            // A driver that hangs may hang in this too.
            let ask = move || drop(handle.try_cancel());
            drop(std::thread::Builder::new().name("adbc-cancel".to_owned()).spawn(ask));
        }
    }
}

/// A place among the threads inside drivers.
struct OnThread;

static N_THREADS: AtomicUsize = AtomicUsize::new(0);

impl OnThread {
    fn begin() -> Result<Self, SourceError> {
        if N_THREADS.fetch_add(1, Ordering::SeqCst) < MAX_THREADS {
            return Ok(Self);
        }
        N_THREADS.fetch_sub(1, Ordering::SeqCst);
        Err(SourceError::DriversBusy { n_threads: MAX_THREADS })
    }
}

impl Drop for OnThread {
    fn drop(&mut self) {
        N_THREADS.fetch_sub(1, Ordering::SeqCst);
    }
}
