//! Distance from the median: a row scores by how far its own value lies from the median, in
//! median distances. Of a row only column 0 counts.
//!
//! The decision value is `0.6745 |x - m| / d`, where `m` is the median of the training values and
//! `d` the median of their distances from it. Where more than half of the values are equal, `d`
//! is 0: the value itself then has 0 and any other the largest number there is.
//!
//! # Source
//! Iglewicz & Hoaglin (1993), as PyOD 2 computes it.

use std::ops::Range;

use super::artifact::{DecodeError, ensure, float};
use super::params::Reader;
use super::robust;
use super::rows;
use super::scaling::{self, Scaling};
use crate::domain::{NoScore, Plain, RowScore};
use crate::features::{FeatureFrame, Matrix};

/// Makes the median distance of a normal sample one standard deviation (Φ⁻¹(3/4)), to the digits
/// PyOD has.
const NORMAL: f64 = 0.6745;

/// Parameters of the MAD detector, named as in PyOD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MadParams {
    /// Share of the training rows taken for outliers; MAD does not use it.
    pub(super) contamination: f64,
    /// The decision value above which a row is an outlier; sets the decision threshold only.
    pub(super) threshold: f64,
}

impl MadParams {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            contamination: reader.contamination(),
            threshold: reader.float("threshold", 3.5, (0.0, 1e9)),
        }
    }
}

/// A trained MAD detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Mad {
    params: MadParams,
    median: f64,
    /// Median distance from the median.
    distance: f64,
    scaling: Scaling,
}

/// Fits on column 0 of a matrix.
pub(super) fn fit(matrix: &Matrix, params: MadParams) -> Result<Mad, NoScore> {
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
    let scaling = Scaling { lowest: 0.0, highest: 0.0 };
    let mut model = Mad { params, median, distance, scaling };
    let decisions: Vec<f64> = column.iter().map(|value| model.decision(*value)).collect();
    model.scaling = Scaling::of(&decisions)?;
    Ok(model)
}

impl Mad {
    /// PyOD's decision value of a value.
    pub(super) fn decision(&self, value: f64) -> f64 {
        let decision = NORMAL * (value - self.median).abs() / self.distance;
        // 0 / 0 is the value more than half of the training has.
        if decision.is_nan() { 0.0 } else { decision.min(f64::MAX) }
    }

    pub(super) fn score(&self, frame: &FeatureFrame, rows: Range<usize>) -> Vec<RowScore> {
        let mut columns = vec![0.0; frame.n_columns()];
        rows.map(|row| {
            scaling::score_row(frame, row, &mut columns, frame.n_columns(), |columns| {
                self.scaling.score(self.decision(columns[0]))
            })
        })
        .collect()
    }

    /// How decision values become scores.
    #[cfg(test)]
    pub(super) fn scaling(&self) -> Scaling {
        self.scaling
    }

    pub(super) fn params(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut params = serde_json::Map::new();
        params.insert("contamination".into(), self.params.contamination.into());
        params.insert("threshold".into(), self.params.threshold.into());
        params
    }

    pub(super) fn to_plain(&self) -> Plain {
        Plain::Dict(vec![
            ("contamination".into(), Plain::Float(self.params.contamination)),
            ("threshold".into(), Plain::Float(self.params.threshold)),
            ("median".into(), Plain::Float(self.median)),
            ("distance".into(), Plain::Float(self.distance)),
            ("lowest".into(), Plain::Float(self.scaling.lowest)),
            ("highest".into(), Plain::Float(self.scaling.highest)),
        ])
    }

    pub(super) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let params = MadParams {
            contamination: float(plain, "contamination")?,
            threshold: float(plain, "threshold")?,
        };
        let (median, distance) = (float(plain, "median")?, float(plain, "distance")?);
        ensure(0.0 <= distance, "distance")?;
        Ok(Self { params, median, distance, scaling: Scaling::from_plain(plain)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(values: &[f64]) -> Result<Mad, NoScore> {
        let rows = (0..values.len()).collect();
        let matrix = Matrix { values: values.to_vec(), n_columns: 1, rows };
        fit(&matrix, MadParams { contamination: 0.1, threshold: 3.5 })
    }

    #[test]
    fn a_crowd_of_equal_values_makes_any_other_as_unusual_as_can_be() {
        let model = model(&[5.0, 5.0, 5.0, 9.0, 5.0]).unwrap();
        assert_eq!([5.0, 9.0, 5.1].map(|x| model.decision(x)), [0.0, f64::MAX, f64::MAX]);
        assert_eq!(model.scaling.score(model.decision(5.1)), Ok(1.0));
    }

    #[test]
    fn values_too_far_apart_to_subtract_say_so() {
        let far = [-1.7e308, 1.7e308, -1.7e308, 1.7e308];
        assert_eq!(model(&far), Err(NoScore::OutOfRange));
    }
}
