//! What is a move, and what is none.

use proptest::prelude::*;

use super::*;
use crate::domain::Span;

fn minute(n: usize) -> Timestamp {
    Timestamp::from_secs(1_767_225_600 + 60 * n as i64).unwrap()
}

fn who() -> (BatchName, MetricName) {
    (BatchName::parse("shop").unwrap(), MetricName::parse("orders").unwrap())
}

/// Within about 1 of a level, and never the same twice in a row.
fn noisy(level: f64, n: usize) -> Vec<f64> {
    (0..n).map(|n| level + ((n * 37 % 19) as f64 - 9.0) / 9.0).collect()
}

fn eager() -> ChangeSpec {
    ChangeSpec { snooze: Snooze::Time(Span::ZERO), ..ChangeSpec::default() }
}

fn look(spec: &ChangeSpec, values: &[f64], past: &ChangePast) -> Look {
    let at: Vec<Timestamp> = (0..values.len()).map(minute).collect();
    shift(&who(), spec, (&at, values), past)
}

/// Three weeks of hours: `peak` in the hours that are peaks, noise of 1 around 100 else.
fn seasonal(peak: f64, is_peak: impl Fn(usize) -> bool) -> Vec<f64> {
    let mut values = noisy(100.0, 504);
    for (n, value) in values.iter_mut().enumerate().filter(|(n, _)| is_peak(*n)) {
        *value = peak + (n % 5) as f64;
    }
    values
}

#[test]
fn peaks_that_come_back_are_no_new_level_and_a_move_of_a_seasonal_metric_is() {
    let spec = ChangeSpec { snooze: Snooze::Time(Span::ZERO), ..eager() };
    for is_peak in [
        (|n| n % 24 == 9) as fn(usize) -> bool,
        |n| (8..12).contains(&(n % 24)),
        |n| 5 <= n / 24 % 7,
    ] {
        let values = seasonal(160.0, is_peak);
        let past = ChangePast::default();
        let fired = (300..values.len())
            .filter(|n| matches!(look(&spec, &values[..*n], &past), Look::Turned(Some(_))));
        assert_eq!(fired.count(), 0);
        let mut moved = values.clone();
        // Also when several points of it came since the last look.
        for n_new in [1, 12] {
            moved.truncate(values.len());
            moved.extend(noisy(400.0, n_new));
            assert!(fires(&moved), "{n_new}");
        }
    }
}

/// Of normal law, by the sum of twelve uniform ones; the same of the same seed.
fn normal(seed: u64, n: usize) -> Vec<f64> {
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..n).map(|_| (0..12).map(|_| uniform()).sum::<f64>() - 6.0).collect()
}

#[test]
fn a_real_shift_is_found_when_many_of_its_points_came_since_the_last_look() {
    let spec = eager();
    for sigmas in [5.0, 6.0, 8.0] {
        let (mut n_far, mut n_found) = (0, 0);
        for seed in 0..300 {
            let mut values = normal(seed << 20, 346);
            values[250..].iter_mut().for_each(|value| *value += 100.0 + sigmas);
            values[..250].iter_mut().for_each(|value| *value += 100.0);
            let looks = [274, 298, 322, 346];
            n_far += usize::from(looks.iter().any(|n| {
                let level = Level::of(&values[n - 251..n - 1]);
                spec.threshold < level.distance(values[n - 1])
            }));
            n_found += usize::from(looks.iter().any(|n| fires(&values[..*n])));
        }
        assert!(250 <= n_far, "{sigmas}: {n_far} would be found by their distance alone");
        assert!(98 * n_far <= 100 * n_found, "{sigmas}: {n_found} of {n_far}");
    }
}

fn fires(values: &[f64]) -> bool {
    matches!(look(&eager(), values, &ChangePast::default()), Look::Turned(Some(Turn::Raise(_))))
}

/// Looks after every point, as the job does; gives at which points what happened.
fn walk(spec: &ChangeSpec, values: &[f64]) -> Vec<(usize, &'static str)> {
    let (mut past, mut told) = (ChangePast::default(), Vec::new());
    for n in 1..=values.len() {
        match look(spec, &values[..n], &past) {
            Look::Turned(Some(Turn::Raise(alert))) => {
                past.open = Some(Open::begun(&alert));
                past.last_fired = Some(alert.at);
                told.push((n - 1, "moved"));
            }
            Look::Turned(Some(Turn::Resolve(_, _, resolution))) => {
                let open = past.open.take().unwrap();
                if resolution == Resolution::Closed {
                    past.level_since = Some(open.since);
                }
                told.push((n - 1, resolution.as_str()));
            }
            Look::Stopped(_) => told.push((n - 1, "snoozed")),
            _ => {}
        }
    }
    told
}

#[test]
fn a_jump_after_99_values_near_10_fires() {
    let values = [noisy(10.0, 99), vec![50.0]].concat();
    let Look::Turned(Some(Turn::Raise(alert))) = look(&eager(), &values, &ChangePast::default())
    else {
        panic!()
    };
    assert_eq!((alert.kind, alert.value, alert.at), (AlertKind::Change, Some(50.0), minute(99)));
    let band = alert.band.unwrap();
    assert!((9.9..10.1).contains(&band.expected) && band.upper < 15.0, "{band:?}");
    assert!(alert.reason.starts_with("orders moved from 10 to 50: "), "{}", alert.reason);
}

#[test]
fn a_tiny_step_of_a_constant_metric_is_none_and_a_real_one_is() {
    assert!(!fires(&[vec![10.0; 99], vec![10.0001]].concat()));
    assert!(!fires(&[10.0; 100]));
    assert!(fires(&[vec![10.0; 99], vec![50.0]].concat()));
    assert!(fires(&[vec![0.0; 99], vec![1.0]].concat()));
    assert!(!fires(&[0.0; 100]));
}

#[test]
fn what_is_tested_is_no_part_of_what_it_is_held_against() {
    // With the tested half in it, the reference would be wide enough to hold it.
    let spec = ChangeSpec { detect_last: 30, ..eager() };
    let values = [noisy(10.0, 30), noisy(20.0, 30)].concat();
    let found = look(&spec, &values, &ChangePast::default());
    assert!(matches!(found, Look::Turned(Some(Turn::Raise(_)))), "{found:?}");
}

#[test]
fn one_shift_fires_once_and_its_level_becomes_the_usual_one() {
    let values = [noisy(10.0, 60), noisy(20.0, 200)].concat();
    assert_eq!(walk(&eager(), &values), [(60, "moved"), (69, "closed")]);
    // Back again is another one.
    let back = [values, noisy(10.0, 50)].concat();
    let told = walk(&eager(), &back);
    assert_eq!(told[2..], [(260, "moved"), (269, "closed")]);
}

#[test]
fn a_spike_is_over_when_the_level_is_back() {
    let values = [noisy(10.0, 60), vec![50.0], noisy(10.0, 60)].concat();
    assert_eq!(walk(&eager(), &values), [(60, "moved"), (61, "recovered")]);
    // Of three points one spike is not the median.
    let patient = ChangeSpec { detect_last: 3, ..eager() };
    assert_eq!(walk(&patient, &values), []);
}

#[test]
fn nothing_fires_while_it_is_snoozed() {
    let values = [noisy(10.0, 60), vec![50.0], noisy(10.0, 5), vec![50.0]].concat();
    let spec = ChangeSpec { snooze: Snooze::Points(10), ..eager() };
    assert_eq!(walk(&spec, &values), [(60, "moved"), (61, "recovered"), (66, "snoozed")]);
}

#[test]
fn a_short_past_is_no_level() {
    assert_eq!(look(&eager(), &noisy(10.0, 10), &ChangePast::default()), Look::TooShort);
    assert_eq!(look(&eager(), &[], &ChangePast::default()), Look::TooShort);
}

proptest! {
    #[test]
    fn the_unit_of_a_metric_changes_nothing(
        values in prop::collection::vec(-100.0..100.0f64, 11..80),
        last in -1e3..1e3f64,
        power in -30i32..30,
    ) {
        let values = [values, vec![last]].concat();
        // A power of two, so that nothing is rounded.
        let scaled: Vec<f64> = values.iter().map(|value| value * 2f64.powi(power)).collect();
        prop_assert_eq!(fires(&values), fires(&scaled));
    }

    #[test]
    fn any_finite_values_give_an_alert_of_finite_numbers(
        values in prop::collection::vec(any::<f64>().prop_filter("finite", |v| v.is_finite()), 0..60),
    ) {
        if let Look::Turned(Some(Turn::Raise(alert))) =
            look(&eager(), &values, &ChangePast::default())
        {
            prop_assert!(alert.value.unwrap().is_finite());
            let band = alert.band;
            prop_assert!(band.is_none_or(|band| band.lower.is_finite() && band.upper.is_finite()));
        }
    }

    #[test]
    fn a_larger_threshold_never_fires_more(
        values in prop::collection::vec(-10.0..10.0f64, 12..60), low in 0.5..4.0f64,
    ) {
        let at = |threshold| {
            let spec = ChangeSpec { threshold, ..eager() };
            let found = look(&spec, &values, &ChangePast::default());
            matches!(found, Look::Turned(Some(Turn::Raise(_))))
        };
        prop_assert!(at(low) || !at(low * 2.0));
    }
}
