//! Stillness: rows come, and yet something is missing. A value that does not move although it
//! usually does, zeros where there usually are none, fewer rows than usual.
//!
//! A metric that is like this anyway is left alone: half of its past, or as long a stretch of it
//! as now, is reason enough.

use super::{absence::spelled, turn};
use crate::domain::{
    Alert, AlertKind, BatchName, Lasting, MetricName, Severity, Span, Timestamp, words,
};

/// Fewer points before the stretch say nothing of what is usual.
const LEAST_PAST: usize = 10;
/// Fewer ingests at this time of day say nothing of their usual number of rows.
const LEAST_INGESTS: usize = 5;
/// Ingests this far apart in the day are at the same time of it.
const SAME_TIME: Span = Span::secs(30 * 60);

/// The alert of a value that has stood still for longer than allowed.
///
/// # Shape
/// `at` is strictly increasing, and as long as `value`.
pub fn frozen(
    who: &(BatchName, MetricName),
    lasting: Lasting,
    at: &[Timestamp],
    value: &[f64],
) -> Option<Alert> {
    let begin = stretch(at, value, lasting)?;
    let past = &value[..begin];
    let n_still = past.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let is_usual =
        past.len() < 2 * n_still || value.len() - begin <= longest(past, |one, other| one == other);
    if is_usual {
        return None;
    }
    let name = words::shown(who.1.as_str());
    let (stood, shown) = (spelled(*at.last()? - at[begin]), words::number(value[begin]));
    let reason = format!("{name} has stood at {shown} for {stood}, which it never did before");
    let kind = (AlertKind::Frozen, Severity::Warning);
    Some(turn::alert(who, kind, (at[begin], at[begin]), Some(value[begin]), reason))
}

/// The alert of zeros for longer than allowed.
///
/// # Shape
/// As for [`frozen`].
pub fn zeros(
    who: &(BatchName, MetricName),
    lasting: Lasting,
    at: &[Timestamp],
    value: &[f64],
) -> Option<Alert> {
    let begin = stretch(at, value, lasting).filter(|begin| value[*begin] == 0.0)?;
    let past = &value[..begin];
    let n_zeros = past.iter().filter(|value| **value == 0.0).count();
    let is_zero = |one: f64, other: f64| one == 0.0 && other == 0.0;
    if past.len() < 2 * n_zeros || value.len() - begin <= longest(past, is_zero) {
        return None;
    }
    let name = words::shown(who.1.as_str());
    let reason = format!("{name} has been 0 for {}", spelled(*at.last()? - at[begin]));
    let kind = (AlertKind::Zeros, Severity::Warning);
    Some(turn::alert(who, kind, (at[begin], at[begin]), Some(0.0), reason))
}

/// Where the newest value began, if it has stood for so long after enough of a past.
fn stretch(at: &[Timestamp], value: &[f64], lasting: Lasting) -> Option<usize> {
    let newest = value.last()?;
    let n_still = value.iter().rev().take_while(|value| *value == newest).count();
    let begin = value.len() - n_still;
    let is_long = match lasting {
        Lasting::Time(span) => span <= *at.last()? - at[begin],
        Lasting::Points(n_points) => n_points <= n_still,
    };
    (is_long && LEAST_PAST <= begin).then_some(begin)
}

/// Most points in a row of which each is like the one before.
fn longest(values: &[f64], alike: impl Fn(f64, f64) -> bool) -> usize {
    let (mut longest, mut run) = (0, 0);
    for pair in values.windows(2) {
        run = if alike(pair[0], pair[1]) { run + 1 } else { 0 };
        longest = longest.max(run + usize::from(0 < run));
    }
    longest
}

/// The alert of an ingest that gave fewer rows than usual at this time of day, by more than a share.
/// `past` holds the instants and rows of earlier ingests, in any order.
pub fn rows_drop(
    who: &(BatchName, MetricName),
    drop: f64,
    past: &[(Timestamp, u64)],
    (at, n_rows): (Timestamp, u64),
) -> Option<Alert> {
    let day = Span::days(1).micros();
    let is_near = |other: Timestamp| {
        let apart = (at.micros() - other.micros()).rem_euclid(day);
        apart.min(day - apart) <= SAME_TIME.micros()
    };
    let mut usual: Vec<u64> =
        past.iter().filter(|(at, _)| is_near(*at)).map(|(_, n_rows)| *n_rows).collect();
    if usual.len() < LEAST_INGESTS {
        return None;
    }
    usual.sort_unstable();
    let usual = usual[usual.len() / 2];
    if (1.0 - drop) * usual as f64 <= n_rows as f64 {
        return None;
    }
    let [given, usual] = [n_rows, usual].map(words::count);
    let reason = format!("the source gave {given} rows, at this time of day usually {usual}");
    let kind = (AlertKind::Rows, Severity::Warning);
    Some(turn::alert(who, kind, (at, at), Some(n_rows as f64), reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(n: usize) -> Timestamp {
        Timestamp::from_secs(1_767_225_600 + 60 * n as i64).unwrap()
    }

    fn who() -> (BatchName, MetricName) {
        (BatchName::parse("shop").unwrap(), MetricName::parse("orders").unwrap())
    }

    /// The index at which each alert says it began, frozen and zeros.
    #[track_caller]
    fn check(values: &[f64], expected: (Option<usize>, Option<usize>)) {
        let at: Vec<Timestamp> = (0..values.len()).map(minute).collect();
        let index = |alert: Option<Alert>| {
            alert.map(|alert| at.iter().position(|at| *at == alert.at).unwrap())
        };
        for lasting in [Lasting::Points(5), Lasting::Time(Span::secs(4 * 60))] {
            let found = frozen(&who(), lasting, &at, values);
            assert_eq!(index(found), expected.0, "{lasting:?}");
            assert_eq!(index(zeros(&who(), lasting, &at, values)), expected.1, "{lasting:?}");
        }
    }

    fn moving(n: usize) -> Vec<f64> {
        (0..n).map(|n| 10.0 + (n % 7) as f64).collect()
    }

    #[test]
    fn a_value_that_stops_moving_is_frozen_and_zeros_are_zeros() {
        check(&[moving(20), vec![3.0; 4]].concat(), (None, None));
        check(&[moving(20), vec![3.0; 5]].concat(), (Some(20), None));
        check(&[moving(20), vec![0.0; 5]].concat(), (Some(20), Some(20)));
        check(&[moving(20), vec![3.0; 9], moving(1)].concat(), (None, None));
    }

    #[test]
    fn what_a_metric_always_does_is_not_told() {
        check(&[5.0; 40], (None, None));
        check(&[0.0; 40], (None, None));
        let steps: Vec<f64> = (0..80).map(|n| f64::from(n / 8)).collect();
        check(&steps, (None, None));
        // It stood as long once before.
        check(&[moving(20), vec![0.0; 6], moving(30), vec![0.0; 6]].concat(), (None, None));
        check(&[moving(20), vec![0.0; 6], moving(30), vec![0.0; 7]].concat(), (Some(56), Some(56)));
        check(&[moving(9), vec![3.0; 9]].concat(), (None, None));
        check(&[], (None, None));
    }

    #[test]
    fn the_same_stretch_has_one_id() {
        let id = |n| {
            let values = [moving(20), vec![3.0; n]].concat();
            let at: Vec<Timestamp> = (0..values.len()).map(minute).collect();
            frozen(&who(), Lasting::Points(5), &at, &values).unwrap().id
        };
        assert_eq!(id(5), id(12));
    }

    #[test]
    fn rows_are_held_against_the_same_time_of_other_days() {
        let day = 24 * 60;
        // A thousand at this time of day, ten at every other.
        let past: Vec<(Timestamp, u64)> = (0..8 * 24)
            .map(|hour| (minute(hour * 60), if hour % 24 == 12 { 1_000 } else { 10 }))
            .collect();
        let at = |minutes: usize, n_rows| {
            rows_drop(&who(), 0.5, &past, (minute(9 * day + minutes), n_rows)).is_some()
        };
        assert!(at(12 * 60, 499) && !at(12 * 60, 500));
        assert!(!at(11 * 60, 10) && at(11 * 60, 4));
        assert!(!at(23 * 60 + 50, 5), "midnight is near too");
        assert!(rows_drop(&who(), 0.5, &past[..60], (minute(9 * day), 0)).is_none());
    }
}
