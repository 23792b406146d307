//! The decision values of the matrix detectors against those of the real PyOD, kept under
//! `tests/golden/pyod/` with the script that made them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::copod::{self, Copod, CopodParams};
use super::ecod::{self, Ecod, EcodParams};
use super::hbos::{self, HbosParams};
use super::iforest::{self, IForestParams, Samples};
use super::kmeans::{self, KMeansParams};
use super::lof::{self, LofParams};
use super::mad::{self, MadParams};
use super::params::{KnnMethod, KnnParams, PcaParams};
use super::scaling::Scaling;
use super::{knn, pca, rows};
use crate::features::Matrix;

/// Relative to the value, absolute below 1: what the product promises.
const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    n_new: usize,
    series: Option<Vec<f64>>,
    lags: Option<usize>,
    columns: Option<Vec<Vec<f64>>>,
    expected: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    train: Vec<f64>,
    new: Vec<f64>,
    probability: Vec<f64>,
}

impl Golden {
    /// All rows, one after the other, and how many columns they have.
    fn rows(&self) -> (Vec<f64>, usize) {
        if let (Some(series), Some(lags)) = (&self.series, self.lags) {
            let windows = series.windows(lags + 1);
            return (windows.flat_map(|w| w.iter().rev().copied()).collect(), lags + 1);
        }
        let columns = self.columns.as_ref().unwrap();
        let row = |i: usize| columns.iter().map(move |column| column[i]);
        ((0..columns[0].len()).flat_map(row).collect(), columns.len())
    }
}

/// Decision values of the training rows and of the new ones, and the scores of the latter.
fn decide(model: &str, train: &Matrix, new: &[f64]) -> Expected {
    let n_columns = train.n_columns;
    let rows = || train.values.chunks(n_columns);
    let contamination = 0.1;
    match model {
        "ecod" => {
            let model: Ecod = ecod::fit(train, EcodParams { contamination }).unwrap();
            let trained = rows().map(|row| model.training_decision(row)).collect();
            found(trained, new.chunks(n_columns).map(|row| model.decision(row)), model.scaling())
        }
        "copod" => {
            let model: Copod = copod::fit(train, CopodParams { contamination }).unwrap();
            let trained = rows().map(|row| model.training_decision(row)).collect();
            found(trained, new.chunks(n_columns).map(|row| model.decision(row)), model.scaling())
        }
        "mad" => {
            let model = mad::fit(train, MadParams { contamination, threshold: 3.5 }).unwrap();
            let trained = rows().map(|row| model.decision(row[0])).collect();
            let new = new.chunks(n_columns).map(|row| model.decision(row[0]));
            found(trained, new, model.scaling())
        }
        "kmeans" => decide_kmeans(train, new),
        _ if model.starts_with("hbos") => {
            let (n_bins, alpha, tol) = match model {
                "hbos_auto" => (0, 0.1, 0.5),
                "hbos_loose" => (25, 0.001, 0.9),
                _ => (10, 0.1, 0.5),
            };
            let params = HbosParams { contamination, n_bins, alpha, tol };
            let model = hbos::fit(train, params).unwrap();
            let trained = rows().map(|row| model.decision(row)).collect();
            found(trained, new.chunks(n_columns).map(|row| model.decision(row)), model.scaling())
        }
        _ if model.starts_with("lof") => {
            let n_neighbors = if model == "lof_7" { 7 } else { 20 };
            let model = lof::fit(train, LofParams { contamination, n_neighbors }).unwrap();
            let sorted = model.sorted();
            let mut ready = model.ready(&sorted);
            let new = new.chunks(n_columns).map(|row| ready.decision(row));
            found(model.training_decisions(), new, model.scaling())
        }
        _ => decide_pca_or_knn(model, train, new),
    }
}

fn found(train: Vec<f64>, new: impl Iterator<Item = f64>, scaling: Scaling) -> Expected {
    let new: Vec<f64> = new.collect();
    let probability = new.iter().map(|d| scaling.score(*d).unwrap()).collect();
    Expected { train, new, probability }
}

fn decide_pca_or_knn(model: &str, train: &Matrix, new: &[f64]) -> Expected {
    let n_columns = train.n_columns;
    if let Some(method) = model.strip_prefix("knn_") {
        let method = KnnMethod::parse(method).unwrap();
        let params = KnnParams { contamination: 0.1, n_neighbors: 5, method };
        let model = knn::fit(train, params).unwrap();
        let search = model.search();
        let decide = |row: &[f64]| model.decision(&search, row, &mut Vec::new());
        let new = new.chunks(n_columns).map(decide);
        return found(model.training_decisions(), new, model.scaling());
    }
    let params = PcaParams {
        contamination: 0.1,
        n_selected_components: if model == "pca_last_2" { 2.min(n_columns) } else { 0 },
        weighted: model != "pca_unweighted",
        standardization: model != "pca_raw",
    };
    let model = pca::fit(train, params).unwrap();
    let decide = |row: &[f64]| model.decision(&mut row.to_vec());
    let trained = train.values.chunks(n_columns).map(decide).collect();
    found(trained, new.chunks(n_columns).map(decide), model.scaling())
}

/// From the same rows as the golden file's: draws are not comparable, moving the centres is.
fn decide_kmeans(train: &Matrix, new: &[f64]) -> Expected {
    let (n_rows, n_columns) = (train.n_rows(), train.n_columns);
    let start: Vec<usize> = (0..8).map(|i| i * n_rows / 8).collect();
    let start = rows::arranged(&train.values, n_columns, &start);
    let centres = kmeans::settle(&train.values, n_columns, start, 300);
    let params = KMeansParams { contamination: 0.1, n_clusters: 8, max_iter: 300 };
    let model = kmeans::with_centres(&train.values, n_columns, centres, params).unwrap();
    let decide = |row: &[f64]| model.decision(row);
    let trained = train.values.chunks(n_columns).map(decide).collect();
    found(trained, new.chunks(n_columns).map(decide), model.scaling())
}

/// Draws differ, so the scores of several forests are compared as a distribution. As many forests
/// of scikit-learn with other seeds come as near as 0.987, 0.002, 0.004 and 0.084.
#[track_caller]
fn assert_same_forest(what: &str, train: &Matrix, expected: &Expected) {
    const N_FORESTS: u64 = 12;
    let params = IForestParams {
        contamination: 0.1,
        n_estimators: 100,
        max_samples: Samples::Auto,
        max_features: 1.0,
        bootstrap: false,
    };
    let mut mean = vec![0.0; train.n_rows()];
    for seed in 0..N_FORESTS {
        let model = iforest::fit(train, params, seed).unwrap();
        let scores = train.values.chunks(train.n_columns).map(|row| model.decision(row));
        mean.iter_mut().zip(scores).for_each(|(mean, score)| *mean += score / N_FORESTS as f64);
    }
    let ranks = (ranks(&mean), ranks(&expected.train));
    let correlation = correlation(&ranks.0, &ranks.1);
    assert!(0.98 <= correlation, "{what} rank correlation {correlation}");
    let errors = mean.iter().zip(&expected.train).map(|(found, expected)| found - expected);
    let bias = errors.clone().sum::<f64>() / mean.len() as f64;
    let spread = (errors.map(|error| error * error).sum::<f64>() / mean.len() as f64).sqrt();
    assert!(bias.abs() <= 0.004 && spread <= 0.005, "{what} bias {bias} spread {spread}");
    let gap = largest_gap(&mean, &expected.train);
    assert!(gap <= 0.12, "{what} Kolmogorov-Smirnov {gap}");
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |value: &f64| values.iter().filter(|other| *other < value).count();
    let equal = |value: &f64| values.iter().filter(|other| *other == value).count();
    values.iter().map(|value| below(value) as f64 + equal(value) as f64 / 2.0).collect()
}

fn correlation(left: &[f64], right: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_left, mean_right) = (mean(left), mean(right));
    let pairs = || left.iter().zip(right).map(|(l, r)| (l - mean_left, r - mean_right));
    let products = pairs().map(|(l, r)| l * r).sum::<f64>();
    let squares = pairs().fold((0.0, 0.0), |(a, b), (l, r)| (a + l * l, b + r * r));
    products / (squares.0 * squares.1).sqrt()
}

/// Between the two empirical distribution functions.
fn largest_gap(left: &[f64], right: &[f64]) -> f64 {
    // Scores equal but for rounding are one place; a jump there is no gap.
    let share = |values: &[f64], at: f64| {
        values.iter().filter(|value| **value <= at + 1e-9).count() as f64 / values.len() as f64
    };
    let places = left.iter().chain(right);
    places.map(|at| (share(left, *at) - share(right, *at)).abs()).fold(0.0, f64::max)
}

#[track_caller]
fn assert_same(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        let distance = (found - expected).abs();
        assert!(
            distance <= TOLERANCE * expected.abs().max(1.0),
            "{what} {row}: {found} {expected}"
        );
    }
}

#[test]
fn decision_values_are_those_of_pyod() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pyod");
    let mut n_checked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let golden: Golden = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let (rows, n_columns) = golden.rows();
        let n_train = rows.len() / n_columns - golden.n_new;
        let (train, new) = rows.split_at(n_train * n_columns);
        let rows = (0..n_train).collect();
        let train = Matrix { values: train.to_vec(), n_columns, rows };
        for (model, expected) in &golden.expected {
            let what = format!("{} {model}", path.display());
            n_checked += 1;
            if model == "iforest" {
                assert_same_forest(&what, &train, expected);
                continue;
            }
            let found = decide(model, &train, new);
            assert_same(&format!("{what} train"), &found.train, &expected.train);
            assert_same(&format!("{what} new"), &found.new, &expected.new);
            assert_same(&format!("{what} probability"), &found.probability, &expected.probability);
        }
    }
    assert_eq!(n_checked, 137);
}
