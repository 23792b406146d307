//! The daemon: which runs are due, who works on them, what happens at start-up and at the end.
//!
//! The composition root takes the folder's lock, opens the catalog, calls [`recover`] and then runs
//! a [`Daemon`] until the token it shares with [`signals::stop_on_signals`] is cancelled.

pub mod clock;
pub mod follow;
pub mod lines;
pub mod lock;
pub mod preview;
pub mod reload;
pub mod replay;
pub mod schedule;
pub mod signals;

mod daemon;
mod options;
mod planner;
mod random;
mod recovery;
mod retry;
mod room;
mod worker;

pub use daemon::{Daemon, DaemonError};
pub use options::{BoxFuture, Chore, Event, Observer, OnBeats, Options, RunClaim};
pub use planner::{Planned, Planner};
pub use random::{random_bytes, random_unit};
pub use recovery::{Recovered, RecoveryError, recover};
pub use retry::{FailureKind, JobFailure, retry_at};
pub use worker::{Signal, Workers};

#[cfg(test)]
mod tests;
