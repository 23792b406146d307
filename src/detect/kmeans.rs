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

use std::ops::Range;

use super::artifact::{DecodeError, count, ensure, float, floats};
use super::params::Reader;
use super::random::Random;
use super::rows;
use super::scaling::{self, Scaling};
use crate::domain::{NoScore, Plain, RowScore};
use crate::features::{FeatureFrame, Matrix};

/// Parameters of the k-means detector, named as in scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct KMeansParams {
    /// Share of the training rows taken for outliers; sets the decision threshold only.
    pub(super) contamination: f64,
    /// How many centres.
    pub(super) n_clusters: usize,
    /// How often they are moved at most.
    pub(super) max_iter: usize,
}

impl KMeansParams {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            contamination: reader.contamination(),
            n_clusters: reader.int("n_clusters", 8, (1, 256)),
            max_iter: reader.int("max_iter", 300, (1, 10_000)),
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
    scaling: Scaling,
}

/// Fits on the rows of a matrix.
pub(super) fn fit(matrix: &Matrix, params: KMeansParams, seed: u64) -> Result<KMeans, NoScore> {
    rows::check(matrix, params.n_clusters.max(2))?;
    rows::check_measurable(matrix)?;
    let n_columns = matrix.n_columns;
    let order = rows::own_order(&matrix.values, n_columns);
    let rows = rows::arranged(&matrix.values, n_columns, &order);
    let start = spread(&rows, n_columns, params.n_clusters, seed);
    let centres = settle(&rows, n_columns, start, params.max_iter);
    with_centres(&rows, n_columns, centres, params)
}

/// The detector these centres make.
pub(super) fn with_centres(
    rows: &[f64],
    n_columns: usize,
    centres: Vec<f64>,
    params: KMeansParams,
) -> Result<KMeans, NoScore> {
    let scaling = Scaling { lowest: 0.0, highest: 0.0 };
    let mut model = KMeans { params, n_columns, centres, scaling };
    let decisions: Vec<f64> = rows.chunks(n_columns).map(|row| model.decision(row)).collect();
    model.scaling = Scaling::of(&decisions)?;
    Ok(model)
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

fn squared_distance(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| (l - r) * (l - r)).sum()
}

impl KMeans {
    /// The decision value of a row, trained on or not.
    pub(super) fn decision(&self, row: &[f64]) -> f64 {
        nearest(&self.centres, row).1.sqrt()
    }

    pub(super) fn score(&self, frame: &FeatureFrame, rows: Range<usize>) -> Vec<RowScore> {
        let mut columns = vec![0.0; frame.n_columns()];
        rows.map(|row| {
            scaling::score_row(frame, row, &mut columns, self.n_columns, |columns| {
                self.scaling.score(self.decision(columns))
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
        let KMeansParams { contamination, n_clusters, max_iter } = self.params;
        let mut params = serde_json::Map::new();
        params.insert("contamination".into(), contamination.into());
        params.insert("n_clusters".into(), n_clusters.into());
        params.insert("max_iter".into(), max_iter.into());
        params
    }

    pub(super) fn to_plain(&self) -> Plain {
        Plain::Dict(vec![
            ("contamination".into(), Plain::Float(self.params.contamination)),
            ("n_clusters".into(), Plain::Int(self.params.n_clusters as i64)),
            ("max_iter".into(), Plain::Int(self.params.max_iter as i64)),
            ("n_columns".into(), Plain::Int(self.n_columns as i64)),
            ("centres".into(), Plain::from_f64s(&self.centres)),
            ("lowest".into(), Plain::Float(self.scaling.lowest)),
            ("highest".into(), Plain::Float(self.scaling.highest)),
        ])
    }

    pub(super) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let params = KMeansParams {
            contamination: float(plain, "contamination")?,
            n_clusters: count(plain, "n_clusters")?,
            max_iter: count(plain, "max_iter")?,
        };
        let (n_columns, centres) = (count(plain, "n_columns")?, floats(plain, "centres")?);
        ensure(0 < n_columns, "n_columns")?;
        ensure(!centres.is_empty() && centres.len().is_multiple_of(n_columns), "centres")?;
        Ok(Self { params, n_columns, centres, scaling: Scaling::from_plain(plain)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: KMeansParams = KMeansParams { contamination: 0.1, n_clusters: 3, max_iter: 300 };

    fn matrix(values: Vec<f64>) -> Matrix {
        let rows = (0..values.len()).collect();
        Matrix { values, n_columns: 1, rows }
    }

    #[test]
    fn three_crowds_are_found_from_any_seed() {
        let crowds: Vec<f64> = (0..90).map(|i| f64::from(i % 3 * 100 + i / 3 % 5 - 2)).collect();
        for seed in 0..20 {
            let mut centres = fit(&matrix(crowds.clone()), PARAMS, seed).unwrap().centres;
            centres.sort_by(f64::total_cmp);
            assert_eq!(centres, [0.0, 100.0, 200.0], "{seed}");
        }
    }

    #[test]
    fn fewer_places_than_clusters_are_the_centres() {
        let model = fit(&matrix(vec![4.0, 9.0, 4.0, 9.0]), PARAMS, 1).unwrap();
        assert_eq!(model.centres.len(), 2);
        assert_eq!(model.scaling.score(model.decision(&[9.0])), Ok(0.0));
        assert_eq!(model.scaling.score(model.decision(&[5.0])), Ok(1.0));
    }
}
