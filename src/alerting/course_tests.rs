//! How alerts last, escalate and end, and when none is raised.

use std::collections::BTreeMap;

use super::{
    PastAlerts, Policy, Quiet, decide,
    decide::tests::{hour, orders, series},
    policy::tests::open,
};
use crate::domain::{AlertSpec, Maintenance, MaintenanceTime, Severity, Span, Timestamp};

/// The hours of each alert of one pass: first, newest hit, and where it was over.
#[track_caller]
fn check_courses(spec: &AlertSpec, scores: &[f64], expected: &[(usize, usize, Option<usize>)]) {
    let policy = Policy::compile(spec).unwrap();
    let scored = series(scores);
    let decision = decide(&orders(), &policy, &scored, Timestamp::MIN, &PastAlerts::default());
    let courses = decision.courses.iter().zip(&decision.alerts);
    let found: Vec<_> = courses
        .map(|(course, alert)| {
            assert_eq!(course.alert.id, alert.id);
            (alert.at, course.alert.until, course.over_at)
        })
        .collect();
    let hours = |(at, until, over): &(usize, usize, Option<usize>)| {
        (hour(*at), hour(*until), over.map(hour))
    };
    assert_eq!(found, expected.iter().map(hours).collect::<Vec<_>>());
    assert_eq!(decision.alerts.len(), decision.courses.len());
}

#[test]
fn hits_within_an_alert_extend_it_and_quiet_points_in_a_row_end_it() {
    let spec = AlertSpec { resolve_after: 2, ..open() };
    check_courses(&spec, &[1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0], &[(0, 3, Some(5))]);
    check_courses(&spec, &[1.0, 0.0, 0.0, 1.0, 0.0], &[(0, 0, Some(2)), (3, 3, None)]);
    check_courses(
        &AlertSpec { resolve_after: 0, ..spec },
        &[1.0; 2],
        &[(0, 0, Some(0)), (1, 1, Some(1))],
    );
}

#[test]
fn a_score_just_under_the_threshold_is_not_quiet_yet() {
    let spec = AlertSpec { resolve_after: 1, resolve_below: 0.5, ..open() };
    check_courses(&spec, &[1.0, 0.45, 0.89, 0.449], &[(0, 0, Some(3))]);
    let rows = AlertSpec { resolve_after: 2, ..spec };
    check_courses(&rows, &[1.0, 0.1, 0.6, 0.1, 0.1], &[(0, 0, Some(4))]);
}

#[test]
fn hits_no_further_apart_than_merge_are_of_one_alert() {
    let spec = AlertSpec { resolve_after: 1, merge: Span::hours(3), ..open() };
    check_courses(&spec, &[1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], &[(0, 3, Some(6))]);
    let two = [(0, 0, Some(3)), (4, 4, None)];
    check_courses(&spec, &[1.0, 0.0, 0.0, 0.0, 1.0], &two);
    let policy = Policy::compile(&spec).unwrap();
    let mut gap = series(&[1.0, 0.0, 1.0]);
    gap[2].at = hour(9);
    let decision = decide(&orders(), &policy, &gap, Timestamp::MIN, &PastAlerts::default());
    assert_eq!(decision.alerts.len(), 2, "no point says that it is over, but the hit is too far");
}

#[test]
fn an_alert_escalates_once_and_only_in_a_pass_after_that_which_raised_it() {
    let policy = Policy::compile(&AlertSpec { resolve_after: 1, ..open() }).unwrap();
    let scored = series(&[0.9, 0.99, 0.9, 1.0]);
    let none = PastAlerts::default();
    let whole = decide(&orders(), &policy, &scored, Timestamp::MIN, &none);
    assert_eq!(whole.alerts[0].severity, Severity::Critical);
    assert!(!whole.courses[0].is_escalated);
    let first = decide(&orders(), &policy, &scored[..1], Timestamp::MIN, &none);
    assert_eq!(first.alerts[0].severity, Severity::Warning);
    let past = none.after(&first);
    let second = decide(&orders(), &policy, &scored[..2], hour(0), &past);
    assert!(second.courses[0].is_escalated && second.alerts.is_empty());
    assert_eq!(second.courses[0].alert.peak_score, 0.99);
    let past = past.after(&second);
    let third = decide(&orders(), &policy, &scored, hour(1), &past);
    assert!(!third.courses[0].is_escalated, "{third:?}");
}

#[test]
fn in_quiet_times_nothing_is_raised_and_what_outlives_them_is() {
    let stretch = MaintenanceTime::of(vec![(hour(1), hour(3))]);
    let mut batch_quiet = Quiet::default();
    batch_quiet = batch_quiet.with(vec![Maintenance { when: stretch, reason: "move".into() }]);
    let spec = AlertSpec { resolve_after: 3, ..open() };
    let judge = |quiet: Quiet| {
        let mut policy = Policy::compile(&spec).unwrap();
        policy.quiet = quiet;
        let scored = series(&[0.0, 1.0, 1.0, 1.0]);
        let decision = decide(&orders(), &policy, &scored, Timestamp::MIN, &PastAlerts::default());
        let fired: Vec<Timestamp> = decision.alerts.iter().map(|alert| alert.at).collect();
        (fired, decision.suppressed_after(Timestamp::MIN))
    };
    let counted = |gate: &str, n| BTreeMap::from([(gate.to_owned(), n)]);
    assert_eq!(judge(batch_quiet), (vec![hour(3)], counted("maintenance", 2)));
    let person = Quiet::default().snoozed(Some(hour(2)));
    assert_eq!(judge(person), (vec![hour(2)], counted("snoozed_by_person", 1)));
}

#[test]
fn a_holiday_is_quiet_only_where_that_is_asked_for() {
    let day = hour(0).to_utc().date_naive();
    for (quiet_holidays, n_alerts) in [(false, 1), (true, 0)] {
        let mut policy = Policy::compile(&AlertSpec { quiet_holidays, ..open() }).unwrap();
        policy.quiet = Quiet::default().on_holidays(vec![day]);
        let scored = series(&[1.0]);
        let none = PastAlerts::default();
        let decision = decide(&orders(), &policy, &scored, Timestamp::MIN, &none);
        assert_eq!(decision.alerts.len(), n_alerts);
    }
}
