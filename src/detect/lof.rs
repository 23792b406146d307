//! Local outlier factor: a row scores by how much sparser its surroundings are than those of its
//! neighbours.
//!
//! With `d_k(p)` the distance from a training row to its `k`-th nearest other, the reach of a row
//! to a neighbour is `max(d(row, p), d_k(p))`, the density of a row is `1 / (mean reach to its k
//! neighbours + 1e-10)`, and the decision value is the mean density of its neighbours over its
//! own: about 1 inside a crowd of any density, more outside. `k` is at most the number of training
//! rows less one. The 1e-10 keeps crowds of equal rows finite; metrics whose changes are
//! smaller than that have no LOF.
//!
//! Of equally near rows any may be taken for a neighbour, and the value depends on which; the
//! choice depends on the rows only, not on the order they came in.
//!
//! # Source
//! Breunig, Kriegel, Ng & Sander (2000), as scikit-learn and PyOD 2 compute it.

use super::artifact::{DecodeError, count, ensure, floats};
use super::by_row::{Decide, Decider, Learnt};
use super::neighbours::{Metric, Search};
use super::params::Reader;
use super::rows;
use crate::domain::{NoScore, Plain};
use crate::features::Matrix;

/// Keeps the density of rows with no distance between them finite.
const LEAST_REACH: f64 = 1e-10;

/// Parameters of the LOF detector, named as in PyOD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LofParams {
    /// How many neighbours.
    pub(super) n_neighbors: usize,
    /// What is near.
    pub(super) metric: Metric,
}

impl LofParams {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        reader.without_effect(&["algorithm", "leaf_size", "n_jobs", "novelty"]);
        Self { n_neighbors: reader.int("n_neighbors", 20, (1, 256)), metric: Metric::read(reader) }
    }
}

/// A trained LOF detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Lof {
    params: LofParams,
    n_columns: usize,
    /// The training rows one after the other.
    rows: Vec<f64>,
    /// Each row's distance to its k-th nearest other.
    reaches: Vec<f64>,
    /// Each row's density.
    densities: Vec<f64>,
}

/// A neighbour: its distance and its index.
type Neighbour = (f64, usize);

/// Fits on the rows of a matrix.
pub(super) fn fit(matrix: &Matrix, params: LofParams) -> Result<Learnt<Lof>, NoScore> {
    rows::check(matrix, 2)?;
    rows::check_measurable(matrix)?;
    let n_columns = matrix.n_columns;
    let order = rows::own_order(&matrix.values, n_columns);
    let sorted = rows::arranged(&matrix.values, n_columns, &order);
    let search = Search::new(&sorted, n_columns, params.metric);
    let n_neighbors = params.n_neighbors.min(matrix.n_rows() - 1);
    let mut found: Vec<Neighbour> = Vec::new();
    let mut neighbours: Vec<Neighbour> = Vec::with_capacity(matrix.n_rows() * n_neighbors);
    for (index, row) in sorted.chunks(n_columns).enumerate() {
        search.nearest_rows(row, n_neighbors + 1, &mut found);
        // No row is its own neighbour. Among many equal ones it may not be among those found.
        let itself = found.iter().position(|(_, other)| *other == index).unwrap_or(0);
        found.remove(itself);
        neighbours.extend_from_slice(&found);
    }
    let of_row = neighbours.chunks(n_neighbors);
    let reaches: Vec<f64> = of_row.clone().map(|found| found[n_neighbors - 1].0).collect();
    let densities: Vec<f64> = of_row.clone().map(|found| density(found, &reaches)).collect();
    let decisions: Vec<f64> =
        of_row.zip(&densities).map(|(found, own)| factor(found, &densities, *own)).collect();
    let unsorted = |values: &[f64]| {
        let mut unsorted = vec![0.0; values.len()];
        order.iter().zip(values).for_each(|(index, value)| unsorted[*index] = *value);
        unsorted
    };
    let decisions = unsorted(&decisions);
    let (reaches, densities) = (unsorted(&reaches), unsorted(&densities));
    Ok((Lof { params, n_columns, rows: matrix.values.clone(), reaches, densities }, decisions))
}

/// Density of a row from its neighbours.
fn density(neighbours: &[Neighbour], reaches: &[f64]) -> f64 {
    let reach = |(distance, index): &Neighbour| distance.max(reaches[*index]);
    let mean = neighbours.iter().map(reach).sum::<f64>() / neighbours.len() as f64;
    1.0 / (mean + LEAST_REACH)
}

/// Mean density of the neighbours over a row's own.
fn factor(neighbours: &[Neighbour], densities: &[f64], own: f64) -> f64 {
    let ratios = neighbours.iter().map(|(_, index)| densities[*index] / own);
    ratios.sum::<f64>() / neighbours.len() as f64
}

/// A model made ready for scoring.
struct Ready<'a> {
    search: Search<'a>,
    reaches: Vec<f64>,
    densities: Vec<f64>,
    n_neighbors: usize,
    found: Vec<Neighbour>,
}

impl Ready<'_> {
    /// PyOD's decision value of a new row.
    fn decision(&mut self, row: &[f64]) -> f64 {
        self.search.nearest_rows(row, self.n_neighbors, &mut self.found);
        let own = density(&self.found, &self.reaches);
        if own <= 0.0 {
            // Too far away to measure.
            return f64::INFINITY;
        }
        factor(&self.found, &self.densities, own)
    }
}

impl Lof {
    /// The rows in their own order, which is that of the other fields of [`Ready`].
    fn sorted(&self) -> (Vec<usize>, Vec<f64>) {
        let order = rows::own_order(&self.rows, self.n_columns);
        let sorted = rows::arranged(&self.rows, self.n_columns, &order);
        (order, sorted)
    }

    fn ready<'a>(&self, sorted: &'a (Vec<usize>, Vec<f64>)) -> Ready<'a> {
        let pick = |values: &[f64]| sorted.0.iter().map(|index| values[*index]).collect();
        Ready {
            search: Search::new(&sorted.1, self.n_columns, self.params.metric),
            reaches: pick(&self.reaches),
            densities: pick(&self.densities),
            n_neighbors: self.params.n_neighbors.min(self.densities.len() - 1),
            found: Vec::new(),
        }
    }
}

impl Decide for Lof {
    fn n_columns(&self) -> Option<usize> {
        Some(self.n_columns)
    }

    fn decide<R>(&self, then: impl FnOnce(&mut Decider<'_>) -> R) -> R {
        let sorted = self.sorted();
        let mut ready = self.ready(&sorted);
        then(&mut |row| ready.decision(row))
    }

    fn params(&self) -> Vec<(&'static str, Plain)> {
        let LofParams { n_neighbors, metric } = self.params;
        let mut params = vec![("n_neighbors", Plain::Int(n_neighbors as i64))];
        params.extend(metric.to_plain());
        params
    }

    fn state(&self) -> Vec<(&'static str, Plain)> {
        let mut fields = rows::to_plain(&self.rows, self.n_columns);
        fields.push(("reaches", Plain::from_f64s(&self.reaches)));
        fields.push(("densities", Plain::from_f64s(&self.densities)));
        fields
    }

    fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let n_neighbors = count(plain, "n_neighbors")?;
        let params = LofParams { n_neighbors, metric: Metric::from_plain(plain)? };
        ensure(0 < params.n_neighbors, "n_neighbors")?;
        let (rows, n_columns) = rows::from_plain(plain)?;
        let (reaches, densities) = (floats(plain, "reaches")?, floats(plain, "densities")?);
        let n_rows = rows.len() / n_columns;
        ensure(2 <= n_rows, "values")?;
        ensure(reaches.len() == n_rows && reaches.iter().all(|reach| 0.0 <= *reach), "reaches")?;
        ensure(densities.len() == n_rows, "densities")?;
        ensure(densities.iter().all(|density| 0.0 < *density), "densities")?;
        Ok(Self { params, n_columns, rows, reaches, densities })
    }
}
