//! How good a detector is: a walk over rows as `anomstack detect` makes it, labelled series, NAB's
//! score and counts of events. Pure; files are read and tables printed in `cli`.

mod events;
mod labelled;
mod nab;
mod walk;

pub use events::{Counts, Delay, counts};
pub use labelled::{Labelled, windows_of_flags, windows_of_times};
pub use nab::{Best, Board, PROFILES, Profile};
pub use walk::{Setup, Walk};

#[cfg(test)]
mod cold_start;
#[cfg(test)]
mod comparable;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
