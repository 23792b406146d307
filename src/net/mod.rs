//! Calling other machines over HTTP: which addresses may be called, with which client, and how what
//! went wrong is put into words. Channels and sources share it.

mod address;
mod chat;
mod client;
mod heartbeat;
mod pace;
mod patience;
mod telling;

use std::error::Error;

pub use address::{Forbidden, LookupError, Reach, check, lookup};
pub use chat::{ChatError, Question, ask};
pub use client::{Certificates, Client};
pub use heartbeat::beat;
pub use patience::retry_after;
pub use telling::{quoted, telling_parts};

/// The refusal of an address while its name was looked up, if that is what went wrong.
pub fn forbidden(error: &reqwest::Error) -> Option<Forbidden> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(forbidden) = error.downcast_ref::<Forbidden>() {
            return Some(*forbidden);
        }
        source = error.source();
    }
    None
}

/// An error and its causes in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
