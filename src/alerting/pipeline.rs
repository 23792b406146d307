//! The program itself: what is wrong with its own work, said as an alert like any other. What it is
//! about stands where a metric's name does, as in `pipeline/job-train`.

use super::{absence::spelled, turn};
use crate::domain::{
    Alert, AlertKind, BatchName, JobKind, MetricName, RunState, Severity, Span, Timestamp, words,
};

/// A run as it counts here.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempted {
    /// Its slot.
    pub slot: Timestamp,
    /// What became of it.
    pub state: RunState,
    /// Attempts begun.
    pub n_attempts: u64,
    /// Why the last failed, if one did.
    pub error: Option<String>,
}

/// The alert of a job whose newest attempts all failed, from so many on. `runs` are the newest first.
pub fn failing(
    who: &(BatchName, MetricName),
    job: JobKind,
    runs: &[Attempted],
    n_failures: usize,
    now: Timestamp,
) -> Option<Alert> {
    let (mut n_failed, mut first, mut error) = (0_u64, None, None);
    for run in runs {
        let failed = match run.state {
            RunState::Succeeded => break,
            RunState::Dead | RunState::RetryWait => run.n_attempts.max(1),
            // The attempt under way has not failed yet.
            RunState::Running => run.n_attempts.saturating_sub(1),
            RunState::Pending | RunState::Skipped | RunState::Cancelled => 0,
        };
        if 0 < failed {
            n_failed += failed;
            first = Some(run.slot);
            error = error.or(run.error.as_deref());
        }
    }
    let first = first.filter(|_| n_failures as u64 <= n_failed)?;
    let what = match job {
        JobKind::Ingest => "the source cannot be read: ingest".to_owned(),
        job => job.to_string(),
    };
    let why = words::shown(error.unwrap_or("no reason is known"));
    let reason = format!("{what} failed {n_failed} times in a row: {why}");
    Some(pipeline(who, Severity::Critical, (now, first), reason))
}

/// The alert of a run that is due and has not begun.
pub fn late(
    who: &(BatchName, MetricName),
    job: JobKind,
    due: Timestamp,
    now: Timestamp,
    allowed: Span,
) -> Option<Alert> {
    let waited = now - due;
    let reason = || format!("{job} was due at {due} and waits for {}", spelled(waited));
    (allowed < waited).then(|| pipeline(who, Severity::Warning, (now, due), reason()))
}

/// The alert of models that are too old.
pub fn aged(
    who: &(BatchName, MetricName),
    trained_at: Timestamp,
    now: Timestamp,
    allowed: Span,
) -> Option<Alert> {
    let age = now - trained_at;
    let reason = || format!("the newest model was trained {} ago", spelled(age));
    (allowed < age).then(|| pipeline(who, Severity::Warning, (now, trained_at), reason()))
}

/// The alert of too few free bytes where the data lies.
pub fn crowded(
    who: &(BatchName, MetricName),
    n_free: u64,
    n_least: u64,
    now: Timestamp,
) -> Option<Alert> {
    let shown = |n_bytes: u64| words::number(n_bytes as f64 / f64::from(1_u32 << 20));
    let reason = || {
        let (free, least) = (shown(n_free), shown(n_least));
        format!("{free} MiB are free where the data lies, fewer than {least} MiB")
    };
    (n_free < n_least).then(|| pipeline(who, Severity::Critical, (now, now), reason()))
}

/// It is of the instant it fires at, so that one that was closed can fire again.
fn pipeline(
    who: &(BatchName, MetricName),
    severity: Severity,
    (now, since): (Timestamp, Timestamp),
    reason: String,
) -> Alert {
    turn::alert(who, (AlertKind::Pipeline, severity), (now, since), None, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who() -> (BatchName, MetricName) {
        (BatchName::parse("shop").unwrap(), MetricName::parse("pipeline/job-train").unwrap())
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_767_225_600 + secs).unwrap()
    }

    #[track_caller]
    fn check(runs: &[(RunState, u64)], expected: Option<i64>) {
        let runs: Vec<Attempted> = (0..)
            .zip(runs)
            .map(|(n, (state, n_attempts))| Attempted {
                slot: at(-n),
                state: *state,
                n_attempts: *n_attempts,
                error: Some("no <route>\nto host".into()),
            })
            .collect();
        let alert = failing(&who(), JobKind::Ingest, &runs, 3, at(60));
        let times = alert.as_ref().map(|alert| (alert.at, alert.since));
        assert_eq!(times, expected.map(|since| (at(60), at(since))));
        if let Some(alert) = alert {
            let why = "times in a row: no <route>\\nto host";
            assert!(alert.reason.ends_with(why), "{}", alert.reason);
        }
    }

    #[test]
    fn attempts_that_failed_in_a_row_count_over_runs_up_to_the_last_that_did_not() {
        use RunState::{Dead, Pending, RetryWait, Running, Skipped, Succeeded};
        check(&[], None);
        check(&[(RetryWait, 2)], None);
        check(&[(RetryWait, 3)], Some(0));
        check(&[(Running, 3)], None);
        check(&[(Running, 4)], Some(0));
        check(&[(Dead, 1), (Dead, 1), (Succeeded, 9), (Dead, 9)], None);
        check(&[(Pending, 0), (Dead, 1), (Skipped, 0), (Dead, 2), (Succeeded, 1)], Some(-3));
    }

    #[test]
    fn lateness_age_and_room_are_told_from_their_limit_on() {
        let hour = Span::hours(1);
        assert!(late(&who(), JobKind::Train, at(0), at(3_600), hour).is_none());
        assert!(late(&who(), JobKind::Train, at(0), at(3_601), hour).is_some());
        assert!(aged(&who(), at(0), at(3_600), hour).is_none());
        assert!(aged(&who(), at(0), at(7_200), hour).is_some());
        assert!(crowded(&who(), 100, 100, at(0)).is_none());
        let alert = crowded(&who(), 5 << 20, 1 << 30, at(0)).unwrap();
        assert_eq!(alert.reason, "5 MiB are free where the data lies, fewer than 1,024 MiB");
    }
}
