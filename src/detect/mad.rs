//! Distance from the median: a row scores by how far its own value lies from the median, in
//! median distances. Of a row only column 0 counts.
//!
//! The decision value is `0.6745 |x - m| / d`, where `m` is the median of the training values and
//! `d` the median of their distances from it. Where more than half of the values are equal, `d`
//! is 0: the value itself then has 0 and any other the largest number there is.
//!
//! # Source
//! Iglewicz & Hoaglin (1993), as PyOD 2 computes it.

use super::artifact::{DecodeError, ensure, float};
use super::by_row::{Decide, Decider, Learnt};
use super::params::Reader;
use super::robust;
use super::rows;
use crate::domain::{NoScore, Plain};
use crate::features::Matrix;

/// Makes the median distance of a normal sample one standard deviation (Φ⁻¹(3/4)), to the digits
/// PyOD has.
const NORMAL: f64 = 0.6745;

/// Parameters of the MAD detector, named as in PyOD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MadParams {
    /// The decision value above which a row is an outlier, in place of what `contamination` asks
    /// for; sets the decision threshold only.
    pub(super) threshold: f64,
}

impl MadParams {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self { threshold: reader.float("threshold", 3.5, (0.0, 1e9)) }
    }
}

/// A trained MAD detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Mad {
    params: MadParams,
    median: f64,
    /// Median distance from the median.
    distance: f64,
}

/// Fits on column 0 of a matrix.
pub(super) fn fit(matrix: &Matrix, params: MadParams) -> Result<Learnt<Mad>, NoScore> {
    rows::check(matrix, 2)?;
    let mut column = rows::sorted_column(matrix, 0);
    if column[0] == column[column.len() - 1] {
        return Err(NoScore::Constant);
    }
    let median = robust::median(&mut column);
    let mut distances: Vec<f64> = column.iter().map(|value| (value - median).abs()).collect();
    let distance = robust::median(&mut distances);
    if !median.is_finite() || !distance.is_finite() {
        return Err(NoScore::OutOfRange);
    }
    let model = Mad { params, median, distance };
    let decisions = rows::first_column(matrix).map(|value| model.decision(value)).collect();
    Ok((model, decisions))
}

impl Mad {
    /// PyOD's decision value of a value.
    pub(super) fn decision(&self, value: f64) -> f64 {
        let decision = NORMAL * (value - self.median).abs() / self.distance;
        // 0 / 0 is the value more than half of the training has.
        if decision.is_nan() { 0.0 } else { decision.min(f64::MAX) }
    }
}

impl Decide for Mad {
    fn n_columns(&self) -> Option<usize> {
        None
    }

    fn decide<R>(&self, then: impl FnOnce(&mut Decider<'_>) -> R) -> R {
        then(&mut |row| self.decision(row[0]))
    }

    fn own_threshold(&self) -> Option<f64> {
        Some(self.params.threshold)
    }

    fn params(&self) -> Vec<(&'static str, Plain)> {
        vec![("threshold", Plain::Float(self.params.threshold))]
    }

    fn state(&self) -> Vec<(&'static str, Plain)> {
        vec![("median", Plain::Float(self.median)), ("distance", Plain::Float(self.distance))]
    }

    fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let params = MadParams { threshold: float(plain, "threshold")? };
        let (median, distance) = (float(plain, "median")?, float(plain, "distance")?);
        ensure(0.0 <= distance, "distance")?;
        Ok(Self { params, median, distance })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(values: &[f64]) -> Result<Learnt<Mad>, NoScore> {
        let rows = (0..values.len()).collect();
        let matrix = Matrix { values: values.to_vec(), n_columns: 1, rows };
        fit(&matrix, MadParams { threshold: 3.5 })
    }

    #[test]
    fn a_crowd_of_equal_values_makes_any_other_as_unusual_as_can_be() {
        let (model, trained) = learn(&[5.0, 5.0, 5.0, 9.0, 5.0]).unwrap();
        assert_eq!([5.0, 9.0, 5.1].map(|x| model.decision(x)), [0.0, f64::MAX, f64::MAX]);
        assert_eq!(trained, [0.0, 0.0, 0.0, f64::MAX, 0.0]);
    }

    #[test]
    fn values_too_far_apart_to_subtract_say_so() {
        let far = [-1.7e308, 1.7e308, -1.7e308, 1.7e308];
        assert_eq!(learn(&far), Err(NoScore::OutOfRange));
    }
}
