//! Whether and when a failed run is tried again. Pure; chance comes in as an argument.

use crate::domain::{Span, Timestamp};

const FIRST_WAIT: Span = Span::secs(2);
const LONGEST_WAIT: Span = Span::secs(300);
/// A defect seldom goes away by itself; the second try is for the rare race.
const MAX_ATTEMPTS_AFTER_PANIC: i64 = 2;

/// A failed attempt, as the job tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFailure {
    /// What went wrong and what caused it, in one line.
    pub error_chain: String,
    /// What follows from it.
    pub kind: FailureKind,
    /// How long whoever refused asks to be left alone.
    pub not_before: Option<Span>,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It may go away by itself.
    Transient,
    /// No retry would mend it.
    Permanent,
    /// A defect of this program.
    Panic,
    /// The run belongs to somebody else by now; nothing may be written for it.
    Fenced,
}

/// When to try again after a failure of the `attempt`-th try (from 1), by exponential back-off with
/// full jitter, counted from when the asked-for pause is over; `None` gives the run up. `chance`
/// lies in [0, 1).
pub fn retry_at(
    failure: &JobFailure,
    attempt: i64,
    max_attempts: i64,
    chance: f64,
    now: Timestamp,
) -> Option<Timestamp> {
    let max_attempts = match failure.kind {
        FailureKind::Transient => max_attempts,
        FailureKind::Panic => MAX_ATTEMPTS_AFTER_PANIC.min(max_attempts),
        FailureKind::Permanent | FailureKind::Fenced => return None,
    };
    if max_attempts <= attempt {
        return None;
    }
    let doublings = u32::try_from(attempt - 1).unwrap_or(0).min(16);
    let ceiling = FIRST_WAIT.micros() << doublings;
    let ceiling = ceiling.min(LONGEST_WAIT.micros());
    let wait = Span::from_micros((ceiling as f64 * chance.clamp(0.0, 1.0)) as i64);
    Some(now + failure.not_before.unwrap_or(Span::ZERO) + wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: FailureKind, attempt: i64, chance: f64, wait: Option<Span>) {
        let now = Timestamp::from_secs(1_000).unwrap();
        let failure = JobFailure { error_chain: String::new(), kind, not_before: None };
        assert_eq!(retry_at(&failure, attempt, 20, chance, now), wait.map(|wait| now + wait));
    }

    #[test]
    fn who_asks_to_be_left_alone_is_not_asked_sooner_than_that() {
        let now = Timestamp::from_secs(1_000).unwrap();
        let failure = JobFailure {
            error_chain: String::new(),
            kind: FailureKind::Transient,
            not_before: Some(Span::secs(600)),
        };
        assert_eq!(retry_at(&failure, 1, 5, 0.0, now), Some(now + Span::secs(600)));
        assert_eq!(retry_at(&failure, 2, 5, 0.5, now), Some(now + Span::secs(602)));
        assert_eq!(retry_at(&failure, 5, 5, 0.5, now), None);
    }

    #[test]
    fn waits_double_up_to_five_minutes_and_end_with_the_attempts() {
        check(FailureKind::Transient, 1, 1.0, Some(Span::secs(2)));
        check(FailureKind::Transient, 3, 1.0, Some(Span::secs(8)));
        check(FailureKind::Transient, 3, 0.5, Some(Span::secs(4)));
        check(FailureKind::Transient, 19, 1.0, Some(Span::secs(300)));
        check(FailureKind::Transient, 20, 1.0, None);
    }

    #[test]
    fn what_no_retry_mends_is_given_up_at_once() {
        check(FailureKind::Permanent, 1, 0.0, None);
        check(FailureKind::Panic, 1, 0.0, Some(Span::ZERO));
        check(FailureKind::Panic, 2, 0.0, None);
    }
}
