//! Principal components: a row scores by its distances to the unit vectors of the components,
//! those of little variance counting most.
//!
//! # Source
//! Shyu, Chen, Sarinnapakorn & Chang (2003), as PyOD 2 computes it.

use std::ops::Range;

use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linalg::traits::evd::EVDDecomposable;

use super::artifact::{DecodeError, count, ensure, flag, float, floats};
use super::params::PcaParams;
use super::scaling::{self, Scaling};
use crate::domain::{NoScore, Plain, RowScore};
use crate::features::{FeatureFrame, Matrix};

/// Components with less than this share of the variance are rounding, not directions.
const MIN_SHARE: f64 = 1e-13;

/// A trained PCA detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    params: PcaParams,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    /// Selected components one after the other, each `mean.len()` long.
    components: Vec<f64>,
    /// What each component's distance is divided by.
    weights: Vec<f64>,
    scaling: Scaling,
}

/// Fits on the rows of a matrix.
pub(super) fn fit(matrix: &Matrix, params: PcaParams) -> Result<Pca, NoScore> {
    let (n_rows, n_columns) = (matrix.n_rows(), matrix.n_columns);
    let need = (n_columns + 1).max(2);
    if n_rows < need {
        return Err(NoScore::TooFewPoints { need, have: n_rows });
    }
    if n_columns < params.n_selected_components {
        let wanted = params.n_selected_components;
        let message = format!("`n_selected_components` is {wanted}, but there are {n_columns}");
        return Err(NoScore::BadParameter { message });
    }
    let (mean, deviation) = if params.standardization {
        moments(matrix)
    } else {
        (vec![0.0; n_columns], vec![1.0; n_columns])
    };
    if mean.iter().chain(&deviation).any(|value| !value.is_finite()) {
        return Err(NoScore::OutOfRange);
    }
    let mut rows = matrix.values.clone();
    for row in rows.chunks_mut(n_columns) {
        standardise(row, &mean, &deviation);
    }
    let (components, shares) = decompose(&rows, n_columns)?;
    let n_selected = match params.n_selected_components {
        0 => shares.len(),
        wanted => wanted.min(shares.len()),
    };
    let first = shares.len() - n_selected;
    let weights = match params.weighted {
        true => shares[first..].to_vec(),
        false => vec![1.0; n_selected],
    };
    let components = components[first * n_columns..].to_vec();
    let scaling = Scaling { lowest: 0.0, highest: 0.0 };
    let mut model = Pca { params, mean, deviation, components, weights, scaling };
    let decisions: Vec<f64> =
        rows.chunks(n_columns).map(|row| model.decision_of_standardised(row)).collect();
    model.scaling = Scaling::of(&decisions)?;
    Ok(model)
}

impl Pca {
    pub(super) fn score(&self, frame: &FeatureFrame, rows: Range<usize>) -> Vec<RowScore> {
        let mut columns = vec![0.0; frame.n_columns()];
        rows.map(|row| {
            scaling::score_row(frame, row, &mut columns, self.mean.len(), |columns| {
                self.scaling.score(self.decision(columns))
            })
        })
        .collect()
    }

    /// PyOD's decision value of a row; `columns` is standardised in place.
    pub(super) fn decision(&self, columns: &mut [f64]) -> f64 {
        standardise(columns, &self.mean, &self.deviation);
        self.decision_of_standardised(columns)
    }

    fn decision_of_standardised(&self, row: &[f64]) -> f64 {
        let distance = |component: &[f64]| {
            let squares = row.iter().zip(component).map(|(x, c)| (x - c) * (x - c));
            squares.sum::<f64>().sqrt()
        };
        let components = self.components.chunks(self.mean.len());
        components.zip(&self.weights).map(|(component, weight)| distance(component) / weight).sum()
    }

    /// How decision values become scores.
    #[cfg(test)]
    pub(super) fn scaling(&self) -> Scaling {
        self.scaling
    }

    pub(super) fn params(&self) -> serde_json::Map<String, serde_json::Value> {
        let PcaParams { contamination, n_selected_components, weighted, standardization } =
            self.params;
        let mut params = serde_json::Map::new();
        params.insert("contamination".into(), contamination.into());
        params.insert("n_selected_components".into(), n_selected_components.into());
        params.insert("weighted".into(), weighted.into());
        params.insert("standardization".into(), standardization.into());
        params
    }

    pub(super) fn to_plain(&self) -> Plain {
        let params = self.params;
        Plain::Dict(vec![
            ("contamination".into(), Plain::Float(params.contamination)),
            ("n_selected_components".into(), Plain::Int(params.n_selected_components as i64)),
            ("weighted".into(), Plain::Bool(params.weighted)),
            ("standardization".into(), Plain::Bool(params.standardization)),
            ("mean".into(), Plain::from_f64s(&self.mean)),
            ("deviation".into(), Plain::from_f64s(&self.deviation)),
            ("components".into(), Plain::from_f64s(&self.components)),
            ("weights".into(), Plain::from_f64s(&self.weights)),
            ("lowest".into(), Plain::Float(self.scaling.lowest)),
            ("highest".into(), Plain::Float(self.scaling.highest)),
        ])
    }

    pub(super) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let params = PcaParams {
            contamination: float(plain, "contamination")?,
            n_selected_components: count(plain, "n_selected_components")?,
            weighted: flag(plain, "weighted")?,
            standardization: flag(plain, "standardization")?,
        };
        let mean = floats(plain, "mean")?;
        let deviation = floats(plain, "deviation")?;
        let components = floats(plain, "components")?;
        let weights = floats(plain, "weights")?;
        ensure(!mean.is_empty(), "mean")?;
        ensure(deviation.len() == mean.len(), "deviation")?;
        ensure(deviation.iter().all(|deviation| 0.0 < *deviation), "deviation")?;
        ensure(weights.iter().all(|weight| 0.0 < *weight), "weights")?;
        ensure(weights.len().checked_mul(mean.len()) == Some(components.len()), "components")?;
        let scaling = Scaling::from_plain(plain)?;
        Ok(Self { params, mean, deviation, components, weights, scaling })
    }
}

fn standardise(row: &mut [f64], mean: &[f64], deviation: &[f64]) {
    for ((value, mean), deviation) in row.iter_mut().zip(mean).zip(deviation) {
        *value = (*value - mean) / deviation;
    }
}

/// Mean and population standard deviation of each column; 1 for a column whose variance is
/// rounding.
fn moments(matrix: &Matrix) -> (Vec<f64>, Vec<f64>) {
    let n_rows = matrix.n_rows() as f64;
    let column_sums = |of: &dyn Fn(usize, f64) -> f64| {
        let mut sums = vec![0.0; matrix.n_columns];
        for row in matrix.values.chunks(matrix.n_columns) {
            for (column, (sum, value)) in sums.iter_mut().zip(row).enumerate() {
                *sum += of(column, *value);
            }
        }
        sums
    };
    let rough: Vec<f64> = column_sums(&|_, x| x).iter().map(|sum| sum / n_rows).collect();
    let left = column_sums(&|column, x| x - rough[column]);
    let mean: Vec<f64> = rough.iter().zip(&left).map(|(mean, left)| mean + left / n_rows).collect();
    let squares = column_sums(&|column, x| (x - mean[column]) * (x - mean[column]));
    let deviation = |(square, mean): (&f64, &f64)| {
        let variance = square / n_rows;
        let rounding = n_rows * mean * f64::EPSILON;
        // As scikit-learn's StandardScaler decides that a column is constant.
        let is_constant = variance <= n_rows * f64::EPSILON * variance + rounding * rounding;
        if is_constant { 1.0 } else { variance.sqrt() }
    };
    let deviations = squares.iter().zip(&mean).map(deviation).collect();
    (mean, deviations)
}

/// Components, largest variance first, and the share of the variance each has.
pub(super) fn decompose(rows: &[f64], n_columns: usize) -> Result<(Vec<f64>, Vec<f64>), NoScore> {
    let covariance = covariance(rows, n_columns);
    let total: f64 = (0..n_columns).map(|i| covariance[i * n_columns + i]).sum();
    if !total.is_finite() {
        return Err(NoScore::OutOfRange);
    }
    if total <= 0.0 {
        return Err(NoScore::Constant);
    }
    let square = DenseMatrix::new(n_columns, n_columns, covariance, false);
    let decomposition = square.and_then(|square| square.evd(true));
    // Only a shape or convergence failure gets here; neither happens for finite square input.
    let decomposition = decomposition.map_err(|_| NoScore::OutOfRange)?;
    let mut order: Vec<usize> = (0..n_columns).collect();
    order.sort_by(|a, b| decomposition.d[*b].total_cmp(&decomposition.d[*a]));
    let sum: f64 = decomposition.d.iter().map(|value| value.max(0.0)).sum();
    let (mut components, mut shares) = (Vec::new(), Vec::new());
    for index in order {
        let share = decomposition.d[index] / sum;
        if share <= MIN_SHARE {
            continue;
        }
        let column = |i: usize| *decomposition.V.get((i, index));
        let largest = (0..n_columns)
            .map(column)
            .fold(0.0, |best: f64, value| if best.abs() < value.abs() { value } else { best });
        // A component's sign is free; scikit-learn makes its largest entry positive.
        components.extend((0..n_columns).map(|i| column(i) * largest.signum()));
        shares.push(share);
    }
    if shares.is_empty() { Err(NoScore::Constant) } else { Ok((components, shares)) }
}

/// The sample covariance, row-major.
fn covariance(rows: &[f64], n_columns: usize) -> Vec<f64> {
    let n_rows = (rows.len() / n_columns) as f64;
    let mut mean = vec![0.0; n_columns];
    for row in rows.chunks(n_columns) {
        for (mean, value) in mean.iter_mut().zip(row) {
            *mean += value / n_rows;
        }
    }
    let mut products = vec![0.0; n_columns * n_columns];
    let mut centred = vec![0.0; n_columns];
    for row in rows.chunks(n_columns) {
        for (centred, (value, mean)) in centred.iter_mut().zip(row.iter().zip(&mean)) {
            *centred = value - mean;
        }
        for (i, left) in centred.iter().enumerate() {
            for (product, right) in products[i * n_columns..].iter_mut().zip(&centred) {
                *product += left * right;
            }
        }
    }
    products.iter_mut().for_each(|product| *product /= n_rows - 1.0);
    products
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> PcaParams {
        PcaParams {
            contamination: 0.1,
            n_selected_components: 0,
            weighted: true,
            standardization: true,
        }
    }

    fn matrix(values: &[f64], n_columns: usize) -> Matrix {
        let rows = (0..values.len() / n_columns).collect();
        Matrix { values: values.to_vec(), n_columns, rows }
    }

    #[test]
    fn a_dependent_column_adds_no_component() {
        let values: Vec<f64> = (0..30)
            .flat_map(|i| [f64::from(i % 7), f64::from(2 * (i % 7)), f64::from(i % 5)])
            .collect();
        let model = fit(&matrix(&values, 3), params()).unwrap();
        assert_eq!(model.weights.len(), 2);
        assert!((model.weights.iter().sum::<f64>() - 1.0).abs() <= 1e-12);
    }

    #[test]
    fn constant_short_and_overflowing_matrices_say_so() {
        assert_eq!(fit(&matrix(&[5.0; 30], 2), params()), Err(NoScore::Constant));
        let short = fit(&matrix(&[1.0, 2.0], 2), params());
        assert_eq!(short, Err(NoScore::TooFewPoints { need: 3, have: 1 }));
        let huge: Vec<f64> = (0..30).map(|i| f64::from(i) * 1e300).collect();
        assert_eq!(fit(&matrix(&huge, 2), params()), Err(NoScore::OutOfRange));
    }
}
