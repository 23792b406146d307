//! The one place that reads the clock.

use crate::domain::Timestamp;

/// How parts of the daemon learn the time; a test gives its own.
pub type Clock = fn() -> Timestamp;

/// The time on this machine's clock.
#[expect(clippy::disallowed_methods, reason = "the one clock read everything else is given")]
pub fn now() -> Timestamp {
    Timestamp::from(chrono::Utc::now())
}
