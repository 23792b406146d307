//! Object stores on other machines: how they are opened, how often a request is made, and how many at
//! once. Every request of the I/O layer goes through [`connect::Caller`], the one place that repeats.

mod connect;
mod gate;
mod open;
mod patience;
mod trouble;
mod web;

pub(super) use connect::Calls;
pub(super) use open::{Way, bucket};
pub use patience::Patience;
pub(super) use trouble::{Fate, trouble};
pub(super) use web::web;
