//! From scores to alerts. Pure: the scores, the past and the time come in as arguments, and the
//! same arguments give the same alerts.

mod absence;
mod budget;
mod compare;
#[cfg(test)]
mod budget_tests;
mod decide;
mod gates;
mod identity;
#[cfg(test)]
mod laws;
mod policy;
mod reason;
mod trace;
mod usual;

pub use absence::absences;
pub use budget::calibrate;
pub use compare::{Comparison, Pair, compare};
pub use decide::{Decision, PastAlerts, Scored, decide};
pub use gates::Gate;
pub use identity::{alert_id, message_id};
pub use policy::{Policy, PolicyError, context_rows};
pub use trace::{Step, StepState, Trace, trace};
