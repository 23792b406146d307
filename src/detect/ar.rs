//! Autoregression: a row scores by how far its own value lies from what the values before it say.
//!
//! With lags `x1 … xp` the expectation is `a + w1 x1 + … + wp xp`, the least-squares fit over the
//! training rows. Directions of the lags with less than 1e-9 of their variance are left out, so
//! lags that depend on each other give no wild weights. The decision value is `|x - expected| / s`
//! with `s` 1.4826 times the median of the training's residuals, or their root mean square where
//! more than half of them vanish. With no lags the expectation is the mean.

use super::artifact::{DecodeError, ensure, float, floats};
use super::by_row::{Decide, Decider, Learnt};
use super::{pca, robust, rows};
use crate::domain::{NoScore, Plain};
use crate::features::Matrix;

/// Directions of less of the lags' variance are rounding.
const MIN_SHARE: f64 = 1e-9;
/// Residuals below this share of the values' own deviation are rounding.
const ROUNDING: f64 = 1e-9;

/// A trained autoregressive detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Ar {
    /// Subtracted from every number before anything else.
    centre: f64,
    /// Then divided by; larger than 0.
    unit: f64,
    intercept: f64,
    weights: Vec<f64>,
    /// Size of an ordinary residual, in units; larger than 0.
    residual: f64,
}

/// Fits on the rows of a matrix.
pub(super) fn fit(matrix: &Matrix) -> Result<Learnt<Ar>, NoScore> {
    let n_columns = matrix.n_columns;
    rows::check(matrix, 2 * n_columns)?;
    let column = rows::sorted_column(matrix, 0);
    let (first, last) = (column[0], column[column.len() - 1]);
    if first == last {
        return Err(NoScore::Constant);
    }
    // The middle of the range, so that squares neither overflow nor vanish.
    let centre = first / 2.0 + last / 2.0;
    let unit = last / 2.0 - first / 2.0;
    if unit <= f64::MIN_POSITIVE {
        return Err(NoScore::OutOfRange);
    }
    let order = rows::own_order(&matrix.values, n_columns);
    let mut sorted = rows::arranged(&matrix.values, n_columns, &order);
    sorted.iter_mut().for_each(|value| *value = (*value - centre) / unit);
    let (intercept, weights) = least_squares(&sorted, n_columns)?;
    let mut model = Ar { centre, unit, intercept, weights, residual: 1.0 };
    let residuals: Vec<f64> = sorted.chunks(n_columns).map(|row| model.distance(row)).collect();
    model.residual = ordinary(&residuals);
    let mut rows = matrix.values.clone();
    let decisions = rows.chunks_mut(n_columns).map(|row| model.decision(row)).collect();
    Ok((model, decisions))
}

/// Intercept and weights.
fn least_squares(rows: &[f64], n_columns: usize) -> Result<(f64, Vec<f64>), NoScore> {
    let n_rows = (rows.len() / n_columns) as f64;
    let mut means = vec![0.0; n_columns];
    for row in rows.chunks(n_columns) {
        means.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / n_rows);
    }
    let lags: Vec<f64> = rows.chunks(n_columns).flat_map(|row| &row[1..]).copied().collect();
    let mut weights = vec![0.0; n_columns - 1];
    // Without lags, or with constant ones, nothing is learnt from them.
    let axes = if weights.is_empty() {
        Err(NoScore::Constant)
    } else {
        pca::decompose(&lags, n_columns - 1)
    };
    let (directions, shares) = match axes {
        Ok(axes) => axes,
        Err(NoScore::Constant) => return Ok((means[0], weights)),
        Err(reason) => return Err(reason),
    };
    let kept = directions.chunks(n_columns - 1).zip(&shares);
    for (direction, _) in kept.filter(|(_, share)| MIN_SHARE <= **share) {
        let (mut product, mut square) = (0.0, 0.0);
        for row in rows.chunks(n_columns) {
            let centred = row[1..].iter().zip(&means[1..]).map(|(value, mean)| value - mean);
            let place: f64 = centred.zip(direction).map(|(value, part)| value * part).sum();
            product += place * (row[0] - means[0]);
            square += place * place;
        }
        for (weight, part) in weights.iter_mut().zip(direction) {
            *weight += part * product / square;
        }
    }
    let at_means: f64 = weights.iter().zip(&means[1..]).map(|(weight, mean)| weight * mean).sum();
    Ok((means[0] - at_means, weights))
}

/// Size of an ordinary one of the residuals.
fn ordinary(residuals: &[f64]) -> f64 {
    let median = robust::MAD_TO_SIGMA * robust::median(&mut residuals.to_vec());
    if ROUNDING < median {
        return median;
    }
    let squares = residuals.iter().map(|residual| residual * residual);
    (squares.sum::<f64>() / residuals.len() as f64).sqrt().max(ROUNDING)
}

impl Ar {
    /// Between a row in units and its expectation.
    fn distance(&self, row: &[f64]) -> f64 {
        let lags = self.weights.iter().zip(&row[1..]);
        (row[0] - self.intercept - lags.map(|(weight, lag)| weight * lag).sum::<f64>()).abs()
    }

    /// The decision value of a row, which is brought to units in place.
    fn decision(&self, row: &mut [f64]) -> f64 {
        row.iter_mut().for_each(|value| *value = (*value - self.centre) / self.unit);
        self.distance(row) / self.residual
    }
}

impl Decide for Ar {
    fn n_columns(&self) -> Option<usize> {
        Some(self.weights.len() + 1)
    }

    fn decide<R>(&self, then: impl FnOnce(&mut Decider<'_>) -> R) -> R {
        then(&mut |row| self.decision(row))
    }

    fn params(&self) -> Vec<(&'static str, Plain)> {
        Vec::new()
    }

    fn state(&self) -> Vec<(&'static str, Plain)> {
        vec![
            ("centre", Plain::Float(self.centre)),
            ("unit", Plain::Float(self.unit)),
            ("intercept", Plain::Float(self.intercept)),
            ("weights", Plain::from_f64s(&self.weights)),
            ("residual", Plain::Float(self.residual)),
        ]
    }

    fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let (centre, unit) = (float(plain, "centre")?, float(plain, "unit")?);
        let (intercept, weights) = (float(plain, "intercept")?, floats(plain, "weights")?);
        let residual = float(plain, "residual")?;
        ensure(0.0 < unit, "unit")?;
        ensure(0.0 < residual, "residual")?;
        Ok(Self { centre, unit, intercept, weights, residual })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lagged(series: &[f64], n_columns: usize) -> Matrix {
        let windows = series.windows(n_columns);
        let rows = (0..windows.len()).collect();
        let values = windows.flat_map(|window| window.iter().rev().copied()).collect();
        Matrix { values, n_columns, rows }
    }

    #[test]
    fn the_law_of_a_series_is_found() {
        let mut series = vec![3.0, 4.0];
        for i in 2..400_usize {
            let shock = (i * i % 13) as f64 - 6.0;
            series.push(2.0 + 1.2 * series[i - 1] - 0.5 * series[i - 2] + shock * 1e-3);
        }
        series[0] = 90.0;
        let (model, _) = fit(&lagged(&series[1..], 3)).unwrap();
        assert!((model.weights[0] - 1.2).abs() <= 0.02, "{:?}", model.weights);
        assert!((model.weights[1] + 0.5).abs() <= 0.02, "{:?}", model.weights);
    }

    #[test]
    fn a_straight_line_goes_on() {
        let line: Vec<f64> = (0..100).map(f64::from).collect();
        let (model, _) = fit(&lagged(&line, 3)).unwrap();
        let on = model.decision(&mut [100.0, 99.0, 98.0]);
        let off = model.decision(&mut [140.0, 99.0, 98.0]);
        assert!(on <= 10.0 && 1e6 < off, "{on} {off}");
    }
}
