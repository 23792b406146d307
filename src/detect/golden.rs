//! The decision values of the detectors of rows against those of the real PyOD, kept under
//! `tests/golden/pyod/` with the script that made them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::by_row::{ByRow, Common, Learnt};
use super::kmeans::{self, KMeansParams};
use super::params::{self, ByRowParams, Params};
use super::{Fitted, fit_rows, rows};
use crate::domain::{DetectorKind, NoScore, ParamValue};
use crate::features::Matrix;

/// Relative to the value, absolute below 1: what the product promises.
const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    n_new: usize,
    series: Option<Vec<f64>>,
    lags: Option<usize>,
    columns: Option<Vec<Vec<f64>>>,
    expected: Vec<Expected>,
    forests: Vec<Forests>,
}

#[derive(Deserialize)]
struct Expected {
    kind: String,
    params: BTreeMap<String, Param>,
    train: Vec<f64>,
    new: Vec<f64>,
    linear: Vec<Option<f64>>,
    unify: Vec<Option<f64>>,
    threshold: [f64; 1],
}

/// Decision values of a few rows, one list of many seeds for each.
#[derive(Deserialize)]
struct Forests {
    params: BTreeMap<String, Param>,
    probes: Vec<Vec<f64>>,
    values: Vec<Vec<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Param {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
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

fn read(
    kind: DetectorKind,
    params: &BTreeMap<String, Param>,
    proba: &str,
) -> (Common, ByRowParams) {
    let value = |param: &Param| match param {
        Param::Bool(value) => ParamValue::Bool(*value),
        Param::Int(value) => ParamValue::Int(*value),
        Param::Float(value) => ParamValue::Float(*value),
        Param::Text(value) => ParamValue::Text(value.clone()),
    };
    let params = params.iter().map(|(name, param)| (name.clone(), value(param)));
    let proba = ("proba".to_owned(), ParamValue::Text(proba.to_owned()));
    match params::parse(kind, &params.chain([proba]).collect()).unwrap() {
        Params::ByRow(common, params) => (common, params),
        other => panic!("{other:?}"),
    }
}

/// k-means from the same rows as the golden file's: draws are not comparable, moving centres is.
fn kmeans(train: &Matrix, common: Common, params: KMeansParams) -> Learnt<Fitted> {
    let (n_rows, n_columns) = (train.n_rows(), train.n_columns);
    let start: Vec<usize> = (0..8).map(|i| i * n_rows / 8).collect();
    let start = rows::arranged(&train.values, n_columns, &start);
    let centres = kmeans::settle(&train.values, n_columns, start, 300);
    let (model, decisions) = kmeans::with_centres(train, centres, params);
    (Fitted::KMeans(ByRow::new(common, model, &decisions).unwrap()), decisions)
}

/// Decision values and scores of the new rows.
fn decide(model: &Fitted, rows: &[f64], n_columns: usize) -> (Vec<f64>, Vec<f64>) {
    match model {
        Fitted::Auto(_) | Fitted::Seasonal(_) => panic!("looks at no rows"),
        Fitted::Pca(model) => model.decisions(rows, n_columns),
        Fitted::Knn(model) => model.decisions(rows, n_columns),
        Fitted::Lof(model) => model.decisions(rows, n_columns),
        Fitted::IForest(model) => model.decisions(rows, n_columns),
        Fitted::Hbos(model) => model.decisions(rows, n_columns),
        Fitted::Ecod(model) => model.decisions(rows, n_columns),
        Fitted::Copod(model) => model.decisions(rows, n_columns),
        Fitted::Mad(model) => model.decisions(rows, n_columns),
        Fitted::KMeans(model) => model.decisions(rows, n_columns),
        Fitted::Zscore(model) => model.decisions(rows, n_columns),
        Fitted::Ar(model) => model.decisions(rows, n_columns),
    }
}

#[track_caller]
fn check(what: &str, expected: &Expected, train: &Matrix, new: &[f64]) {
    let kind: DetectorKind = expected.kind.parse().unwrap();
    for (proba, scores) in [("linear", &expected.linear), ("unify", &expected.unify)] {
        let (common, params) = read(kind, &expected.params, proba);
        let learnt = match params {
            ByRowParams::KMeans(params) => Ok(kmeans(train, common, params)),
            params => fit_rows(train, common, params, 0),
        };
        // PyOD gives NaN where the decision values are too large to have a mean, or all the same.
        let Some(scores) = scores.iter().copied().collect::<Option<Vec<f64>>>() else {
            let is_told_or_flat = match learnt {
                Ok((_, trained)) => trained.iter().all(|value| *value == trained[0]),
                Err(reason) => reason == NoScore::OutOfRange,
            };
            assert!(is_told_or_flat, "{what}");
            continue;
        };
        let (model, trained) = learnt.unwrap();
        let (found, found_scores) = decide(&model, new, train.n_columns);
        assert_same(&format!("{what} train"), &trained, &expected.train);
        assert_same(&format!("{what} new"), &found, &expected.new);
        assert_same(&format!("{what} {proba}"), &found_scores, &scores);
        let threshold = model.threshold().unwrap();
        assert_same(&format!("{what} threshold"), &[threshold], &expected.threshold);
    }
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

/// Draws differ, so the decision values of a row over many seeds are compared as two samples of
/// one distribution.
#[track_caller]
fn check_forests(what: &str, expected: &Forests, train: &Matrix) {
    let (common, params) = read(DetectorKind::IForest, &expected.params, "linear");
    let probes = expected.probes.concat();
    let n_seeds = expected.values[0].len();
    let mut found = vec![Vec::new(); expected.probes.len()];
    for seed in 0..n_seeds as u64 {
        let (model, _) = fit_rows(train, common, params, seed).unwrap();
        let (values, _) = decide(&model, &probes, train.n_columns);
        found.iter_mut().zip(values).for_each(|(found, value)| found.push(value));
    }
    for (probe, (found, expected)) in found.iter().zip(&expected.values).enumerate() {
        let gap = largest_gap(found, expected);
        // Kolmogorov and Smirnov: two samples of one law are farther apart once in 10,000 times.
        let limit = 2.23 * (2.0 / n_seeds as f64).sqrt();
        assert!(gap <= limit, "{what} probe {probe}: {gap} above {limit}");
    }
}

/// Between the two empirical distribution functions.
fn largest_gap(left: &[f64], right: &[f64]) -> f64 {
    // Values equal but for rounding are one place; a jump there is no gap.
    let share = |values: &[f64], at: f64| {
        values.iter().filter(|value| **value <= at + 1e-9).count() as f64 / values.len() as f64
    };
    let places = left.iter().chain(right);
    places.map(|at| (share(left, *at) - share(right, *at)).abs()).fold(0.0, f64::max)
}

/// What every golden file says, with its name and the rows trained on and the new ones.
fn for_each_golden(mut check: impl FnMut(&str, &Golden, &Matrix, &[f64])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pyod");
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
        check(path.file_stem().unwrap().to_str().unwrap(), &golden, &train, new);
    }
}

#[test]
fn decision_values_scores_and_thresholds_are_those_of_pyod() {
    let mut n_checked = 0;
    for_each_golden(|name, golden, train, new| {
        for expected in &golden.expected {
            let what = format!("{name} {} {:?}", expected.kind, expected.params);
            check(&what, expected, train, new);
            n_checked += 1;
        }
    });
    assert!(150 < n_checked, "{n_checked}");
}

#[test]
fn isolation_forests_are_those_of_pyod_but_for_their_draws() {
    let mut n_checked = 0;
    for_each_golden(|name, golden, train, _| {
        for (index, forests) in golden.forests.iter().enumerate() {
            check_forests(&format!("{name} {index}"), forests, train);
            n_checked += 1;
        }
    });
    assert_eq!(n_checked, 14);
}
