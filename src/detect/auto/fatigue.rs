//! Signals that come again and again count less.

use super::pack::{MOST_COUNT, Pack, Unpack};

/// What an alarm within a burst does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prolongs {
    /// The burst lasts on.
    Burst,
    /// Nothing.
    Nothing,
}

/// How a signal tires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// Bursts fade by `1/e` in so many rows.
    pub(super) memory: f64,
    /// Rows without an alarm that end a burst.
    pub(super) gap: u32,
    /// Whether a burst goes on as long as alarms do.
    pub(super) prolongs: Prolongs,
}

/// Grows by one with each burst of alarms, and fades.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fatigue {
    pace: Pace,
    /// What a row leaves of the bursts.
    fade: f64,
    bursts: f32,
    /// Rows since the last alarm; `MOST_COUNT` before the first.
    quiet: u32,
}

impl Fatigue {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, fade: (-1.0 / pace.memory).exp(), bursts: 0.0, quiet: MOST_COUNT }
    }

    /// What is left of a signal; one row has passed.
    pub(super) fn tire(&mut self) -> f64 {
        self.bursts = (f64::from(self.bursts) * self.fade) as f32;
        self.quiet = (self.quiet + 1).min(MOST_COUNT);
        1.0 / (1.0 + 0.5 * f64::from(self.bursts))
    }

    /// The row was an alarm.
    pub(super) fn alarm(&mut self) {
        let is_new = self.pace.gap < self.quiet;
        if is_new {
            self.bursts += 1.0;
        }
        if is_new || self.pace.prolongs == Prolongs::Burst {
            self.quiet = 0;
        }
    }

    pub(super) fn pack(&self, out: &mut Pack) {
        out.number(self.bursts);
        out.count(self.quiet);
    }

    pub(super) fn unpack(pace: Pace, from: &mut Unpack<'_>) -> Option<Self> {
        let (bursts, quiet) = (from.not_negative()?, from.count(MOST_COUNT)?);
        Some(Self { bursts, quiet, ..Self::new(pace) })
    }
}
