//! A histogram of each column: a row scores by how empty the bins are that its numbers fall into.
//!
//! A column's range is cut into `n_bins` bins of one width; with the density `p` of a bin (its
//! share of the rows over its width) the decision value of a row is `-Σ log2(p + alpha)` over the
//! columns. A number outside the range counts as in the bin at that end when it is at most `tol`
//! bin widths away, else as in the emptiest bin. `n_bins = "auto"` chooses between 1 and `√n` bins
//! a column by penalised likelihood, `Σ (h ln(b h / n + 1) - (b - 1 + ln(b)^2.5))` over the bins'
//! counts `h` being largest.
//!
//! A number on a bound between two bins is counted in the upper one but looked up in the lower
//! one, which may be empty: few different values can score as if none had been seen.
//!
//! Densities have the inverse unit of the metric and `alpha` has none, so the values depend on the
//! unit: with a range much above `n_bins / alpha` all bins weigh almost the same.
//!
//! # Source
//! Goldstein & Dengel (2012), Birgé & Rozenholc (2006), as PyOD 2 computes them.

use super::artifact::{DecodeError, count, ensure, float, floats};
use super::by_row::{Decide, Decider, Learnt};
use super::params::Reader;
use super::rows;
use crate::domain::{NoScore, ParamValue, Plain};
use crate::features::Matrix;

/// Parameters of the HBOS detector, named as in PyOD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct HbosParams {
    /// Bins a column; 0 is as many as suit it.
    pub(super) n_bins: usize,
    /// What is added to each density.
    pub(super) alpha: f64,
    /// How many bin widths outside the range still count as in it.
    pub(super) tol: f64,
}

impl HbosParams {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            n_bins: read_bins(reader),
            alpha: reader.float("alpha", 0.1, (1e-9, 1.0)),
            tol: reader.float("tol", 0.5, (0.0, 1.0)),
        }
    }
}

fn read_bins(reader: &mut Reader<'_>) -> usize {
    const LIMITS: std::ops::RangeInclusive<i64> = 2..=512;
    match reader.get("n_bins") {
        None => 10,
        Some(ParamValue::Text(text)) if text == "auto" => 0,
        Some(ParamValue::Int(n_bins)) if LIMITS.contains(&n_bins) => n_bins as usize,
        Some(found) => {
            reader.wrong("n_bins", "a whole number from 2 to 512 or \"auto\"", &found);
            10
        }
    }
}

/// A trained HBOS detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Hbos {
    params: HbosParams,
    histograms: Vec<Histogram>,
}

/// One column's histogram.
#[derive(Debug, Clone, PartialEq)]
struct Histogram {
    /// Bounds of the bins, one more than there are.
    edges: Vec<f64>,
    /// Each bin's `log2(p + alpha)`.
    logs: Vec<f64>,
    /// The smallest of `logs`.
    emptiest: f64,
}

/// Fits on the rows of a matrix.
pub(super) fn fit(matrix: &Matrix, params: HbosParams) -> Result<Learnt<Hbos>, NoScore> {
    rows::check(matrix, 2)?;
    let histogram = |column| {
        let values = rows::sorted_column(matrix, column);
        let n_bins = if params.n_bins == 0 { best_n_bins(&values)? } else { params.n_bins };
        Histogram::of(&values, n_bins, params.alpha)
    };
    let histograms: Option<Vec<Histogram>> = (0..matrix.n_columns).map(histogram).collect();
    let histograms = histograms.ok_or(NoScore::OutOfRange)?;
    let model = Hbos { params, histograms };
    let rows = matrix.values.chunks(matrix.n_columns);
    let decisions = rows.map(|row| model.decision(row)).collect();
    Ok((model, decisions))
}

/// Bounds of `n_bins` bins over the sorted values; `None` when doubles lie too far apart for them.
fn edges(sorted: &[f64], n_bins: usize) -> Option<Vec<f64>> {
    let (mut first, mut last) = (sorted[0], sorted[sorted.len() - 1]);
    if first == last {
        (first, last) = (first - 0.5, last + 0.5);
    }
    let width = (last - first) / n_bins as f64;
    let mut edges: Vec<f64> = (0..=n_bins).map(|bin| bin as f64 * width + first).collect();
    edges[n_bins] = last;
    edges.is_sorted_by(|left, right| left < right).then_some(edges)
}

/// How many of the sorted values each bin holds; a value on a bound belongs to the bin above it,
/// the largest to the last.
fn counts(sorted: &[f64], edges: &[f64]) -> Vec<usize> {
    let n_bins = edges.len() - 1;
    let inner = edges[1..n_bins].iter();
    let mut ends: Vec<usize> = inner.map(|edge| sorted.partition_point(|x| x < edge)).collect();
    ends.push(sorted.len());
    let starts = std::iter::once(&0).chain(&ends);
    ends.iter().zip(starts).map(|(end, start)| end - start).collect()
}

fn best_n_bins(sorted: &[f64]) -> Option<usize> {
    let n_values = sorted.len() as f64;
    let mut best = (1, f64::NEG_INFINITY);
    for n_bins in 1..sorted.len().isqrt() {
        let bins = n_bins as f64;
        let penalty = bins - 1.0 + bins.ln().powf(2.5);
        let weight = |count: &usize| {
            let count = *count as f64;
            count * (bins * count / n_values + 1.0).ln() - penalty
        };
        let likelihood = counts(sorted, &edges(sorted, n_bins)?).iter().map(weight).sum();
        if best.1 < likelihood {
            best = (n_bins, likelihood);
        }
    }
    Some(best.0)
}

impl Histogram {
    fn of(sorted: &[f64], n_bins: usize, alpha: f64) -> Option<Self> {
        let edges = edges(sorted, n_bins)?;
        let widths = edges.windows(2).map(|pair| pair[1] - pair[0]);
        let density = |(count, width): (usize, f64)| count as f64 / width / sorted.len() as f64;
        let logs = counts(sorted, &edges).into_iter().zip(widths).map(density);
        let logs = logs.map(|density| (density + alpha).log2()).collect();
        Self::new(edges, logs)
    }

    /// `None` when they do not fit each other.
    fn new(edges: Vec<f64>, logs: Vec<f64>) -> Option<Self> {
        let fits = !logs.is_empty()
            && edges.len() == logs.len() + 1
            && edges.is_sorted_by(|left, right| left < right)
            && logs.iter().all(|log| log.is_finite());
        let emptiest = logs.iter().copied().fold(f64::INFINITY, f64::min);
        fits.then_some(Self { edges, logs, emptiest })
    }

    fn log(&self, value: f64, tol: f64) -> f64 {
        let n_bins = self.logs.len();
        // When looked up, a value on a bound belongs to the bin below it, unlike when counted.
        let n_below = self.edges.partition_point(|edge| *edge < value);
        let (distance, width, bin) = match n_below {
            0 => (self.edges[0] - value, self.edges[1] - self.edges[0], 0),
            n if n == n_bins + 1 => {
                let last = self.edges[n_bins];
                (value - last, last - self.edges[n_bins - 1], n_bins - 1)
            }
            n => return self.logs[n - 1],
        };
        if distance <= width * tol { self.logs[bin] } else { self.emptiest }
    }
}

impl Hbos {
    /// PyOD's decision value of a row.
    pub(super) fn decision(&self, row: &[f64]) -> f64 {
        let logs = self.histograms.iter().zip(row);
        -logs.map(|(histogram, value)| histogram.log(*value, self.params.tol)).sum::<f64>()
    }
}

impl Decide for Hbos {
    fn n_columns(&self) -> Option<usize> {
        Some(self.histograms.len())
    }

    fn decide<R>(&self, then: impl FnOnce(&mut Decider<'_>) -> R) -> R {
        then(&mut |row| self.decision(row))
    }

    fn params(&self) -> Vec<(&'static str, Plain)> {
        let HbosParams { n_bins, alpha, tol } = self.params;
        let n_bins = match n_bins {
            0 => Plain::Text("auto".into()),
            n_bins => Plain::Int(n_bins as i64),
        };
        vec![("n_bins", n_bins), ("alpha", Plain::Float(alpha)), ("tol", Plain::Float(tol))]
    }

    fn state(&self) -> Vec<(&'static str, Plain)> {
        let histogram = |histogram: &Histogram| {
            Plain::Dict(vec![
                ("edges".into(), Plain::from_f64s(&histogram.edges)),
                ("logs".into(), Plain::from_f64s(&histogram.logs)),
            ])
        };
        vec![("histograms", Plain::List(self.histograms.iter().map(histogram).collect()))]
    }

    fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        const FIELD: &str = "histograms";
        let n_bins = match plain.get("n_bins") {
            Some(Plain::Text(text)) if text == "auto" => 0,
            _ => count(plain, "n_bins")?,
        };
        let params =
            HbosParams { n_bins, alpha: float(plain, "alpha")?, tol: float(plain, "tol")? };
        let histograms = plain.get(FIELD).and_then(Plain::as_list);
        let histograms = histograms.ok_or(DecodeError::Missing { field: FIELD })?;
        ensure(!histograms.is_empty(), FIELD)?;
        let histogram = |plain: &Plain| {
            let histogram = Histogram::new(floats(plain, "edges")?, floats(plain, "logs")?);
            histogram.ok_or(DecodeError::Inconsistent { field: FIELD })
        };
        let histograms = histograms.iter().map(histogram).collect::<Result<_, _>>()?;
        Ok(Self { params, histograms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_just_outside_count_as_at_the_end_and_others_as_in_the_emptiest_bin() {
        let histogram = Histogram::of(&[0.0, 0.0, 1.0, 4.0, 4.0, 4.0], 4, 0.1).unwrap();
        let logs = &histogram.logs;
        assert_eq!(logs.len(), 4);
        assert_eq!(histogram.log(-0.5, 0.5), logs[0]);
        assert_eq!(histogram.log(4.5, 0.5), logs[3]);
        assert_eq!(histogram.log(4.6, 0.5), logs[2]);
        assert_eq!(histogram.log(-9.0, 0.5), 0.1_f64.log2());
    }

    #[test]
    fn columns_without_room_for_bins_say_so() {
        let values = vec![1e17, 1e17 + 16.0, 1e17, 1e17];
        let matrix = Matrix { values, n_columns: 1, rows: (0..4).collect() };
        let params = HbosParams { n_bins: 10, alpha: 0.1, tol: 0.5 };
        assert_eq!(fit(&matrix, params), Err(NoScore::OutOfRange));
    }
}
