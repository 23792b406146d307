//! Distance from the mean: a row scores by how many standard deviations its own value lies from
//! the mean. Of a row only column 0 counts.
//!
//! The decision value is `|x - m| / s`, where `m` is the mean of the training values and `s` their
//! standard deviation (that of a population: divided by `n`).

use super::artifact::{DecodeError, ensure, float};
use super::by_row::{Decide, Decider, Learnt};
use super::rows;
use crate::domain::{NoScore, Plain};
use crate::features::Matrix;

/// A trained z-score detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Zscore {
    mean: f64,
    deviation: f64,
}

/// Fits on column 0 of a matrix.
pub(super) fn fit(matrix: &Matrix) -> Result<Learnt<Zscore>, NoScore> {
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
    let model = Zscore { mean, deviation };
    let decisions = rows::first_column(matrix).map(|value| model.decision(value)).collect();
    Ok((model, decisions))
}

impl Zscore {
    /// The decision value of a value.
    fn decision(&self, value: f64) -> f64 {
        (value - self.mean).abs() / self.deviation
    }
}

impl Decide for Zscore {
    fn n_columns(&self) -> Option<usize> {
        None
    }

    fn decide<R>(&self, then: impl FnOnce(&mut Decider<'_>) -> R) -> R {
        then(&mut |row| self.decision(row[0]))
    }

    fn params(&self) -> Vec<(&'static str, Plain)> {
        Vec::new()
    }

    fn state(&self) -> Vec<(&'static str, Plain)> {
        vec![("mean", Plain::Float(self.mean)), ("deviation", Plain::Float(self.deviation))]
    }

    fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let (mean, deviation) = (float(plain, "mean")?, float(plain, "deviation")?);
        ensure(0.0 < deviation, "deviation")?;
        Ok(Self { mean, deviation })
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
            let (model, _) = fit(&matrix).unwrap();
            assert!((model.decision(9.0 * size) - 2.0).abs() <= 1e-12, "{size}");
        }
    }
}
