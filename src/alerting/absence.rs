//! Silence: a metric that stops coming.

use super::{alert_id, reason};
use crate::domain::{
    AbsenceSpec, Alert, AlertKind, BatchName, MetricName, Severity, Span, Timestamp,
};

/// The silences longer than allowed that were heard, or ended, after `from`: between two
/// observations, and from the newest one to `now`. One alert each, oldest first, at the last
/// instant before the silence; a silence that goes on has the same id in every later pass.
///
/// # Shape
/// `observed` is chronological. It must hold the last observation up to `from`, or a silence that
/// began before `from` is not seen. A metric never heard of is not absent.
pub fn absences(
    who: &(BatchName, MetricName),
    spec: &AbsenceSpec,
    observed: &[Timestamp],
    from: Timestamp,
    now: Timestamp,
) -> Vec<Alert> {
    let between = observed.windows(2).map(|pair| (pair[0], pair[1]));
    let trailing = observed.last().map(|newest| (*newest, now));
    between
        .chain(trailing)
        .filter(|(heard, end)| from < *end && spec.after < *end - *heard)
        .map(|(heard, end)| alert(who, spec, heard, end - heard))
        .collect()
}

/// A length of time in whole seconds: fractions say nothing here.
pub(super) fn spelled(span: Span) -> String {
    Span::secs(span.micros() / 1_000_000).to_string()
}

fn alert(
    who: &(BatchName, MetricName),
    spec: &AbsenceSpec,
    heard: Timestamp,
    silent: Span,
) -> Alert {
    Alert {
        id: alert_id(who, AlertKind::Absence, heard),
        batch: who.0.clone(),
        metric: who.1.clone(),
        kind: AlertKind::Absence,
        severity: Severity::Warning,
        at: heard,
        since: heard,
        value: None,
        band: None,
        score: None,
        threshold: None,
        model: None,
        reason: reason::absence(&who.1, silent, spec.after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(n: i64) -> Timestamp {
        Timestamp::from_secs(1_767_225_600 + 3_600 * n).unwrap()
    }

    /// The hours at which an absence of more than two hours is reported.
    #[track_caller]
    fn check(observed: &[i64], from: i64, now: i64, expected: &[i64]) -> Vec<Alert> {
        let who = (BatchName::parse("shop").unwrap(), MetricName::parse("orders").unwrap());
        let observed: Vec<Timestamp> = observed.iter().map(|n| hour(*n)).collect();
        let spec = AbsenceSpec { after: Span::hours(2), exclude: Vec::new() };
        let alerts = absences(&who, &spec, &observed, hour(from), hour(now));
        let reported: Vec<Timestamp> = alerts.iter().map(|alert| alert.at).collect();
        assert_eq!(reported, expected.iter().map(|n| hour(*n)).collect::<Vec<_>>());
        alerts
    }

    #[test]
    fn a_silence_longer_than_allowed_is_reported_at_the_last_instant_heard() {
        check(&[0, 1, 2], -9, 4, &[]);
        check(&[0, 1, 2], -9, 5, &[2]);
        check(&[], -9, 5, &[]);
    }

    #[test]
    fn a_silence_inside_the_past_is_reported_while_its_end_is_news() {
        check(&[0, 1, 9, 10], 0, 11, &[1]);
        check(&[0, 1, 9, 10], 8, 11, &[1]);
        check(&[0, 1, 9, 10], 9, 11, &[]);
    }

    #[test]
    fn one_silence_has_one_id_while_it_lasts_and_after_it_ended() {
        let at_first = check(&[0, 1], 0, 5, &[1]);
        let later = check(&[0, 1], 5, 9, &[1]);
        let ended = check(&[0, 1, 20, 21], 9, 21, &[1]);
        assert_eq!(at_first[0].id, later[0].id);
        assert_eq!(later[0].id, ended[0].id);
        assert_eq!(ended[0].value, None);
    }

    #[test]
    fn a_clock_that_went_back_reports_nothing() {
        check(&[0, 1, 2], -9, -3, &[]);
    }
}
