//! What the daemon is given: the work, who is told of it, and how it is done.

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::sync::mpsc;

use super::retry::JobFailure;
use crate::{
    catalog::runs::Claim,
    domain::{BatchName, JobKind, RunReport, RunState, Span},
};

/// A future on the heap.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Does the work of a claimed run. Dropping the future stops it; what it has not committed is lost.
pub type RunClaim = Arc<dyn Fn(Claim) -> BoxFuture<Result<RunReport, JobFailure>> + Send + Sync>;

/// Is told what happens, for metrics.
pub type Observer = Arc<dyn Fn(Event<'_>) + Send + Sync>;

/// Something worth counting.
#[derive(Debug)]
pub enum Event<'a> {
    /// A run was claimed, so long after it was due.
    Started {
        /// Which.
        claim: &'a Claim,
        /// Since its slot.
        late: Span,
    },
    /// An attempt ended; `state` is what the run is in now.
    Ended {
        /// Which.
        claim: &'a Claim,
        /// Succeeded, retry_wait or dead.
        state: RunState,
        /// How long it took.
        took: Span,
    },
    /// A worker found that its run belonged to somebody else.
    Fenced {
        /// Which.
        claim: &'a Claim,
    },
    /// Slots were missed and left out.
    SlotsSkipped {
        /// Whose.
        batch: &'a BatchName,
        /// Of which job.
        job: JobKind,
        /// How many.
        n: u32,
    },
    /// The clock went another way than time does.
    ClockJumped {
        /// How far; negative is back.
        by: Span,
    },
}

/// How work is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Runs at the same time, beside those that read a source.
    pub n_workers: usize,
    /// Sources read at the same time.
    pub n_reads: usize,
    /// Of these, how many of one server's.
    pub n_reads_per_server: usize,
    /// The name written to runs.
    pub name: String,
    /// How long a claim is good without being renewed.
    pub lease: Span,
    /// Longest time for one attempt.
    pub deadline: Duration,
    /// Attempts before a run is given up.
    pub max_attempts: i64,
    /// How long running work may go on once it is to stop.
    pub grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            n_workers: std::thread::available_parallelism().map_or(1, usize::from),
            n_reads: 32,
            n_reads_per_server: 4,
            name: format!("process {}", std::process::id()),
            lease: Span::secs(30),
            deadline: Duration::from_secs(3_600),
            max_attempts: 5,
            grace: Duration::from_secs(8),
        }
    }
}

/// Recurring work that keeps something from one time to the next: given the beats, it runs as long
/// as they come. Dropped at the end.
pub type OnBeats = Box<dyn FnOnce(mpsc::Receiver<()>) -> BoxFuture<()> + Send>;

/// Recurring work beside runs. It says itself what went wrong with it.
pub type Chore = Arc<dyn Fn() -> BoxFuture<()> + Send + Sync>;
