//! A past for a metric that has few points of its own: that of metrics of its batch that behave
//! like it, brought to its scale, each day another's, in front of its own points.
//!
//! A *sibling* is as near to the young metric, times one factor `c`, as to itself a day before.
//! With `r = y - c s` at the times of the young metric's points, and `d = c (s - s a day before)`
//! over the sibling's past, `u` is the larger quotient of the medians and of the upper quantiles of
//! `|r|` and `|d|`: near 1 for two metrics of equal noise. `c` makes the sum of `|r|` least, and
//! hardly differs between the halves of the points: a metric that is still growing has none. One
//! metric alone may be alike by chance; two are asked for.
//!
//! A young metric may be noisier than its siblings, and few points may hide that. So what was
//! borrowed is made noisier: each point moves on by `g d` with `g = (√(4 v² - 3) - 1) / 2`, where
//! `v = max(u, 1) (1 + 0.75 / √n)` for `n` own points. For independent noise that leaves as much as
//! a metric leaves whose `u` is `v`. And the days of each sibling lie a little higher or lower, by
//! up to the median of `|d|`, as the young metric's own level may.
//!
//! A model of such a past knows season, usual sizes and usual extremes; own points take the place
//! of what was borrowed as they come. `docs/detectors.md` says how well that does.

use super::robust;
use super::seasonal::cadence;
use crate::domain::{Series, Span, Timestamp};

/// Fewest own points that tell which metrics are like it.
pub const FEWEST_OWN: usize = 24;
/// A metric that has been seen for so long stands alone, and so does one of so many points.
const ALONE_AFTER: Span = Span::days(14);
const ALONE_WITH: usize = 336;
/// A sibling has at least so many points before the first own one.
const LONG: usize = 200;
/// Fewest siblings that a past is made of.
const FEWEST_SIBLINGS: usize = 2;
/// Where the days of each sibling lie, the nearest first; there are no more of them.
const SWAY: [f64; 5] = [0.0, 1.0, -1.0, 0.5, -0.5];
/// Days sway by at most such a share.
const MOST_SWAY: f64 = 0.5;
/// Share of the own points that a sibling has one at the same time for, and how much the steps of
/// the two may differ.
const SHARED: f64 = 0.8;
const SAME_STEP: f64 = 0.1;
/// Largest `u`.
const MOST_UNLIKE: f64 = 1.3;
/// The upper quantile that is compared.
const UPPER: f64 = 0.65;
const CAUTION: f64 = 0.75;
/// `c s` may differ between the halves of the own points by so many medians of `|d|`.
const MOST_DRIFT: f64 = 1.0;

/// Points with which a metric of this usual step needs no other one; at least `min_points`.
pub fn enough(step: Span, min_points: usize) -> usize {
    let in_time = ALONE_AFTER.micros() / step.micros().max(1);
    (in_time.clamp(0, ALONE_WITH as i64) as usize).max(min_points)
}

/// The young metric's points behind a past made of its siblings', at most `most` in all; `None`
/// where it has too few of its own, or no metric is like it.
pub fn with_past(own: &Series, others: &[&Series], most: usize) -> Option<Series> {
    let first = *own.at.first()?;
    if own.len() < FEWEST_OWN {
        return None;
    }
    let mut siblings: Vec<Sibling<'_>> =
        others.iter().filter_map(|other| Sibling::of(own, other)).collect();
    siblings.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    siblings.truncate(SWAY.len());
    if siblings.len() < FEWEST_SIBLINGS {
        return None;
    }
    let n_siblings = siblings.len() as i64;
    let mut past: Vec<(Timestamp, f64)> = Vec::new();
    for ((place, sway), sibling) in (0..n_siblings).zip(SWAY).zip(&siblings) {
        let is_its_day = |at: Timestamp| day_of(at).rem_euclid(n_siblings) == place;
        let points = sibling.points(sway);
        past.extend(points.filter(|(at, _)| *at < first && is_its_day(*at)));
    }
    past.sort_by_key(|(at, _)| *at);
    let (mut at, mut value): (Vec<Timestamp>, Vec<f64>) = past.into_iter().unzip();
    at.extend(&own.at);
    value.extend(&own.value);
    Some(Series { metric: own.metric.clone(), at, value }.newest(most))
}

fn day_of(at: Timestamp) -> i64 {
    at.secs().div_euclid(86_400)
}

/// A metric that is like the young one.
struct Sibling<'a> {
    series: &'a Series,
    /// The row a day before each row, where there is one.
    before: Vec<Option<usize>>,
    /// Its values times this are the young metric's.
    factor: f64,
    /// `g`.
    noisier: f64,
    /// Share of the value by which days may lie higher or lower.
    sway: f64,
    /// Median distance to the young metric, in its unit.
    distance: f64,
}

impl<'a> Sibling<'a> {
    fn of(own: &Series, series: &'a Series) -> Option<Self> {
        let n_before = series.at.partition_point(|at| *at < own.at[0]);
        if n_before < LONG {
            return None;
        }
        let (step, other) = (cadence(&own.at), cadence(&series.at));
        let pairs = pairs(own, series, step);
        let is_shared = SHARED * own.len() as f64 <= pairs.len() as f64;
        if !is_shared || SAME_STEP * step < (other - step).abs() {
            return None;
        }
        let factor = factor(&pairs).filter(|c| 0.0 < *c && c.is_finite())?;
        let before = days_before(&series.at, step);
        let mut changes: Vec<f64> = (0..n_before)
            .filter_map(|row| Some(factor * (series.value[row] - series.value[before[row]?]).abs()))
            .collect();
        let mut unlike: Vec<f64> = pairs.iter().map(|(y, s)| (y - factor * s).abs()).collect();
        let (distance, usual) = (robust::median(&mut unlike), robust::median(&mut changes));
        let upper = robust::quantile(&mut unlike, UPPER) / robust::quantile(&mut changes, UPPER);
        let quotients = [distance / usual, upper];
        let mut sizes: Vec<f64> = pairs.iter().map(|(_, s)| s.abs()).collect();
        let size = robust::median(&mut sizes);
        let (early, late) = pairs.split_at(pairs.len() / 2);
        let drift = (self::factor(late)? - self::factor(early)?).abs() * size;
        // False as well where a quotient is no number: nothing has changed.
        let is_like = quotients.iter().all(|quotient| *quotient <= MOST_UNLIKE);
        if !is_like || MOST_DRIFT * usual < drift {
            return None;
        }
        let unlike = quotients.into_iter().fold(1.0, f64::max);
        let noise = unlike * (1.0 + CAUTION / (own.len() as f64).sqrt());
        let noisier = ((4.0 * noise * noise - 3.0).sqrt() - 1.0) / 2.0;
        let sway = (usual / (factor * size)).min(MOST_SWAY);
        Some(Self { series, before, factor, noisier, sway, distance })
    }

    /// Its points on the young metric's scale, so many times its sway higher.
    fn points(&self, times: f64) -> impl Iterator<Item = (Timestamp, f64)> {
        let Self { series: Series { at, value, .. }, before, .. } = self;
        let least = value.iter().copied().fold(f64::INFINITY, f64::min);
        let scale = self.factor * (1.0 + times * self.sway);
        at.iter().zip(value).zip(before).filter_map(move |((at, own), before)| {
            let change = before.map_or(0.0, |before| own - value[before]);
            // What is never negative stays so.
            let moved = scale * (own + self.noisier * change).max(least);
            moved.is_finite().then_some((*at, moved))
        })
    }
}

/// The young metric's values and the other's at the same times.
fn pairs(own: &Series, other: &Series, step: f64) -> Vec<(f64, f64)> {
    let rows = rows_at(&other.at, own.at.iter().copied(), step / 2.0);
    let pairs = own.value.iter().zip(rows);
    pairs.filter_map(|(own, row)| Some((*own, other.value[row?]))).collect()
}

/// The row a day before each, or one step where that is longer.
fn days_before(at: &[Timestamp], step: f64) -> Vec<Option<usize>> {
    let day = Span::days(1).as_secs_f64().max(step);
    let earlier = at.iter().map(|at| *at - Span::from_micros((day * 1e6) as i64));
    rows_at(at, earlier, step / 2.0)
}

/// The row at each of some times, which do not decrease, or within `tolerance` seconds of it.
fn rows_at(
    at: &[Timestamp],
    times: impl Iterator<Item = Timestamp>,
    tolerance: f64,
) -> Vec<Option<usize>> {
    let mut row = 0;
    let distance = |row: usize, time: Timestamp| match at.get(row) {
        Some(at) => (*at - time).as_secs_f64().abs(),
        None => f64::INFINITY,
    };
    times
        .map(|time| {
            while distance(row + 1, time) <= distance(row, time) && row + 1 < at.len() {
                row += 1;
            }
            (distance(row, time) < tolerance).then_some(row)
        })
        .collect()
}

/// The `c` for which the sum of `|y - c s|` is least: the median of the quotients, each counting as
/// often as its `s` is large.
fn factor(pairs: &[(f64, f64)]) -> Option<f64> {
    let mut quotients: Vec<(f64, f64)> =
        pairs.iter().filter(|(_, s)| *s != 0.0).map(|(y, s)| (y / s, s.abs())).collect();
    quotients.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = quotients.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut sum = 0.0;
    let reached = quotients.iter().find(|(_, weight)| {
        sum += weight;
        half <= sum
    });
    reached.map(|(quotient, _)| *quotient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{detect::conformance::noise, domain::MetricName};

    /// Hours of a daily wave; `seed` tells the noise of metrics apart.
    fn wave(hours: std::ops::Range<usize>, size: f64, shift: usize, seed: usize) -> Series {
        let value = |hour: &usize| {
            let turn = (hour + shift) as f64 / 24.0 * std::f64::consts::TAU;
            size * (10.0 + 4.0 * turn.sin() + noise(10_000 * seed + hour))
        };
        Series {
            metric: MetricName::parse("m").unwrap(),
            at: hours.clone().map(|h| Timestamp::from_secs(3600 * h as i64).unwrap()).collect(),
            value: hours.collect::<Vec<_>>().iter().map(value).collect(),
        }
    }

    fn past(own: &Series, others: &[Series]) -> Option<Series> {
        with_past(own, &others.iter().collect::<Vec<_>>(), 2500)
    }

    #[test]
    fn the_past_of_similar_metrics_is_brought_to_the_own_scale() {
        let own = wave(1_000..1_040, 300.0, 0, 1);
        let others = [wave(0..1_040, 1.0, 0, 2), wave(0..1_040, 7.0, 0, 3)];
        let found = past(&own, &others).unwrap();
        assert_eq!((found.len(), &found.at[1_000..]), (1_040, &own.at[..]));
        assert_eq!(found.value[1_000..], own.value);
        let mut borrowed = found.value[..1_000].to_vec();
        let middle = robust::median(&mut borrowed);
        assert!((2_800.0..3_200.0).contains(&middle), "{middle}");
        assert!(found.at.is_sorted_by(|a, b| a < b));
        assert_eq!(past(&own, &others[..1]), None);
    }

    #[test]
    fn unlike_young_and_growing_metrics_lend_and_borrow_nothing() {
        let others = [wave(0..1_040, 1.0, 0, 2), wave(0..1_040, 7.0, 0, 3)];
        let borrows = |own: &Series| past(own, &others).is_some();
        assert!(borrows(&wave(1_000..1_024, 3.0, 0, 1)));
        assert!(!borrows(&wave(1_000..1_023, 3.0, 0, 1)), "too few points");
        assert!(!borrows(&wave(1_000..1_040, 3.0, 6, 1)), "another time of day");
        assert!(!borrows(&wave(199..239, 3.0, 0, 1)), "the others are young, too");
        assert!(!borrows(&wave(1_040..1_080, 3.0, 0, 1)), "never seen together");
        let mut growing = wave(1_000..1_040, 3.0, 0, 1);
        growing.value.iter_mut().zip(0..).for_each(|(y, n)| *y *= 0.3 + 0.02 * f64::from(n));
        assert!(!borrows(&growing), "growing");
        let mut flat = wave(1_000..1_040, 3.0, 0, 1);
        flat.value.fill(0.0);
        assert!(!borrows(&flat), "no factor");
    }

    #[test]
    fn a_metric_stands_alone_after_two_weeks_or_many_points() {
        assert_eq!(enough(Span::hours(1), 30), 336);
        assert_eq!(enough(Span::secs(60), 30), 336);
        assert_eq!(enough(Span::days(1), 30), 30);
        assert_eq!(enough(Span::hours(1), 500), 500);
    }
}
