//! What each detector claims: what does not change its scores, what can only raise them, and how
//! large its model gets. `docs/detectors.md` has the same table.

use super::conformance::{CONTEXT, KINDS, all, frame, hourly, looks_at_rows, noise, spec};
use super::params::{self, Params};
use super::{Fitted, fit, rows};
use crate::domain::{DetectorKind, Plain};
use crate::features::{FeatureFrame, Matrix};

/// A detector of rows fitted on them, with its defaults.
fn fit_rows(kind: DetectorKind, matrix: &Matrix) -> Fitted {
    let params = params::parse(kind, &spec(kind).params).unwrap();
    let Params::ByRow(common, params) = params else { panic!("{kind} looks at no rows") };
    super::fit_rows(matrix, common, params, CONTEXT.seed).unwrap().0
}

fn kinds_of_rows() -> impl Iterator<Item = DetectorKind> {
    KINDS.iter().copied().filter(|kind| looks_at_rows(*kind))
}

/// What a detector claims beyond what all owe. Tolerances are for scores.
struct Claims {
    /// Adding a number to all values changes nothing.
    shift: Option<f64>,
    /// Nor does a factor.
    scale: Option<f64>,
    /// Nor the order of the training rows; `None` for those that look at a series.
    order: Option<f64>,
    /// Most bytes of numbers and names in a model: a fixed part, and a part for each row.
    bytes: (usize, usize),
}

fn claims(kind: DetectorKind) -> Claims {
    let of_rows =
        Claims { shift: Some(1e-7), scale: Some(1e-7), order: Some(0.0), bytes: (2_000, 0) };
    match kind {
        // Its season may be a share of the level.
        DetectorKind::Auto => {
            Claims { shift: None, scale: Some(1e-9), order: None, bytes: (2_048, 0) }
        }
        DetectorKind::Seasonal => {
            Claims { shift: None, scale: Some(1e-9), order: None, bytes: (12_000, 0) }
        }
        // Sums over columns are rounded in the order of the rows.
        DetectorKind::Pca => Claims { order: Some(1e-9), ..of_rows },
        DetectorKind::Knn => Claims { bytes: (1_000, 8), ..of_rows },
        // It adds a number without unit to distances.
        DetectorKind::Lof => {
            Claims { shift: Some(1e-6), scale: Some(1e-6), bytes: (1_000, 24), ..of_rows }
        }
        // It adds one to densities.
        DetectorKind::Hbos => Claims { scale: None, bytes: (3_000, 0), ..of_rows },
        // A number for each column.
        DetectorKind::Ecod | DetectorKind::Copod => Claims { bytes: (1_000, 8 * 4), ..of_rows },
        DetectorKind::IForest => Claims { bytes: (300_000, 0), ..of_rows },
        DetectorKind::Mad | DetectorKind::KMeans | DetectorKind::Zscore | DetectorKind::Ar => {
            of_rows
        }
    }
}

fn scores(model: &Fitted, frame: &FeatureFrame) -> Vec<f64> {
    all(model, frame).into_iter().filter_map(|row| row.score.ok()).collect()
}

#[track_caller]
fn assert_close(kind: DetectorKind, left: &[f64], right: &[f64], tolerance: f64) {
    assert_eq!(left.len(), right.len(), "{kind}");
    for (left, right) in left.iter().zip(right) {
        assert!((left - right).abs() <= tolerance, "{kind} {left} {right}");
    }
}

#[track_caller]
fn check_order(points: &[(i64, f64)]) {
    for kind in kinds_of_rows() {
        let frame = frame(kind, points);
        let matrix = frame.matrix();
        let mut order = rows::own_order(&matrix.values, matrix.n_columns);
        order.sort_by(|left, right| noise(*left).total_cmp(&noise(*right)));
        let values = rows::arranged(&matrix.values, matrix.n_columns, &order);
        let shuffled = Matrix { values, ..matrix.clone() };
        let in_time = fit_rows(kind, &matrix);
        let shuffled = fit_rows(kind, &shuffled);
        let tolerance = claims(kind).order.unwrap();
        assert_close(kind, &scores(&in_time, &frame), &scores(&shuffled, &frame), tolerance);
    }
}

#[test]
fn the_order_of_the_training_rows_does_not_matter() {
    check_order(&hourly(500));
    // Many rows are equal, or equally far from each other.
    let few: Vec<_> = (0..300).map(|i| (i as i64 * 60, (noise(i) * 6.0).round())).collect();
    check_order(&few);
}

#[test]
fn a_larger_spike_scores_no_less() {
    for &kind in KINDS {
        let mut points = hourly(600);
        let model = fit(&spec(kind), &frame(kind, &points), &CONTEXT).unwrap();
        for direction in [-1.0, 1.0] {
            let mut last = 0.0;
            for size in [100.0, 150.0, 300.0, 1e3, 1e5, 1e9, 1e100] {
                points[590].1 = 50.0 + direction * size;
                let row = model.score(&frame(kind, &points), 590..591).remove(0);
                let score = row.score.unwrap();
                assert!(last <= score, "{kind} {size} {last} {score}");
                last = score;
            }
        }
    }
}

#[test]
fn shift_and_scale_do_not_matter_where_that_is_claimed() {
    let points = hourly(500);
    let moved = |shift: f64, scale: f64| -> Vec<(i64, f64)> {
        points.iter().map(|(at, value)| (*at, value * scale + shift)).collect()
    };
    for &kind in KINDS {
        let scores_of = |points: &[(i64, f64)]| {
            let frame = frame(kind, points);
            scores(&fit(&spec(kind), &frame, &CONTEXT).unwrap(), &frame)
        };
        let expected = scores_of(&points);
        let Claims { shift, scale, .. } = claims(kind);
        if let Some(tolerance) = shift {
            assert_close(kind, &scores_of(&moved(4_096.0, 1.0)), &expected, tolerance);
            assert_close(kind, &scores_of(&moved(-512.0, 1.0)), &expected, tolerance);
        }
        if let Some(tolerance) = scale {
            assert_close(kind, &scores_of(&moved(0.0, 1_024.0)), &expected, tolerance);
            assert_close(kind, &scores_of(&moved(0.0, 1.0 / 1_024.0)), &expected, tolerance);
        }
    }
}

#[test]
fn integers_and_two_values_only_are_like_any_other() {
    for kind in kinds_of_rows() {
        for n_values in [2.0, 5.0] {
            let value = |i: usize| ((noise(i) + 0.5) * n_values).floor();
            let mut points: Vec<_> = (0..400).map(|i| (i as i64 * 60, value(i))).collect();
            let model = fit(&spec(kind), &frame(kind, &points), &CONTEXT).unwrap();
            points[399].1 = 1e6;
            let scores = scores(&model, &frame(kind, &points));
            assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{kind}");
            // Cuts lie within the training's range: beyond it a forest sees no difference. HBOS
            // looks values on a bound up in the bin below, which with integers may be empty.
            if matches!(kind, DetectorKind::IForest | DetectorKind::Hbos) {
                continue;
            }
            let n_above = scores.iter().filter(|score| scores[scores.len() - 1] < **score).count();
            assert!(n_above <= scores.len() / 3, "{kind} {n_values} {n_above}");
        }
    }
}

#[test]
fn models_are_no_larger_than_is_claimed() {
    for &kind in KINDS {
        for n_rows in [300, 2_500] {
            let frame = frame(kind, &hourly(n_rows));
            let size = size(&fit(&spec(kind), &frame, &CONTEXT).unwrap().to_plain());
            let (fixed, per_row) = claims(kind).bytes;
            assert!(size <= fixed + per_row * n_rows, "{kind} {n_rows} {size}");
        }
    }
}

pub(super) fn size(plain: &Plain) -> usize {
    match plain {
        Plain::None | Plain::Bool(_) => 1,
        Plain::Int(_) | Plain::Float(_) => 8,
        Plain::Text(text) => text.len(),
        Plain::Bytes(bytes) => bytes.len(),
        Plain::List(items) => items.iter().map(size).sum(),
        Plain::Dict(entries) => entries.iter().map(|(key, value)| key.len() + size(value)).sum(),
    }
}
