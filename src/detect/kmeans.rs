//! Cluster centres: a row scores by its Euclidean distance to the nearest centre.
//!
//! The centres are Lloyd's: from `n_clusters` rows drawn one after the other, each with a
//! probability proportional to its squared distance from the nearest drawn before (k-means++),
//! every centre is moved to the mean of the rows nearest to it until no row changes its centre,
//! or `max_iter` times. Centres without rows are left out. Rows are drawn and summed in an order
//! of their own, so the model does not depend on the order they came in.
//!
//! smartcore's k-means hides its centres and depends on the order of the rows, so this is ours.
//!
//! # Source
//! Lloyd (1982); Arthur & Vassilvitskii (2007). PyOD has no plain one; its CBLOF weighs clusters.

use super::artifact::{DecodeError, count, ensure, floats, optional_count, optional_to_plain};
use super::by_row::{Decide, Decider, Learnt};
use super::neighbours::squared_distance;
use super::params::Reader;
use super::random::Random;
use super::rows;
use crate::domain::{NoScore, Plain};
use crate::features::Matrix;

/// Parameters of the k-means detector, named as in scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct KMeansParams {
    /// How many centres.
    pub(super) n_clusters: usize,
    /// How often they are moved at most.
    pub(super) max_iter: usize,
    /// What the first centres are drawn from; the program's own where `None`.
    pub(super) random_state: Option<usize>,
}

impl KMeansParams {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            n_clusters: reader.int("n_clusters", 8, (1, 256)),
            max_iter: reader.int("max_iter", 300, (1, 10_000)),
            random_state: reader.optional_int("random_state", (0, u32::MAX as usize)),
        }
    }
}

/// A trained k-means detector.
#[derive(Debug, Clone, PartialEq)]
pub struct KMeans {
    params: KMeansParams,
    n_columns: usize,
    /// The centres one after the other.
    centres: Vec<f64>,
}

/// Fits on the rows of a matrix.
pub(super) fn fit(
    matrix: &Matrix,
    params: KMeansParams,
    seed: u64,
) -> Result<Learnt<KMeans>, NoScore> {
    rows::check(matrix, params.n_clusters.max(2))?;
    rows::check_measurable(matrix)?;
    let n_columns = matrix.n_columns;
    let order = rows::own_order(&matrix.values, n_columns);
    let rows = rows::arranged(&matrix.values, n_columns, &order);
    let seed = params.random_state.map_or(seed, |state| state as u64);
    let start = spread(&rows, n_columns, params.n_clusters, seed);
    let centres = settle(&rows, n_columns, start, params.max_iter);
    Ok(with_centres(matrix, centres, params))
}

/// The detector these centres make.
pub(super) fn with_centres(
    matrix: &Matrix,
    centres: Vec<f64>,
    params: KMeansParams,
) -> Learnt<KMeans> {
    let model = KMeans { params, n_columns: matrix.n_columns, centres };
    let rows = matrix.values.chunks(matrix.n_columns);
    let decisions = rows.map(|row| model.decision(row)).collect();
    (model, decisions)
}

/// Rows far from each other; fewer than wanted where there are fewer different ones.
fn spread(rows: &[f64], n_columns: usize, n_wanted: usize, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed);
    let row = |index: usize| &rows[index * n_columns..][..n_columns];
    let mut chosen = random.below(rows.len() / n_columns);
    let mut centres = row(chosen).to_vec();
    let mut distances = vec![f64::INFINITY; rows.len() / n_columns];
    while centres.len() < n_wanted * n_columns {
        for (distance, other) in distances.iter_mut().zip(rows.chunks(n_columns)) {
            *distance = distance.min(squared_distance(other, row(chosen)));
        }
        let total: f64 = distances.iter().sum();
        let mut left = random.unit() * total;
        let hit = distances.iter().position(|distance| {
            left -= distance;
            0.0 < *distance && left <= 0.0
        });
        // Rounding can leave a little over after the last row.
        let Some(hit) = hit.or_else(|| distances.iter().rposition(|distance| 0.0 < *distance))
        else {
            break;
        };
        chosen = hit;
        centres.extend_from_slice(row(chosen));
    }
    centres
}

/// Moves the centres to the means of the rows nearest to them until that changes nothing.
pub(super) fn settle(
    rows: &[f64],
    n_columns: usize,
    mut centres: Vec<f64>,
    max_iter: usize,
) -> Vec<f64> {
    let mut labels = vec![usize::MAX; rows.len() / n_columns];
    let mut sizes = vec![0_usize; centres.len() / n_columns];
    for _ in 0..max_iter {
        let mut has_changed = false;
        for (label, row) in labels.iter_mut().zip(rows.chunks(n_columns)) {
            let (nearest, _) = nearest(&centres, row);
            has_changed |= *label != nearest;
            *label = nearest;
        }
        if !has_changed {
            break;
        }
        let mut sums = vec![0.0; centres.len()];
        sizes.fill(0);
        for (label, row) in labels.iter().zip(rows.chunks(n_columns)) {
            sizes[*label] += 1;
            let sum = &mut sums[label * n_columns..][..n_columns];
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        let moved = centres.chunks_mut(n_columns).zip(sums.chunks(n_columns)).zip(&sizes);
        for ((centre, sum), size) in moved.filter(|(_, size)| 0 < **size) {
            let means = sum.iter().map(|sum| sum / *size as f64);
            centre.iter_mut().zip(means).for_each(|(centre, mean)| *centre = mean);
        }
    }
    let kept = centres.chunks(n_columns).zip(&sizes).filter(|(_, size)| 0 < **size);
    kept.flat_map(|(centre, _)| centre).copied().collect()
}

/// Index of the nearest centre, the first of equally near ones, and the squared distance to it.
fn nearest(centres: &[f64], row: &[f64]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (index, centre) in centres.chunks(row.len()).enumerate() {
        let distance = squared_distance(row, centre);
        if distance < best.1 {
            best = (index, distance);
        }
    }
    best
}

impl KMeans {
    /// The decision value of a row, trained on or not.
    pub(super) fn decision(&self, row: &[f64]) -> f64 {
        nearest(&self.centres, row).1.sqrt()
    }
}

impl Decide for KMeans {
    fn n_columns(&self) -> Option<usize> {
        Some(self.n_columns)
    }

    fn decide<R>(&self, then: impl FnOnce(&mut Decider<'_>) -> R) -> R {
        then(&mut |row| self.decision(row))
    }

    fn params(&self) -> Vec<(&'static str, Plain)> {
        let KMeansParams { n_clusters, max_iter, random_state } = self.params;
        vec![
            ("n_clusters", Plain::Int(n_clusters as i64)),
            ("max_iter", Plain::Int(max_iter as i64)),
            ("random_state", optional_to_plain(random_state)),
        ]
    }

    fn state(&self) -> Vec<(&'static str, Plain)> {
        vec![
            ("n_columns", Plain::Int(self.n_columns as i64)),
            ("centres", Plain::from_f64s(&self.centres)),
        ]
    }

    fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let params = KMeansParams {
            n_clusters: count(plain, "n_clusters")?,
            max_iter: count(plain, "max_iter")?,
            random_state: optional_count(plain, "random_state")?,
        };
        let (n_columns, centres) = (count(plain, "n_columns")?, floats(plain, "centres")?);
        ensure(0 < n_columns, "n_columns")?;
        ensure(!centres.is_empty() && centres.len().is_multiple_of(n_columns), "centres")?;
        Ok(Self { params, n_columns, centres })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: KMeansParams = KMeansParams { n_clusters: 3, max_iter: 300, random_state: None };

    fn matrix(values: Vec<f64>) -> Matrix {
        let rows = (0..values.len()).collect();
        Matrix { values, n_columns: 1, rows }
    }

    #[test]
    fn three_crowds_are_found_from_any_seed() {
        let crowds: Vec<f64> = (0..90).map(|i| f64::from(i % 3 * 100 + i / 3 % 5 - 2)).collect();
        for seed in 0..20 {
            let mut centres = fit(&matrix(crowds.clone()), PARAMS, seed).unwrap().0.centres;
            centres.sort_by(f64::total_cmp);
            assert_eq!(centres, [0.0, 100.0, 200.0], "{seed}");
        }
    }

    #[test]
    fn fewer_places_than_clusters_are_the_centres() {
        let (model, trained) = fit(&matrix(vec![4.0, 9.0, 4.0, 9.0]), PARAMS, 1).unwrap();
        assert_eq!(model.centres.len(), 2);
        assert_eq!(trained, [0.0; 4]);
        assert_eq!(model.decision(&[5.0]), 1.0);
    }
}
