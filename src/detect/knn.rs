//! Nearest neighbours: a row scores by its distance to the k-th nearest training row.
//!
//! # Source
//! Ramaswamy, Rastogi & Shim (2000), as PyOD 2 computes it.

use std::ops::Range;

use super::artifact::{DecodeError, count, ensure, float, text};
use super::neighbours::{self, Search};
use super::params::{KnnMethod, KnnParams};
use super::robust;
use super::rows;
use super::scaling::{self, Scaling};
use crate::domain::{NoScore, Plain, RowScore};
use crate::features::{FeatureFrame, Matrix};

/// A trained KNN detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Knn {
    params: KnnParams,
    n_columns: usize,
    /// The training rows one after the other.
    rows: Vec<f64>,
    scaling: Scaling,
}

/// Fits on the rows of a matrix.
pub(super) fn fit(matrix: &Matrix, params: KnnParams) -> Result<Knn, NoScore> {
    let need = params.n_neighbors + 1;
    if matrix.n_rows() < need {
        return Err(NoScore::TooFewPoints { need, have: matrix.n_rows() });
    }
    rows::check_measurable(matrix)?;
    let n_columns = matrix.n_columns;
    let rows = matrix.values.clone();
    let scaling = Scaling { lowest: 0.0, highest: 0.0 };
    let mut model = Knn { params, n_columns, rows, scaling };
    model.scaling = Scaling::of(&model.training_range())?;
    Ok(model)
}

impl Knn {
    /// The smallest and the largest of the training's decision values, perhaps with others.
    fn training_range(&self) -> Vec<f64> {
        match self.params.method {
            KnnMethod::Largest => {
                let n_wanted = self.params.n_neighbors + 1;
                let (lowest, highest) = neighbours::extremes(&self.rows, self.n_columns, n_wanted);
                vec![lowest, highest]
            }
            KnnMethod::Mean | KnnMethod::Median => self.training_decisions(),
        }
    }

    /// PyOD's decision values of the training rows: no row is its own neighbour.
    pub(super) fn training_decisions(&self) -> Vec<f64> {
        let search = self.search();
        let mut distances = Vec::new();
        let decide = |row: &[f64]| {
            search.nearest(row, self.params.n_neighbors + 1, &mut distances);
            // Its distance to itself is 0, and none is less.
            self.reduce(&mut distances[1..])
        };
        self.rows.chunks(self.n_columns).map(decide).collect()
    }

    /// PyOD's decision value of a new row; `distances` is room to work in.
    pub(super) fn decision(
        &self,
        search: &Search<'_>,
        row: &[f64],
        distances: &mut Vec<f64>,
    ) -> f64 {
        search.nearest(row, self.params.n_neighbors, distances);
        self.reduce(distances)
    }

    /// The training rows made ready for being searched.
    pub(super) fn search(&self) -> Search<'_> {
        Search::new(&self.rows, self.n_columns)
    }

    /// `distances` is sorted and never empty.
    fn reduce(&self, distances: &mut [f64]) -> f64 {
        match self.params.method {
            KnnMethod::Largest => distances[distances.len() - 1],
            KnnMethod::Mean => distances.iter().sum::<f64>() / distances.len() as f64,
            KnnMethod::Median => robust::median(distances),
        }
    }

    pub(super) fn score(&self, frame: &FeatureFrame, rows: Range<usize>) -> Vec<RowScore> {
        let search = self.search();
        let mut distances = Vec::new();
        let mut columns = vec![0.0; frame.n_columns()];
        rows.map(|row| {
            scaling::score_row(frame, row, &mut columns, self.n_columns, |columns| {
                self.scaling.score(self.decision(&search, columns, &mut distances))
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
        let KnnParams { contamination, n_neighbors, method } = self.params;
        let mut params = serde_json::Map::new();
        params.insert("contamination".into(), contamination.into());
        params.insert("n_neighbors".into(), n_neighbors.into());
        params.insert("method".into(), method.as_str().into());
        params
    }

    pub(super) fn to_plain(&self) -> Plain {
        let (runs, values) = rows::to_plain(&self.rows, self.n_columns);
        Plain::Dict(vec![
            ("contamination".into(), Plain::Float(self.params.contamination)),
            ("n_neighbors".into(), Plain::Int(self.params.n_neighbors as i64)),
            ("method".into(), Plain::Text(self.params.method.as_str().into())),
            ("n_columns".into(), Plain::Int(self.n_columns as i64)),
            ("run_rows".into(), runs),
            ("values".into(), values),
            ("lowest".into(), Plain::Float(self.scaling.lowest)),
            ("highest".into(), Plain::Float(self.scaling.highest)),
        ])
    }

    pub(super) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let method = KnnMethod::parse(text(plain, "method")?);
        let params = KnnParams {
            contamination: float(plain, "contamination")?,
            n_neighbors: count(plain, "n_neighbors")?,
            method: method.ok_or(DecodeError::Inconsistent { field: "method" })?,
        };
        let n_columns = count(plain, "n_columns")?;
        ensure(0 < n_columns, "n_columns")?;
        let rows = rows::from_plain(plain, n_columns)?;
        ensure(0 < params.n_neighbors, "n_neighbors")?;
        ensure(params.n_neighbors < rows.len() / n_columns, "n_neighbors")?;
        Ok(Self { params, n_columns, rows, scaling: Scaling::from_plain(plain)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(values: &[f64], n_columns: usize) -> Matrix {
        let rows = (0..values.len() / n_columns).collect();
        Matrix { values: values.to_vec(), n_columns, rows }
    }

    fn params(method: KnnMethod) -> KnnParams {
        KnnParams { contamination: 0.1, n_neighbors: 3, method }
    }

    #[track_caller]
    fn check(method: KnnMethod, expected_training: f64, expected_new: f64) {
        let model = fit(&matrix(&[0.0, 1.0, 3.0, 7.0, 7.0], 1), params(method)).unwrap();
        assert_eq!(model.training_decisions()[1], expected_training);
        assert_eq!(model.decision(&model.search(), &[1.0], &mut Vec::new()), expected_new);
    }

    #[test]
    fn a_training_row_is_not_its_own_neighbour_and_a_new_row_has_all() {
        check(KnnMethod::Largest, 6.0, 2.0);
        check(KnnMethod::Mean, 3.0, 1.0);
        check(KnnMethod::Median, 2.0, 1.0);
    }

    #[test]
    fn constant_short_and_overflowing_matrices_say_so() {
        let method = KnnMethod::Largest;
        assert_eq!(fit(&matrix(&[5.0; 30], 2), params(method)), Err(NoScore::Constant));
        let short = fit(&matrix(&[1.0, 2.0, 3.0], 1), params(method));
        assert_eq!(short, Err(NoScore::TooFewPoints { need: 4, have: 3 }));
        for size in [1e300, 1e-300] {
            let values: Vec<f64> = (0..30).map(|i| f64::from(i) * size).collect();
            assert_eq!(fit(&matrix(&values, 2), params(method)), Err(NoScore::OutOfRange));
        }
    }
}
