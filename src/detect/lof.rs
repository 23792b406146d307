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

use std::ops::Range;

use super::artifact::{DecodeError, count, ensure, float, floats};
use super::neighbours::Search;
use super::params::Reader;
use super::rows;
use super::scaling::{self, Scaling};
use crate::domain::{NoScore, Plain, RowScore};
use crate::features::{FeatureFrame, Matrix};

/// Keeps the density of rows with no distance between them finite.
const LEAST_REACH: f64 = 1e-10;

/// Parameters of the LOF detector, named as in PyOD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LofParams {
    /// Share of the training rows taken for outliers; sets the decision threshold only.
    pub(super) contamination: f64,
    /// How many neighbours.
    pub(super) n_neighbors: usize,
}

impl LofParams {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            contamination: reader.contamination(),
            n_neighbors: reader.int("n_neighbors", 20, (1, 256)),
        }
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
    scaling: Scaling,
}

/// A neighbour: its distance and its index.
type Neighbour = (f64, usize);

/// Fits on the rows of a matrix.
pub(super) fn fit(matrix: &Matrix, params: LofParams) -> Result<Lof, NoScore> {
    rows::check(matrix, 2)?;
    rows::check_measurable(matrix)?;
    let n_columns = matrix.n_columns;
    let order = rows::own_order(&matrix.values, n_columns);
    let sorted = rows::arranged(&matrix.values, n_columns, &order);
    let search = Search::new(&sorted, n_columns);
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
    let scaling = Scaling::of(&decisions)?;
    let unsorted = |values: &[f64]| {
        let mut unsorted = vec![0.0; values.len()];
        order.iter().zip(values).for_each(|(index, value)| unsorted[*index] = *value);
        unsorted
    };
    let (reaches, densities) = (unsorted(&reaches), unsorted(&densities));
    Ok(Lof { params, n_columns, rows: matrix.values.clone(), reaches, densities, scaling })
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
pub(super) struct Ready<'a> {
    search: Search<'a>,
    reaches: Vec<f64>,
    densities: Vec<f64>,
    n_neighbors: usize,
    found: Vec<Neighbour>,
}

impl Ready<'_> {
    /// PyOD's decision value of a new row.
    pub(super) fn decision(&mut self, row: &[f64]) -> f64 {
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
    pub(super) fn sorted(&self) -> (Vec<usize>, Vec<f64>) {
        let order = rows::own_order(&self.rows, self.n_columns);
        let sorted = rows::arranged(&self.rows, self.n_columns, &order);
        (order, sorted)
    }

    pub(super) fn ready<'a>(&self, sorted: &'a (Vec<usize>, Vec<f64>)) -> Ready<'a> {
        let pick = |values: &[f64]| sorted.0.iter().map(|index| values[*index]).collect();
        Ready {
            search: Search::new(&sorted.1, self.n_columns),
            reaches: pick(&self.reaches),
            densities: pick(&self.densities),
            n_neighbors: self.params.n_neighbors.min(self.densities.len() - 1),
            found: Vec::new(),
        }
    }

    pub(super) fn score(&self, frame: &FeatureFrame, rows: Range<usize>) -> Vec<RowScore> {
        let sorted = self.sorted();
        let mut ready = self.ready(&sorted);
        let mut columns = vec![0.0; frame.n_columns()];
        rows.map(|row| {
            scaling::score_row(frame, row, &mut columns, self.n_columns, |columns| {
                self.scaling.score(ready.decision(columns))
            })
        })
        .collect()
    }

    /// PyOD's decision values of the training rows.
    #[cfg(test)]
    pub(super) fn training_decisions(&self) -> Vec<f64> {
        let (order, sorted) = self.sorted();
        let search = Search::new(&sorted, self.n_columns);
        let n_neighbors = self.params.n_neighbors.min(order.len() - 1);
        let mut decisions = vec![0.0; order.len()];
        let mut found = Vec::new();
        for (place, row) in sorted.chunks(self.n_columns).enumerate() {
            search.nearest_rows(row, n_neighbors + 1, &mut found);
            let itself = found.iter().position(|(_, other)| *other == place).unwrap_or(0);
            found.remove(itself);
            found.iter_mut().for_each(|(_, other)| *other = order[*other]);
            decisions[order[place]] = factor(&found, &self.densities, self.densities[order[place]]);
        }
        decisions
    }

    /// How decision values become scores.
    #[cfg(test)]
    pub(super) fn scaling(&self) -> Scaling {
        self.scaling
    }

    pub(super) fn params(&self) -> serde_json::Map<String, serde_json::Value> {
        let LofParams { contamination, n_neighbors } = self.params;
        let mut params = serde_json::Map::new();
        params.insert("contamination".into(), contamination.into());
        params.insert("n_neighbors".into(), n_neighbors.into());
        params
    }

    pub(super) fn to_plain(&self) -> Plain {
        let (runs, values) = rows::to_plain(&self.rows, self.n_columns);
        Plain::Dict(vec![
            ("contamination".into(), Plain::Float(self.params.contamination)),
            ("n_neighbors".into(), Plain::Int(self.params.n_neighbors as i64)),
            ("n_columns".into(), Plain::Int(self.n_columns as i64)),
            ("run_rows".into(), runs),
            ("values".into(), values),
            ("reaches".into(), Plain::from_f64s(&self.reaches)),
            ("densities".into(), Plain::from_f64s(&self.densities)),
            ("lowest".into(), Plain::Float(self.scaling.lowest)),
            ("highest".into(), Plain::Float(self.scaling.highest)),
        ])
    }

    pub(super) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let params = LofParams {
            contamination: float(plain, "contamination")?,
            n_neighbors: count(plain, "n_neighbors")?,
        };
        ensure(0 < params.n_neighbors, "n_neighbors")?;
        let n_columns = count(plain, "n_columns")?;
        ensure(0 < n_columns, "n_columns")?;
        let rows = rows::from_plain(plain, n_columns)?;
        let (reaches, densities) = (floats(plain, "reaches")?, floats(plain, "densities")?);
        let n_rows = rows.len() / n_columns;
        ensure(2 <= n_rows, "values")?;
        ensure(reaches.len() == n_rows && reaches.iter().all(|reach| 0.0 <= *reach), "reaches")?;
        ensure(densities.len() == n_rows, "densities")?;
        ensure(densities.iter().all(|density| 0.0 < *density), "densities")?;
        let scaling = Scaling::from_plain(plain)?;
        Ok(Self { params, n_columns, rows, reaches, densities, scaling })
    }
}
