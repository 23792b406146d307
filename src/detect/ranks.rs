//! How rare a decision value is among the training's, and a score that says so: the same score is
//! about equally rare whatever the detector.
//!
//! The share of the training's decision values that reach `d`, counted with `d` itself among them
//! (the p-value of a conformal test), is kept at some places and taken on straight lines of its
//! logarithm between them. Beyond the highest few of them, where nothing can be counted, the excess
//! over their lowest, `u`, is taken for a generalised Pareto one:
//! `p = p_u (1 + ξ (d - u) / σ)^(-1/ξ)`, by the median `m` and the upper quartile `q` of the
//! excesses: `ξ = log2(q / m - 1)`, within [0, 0.5], `σ = m ξ / (2^ξ - 1)`. A quarter of them may be
//! anomalies. What reaches the highest of `n` is as rare as one in `n + 1` in any case. The score is `1 - 0.2^(ln p / ln 0.001)`: 0.8 where one row in 1,000 reaches so far.
//!
//! # Source
//! Vovk, Gammerman & Shafer (2005); Pickands (1975), whose estimate this is.

use super::artifact::{DecodeError, ensure, float, floats};
use super::scaling::percentile;
use crate::domain::Plain;

/// Shares of the training above the kept places, in parts of what lies below the tail.
const PLACES: [f64; 12] = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0];
/// The tail is so much of the training, and at least and at most so many rows.
const TAIL: f64 = 0.04;
const TAIL_ROWS: (f64, f64) = (10.0, 200.0);
/// The heaviest tail: excesses with no variance.
const MOST_SHAPE: f64 = 0.5;
/// A tail without width is so much of the way from the middle to it.
const LEAST_WIDTH: f64 = 0.05;
/// How rare a row at the alert line is, and what is left of 1 there.
const LINE: f64 = 0.001;
const BELOW_LINE: f64 = 0.2;

/// The training's decision values as far as it matters how rare one is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ranks {
    /// Decision values, smallest first, and the share that reaches each; the last is where the
    /// tail begins.
    values: [f64; PLACES.len()],
    shares: [f64; PLACES.len()],
    /// Shape and scale of the tail. Without a scale every decision value was the same.
    shape: f64,
    scale: f64,
    /// The highest of all, and the share of new rows that reach it: one in as many as there are,
    /// whatever the law.
    highest: f64,
    record: f64,
}

impl Ranks {
    /// Of the training's decision values, smallest first; there is at least one.
    pub(super) fn of(sorted: &[f64]) -> Self {
        let n_values = sorted.len() as f64;
        let n_tail = (TAIL * n_values).clamp(TAIL_ROWS.0, TAIL_ROWS.1).min(n_values / 2.0);
        let tail_share = n_tail / n_values;
        let share = |place: f64| tail_share + (1.0 - tail_share) * place;
        let values = PLACES.map(|place| percentile(sorted, 1.0 - share(place)));
        // With the row that is asked about there is one more, and it reaches itself.
        let shares = PLACES.map(|place| (share(place) * n_values + 1.0) / (n_values + 1.0));
        let begin = values[PLACES.len() - 1];
        let excess = |share: f64| percentile(sorted, 1.0 - tail_share * share) - begin;
        let (middle, upper) = (excess(0.5), excess(0.25));
        let lasting = (upper / middle - 1.0).log2();
        let shape = if lasting.is_finite() { lasting.clamp(0.0, MOST_SHAPE) } else { 0.0 };
        let by_middle = match 0.0 < shape {
            true => middle * shape / (shape.exp2() - 1.0),
            false => middle / std::f64::consts::LN_2,
        };
        let (lowest, highest) = (sorted[0], sorted[sorted.len() - 1]);
        let body = LEAST_WIDTH * (begin - percentile(sorted, 0.5));
        let floors = [body, LEAST_WIDTH * (highest - lowest)];
        let floor = floors.into_iter().find(|floor| 0.0 < *floor).unwrap_or(0.0);
        let (scale, record) = (by_middle.max(floor), 1.0 / (n_values + 1.0));
        Self { values, shares, shape, scale, highest, record }
    }

    /// The score of a decision value that is a number. Where all of the training's are the same, 0
    /// up to it and 1 above.
    pub(super) fn score(&self, decision: f64) -> f64 {
        let quotient = self.log_share(decision) / LINE.ln();
        (1.0 - BELOW_LINE.powf(quotient)).clamp(0.0, 1.0)
    }

    /// The logarithm of the share that reaches a decision value: of new rows like the training's.
    fn log_share(&self, decision: f64) -> f64 {
        let last = PLACES.len() - 1;
        let next = self.values.partition_point(|value| *value < decision);
        let Some(value) = self.values.get(next) else {
            let excess = (decision - self.values[last]) / self.scale;
            let by_law = self.shares[last].ln() - self.log_excess(excess);
            // The law of the tail does not know that some decision values have an end.
            return match self.highest <= decision {
                true => by_law.min(self.record.ln()),
                false => by_law,
            };
        };
        if next == 0 || *value == decision {
            return self.shares[next].ln();
        }
        let before = self.values[next - 1];
        let part = (decision - before) / (value - before);
        let (from, to) = (self.shares[next - 1].ln(), self.shares[next].ln());
        from + part * (to - from)
    }

    fn log_excess(&self, excess: f64) -> f64 {
        match 0.0 < self.shape {
            true => (self.shape * excess).ln_1p() / self.shape,
            false => excess,
        }
    }

    pub(super) fn is_finite(&self) -> bool {
        let numbers = self.values.iter().chain([&self.scale, &self.highest]);
        numbers.copied().all(f64::is_finite)
    }

    /// The model fields.
    pub(super) fn to_plain(self) -> [(&'static str, Plain); 6] {
        [
            ("ranked", Plain::from_f64s(&self.values)),
            ("rank_shares", Plain::from_f64s(&self.shares)),
            ("rank_shape", Plain::Float(self.shape)),
            ("rank_scale", Plain::Float(self.scale)),
            ("highest", Plain::Float(self.highest)),
            ("record_share", Plain::Float(self.record)),
        ]
    }

    pub(super) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let all = |field| {
            let numbers = floats(plain, field)?;
            numbers.try_into().map_err(|_| DecodeError::Inconsistent { field })
        };
        let (values, shares): ([f64; PLACES.len()], [f64; PLACES.len()]) =
            (all("ranked")?, all("rank_shares")?);
        let (shape, scale) = (float(plain, "rank_shape")?, float(plain, "rank_scale")?);
        let (highest, record) = (float(plain, "highest")?, float(plain, "record_share")?);
        ensure(values.is_sorted() && values[PLACES.len() - 1] <= highest, "ranked")?;
        ensure(0.0 < record && record <= 1.0, "record_share")?;
        let falls = shares.is_sorted_by(|higher, lower| lower <= higher);
        ensure(falls && 0.0 < shares[PLACES.len() - 1] && shares[0] <= 1.0, "rank_shares")?;
        ensure((0.0..=MOST_SHAPE).contains(&shape), "rank_shape")?;
        ensure(0.0 <= scale, "rank_scale")?;
        Ok(Self { values, shares, shape, scale, highest, record })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Random;

    fn ranks(mut values: Vec<f64>) -> Ranks {
        values.sort_by(f64::total_cmp);
        Ranks::of(&values)
    }

    /// Quantiles of a law at even shares.
    fn law(n: usize, quantile: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..n).map(|i| quantile((i as f64 + 0.5) / n as f64)).collect()
    }

    #[track_caller]
    fn check(ranks: &Ranks, decision: f64, share: f64, tolerance: f64) {
        let found = ranks.log_share(decision).exp();
        let ratio = found / share;
        assert!((1.0 / tolerance..tolerance).contains(&ratio), "{decision} {found} {share}");
    }

    #[test]
    fn shares_are_those_of_the_law_far_beyond_what_was_seen() {
        let exponential = ranks(law(2_500, |share| -(1.0 - share).ln()));
        for share in [0.9_f64, 0.5, 0.1, 0.03, 1e-3, 1e-5] {
            check(&exponential, -f64::ln(share), share, 1.15);
        }
        let heavy = ranks(law(2_500, |share| (1.0 - share).powf(-0.3)));
        for share in [0.9_f64, 0.5, 0.1, 0.03, 1e-3, 1e-5] {
            check(&heavy, share.powf(-0.3), share, 1.4);
        }
        assert!((exponential.score(-LINE.ln()) - 0.8).abs() <= 0.005);
    }

    #[test]
    fn a_few_anomalies_among_the_rows_change_little() {
        let mut values = law(2_500, |share| -(1.0 - share).ln());
        values.extend([1e3; 10]);
        check(&ranks(values), -LINE.ln(), LINE, 4.0);
    }

    #[test]
    fn equal_values_are_as_rare_as_they_are_together() {
        let values: Vec<f64> = [vec![0.0; 900], vec![1.0; 100]].concat();
        let ranks = ranks(values);
        check(&ranks, 0.0, 1.0, 1.001);
        check(&ranks, 1.0, 0.1, 1.3);
        assert!(0.8 < ranks.score(2.0), "{}", ranks.score(2.0));
        let same = self::ranks(vec![3.0; 50]);
        let bounded = self::ranks(law(999, f64::sqrt));
        assert!((bounded.score(1.0) - 0.8).abs() <= 0.001, "a record: {}", bounded.score(1.0));
        assert_eq!([2.0, 3.0, 3.1].map(|value| same.score(value)), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn a_larger_decision_value_never_scores_less_and_comes_back_from_a_model() {
        let mut random = Random::new(5);
        for n in [1, 2, 3, 12, 30, 500] {
            let ranks = ranks((0..n).map(|_| random.unit().powi(4)).collect());
            let plain = Plain::Dict(ranks.to_plain().map(|(k, v)| (k.to_owned(), v)).into());
            assert_eq!(Ranks::from_plain(&plain).unwrap(), ranks);
            let scores: Vec<f64> =
                (-100..2_000).map(|i| ranks.score(f64::from(i) / 1_000.0)).collect();
            assert!(scores.is_sorted(), "{n}");
            assert_eq!(ranks.score(f64::INFINITY), 1.0);
        }
    }
}
