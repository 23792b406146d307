//! Where the numbers come from, and [`intake()`], which turns frames into points and counts what it
//! leaves out.

mod error;
mod intake;

pub use error::SourceError;
pub use intake::{Intake, IntakeRules, intake};
