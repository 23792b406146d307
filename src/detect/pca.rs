//! Principal components: a row scores by its distances to the unit vectors of the components,
//! those of little variance counting most.
//!
//! # Source
//! Shyu, Chen, Sarinnapakorn & Chang (2003), as PyOD 2 computes it.

use std::ops::Range;

use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linalg::traits::evd::EVDDecomposable;

use super::artifact::{
    DecodeError, count, ensure, flag, float, floats, optional_count, optional_to_plain,
};
use super::by_row::{Decide, Decider, Learnt};
use super::params::Reader;
use crate::domain::{NoScore, ParamValue, Plain};
use crate::features::Matrix;

/// Components with less than this share of the variance are rounding, not directions.
const MIN_SHARE: f64 = 1e-13;
/// The most components that can be asked for.
const MOST_COMPONENTS: usize = 512;

/// Parameters of the PCA detector, named as in PyOD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PcaParams {
    /// Components that are kept, those of most variance.
    pub(super) n_components: Components,
    /// Components that count, those of least variance among the kept ones; `None` is all.
    pub(super) n_selected_components: Option<usize>,
    /// Whether a component counts by the inverse of its share of variance.
    pub(super) weighted: bool,
    /// Whether columns are brought to mean 0 and deviation 1 first.
    pub(super) standardization: bool,
}

/// How many components are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Components {
    /// As many as there are columns.
    All,
    /// So many.
    Count(usize),
    /// As few as explain more than this share of the variance.
    Share(f64),
}

impl Components {
    fn read(reader: &mut Reader<'_>) -> Self {
        let expected = format!(
            "a whole number from 1 to {MOST_COMPONENTS} or a share of the variance below 1.0"
        );
        match reader.get("n_components") {
            None => Self::All,
            Some(ParamValue::Int(n)) if (1..=MOST_COMPONENTS as i64).contains(&n) => {
                Self::Count(n as usize)
            }
            Some(ParamValue::Float(share)) if 0.0 < share && share < 1.0 => Self::Share(share),
            Some(found) => {
                reader.wrong("n_components", &expected, &found);
                Self::All
            }
        }
    }

    /// How many of the components with these shares of the variance are kept, largest first.
    fn of(self, shares: &[f64], n_columns: usize) -> Result<usize, NoScore> {
        match self {
            Self::All => Ok(shares.len()),
            Self::Count(wanted) if n_columns < wanted => {
                Err(too_many("n_components", wanted, n_columns))
            }
            Self::Count(wanted) => Ok(wanted.min(shares.len())),
            Self::Share(wanted) => {
                let explained = shares.iter().scan(0.0, |sum, share| {
                    *sum += share;
                    Some(*sum)
                });
                let n_short = explained.take_while(|explained| *explained <= wanted).count();
                Ok((n_short + 1).min(shares.len()))
            }
        }
    }

    fn to_plain(self) -> Plain {
        match self {
            Self::All => Plain::None,
            Self::Count(wanted) => Plain::Int(wanted as i64),
            Self::Share(wanted) => Plain::Float(wanted),
        }
    }

    fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        const FIELD: &str = "n_components";
        match plain.get(FIELD) {
            // Format 1 had no such parameter.
            None | Some(Plain::None) => Ok(Self::All),
            Some(Plain::Float(_)) => Ok(Self::Share(float(plain, FIELD)?)),
            Some(_) => Ok(Self::Count(count(plain, FIELD)?)),
        }
    }
}

fn too_many(param: &str, wanted: usize, have: usize) -> NoScore {
    NoScore::BadParameter { message: format!("`{param}` is {wanted}, but there are {have}") }
}

impl PcaParams {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let exact = ["auto", "full", "covariance_eigh"].map(|name| (name, ()));
        reader.choice("svd_solver", &exact);
        reader.without_effect(&["copy", "whiten", "tol", "iterated_power", "random_state"]);
        let limits = (1, MOST_COMPONENTS);
        Self {
            n_components: Components::read(reader),
            n_selected_components: reader.optional_int("n_selected_components", limits),
            weighted: reader.bool("weighted", true),
            standardization: reader.bool("standardization", true),
        }
    }
}

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
}

/// Fits on the rows of a matrix.
pub(super) fn fit(matrix: &Matrix, params: PcaParams) -> Result<Learnt<Pca>, NoScore> {
    let (n_rows, n_columns) = (matrix.n_rows(), matrix.n_columns);
    let need = (n_columns + 1).max(2);
    if n_rows < need {
        return Err(NoScore::TooFewPoints { need, have: n_rows });
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
    let selected = select(params, &shares, n_columns)?;
    let weights = match params.weighted {
        true => shares[selected.clone()].to_vec(),
        false => vec![1.0; selected.len()],
    };
    let components = components[selected.start * n_columns..selected.end * n_columns].to_vec();
    let model = Pca { params, mean, deviation, components, weights };
    let decisions = rows.chunks(n_columns).map(|row| model.decision_of_standardised(row)).collect();
    Ok((model, decisions))
}

/// Which of the components with these shares of the variance count; largest first.
fn select(params: PcaParams, shares: &[f64], n_columns: usize) -> Result<Range<usize>, NoScore> {
    let n_kept = params.n_components.of(shares, n_columns)?;
    let n_selected = match params.n_selected_components {
        None => n_kept,
        Some(wanted) if n_columns < wanted => {
            return Err(too_many("n_selected_components", wanted, n_columns));
        }
        Some(wanted) => wanted.min(n_kept),
    };
    Ok(n_kept - n_selected..n_kept)
}

impl Pca {
    fn decision_of_standardised(&self, row: &[f64]) -> f64 {
        let distance = |component: &[f64]| {
            let squares = row.iter().zip(component).map(|(x, c)| (x - c) * (x - c));
            squares.sum::<f64>().sqrt()
        };
        let components = self.components.chunks(self.mean.len());
        components.zip(&self.weights).map(|(component, weight)| distance(component) / weight).sum()
    }
}

impl Decide for Pca {
    fn n_columns(&self) -> Option<usize> {
        Some(self.mean.len())
    }

    fn decide<R>(&self, then: impl FnOnce(&mut Decider<'_>) -> R) -> R {
        then(&mut |row| {
            standardise(row, &self.mean, &self.deviation);
            self.decision_of_standardised(row)
        })
    }

    fn params(&self) -> Vec<(&'static str, Plain)> {
        let PcaParams { n_components, n_selected_components, weighted, standardization } =
            self.params;
        vec![
            ("n_components", n_components.to_plain()),
            ("n_selected_components", optional_to_plain(n_selected_components)),
            ("weighted", Plain::Bool(weighted)),
            ("standardization", Plain::Bool(standardization)),
        ]
    }

    fn state(&self) -> Vec<(&'static str, Plain)> {
        vec![
            ("mean", Plain::from_f64s(&self.mean)),
            ("deviation", Plain::from_f64s(&self.deviation)),
            ("components", Plain::from_f64s(&self.components)),
            ("weights", Plain::from_f64s(&self.weights)),
        ]
    }

    fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        const SELECTED: &str = "n_selected_components";
        // Format 1 said 0 for all.
        let n_selected_components = optional_count(plain, SELECTED)?.filter(|n| 0 < *n);
        let params = PcaParams {
            n_components: Components::from_plain(plain)?,
            n_selected_components,
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
        Ok(Self { params, mean, deviation, components, weights })
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
            n_components: Components::All,
            n_selected_components: None,
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
        let (model, _) = fit(&matrix(&values, 3), params()).unwrap();
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
