//! Distance from the mean: a row scores by how many standard deviations its own value lies from
//! the mean. Of a row only column 0 counts.
//!
//! The decision value is `|x - m| / s`, where `m` is the mean of the training values and `s` their
//! standard deviation (that of a population: divided by `n`).

use std::ops::Range;

use super::artifact::{DecodeError, ensure, float};
use super::params::Reader;
use super::rows;
use super::scaling::{self, Scaling};
use crate::domain::{NoScore, Plain, RowScore};
use crate::features::{FeatureFrame, Matrix};

/// Parameters of the z-score detector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ZscoreParams {
    /// Share of the training rows taken for outliers; sets the decision threshold only.
    pub(super) contamination: f64,
}

impl ZscoreParams {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self { contamination: reader.contamination() }
    }
}

/// A trained z-score detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Zscore {
    params: ZscoreParams,
    mean: f64,
    deviation: f64,
    scaling: Scaling,
}

/// Fits on column 0 of a matrix.
pub(super) fn fit(matrix: &Matrix, params: ZscoreParams) -> Result<Zscore, NoScore> {
    rows::check(matrix, 2)?;
    let column = rows::sorted_column(matrix, 0);
    if column[0] == column[column.len() - 1] {
        return Err(NoScore::Constant);
    }
    let n_rows = column.len() as f64;
    let rough = column.iter().sum::<f64>() / n_rows;
    let mean = rough + column.iter().map(|value| value - rough).sum::<f64>() / n_rows;
    // Squares of huge and of tiny numbers leave the range of a double; those of shares do not.
    let unit = (column[0] - mean).abs().max((column[column.len() - 1] - mean).abs());
    let squares = column.iter().map(|value| ((value - mean) / unit).powi(2));
    let deviation = unit * (squares.sum::<f64>() / n_rows).sqrt();
    if !mean.is_finite() || !deviation.is_finite() || deviation <= 0.0 {
        return Err(NoScore::OutOfRange);
    }
    let scaling = Scaling { lowest: 0.0, highest: 0.0 };
    let mut model = Zscore { params, mean, deviation, scaling };
    let decisions: Vec<f64> = column.iter().map(|value| model.decision(*value)).collect();
    model.scaling = Scaling::of(&decisions)?;
    Ok(model)
}

impl Zscore {
    /// The decision value of a value.
    fn decision(&self, value: f64) -> f64 {
        (value - self.mean).abs() / self.deviation
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

    pub(super) fn params(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut params = serde_json::Map::new();
        params.insert("contamination".into(), self.params.contamination.into());
        params
    }

    pub(super) fn to_plain(&self) -> Plain {
        Plain::Dict(vec![
            ("contamination".into(), Plain::Float(self.params.contamination)),
            ("mean".into(), Plain::Float(self.mean)),
            ("deviation".into(), Plain::Float(self.deviation)),
            ("lowest".into(), Plain::Float(self.scaling.lowest)),
            ("highest".into(), Plain::Float(self.scaling.highest)),
        ])
    }

    pub(super) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let params = ZscoreParams { contamination: float(plain, "contamination")? };
        let (mean, deviation) = (float(plain, "mean")?, float(plain, "deviation")?);
        ensure(0.0 < deviation, "deviation")?;
        Ok(Self { params, mean, deviation, scaling: Scaling::from_plain(plain)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_in_deviations_at_any_size() {
        for size in [1.0, 1e-300, 1e300] {
            let values: Vec<f64> =
                [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].map(|x| x * size).to_vec();
            let matrix = Matrix { values, n_columns: 1, rows: (0..8).collect() };
            let model = fit(&matrix, ZscoreParams { contamination: 0.1 }).unwrap();
            assert!((model.decision(9.0 * size) - 2.0).abs() <= 1e-12, "{size}");
        }
    }
}
