//! The daemon: which runs are due, who works on them, what happens at start-up and at the end.

pub mod clock;
pub mod lock;
mod random;
pub mod recovery;
pub mod schedule;

pub use random::random_unit;
