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
    let has_moved =
        spec.threshold < level.distance(now) && !level.was_left_for(now, reference, spec.threshold);
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
#[path = "change_tests.rs"]
mod tests;
