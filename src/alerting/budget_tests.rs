//! The calibration on scores whose law is known, and at its edges.

use super::{Scored, calibrate, decide::tests::series, policy::tests::open};
use crate::domain::{AlertSpec, Budget, Doubt, Snooze, Span};

/// Hourly points with scores that are `1 - u` of evenly spread draws.
fn draws(n: usize, salt: u64) -> Vec<f64> {
    let draw = |i: u64| {
        let mut mixed = (i + salt * 1_000_003).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..n as u64).map(draw).collect()
}

fn spec() -> AlertSpec {
    AlertSpec { threshold: 0.8, snooze: Snooze::Time(Span::hours(6)), ..open() }
}

fn budget(text: &str) -> Budget {
    text.parse().unwrap()
}

/// Alerts a week on `n_weeks` of fresh scores at a threshold from 90 days of others.
fn rate(asked: &str, scores: impl Fn(usize, u64) -> Vec<f64>) -> f64 {
    let (mut n_alerts, mut n_weeks) = (0, 0.0);
    for salt in 0..12 {
        let past = series(&scores(2160, salt));
        let found = calibrate(&past, &spec(), budget(asked));
        assert_eq!(found.doubt, None);
        let fresh = series(&scores(20_000, salt + 100));
        let calibrated =
            calibrate(&fresh, &AlertSpec { threshold: found.threshold, ..spec() }, budget(asked));
        let mut fired: Option<usize> = None;
        for (i, point) in fresh.iter().enumerate() {
            if found.threshold <= point.score && fired.is_none_or(|last| 6 <= i - last) {
                fired = Some(i);
                n_alerts += 1;
            }
        }
        n_weeks += calibrated.days / 7.0;
    }
    f64::from(n_alerts) / n_weeks
}

#[test]
fn fresh_scores_of_the_same_law_give_the_alerts_asked_for() {
    for (asked, per_week) in [("1/day", 7.0), ("1/week", 1.0), ("1/month", 0.23)] {
        for (name, power) in [("even", 1.0), ("light", 0.3), ("heavy", 4.0)] {
            let scores = |n, salt| draws(n, salt).into_iter().map(|u: f64| u.powf(power)).collect();
            let found = rate(asked, scores) / per_week;
            assert!((0.7..=1.3).contains(&found), "{asked} {name}: {found}");
        }
    }
}

#[test]
fn bursts_count_once() {
    // Every draw lasts five hours.
    let scores = |n: usize, salt| -> Vec<f64> {
        draws(n / 5 + 1, salt).into_iter().flat_map(|u| [u; 5]).take(n).collect()
    };
    let found = rate("1/week", scores);
    assert!((0.7..=1.3).contains(&found), "{found}");
}

#[track_caller]
fn check(scores: &[f64], asked: &str, threshold: f64, doubt: Doubt) {
    let found = calibrate(&series(scores), &spec(), budget(asked));
    assert!((found.threshold - threshold).abs() < 1e-6, "{found:?}");
    let same = std::mem::discriminant(&found.doubt.unwrap()) == std::mem::discriminant(&doubt);
    assert!(same, "{found:?}");
}

#[test]
fn what_cannot_be_met_is_said() {
    check(&draws(100, 0), "1/week", 0.8, Doubt::TooFewScores { need: 0, have: 0 });
    check(&[0.0; 2000], "1/week", 0.8, Doubt::NoTail);
    let year = calibrate(&series(&draws(2160, 0)), &spec(), budget("1/year"));
    assert!(0.999 < year.threshold, "{year:?}");
    assert!(matches!(year.doubt, Some(Doubt::Rare { .. })), "{year:?}");
    let tops: Vec<f64> = (0..2000).map(|i| if i % 24 == 0 { 1.0 } else { 0.1 }).collect();
    check(&tops, "1/week", 1.0, Doubt::TopTooOften { per_week: 0.0 });
    let steps: Vec<f64> = (0..2000).map(|i| if i % 24 == 0 { 0.5 } else { 0.1 }).collect();
    let stepped = calibrate(&series(&steps), &spec(), budget("1/week"));
    assert!(0.5 < stepped.threshold && stepped.n_alerts == 0, "{stepped:?}");
    assert!(matches!(stepped.doubt, Some(Doubt::Steps { .. })), "{stepped:?}");
    let rare: Vec<f64> = (0..2000).map(|i| if i == 1000 { 0.5 } else { 0.0 }).collect();
    check(&rare, "1/day", 0.5, Doubt::TooQuiet { per_week: 0.0 });
}

#[test]
fn smoothing_delay_and_side_are_the_policys() {
    let scores = draws(2160, 3);
    let plain = calibrate(&series(&scores), &spec(), budget("1/week"));
    let smooth = AlertSpec { smooth: 6, ..spec() };
    let smoothed = calibrate(&series(&scores), &smooth, budget("1/week"));
    assert!(smoothed.threshold < plain.threshold, "{smoothed:?} {plain:?}");
    let delayed = calibrate(&series(&scores), &AlertSpec { delay: 2, ..spec() }, budget("1/week"));
    assert!(delayed.threshold < plain.threshold, "{delayed:?}");
    let none: Vec<Scored> = series(&scores);
    let far = crate::domain::MinChange { absolute: 5.0, relative: 0.0 };
    let found = calibrate(&none, &AlertSpec { min_change: far, ..spec() }, budget("1/week"));
    assert!(matches!(found.doubt, Some(Doubt::NoTail)), "{found:?}");
}
