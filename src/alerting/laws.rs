//! Laws of the alert policy, over random scores and settings.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::decide::tests::{hour, orders, series};
use super::policy::tests::open;
use super::{Decision, PastAlerts, Policy, Quiet, Scored, context_rows, decide};
use crate::domain::{
    AlertId, AlertSpec, Band, Direction, Maintenance, MaintenanceTime, MinChange, Snooze, Span,
    Timestamp,
};

fn judge(spec: &AlertSpec, scored: &[Scored], from: Timestamp, past: &PastAlerts) -> Decision {
    decide(&orders(), &Policy::compile(spec).unwrap(), scored, from, past)
}

fn judge_all(spec: &AlertSpec, scored: &[Scored]) -> Decision {
    judge(spec, scored, Timestamp::MIN, &PastAlerts::default())
}

fn ids(decision: &Decision) -> Vec<AlertId> {
    decision.alerts.iter().map(|alert| alert.id.clone()).collect()
}

fn snoozes() -> impl Strategy<Value = Snooze> {
    prop_oneof![
        (0..12_i64).prop_map(|n| Snooze::Time(Span::hours(n))),
        (0..12_usize).prop_map(Snooze::Points),
    ]
}

/// Settings without `recent`, which binds by design when a stretch is judged in parts.
fn specs() -> impl Strategy<Value = AlertSpec> {
    let directions = prop_oneof![Just(Direction::Up), Just(Direction::Down), Just(Direction::Both)];
    let changes = (0.0..20.0_f64, 0.0..0.2_f64)
        .prop_map(|(absolute, relative)| MinChange { absolute, relative });
    let ends = (0..4_usize, 0.5..=1.0_f64, (0..6_i64).prop_map(Span::hours));
    (0.3..0.9_f64, 0..5_usize, snoozes(), directions, changes, 1..4_usize, ends).prop_map(
        |(threshold, smooth, snooze, direction, min_change, delay, ends)| AlertSpec {
            resolve_after: ends.0,
            resolve_below: ends.1,
            merge: ends.2,
            threshold,
            smooth,
            snooze,
            direction,
            min_change,
            delay,
            ..open()
        },
    )
}

/// Hourly points with gaps, where some have a band and some have none.
fn points() -> impl Strategy<Value = Vec<Scored>> {
    let point = (0.0..=1.0_f64, 50.0..150.0_f64, 1..4_usize, any::<bool>());
    prop::collection::vec(point, 1..160).prop_map(|rows| {
        let mut n_hours = 0;
        let mut scored = series(&vec![0.0; rows.len()]);
        for (point, (score, value, gap, has_band)) in scored.iter_mut().zip(rows) {
            n_hours += gap;
            point.at = hour(n_hours);
            point.score = score;
            point.value = value;
            point.band = has_band.then_some(Band { expected: 100.0, lower: 90.0, upper: 110.0 });
        }
        scored
    })
}

proptest! {
    #[test]
    fn judging_in_parts_gives_the_alerts_of_one_pass(
        spec in specs(),
        scored in points(),
        n_parts in 1..6_usize,
    ) {
        let whole = judge_all(&spec, &scored);
        let mut parts = Vec::new();
        let mut ends = BTreeMap::new();
        let mut past = PastAlerts::default();
        let mut from = Timestamp::MIN;
        let mut n_judged = 0;
        for rows in scored.chunks(scored.len().div_ceil(n_parts)) {
            let context = n_judged.min(context_rows(&spec));
            let end = n_judged + rows.len();
            let decision = judge(&spec, &scored[n_judged - context..end], from, &past);
            past = past.after(&decision);
            for course in &decision.courses {
                ends.insert(course.alert.id.clone(), course.clone());
            }
            parts.extend(ids(&decision));
            from = scored[end - 1].at;
            n_judged = end;
        }
        prop_assert_eq!(parts, ids(&whole));
        for course in &whole.courses {
            let end = &ends[&course.alert.id];
            prop_assert_eq!((&end.alert, end.over_at), (&course.alert, course.over_at));
        }
    }

    #[test]
    fn every_alert_is_over_or_the_one_that_is_open(spec in specs(), scored in points()) {
        let decision = judge_all(&spec, &scored);
        let course_ids: Vec<AlertId> =
            decision.courses.iter().map(|course| course.alert.id.clone()).collect();
        prop_assert_eq!(course_ids, ids(&decision));
        for (n, (course, alert)) in decision.courses.iter().zip(&decision.alerts).enumerate() {
            prop_assert!(alert.at <= course.alert.until);
            let next = decision.alerts.get(n + 1).map(|next| next.at);
            match (course.over_at, next) {
                (None, next) => prop_assert_eq!(next, None, "an alert that is open is the newest"),
                (Some(over), next) => {
                    prop_assert!(course.alert.until <= over);
                    prop_assert!(next.is_none_or(|next| over <= next));
                }
            }
        }
    }

    #[test]
    fn nothing_is_raised_while_it_is_quiet(
        spec in specs(),
        scored in points(),
        (from, length) in (0..200_usize, 0..200_usize),
        until in 0..200_usize,
    ) {
        let mut policy = Policy::compile(&spec).unwrap();
        let stretch = (hour(from), hour(from + length));
        let when = MaintenanceTime::of(vec![stretch]);
        let maintenance = Maintenance { when, reason: String::new() };
        policy.quiet = Quiet::default().with(vec![maintenance]).snoozed(Some(hour(until)));
        let decision =
            decide(&orders(), &policy, &scored, Timestamp::MIN, &PastAlerts::default());
        for alert in &decision.alerts {
            prop_assert!(hour(until) <= alert.at);
            prop_assert!(alert.at < stretch.0 || stretch.1 <= alert.at);
        }
    }

    #[test]
    fn the_budget_counts_what_the_policy_raises(spec in specs(), scored in points()) {
        let counted = super::budget::count(&scored, &spec);
        prop_assert_eq!(counted, judge_all(&spec, &scored).alerts.len());
    }

    #[test]
    fn a_longer_patience_never_gives_more_alerts(
        spec in specs(),
        scored in points(),
        (more, hours) in (0..5_usize, 0..9_i64),
    ) {
        let longer = AlertSpec {
            resolve_after: spec.resolve_after + more,
            merge: Span::from_micros(spec.merge.micros() + Span::hours(hours).micros()),
            ..spec.clone()
        };
        prop_assert!(
            judge_all(&longer, &scored).alerts.len() <= judge_all(&spec, &scored).alerts.len()
        );
    }

    #[test]
    fn judging_again_adds_nothing(spec in specs(), scored in points()) {
        let first = judge_all(&spec, &scored);
        let past = PastAlerts::default().after(&first);
        let newest = scored[scored.len() - 1].at;
        prop_assert_eq!(judge(&spec, &scored, newest, &past).alerts, []);
        let known = ids(&first);
        for id in ids(&judge(&spec, &scored, Timestamp::MIN, &PastAlerts::default())) {
            prop_assert!(known.contains(&id));
        }
    }

    #[test]
    fn a_longer_silence_never_gives_more_alerts(
        spec in specs(),
        scored in points(),
        n in 0..12_usize,
        more in 0..12_usize,
    ) {
        let count = |snooze| judge_all(&AlertSpec { snooze, ..spec.clone() }, &scored).alerts.len();
        let time = |n: usize| Snooze::Time(Span::hours(n as i64));
        prop_assert!(count(time(n + more)) <= count(time(n)));
        prop_assert!(count(Snooze::Points(n + more)) <= count(Snooze::Points(n)));
    }

    #[test]
    fn a_higher_threshold_never_adds_an_alert_without_silence(
        spec in specs(),
        scored in points(),
        more in 0.0..0.1_f64,
    ) {
        // Of hits that are each an alert: a long alert may fall apart under a higher threshold.
        let (resolve_after, merge) = (0, Span::ZERO);
        let low = AlertSpec { snooze: Snooze::Points(0), resolve_after, merge, ..spec };
        let high = AlertSpec { threshold: low.threshold + more, ..low.clone() };
        let allowed = ids(&judge_all(&low, &scored));
        for id in ids(&judge_all(&high, &scored)) {
            prop_assert!(allowed.contains(&id));
        }
    }

    #[test]
    fn smoothing_over_one_score_changes_nothing(spec in specs(), scored in points()) {
        let off = judge_all(&AlertSpec { smooth: 0, ..spec.clone() }, &scored);
        let one = judge_all(&AlertSpec { smooth: 1, ..spec }, &scored);
        for (alert, other) in off.alerts.iter().zip(&one.alerts) {
            let point = scored.iter().find(|point| point.at == alert.at);
            prop_assert_eq!(alert.score, point.map(|point| point.score));
            prop_assert_eq!(alert.score, other.score);
        }
        prop_assert_eq!(ids(&off), ids(&one));
    }

    #[test]
    fn every_new_point_over_the_threshold_alerts_or_is_counted(
        spec in specs(),
        scored in points(),
        recent in 0..200_usize,
    ) {
        let (resolve_after, merge) = (0, Span::ZERO);
        let spec = AlertSpec { smooth: 1, recent, resolve_after, merge, ..spec };
        let decision = judge_all(&spec, &scored);
        let n_over = scored.iter().filter(|point| spec.threshold <= point.score).count() as u64;
        let n_suppressed: u64 = decision.stopped.len() as u64;
        prop_assert_eq!(decision.alerts.len() as u64 + n_suppressed, n_over);
        for alert in &decision.alerts {
            prop_assert!(alert.since <= alert.at);
            prop_assert!(!alert.reason.contains('\n'));
        }
    }
}
