//! Change: a level that moved and stays, held against the level before it.
//!
//! The median of the newest `detect_last` points is held against the points before them, which are
//! the reference. The distance of the two medians is counted in spreads of the reference: 1.4826
//! times the median distance from its median, which for normal noise is the standard deviation
//! (Iglewicz & Hoaglin 1993). Where more than half of the reference is one value that is zero; then
//! 1.2533 times the mean distance counts. The spread is never taken for less than 1 % of the
//! level, so that a tiny step of a constant metric is none, and a real one is.
//!
//! Values that a fiftieth of the reference was as far out as, to the same side, before it came back to
//! its usual level are not another one: the peaks of a day or the low of a weekend come back.
//!
//! A move fires once. While it is open, the reference is what was before it. When the level comes
//! back it was a spike, and is over; when it has stayed for as many points as a reference needs, it
//! is the usual level, the alert is over, and what was before is not looked at any more.

use super::{
    Gate,
    turn::{self, Open, Turn},
};
use crate::domain::{
    AlertKind, Band, BatchName, ChangeSpec, MetricName, Resolution, Severity, Snooze, Timestamp,
    words,
};

/// Fewer points have no usual level.
const LEAST_REFERENCE: usize = 10;
/// The median distance of normal noise from its median, in standard deviations, inverted.
const BY_MEDIAN: f64 = 1.4826;
/// The same of the mean distance.
const BY_MEAN: f64 = 1.2533;
/// Of the level; a spread under it is the rounding of whoever measures.
const LEAST_SPREAD: f64 = 0.01;
/// A level that a fiftieth of the reference was at, twice at least, is no other one.
const USUAL_SHARE: usize = 50;
/// What went at least this share of the way was there.
const AS_FAR: f64 = 0.8;
/// Points in a row of which most are at the usual level when it came back.
const RETURN: usize = 3;
/// A distance over it is said as this: there was no spread at all.
const FARTHEST: f64 = 1e6;

/// What is known of a metric's moves.
#[derive(Debug, Clone, Default)]
pub struct ChangePast {
    /// The alert that is not over.
    pub open: Option<Open>,
    /// Since when the level is the usual one, where it moved before.
    pub level_since: Option<Timestamp>,
    /// The observation of the newest alert.
    pub last_fired: Option<Timestamp>,
}

/// What a look at a metric led to.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// There are too few points for a usual level.
    TooShort,
    /// What becomes of its alert, if anything.
    Turned(Option<Turn>),
    /// The level moved, and this kept it from firing.
    Stopped(Gate),
}

/// Holds a metric's newest points against its level before.
///
/// # Shape
/// `at` is strictly increasing, and as long as `value`, which is finite.
pub fn shift(
    who: &(BatchName, MetricName),
    spec: &ChangeSpec,
    (at, value): (&[Timestamp], &[f64]),
    past: &ChangePast,
) -> Look {
    let first = past.level_since.map_or(0, |since| at.partition_point(|at| *at < since));
    let (at, value) = (&at[first..], &value[first..]);
    let begin = value.len().saturating_sub(spec.detect_last);
    let since = past.open.as_ref().map(|open| at.partition_point(|at| *at < open.since));
    let reference = &value[..since.unwrap_or(begin).min(begin)];
    let reference = &reference[reference.len().saturating_sub(spec.points)..];
    let Some(newest) = at.last().filter(|_| LEAST_REFERENCE <= reference.len()) else {
        return Look::TooShort;
    };
    let level = Level::of(reference);
    let now = median(&value[begin..]);
    let has_moved = spec.threshold < level.distance(now)
        && !level.was_left_for(now, reference, spec.threshold);
    if let (Some(open), Some(since)) = (&past.open, since) {
        let has_stayed = LEAST_REFERENCE.max(2 * spec.detect_last) <= value.len() - since;
        let id = open.id.clone();
        return Look::Turned(Some(match (has_moved, has_stayed) {
            (false, _) => Turn::Resolve(id, *newest, Resolution::Recovered),
            (true, true) => Turn::Resolve(id, *newest, Resolution::Closed),
            (true, false) => Turn::Extend(id, *newest),
        }));
    }
    if !has_moved {
        return Look::Turned(None);
    }
    let n_since = past.last_fired.map(|fired| at.len() - at.partition_point(|at| *at <= fired));
    let is_snoozed = match spec.snooze {
        Snooze::Time(span) => past.last_fired.is_some_and(|fired| *newest - fired < span),
        Snooze::Points(n_points) => n_since.is_some_and(|n| n <= n_points),
    };
    if is_snoozed {
        return Look::Stopped(Gate::Snooze);
    }
    let reason = reason(&who.1, &level, now);
    let kind = (AlertKind::Change, Severity::Warning);
    let mut alert = turn::alert(who, kind, (*newest, at[begin]), Some(now), reason);
    let reach = spec.threshold * level.spread;
    let (lower, upper) = (level.median - reach, level.median + reach);
    alert.band = (lower.is_finite() && upper.is_finite()).then_some(Band {
        expected: level.median,
        lower,
        upper,
    });
    Look::Turned(Some(Turn::Raise(Box::new(alert))))
}

struct Level {
    median: f64,
    /// In the metric's unit; zero only of a metric that was always zero.
    spread: f64,
}

impl Level {
    fn of(reference: &[f64]) -> Self {
        let middle = median(reference);
        let distances: Vec<f64> = reference.iter().map(|value| (value - middle).abs()).collect();
        let by_median = BY_MEDIAN * median(&distances);
        let mean = distances.iter().map(|far| far / distances.len() as f64).sum::<f64>();
        let spread = if 0.0 < by_median { by_median } else { BY_MEAN * mean };
        Self { median: middle, spread: spread.max(LEAST_SPREAD * middle.abs()) }
    }

    /// Whether the reference went as far to that side and came back: a season's peaks are no new
    /// level.
    fn was_left_for(&self, value: f64, reference: &[f64], threshold: f64) -> bool {
        let far = value - self.median;
        let is_there = |other: &&f64| {
            let other = **other - self.median;
            other.signum() == far.signum() && AS_FAR * far.abs() <= other.abs()
        };
        // What came after it may be the move itself.
        let end = self.last_return(reference, threshold);
        let n_there = reference[..end].iter().filter(is_there).count();
        (reference.len() / USUAL_SHARE).max(2) <= n_there
    }

    /// Where the newest stretch at the usual level ends. Most points of a window are within half of
    /// what is a move: noise around another level is not, however often one point of it is.
    fn last_return(&self, reference: &[f64], threshold: f64) -> usize {
        let is_back = |other: &f64| self.distance(*other) <= threshold / 2.0;
        let n_back = |window: &[f64]| window.iter().filter(|other| is_back(other)).count();
        let window = reference.windows(RETURN).rposition(|window| RETURN < 2 * n_back(window));
        window.map_or(0, |begin| {
            let last = reference[begin..begin + RETURN].iter().rposition(is_back);
            begin + last.map_or(0, |last| last + 1)
        })
    }

    /// In spreads, at most [`FARTHEST`].
    fn distance(&self, value: f64) -> f64 {
        let far = (value - self.median).abs();
        match far / self.spread {
            _ if far == 0.0 => 0.0,
            far if far.is_nan() => FARTHEST,
            far => far.min(FARTHEST),
        }
    }
}

/// Zero of nothing.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.get(sorted.len() / 2) {
        None => 0.0,
        Some(middle) if sorted.len() % 2 == 1 => *middle,
        // Halved first, so that two huge values stay finite.
        Some(upper) => sorted[sorted.len() / 2 - 1] / 2.0 + upper / 2.0,
    }
}

/// `orders moved from 10 to 50, 26 times its usual spread of 1.5`.
fn reason(metric: &MetricName, level: &Level, now: f64) -> String {
    let name = words::shown(metric.as_str());
    let [before, after] = [level.median, now].map(words::number);
    if level.spread == 0.0 {
        return format!("{name} moved from {before}, which it always was, to {after}");
    }
    let [times, spread] = [level.distance(now), level.spread].map(words::number);
    format!("{name} moved from {before} to {after}: {times} times its usual spread of {spread}")
}

#[cfg(test)]
mod tests {
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
        let Look::Turned(Some(Turn::Raise(alert))) =
            look(&eager(), &values, &ChangePast::default())
        else {
            panic!()
        };
        assert_eq!(
            (alert.kind, alert.value, alert.at),
            (AlertKind::Change, Some(50.0), minute(99))
        );
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
}
