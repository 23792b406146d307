//! Nearest neighbours: a row scores by its distance to the k-th nearest training row.
//!
//! # Source
//! Ramaswamy, Rastogi & Shim (2000), as PyOD 2 computes it.

use super::artifact::{DecodeError, count, ensure, text};
use super::by_row::{Decide, Decider, Learnt};
use super::neighbours::{Metric, Search};
use super::params::Reader;
use super::robust;
use super::rows;
use crate::domain::{NoScore, Plain};
use crate::features::Matrix;

/// Parameters of the KNN detector, named as in PyOD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct KnnParams {
    /// How many neighbours.
    pub(super) n_neighbors: usize,
    /// How their distances become one.
    pub(super) method: KnnMethod,
    /// What is near.
    pub(super) metric: Metric,
}

impl KnnParams {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        reader.without_effect(&["radius", "algorithm", "leaf_size", "n_jobs"]);
        let choices = KnnMethod::ALL.map(|method| (method.as_str(), method));
        Self {
            n_neighbors: reader.int("n_neighbors", 5, (1, 256)),
            method: reader.choice("method", &choices).unwrap_or(KnnMethod::Largest),
            metric: Metric::read(reader),
        }
    }
}

/// How the distances to the neighbours become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KnnMethod {
    /// That of the farthest.
    Largest,
    /// Their mean.
    Mean,
    /// Their median.
    Median,
}

impl KnnMethod {
    const ALL: [Self; 3] = [Self::Largest, Self::Mean, Self::Median];

    /// As written.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Largest => "largest",
            Self::Mean => "mean",
            Self::Median => "median",
        }
    }

    /// `distances` is sorted and never empty.
    fn reduce(self, distances: &mut [f64]) -> f64 {
        match self {
            Self::Largest => distances[distances.len() - 1],
            Self::Mean => distances.iter().sum::<f64>() / distances.len() as f64,
            Self::Median => robust::median(distances),
        }
    }
}

/// A trained KNN detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Knn {
    params: KnnParams,
    n_columns: usize,
    /// The training rows one after the other.
    rows: Vec<f64>,
}

/// Fits on the rows of a matrix.
pub(super) fn fit(matrix: &Matrix, params: KnnParams) -> Result<Learnt<Knn>, NoScore> {
    let need = params.n_neighbors + 1;
    if matrix.n_rows() < need {
        return Err(NoScore::TooFewPoints { need, have: matrix.n_rows() });
    }
    rows::check_measurable(matrix)?;
    let model = Knn { params, n_columns: matrix.n_columns, rows: matrix.values.clone() };
    let decisions = model.training_decisions();
    Ok((model, decisions))
}

impl Knn {
    /// PyOD's decision values of the training rows: no row is its own neighbour.
    fn training_decisions(&self) -> Vec<f64> {
        let search = Search::new(&self.rows, self.n_columns, self.params.metric);
        let mut distances = Vec::new();
        let decide = |row: &[f64]| {
            search.nearest(row, self.params.n_neighbors + 1, &mut distances);
            // Its distance to itself is 0, and none is less.
            self.params.method.reduce(&mut distances[1..])
        };
        self.rows.chunks(self.n_columns).map(decide).collect()
    }
}

impl Decide for Knn {
    fn n_columns(&self) -> Option<usize> {
        Some(self.n_columns)
    }

    fn decide<R>(&self, then: impl FnOnce(&mut Decider<'_>) -> R) -> R {
        let KnnParams { n_neighbors, method, metric } = self.params;
        let search = Search::new(&self.rows, self.n_columns, metric);
        let mut distances = Vec::new();
        then(&mut |row| {
            search.nearest(row, n_neighbors, &mut distances);
            method.reduce(&mut distances)
        })
    }

    fn params(&self) -> Vec<(&'static str, Plain)> {
        let KnnParams { n_neighbors, method, metric } = self.params;
        let mut params = vec![
            ("n_neighbors", Plain::Int(n_neighbors as i64)),
            ("method", Plain::Text(method.as_str().into())),
        ];
        params.extend(metric.to_plain());
        params
    }

    fn state(&self) -> Vec<(&'static str, Plain)> {
        rows::to_plain(&self.rows, self.n_columns)
    }

    fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let method = text(plain, "method")?;
        let method = KnnMethod::ALL.into_iter().find(|known| known.as_str() == method);
        let params = KnnParams {
            n_neighbors: count(plain, "n_neighbors")?,
            method: method.ok_or(DecodeError::Inconsistent { field: "method" })?,
            metric: Metric::from_plain(plain)?,
        };
        let (rows, n_columns) = rows::from_plain(plain)?;
        ensure(0 < params.n_neighbors, "n_neighbors")?;
        ensure(params.n_neighbors < rows.len() / n_columns, "n_neighbors")?;
        Ok(Self { params, n_columns, rows })
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
        KnnParams { n_neighbors: 3, method, metric: Metric::EUCLIDEAN }
    }

    #[track_caller]
    fn check(method: KnnMethod, expected_training: f64, expected_new: f64) {
        let rows = matrix(&[0.0, 1.0, 3.0, 7.0, 7.0], 1);
        let (model, trained) = fit(&rows, params(method)).unwrap();
        assert_eq!(trained[1], expected_training);
        assert_eq!(model.decide(|decide| decide(&mut [1.0])), expected_new);
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
