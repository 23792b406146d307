//! Decision values made scores: by how rare they are ([`super::ranks`]), or as PyOD's
//! `predict_proba` does.
//!
//! Linear: where a decision value lies between the training's smallest and largest, cut to [0, 1].
//! Unified: `erf((d - m) / (s √2))` with mean `m` and deviation `s` of the training's decision
//! values, 0 where that is negative: how far out it would be were they normal.
//!
//! # Source
//! Kriegel, Kröger, Schubert & Zimek (2011), as PyOD 2 computes it.

use super::artifact::{DecodeError, ensure, float, text};
use super::params::Reader;
use super::ranks::Ranks;
use crate::domain::{NoScore, Plain};

/// How a decision value becomes a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proba {
    /// By how rare it is among the training's.
    Rank,
    /// By its place in the training's range.
    Linear,
    /// By its distance from their mean.
    Unify,
}

impl Proba {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let choices = [("rank", Self::Rank), ("linear", Self::Linear), ("unify", Self::Unify)];
        reader.choice("proba", &choices).unwrap_or(Self::Rank)
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Rank => "rank",
            Self::Linear => "linear",
            Self::Unify => "unify",
        }
    }
}

/// What makes scores of decision values; all numbers are finite.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one to a model, which is far larger")]
pub(super) enum Scaling {
    /// How rare each decision value was.
    Rank(Ranks),
    /// The training's range.
    Linear { lowest: f64, highest: f64 },
    /// The training's mean and standard deviation (that of a population).
    Unify { mean: f64, deviation: f64 },
}

impl Scaling {
    /// `sorted` are the training's decision values, smallest first.
    pub(super) fn of(sorted: &[f64], proba: Proba) -> Result<Self, NoScore> {
        let (Some(lowest), Some(highest)) = (sorted.first().copied(), sorted.last().copied())
        else {
            return Err(NoScore::OutOfRange);
        };
        let scaling = match proba {
            Proba::Rank => Self::Rank(Ranks::of(sorted)),
            Proba::Linear => Self::Linear { lowest, highest },
            // Their sum would leave a rounding that looks like a deviation.
            Proba::Unify if lowest == highest => Self::Unify { mean: lowest, deviation: 0.0 },
            Proba::Unify => {
                let n_values = sorted.len() as f64;
                let mean = sorted.iter().sum::<f64>() / n_values;
                let squares = sorted.iter().map(|value| (value - mean) * (value - mean));
                Self::Unify { mean, deviation: (squares.sum::<f64>() / n_values).sqrt() }
            }
        };
        let is_finite = match scaling {
            Self::Rank(ranks) => (highest - lowest).is_finite() && ranks.is_finite(),
            Self::Linear { lowest, highest } => (highest - lowest).is_finite(),
            Self::Unify { mean, deviation } => mean.is_finite() && deviation.is_finite(),
        };
        if is_finite && sorted.iter().all(|value| value.is_finite()) {
            Ok(scaling)
        } else {
            Err(NoScore::OutOfRange)
        }
    }

    /// In [0, 1]. Where all of the training's decision values are the same, 0 up to it and 1 above.
    pub(super) fn score(self, decision: f64) -> Result<f64, NoScore> {
        if decision.is_nan() {
            return Err(NoScore::OutOfRange);
        }
        let (origin, unit) = match self {
            Self::Rank(ranks) => return Ok(ranks.score(decision)),
            Self::Linear { lowest, highest } => (lowest, highest - lowest),
            Self::Unify { mean, deviation } => (mean, deviation * std::f64::consts::SQRT_2),
        };
        if unit <= 0.0 {
            return Ok(if decision <= origin { 0.0 } else { 1.0 });
        }
        // An infinite decision value comes from a finite row too far away to measure.
        let place = (decision - origin) / unit;
        let score = match self {
            Self::Unify { .. } => libm::erf(place),
            Self::Rank(_) | Self::Linear { .. } => place,
        };
        Ok(score.clamp(0.0, 1.0))
    }

    pub(super) fn proba(self) -> Proba {
        match self {
            Self::Rank(_) => Proba::Rank,
            Self::Linear { .. } => Proba::Linear,
            Self::Unify { .. } => Proba::Unify,
        }
    }

    /// The model fields.
    pub(super) fn to_plain(self) -> Vec<(&'static str, Plain)> {
        let mut fields = vec![("proba", Plain::Text(self.proba().as_str().into()))];
        match self {
            Self::Rank(ranks) => fields.extend(ranks.to_plain()),
            Self::Linear { lowest, highest } => fields
                .extend([("lowest", Plain::Float(lowest)), ("highest", Plain::Float(highest))]),
            Self::Unify { mean, deviation } => fields.extend([
                ("mean_decision", Plain::Float(mean)),
                ("deviation_of_decisions", Plain::Float(deviation)),
            ]),
        }
        fields
    }

    pub(super) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        match text(plain, "proba")? {
            "rank" => Ranks::from_plain(plain).map(Self::Rank),
            "linear" => Self::linear_from_plain(plain),
            "unify" => {
                let mean = float(plain, "mean_decision")?;
                let deviation = float(plain, "deviation_of_decisions")?;
                ensure(0.0 <= deviation, "deviation_of_decisions")?;
                Ok(Self::Unify { mean, deviation })
            }
            _ => Err(DecodeError::Inconsistent { field: "proba" }),
        }
    }

    /// The only one of format 1.
    pub(super) fn linear_from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let (lowest, highest) = (float(plain, "lowest")?, float(plain, "highest")?);
        ensure(lowest <= highest, "highest")?;
        Ok(Self::Linear { lowest, highest })
    }
}

/// The number below which a share of the sorted ones lies, with what lies between two of them
/// shared out, as NumPy's `percentile` does; there is at least one.
pub(super) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    let place = share * last as f64;
    let below = (place as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaling(decisions: &[f64], proba: Proba) -> Scaling {
        let mut sorted = decisions.to_vec();
        sorted.sort_by(f64::total_cmp);
        Scaling::of(&sorted, proba).unwrap()
    }

    #[test]
    fn linear_scores_are_places_in_the_training_range() {
        let scaling = scaling(&[2.0, 6.0, 3.0], Proba::Linear);
        let scores = [1.0, 2.0, 4.0, 7.0, f64::INFINITY].map(|d| scaling.score(d).unwrap());
        assert_eq!(scores, [0.0, 0.0, 0.5, 1.0, 1.0]);
        assert_eq!(scaling.score(f64::NAN), Err(NoScore::OutOfRange));
    }

    #[test]
    fn unified_scores_are_distances_from_the_mean_of_a_normal_law() {
        // Mean 3 and deviation 1: within one deviation lie 68.27 %, within two 95.45 %.
        let scaling = scaling(&[2.0, 4.0], Proba::Unify);
        let scores = [2.0, 3.0, 4.0, 5.0, f64::INFINITY].map(|d| scaling.score(d).unwrap());
        let expected = [0.0, 0.0, 0.682_689_492, 0.954_499_736, 1.0];
        assert!(scores.iter().zip(expected).all(|(s, e)| (s - e).abs() <= 1e-9), "{scores:?}");
        assert_eq!(scaling.score(f64::NAN), Err(NoScore::OutOfRange));
    }

    #[test]
    fn without_a_range_only_more_than_ever_counts() {
        for proba in [Proba::Rank, Proba::Linear, Proba::Unify] {
            let scaling = scaling(&[2.0, 2.0], proba);
            assert_eq!([1.0, 2.0, 2.1].map(|d| scaling.score(d).unwrap()), [0.0, 0.0, 1.0]);
        }
    }

    #[test]
    fn percentiles_lie_between_the_numbers() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!([0.0, 0.5, 0.75, 1.0].map(|q| percentile(&sorted, q)), [1.0, 3.0, 5.0, 8.0]);
        assert_eq!(percentile(&[5.0], 0.9), 5.0);
    }
}
