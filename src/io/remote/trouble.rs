//! Why a request to another machine failed, kept as a value through the library's own errors.

use std::error::Error as StdError;

/// What became of a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io) enum Fate {
    /// It was not carried out, however often it was made: the other side is down, too busy or out of
    /// reach.
    NotDone,
    /// It may have been carried out: the answer was lost. It is not made again blindly.
    Unknown,
}

/// A request that failed for want of an answer, or for one that says to come back.
#[derive(Debug, thiserror::Error)]
#[error("{said} ({n_attempts} {})", if *n_attempts == 1 { "attempt" } else { "attempts" })]
pub(in crate::io) struct Trouble {
    /// What became of it.
    pub(in crate::io) fate: Fate,
    /// How often it was made.
    pub(in crate::io) n_attempts: u32,
    /// What the server or the network said.
    pub(in crate::io) said: String,
}

/// The trouble behind an error, if there is one.
pub(in crate::io) fn trouble(error: &object_store::Error) -> Option<&Trouble> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(trouble) = inner.downcast_ref::<Trouble>() {
            return Some(trouble);
        }
        cause = inner.source();
    }
    None
}
