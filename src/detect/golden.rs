//! The decision values of PCA and KNN against those of the real PyOD, kept under
//! `tests/golden/pyod/` with the script that made them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::params::{KnnMethod, KnnParams, PcaParams};
use super::{knn, pca};
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
    if let Some(method) = model.strip_prefix("knn_") {
        let method = KnnMethod::parse(method).unwrap();
        let params = KnnParams { contamination: 0.1, n_neighbors: 5, method };
        let model = knn::fit(train, params).unwrap();
        let search = model.search();
        let decide = |row: &[f64]| model.decision(&search, row, &mut Vec::new());
        let new: Vec<f64> = new.chunks(n_columns).map(decide).collect();
        let probability = new.iter().map(|d| model.scaling().score(*d).unwrap()).collect();
        return Expected { train: model.training_decisions(), new, probability };
    }
    let params = PcaParams {
        contamination: 0.1,
        n_selected_components: if model == "pca_last_2" { 2.min(n_columns) } else { 0 },
        weighted: model != "pca_unweighted",
        standardization: model != "pca_raw",
    };
    let model = pca::fit(train, params).unwrap();
    let decide = |row: &[f64]| model.decision(&mut row.to_vec());
    let new: Vec<f64> = new.chunks(n_columns).map(decide).collect();
    let probability = new.iter().map(|d| model.scaling().score(*d).unwrap()).collect();
    Expected { train: train.values.chunks(n_columns).map(decide).collect(), new, probability }
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
            let found = decide(model, &train, new);
            let what = format!("{} {model}", path.display());
            assert_same(&format!("{what} train"), &found.train, &expected.train);
            assert_same(&format!("{what} new"), &found.new, &expected.new);
            assert_same(&format!("{what} probability"), &found.probability, &expected.probability);
            n_checked += 1;
        }
    }
    assert_eq!(n_checked, 59);
}
