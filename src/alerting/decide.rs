//! The alert policy: each new point goes through the gates. The first one that stops a point over
//! the threshold is the one that is counted.

use std::collections::BTreeMap;

use super::{
    Gate, Policy, alert_id,
    episode::{Course, OpenAlert, severity},
    gates::{Passage, Walk},
    reason,
};
use crate::domain::{
    Alert, AlertKind, AlertSpec, Aspect, Band, BatchName, MetricName, ModelVersion, Timestamp,
};

/// A scored point, as the policy sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// When it was observed.
    pub at: Timestamp,
    /// What was observed.
    pub value: f64,
    /// In [0, 1].
    pub score: f64,
    /// What was expected, where the detector can say.
    pub band: Option<Band>,
    /// What made the score, where the detector can say.
    pub aspect: Option<Aspect>,
    /// The model that made the score.
    pub model: ModelVersion,
}

/// What is remembered of the metric's earlier alerts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PastAlerts {
    /// The newest observation that fired an anomaly. Points up to it are judged already.
    pub last_fired: Option<Timestamp>,
    /// The alert that is not over.
    pub open: Option<OpenAlert>,
}

impl PastAlerts {
    /// What is to be remembered after a pass.
    #[must_use]
    pub fn after(self, decision: &Decision) -> Self {
        let last_fired = decision.alerts.last().map(|alert| alert.at).or(self.last_fired);
        let open = match decision.courses.last() {
            Some(course) => course.over_at.is_none().then(|| course.alert.clone()),
            None => self.open,
        };
        Self { last_fired, open }
    }
}

/// What the policy made of a metric's new scores.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// Those raised, oldest first, each as loud as it became.
    pub alerts: Vec<Alert>,
    /// What became of each alert that was raised, extended or ended; oldest first.
    pub courses: Vec<Course>,
    /// New points over the threshold that are of no alert, each with the gate that stopped it.
    pub stopped: Vec<(Timestamp, Gate)>,
}

impl Decision {
    /// How many points after an instant each gate stopped.
    pub fn suppressed_after(&self, from: Timestamp) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (_, gate) in self.stopped.iter().filter(|(at, _)| from < *at) {
            *counts.entry(gate.as_str().to_owned()).or_default() += 1;
        }
        counts
    }
}

/// Applies the policy to one metric.
///
/// # Shape
/// `scored` is chronological. Points after `from` are judged; those up to it are context (at least
/// [`super::context_rows`] of them, where there are so many).
///
/// # Laws
/// Judging a stretch in consecutive passes, each with its context and the alerts of those before,
/// gives the alerts of one pass, with the same ends, unless `recent` binds. Judging it again adds
/// none.
pub fn decide(
    who: &(BatchName, MetricName),
    policy: &Policy,
    scored: &[Scored],
    from: Timestamp,
    past: &PastAlerts,
) -> Decision {
    let spec = &policy.spec;
    let mut decision = Decision::default();
    if !spec.enabled {
        return decision;
    }
    let mut points = Walk::new(&who.1, policy, scored, from, past);
    while let Some(passage) = points.next() {
        let since = match passage.since {
            Some(since) if from < passage.point.at => since,
            _ => continue,
        };
        match passage.stopped_by(spec) {
            // It belongs to the alert that is open.
            Some(Gate::Open) => (),
            Some(gate) => decision.stopped.push((passage.point.at, gate)),
            None => {
                let mut alert = alert(who, spec, &passage, since);
                if let Some(remark) = &policy.remark {
                    alert.reason += &format!("; {remark}");
                }
                points.fire(OpenAlert {
                    id: alert.id.clone(),
                    until: alert.at,
                    peak_score: passage.score,
                    severity: alert.severity,
                });
                decision.alerts.push(alert);
            }
        }
    }
    decision.courses = points.finish();
    for alert in &mut decision.alerts {
        let own = decision.courses.iter().find(|course| course.alert.id == alert.id);
        alert.severity = own.map_or(alert.severity, |course| course.alert.severity);
    }
    decision
}

fn alert(
    who: &(BatchName, MetricName),
    spec: &AlertSpec,
    passage: &Passage<'_>,
    since: Timestamp,
) -> Alert {
    let Passage { point, score, .. } = *passage;
    let mean = reason::Mean::of(score, spec.smooth);
    Alert {
        id: alert_id(who, AlertKind::Anomaly, point.at),
        batch: who.0.clone(),
        metric: who.1.clone(),
        kind: AlertKind::Anomaly,
        severity: severity(score, spec.threshold),
        at: point.at,
        since,
        value: Some(point.value),
        band: point.band,
        score: Some(score),
        threshold: Some(spec.threshold),
        model: Some(point.model.clone()),
        reason: reason::anomaly(&who.1, point, &passage.usual, mean),
    }
}

/// The trailing mean of the scores up to a point, over fewer where the series starts.
pub(super) fn smoothed(scored: &[Scored], i: usize, n_scores: usize) -> f64 {
    let window = &scored[(i + 1).saturating_sub(n_scores.max(1))..=i];
    // Summed afresh for each point: a running sum would round by where the pass began.
    let sum: f64 = window.iter().map(|point| point.score).sum();
    sum / window.len() as f64
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::policy::tests::open;
    use super::*;
    use crate::domain::{Direction, MinChange, Severity, Snooze, Span};

    pub(crate) fn hour(n: usize) -> Timestamp {
        Timestamp::from_secs(1_767_225_600 + 3_600 * n as i64).unwrap()
    }

    pub(crate) fn orders() -> (BatchName, MetricName) {
        (BatchName::parse("shop").unwrap(), MetricName::parse("orders").unwrap())
    }

    /// Hourly points of value 100 with these scores.
    pub(crate) fn series(scores: &[f64]) -> Vec<Scored> {
        let point = |(n, score): (usize, &f64)| Scored {
            at: hour(n),
            value: 100.0,
            score: *score,
            band: None,
            aspect: None,
            model: ModelVersion::at(hour(0)),
        };
        scores.iter().enumerate().map(point).collect()
    }

    /// The hours that alert, and what was suppressed as `reason n, …`.
    #[track_caller]
    fn check_from(
        from: Timestamp,
        spec: &AlertSpec,
        scored: &[Scored],
        hours: &[usize],
        why: &str,
    ) {
        let policy = Policy::compile(spec).unwrap();
        let decision = decide(&orders(), &policy, scored, from, &PastAlerts::default());
        let fired: Vec<Timestamp> = decision.alerts.iter().map(|alert| alert.at).collect();
        assert_eq!(fired, hours.iter().map(|n| hour(*n)).collect::<Vec<_>>());
        let suppressed: Vec<String> = decision
            .suppressed_after(from)
            .iter()
            .map(|(reason, n)| format!("{reason} {n}"))
            .collect();
        assert_eq!(suppressed.join(", "), why);
    }

    #[track_caller]
    fn check(spec: &AlertSpec, scores: &[f64], hours: &[usize], why: &str) {
        check_from(Timestamp::MIN, spec, &series(scores), hours, why);
    }

    #[test]
    fn a_score_at_the_threshold_alerts_and_one_below_does_not() {
        check(&open(), &[0.0, 0.9, 0.899_999, 1.0], &[1, 3], "");
        check(&AlertSpec { enabled: false, ..open() }, &[1.0], &[], "");
    }

    #[test]
    fn smoothing_is_the_mean_of_this_score_and_those_before() {
        let spec = AlertSpec { smooth: 4, threshold: 0.8, ..open() };
        // The original alerts on the first of these and not on the second.
        check(&spec, &[0.0, 0.0, 0.0, 0.9], &[], "");
        check(&spec, &[1.0, 1.0, 1.0, 0.79], &[0, 1, 2, 3], "");
        check(&AlertSpec { smooth: 3, ..spec }, &[0.7, 0.9, 0.9], &[1, 2], "");
    }

    #[test]
    fn an_excluded_metric_never_alerts() {
        let spec = AlertSpec { exclude: vec!["ord*".into()], ..open() };
        check(&spec, &[0.0, 1.0, 1.0], &[], "excluded 2");
    }

    #[test]
    fn only_the_side_that_counts_alerts() {
        let band = Some(Band { expected: 100.0, lower: 90.0, upper: 110.0 });
        let mut scored = series(&[1.0, 1.0, 1.0]);
        for (point, value) in scored.iter_mut().zip([50.0, 150.0, 100.0]) {
            *point = Scored { value, band, ..point.clone() };
        }
        let with = |direction| AlertSpec { direction, ..open() };
        check_from(Timestamp::MIN, &with(Direction::Up), &scored, &[1], "direction 2");
        check_from(Timestamp::MIN, &with(Direction::Down), &scored, &[0], "direction 2");
        check_from(Timestamp::MIN, &with(Direction::Both), &scored, &[0, 1, 2], "");
    }

    #[test]
    fn without_an_expected_value_the_points_before_tell_the_side() {
        let mut scored = series(&[1.0, 0.0, 0.0, 1.0, 1.0]);
        scored[3].value = 40.0;
        scored[4].value = 160.0;
        let with = |direction| AlertSpec { direction, ..open() };
        check_from(Timestamp::MIN, &with(Direction::Up), &scored, &[4], "direction 2");
        check_from(Timestamp::MIN, &with(Direction::Down), &scored, &[3], "direction 2");
    }

    #[test]
    fn a_change_too_small_for_people_does_not_alert() {
        let band = Some(Band { expected: -100.0, lower: -101.0, upper: -99.0 });
        let mut scored = series(&[1.0, 1.0, 1.0]);
        for (point, value) in scored.iter_mut().zip([-104.0, -111.0, -85.0]) {
            *point = Scored { value, band, ..point.clone() };
        }
        let with = |absolute, relative| AlertSpec {
            min_change: MinChange { absolute, relative },
            ..open()
        };
        check_from(Timestamp::MIN, &with(5.0, 0.0), &scored, &[1, 2], "min_change 1");
        check_from(Timestamp::MIN, &with(5.0, 0.15), &scored, &[2], "min_change 2");
        check_from(Timestamp::MIN, &with(0.0, 0.0), &scored, &[0, 1, 2], "");
    }

    #[test]
    fn a_delay_waits_for_consecutive_hits_and_since_names_the_first() {
        let spec = AlertSpec { delay: 2, ..open() };
        check(&spec, &[1.0, 0.0, 1.0, 1.0, 1.0], &[3, 4], "delay 2");
        let policy = Policy::compile(&spec).unwrap();
        let scored = series(&[1.0, 0.0, 1.0, 1.0, 1.0]);
        let decision = decide(&orders(), &policy, &scored, hour(3), &PastAlerts::default());
        assert_eq!((decision.alerts[0].at, decision.alerts[0].since), (hour(4), hour(2)));
    }

    #[test]
    fn only_the_newest_points_of_a_pass_can_alert() {
        let spec = AlertSpec { recent: 2, ..open() };
        check(&spec, &[1.0, 1.0, 1.0, 1.0], &[2, 3], "recent 2");
        check_from(hour(2), &spec, &series(&[1.0, 1.0, 1.0, 1.0]), &[3], "");
    }

    #[test]
    fn an_alert_is_followed_by_silence_in_time_or_points() {
        let hours = AlertSpec { snooze: Snooze::Time(Span::hours(3)), ..open() };
        check(&hours, &[1.0; 7], &[0, 3, 6], "snooze 4");
        let points = AlertSpec { snooze: Snooze::Points(2), ..open() };
        check(&points, &[1.0; 7], &[0, 3, 6], "snooze 4");
        check(&AlertSpec { snooze: Snooze::Points(0), ..open() }, &[1.0; 3], &[0, 1, 2], "");
    }

    #[test]
    fn silence_goes_on_over_a_restart() {
        for snooze in [Snooze::Time(Span::hours(3)), Snooze::Points(2)] {
            let policy = Policy::compile(&AlertSpec { snooze, ..open() }).unwrap();
            let past = PastAlerts { last_fired: Some(hour(3)), open: None };
            let decision = decide(&orders(), &policy, &series(&[1.0; 7]), hour(3), &past);
            let fired: Vec<Timestamp> = decision.alerts.iter().map(|alert| alert.at).collect();
            assert_eq!(fired, [hour(6)], "{snooze:?}");
        }
    }

    #[test]
    fn an_alert_carries_everything_known() {
        let policy = Policy::compile(&open()).unwrap();
        let mut scored = series(&[0.0, 0.95]);
        let band = Band { expected: 200.0, lower: 150.0, upper: 250.0 };
        scored[1].band = Some(band);
        let decision = decide(&orders(), &policy, &scored, Timestamp::MIN, &PastAlerts::default());
        assert_eq!(
            decision.alerts,
            [Alert {
                id: alert_id(&orders(), AlertKind::Anomaly, hour(1)),
                batch: orders().0,
                metric: orders().1,
                kind: AlertKind::Anomaly,
                severity: Severity::Warning,
                at: hour(1),
                since: hour(1),
                value: Some(100.0),
                band: Some(band),
                score: Some(0.95),
                threshold: Some(0.9),
                model: Some(ModelVersion::at(hour(0))),
                reason: "orders was 100, expected 150 to 250 (200): 50 % below, unusual for \
                         this time (score 0.95)"
                    .into(),
            }]
        );
    }
}
