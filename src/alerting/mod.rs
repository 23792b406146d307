//! From scores to alerts. Pure: the scores, the past and the time come in as arguments, and the
//! same arguments give the same alerts.

mod absence;
mod budget;
mod change;
mod compare;
#[cfg(test)]
mod budget_tests;
#[cfg(test)]
mod course_tests;
mod decide;
mod episode;
mod feedback;
mod gates;
mod identity;
mod limits;
#[cfg(test)]
mod laws;
mod pipeline;
mod policy;
mod prompt;
mod rarity;
mod quiet;
mod reason;
mod retract;
mod route;
#[cfg(test)]
mod route_tests;
mod related;
mod still;
mod trace;
mod turn;
mod usual;

pub use absence::absences;
pub use budget::calibrate;
pub use change::{ChangePast, Look, shift};
pub use compare::{Comparison, Pair, compare};
pub use decide::{Decision, PastAlerts, Scored, decide};
pub use episode::{Course, OpenAlert};
pub use feedback::{Bar, MEMORY, bar};
pub use gates::Gate;
pub use identity::{alert_id, message_id};
pub use limits::{LimitBook, LimitPass, LimitPast, hold};
pub use pipeline::{Attempted, aged, crowded, failing, late};
pub use policy::{Policy, PolicyError, context_rows, globs};
pub use prompt::{Facts, Prompt, plain_words, prompt};
pub use quiet::{Quiet, Silence};
pub use rarity::{Among, HORIZON, Rank, Rarity, Side, rarity};
pub use related::{Related, related, slack};
pub use retract::is_unfounded;
pub use route::{Fit, Routed, Router, Saying};
pub use still::{frozen, rows_drop, zeros};
pub use trace::{Step, StepState, Trace, trace};
pub use turn::{Open, Turn, turn};
