//! The same score is about equally rare whatever the detector, on ten kinds of metrics without an
//! anomaly.

use std::collections::BTreeMap;

use super::{
    Setup,
    simulated::{KINDS, rows},
};
use crate::{
    detect::{self, FitContext},
    domain::{Combine, DetectorKind, MetricName, RowScore, Series},
    features,
};

const N_TRAINED: usize = 1_500;
const N_SCORED: usize = 1_000;
/// Scores, and how rare rows at them are meant to be.
const LEVELS: [(f64, f64); 3] = [(0.5, 0.051), (0.65, 0.0111), (0.8, 0.001)];

/// What each detector says of the rows behind those it was trained on.
fn scored(kind: &str) -> BTreeMap<DetectorKind, Vec<RowScore>> {
    let (at, value) = rows(kind, N_TRAINED + N_SCORED, 3).into_iter().flatten().unzip();
    let whole = Series { metric: MetricName::parse(kind).unwrap(), at, value };
    let past = Series {
        metric: whole.metric.clone(),
        at: whole.at[..N_TRAINED].to_vec(),
        value: whole.value[..N_TRAINED].to_vec(),
    };
    let of = |detector: DetectorKind| {
        let setup = Setup::of_kind(detector, None);
        let frame = features::build(&past, &setup.features);
        let context = FitContext::new(setup.timezone, 7);
        let model = detect::fit(&setup.detectors[0], &frame, &context).ok()?;
        let frame = features::build(&whole, &setup.features);
        Some((detector, model.score(&frame, frame.len() - N_SCORED..frame.len())))
    };
    let by_row =
        |detector: &DetectorKind| !matches!(detector, DetectorKind::Auto | DetectorKind::Seasonal);
    DetectorKind::ALL.iter().copied().filter(by_row).filter_map(of).collect()
}

fn n_over(scores: &[RowScore], level: f64) -> usize {
    scores.iter().filter(|row| row.score.as_ref().is_ok_and(|score| level <= *score)).count()
}

/// Rows that reach each level, over the level's share of all rows.
fn times(scores: &[&[RowScore]]) -> [f64; 3] {
    let n_rows: usize = scores.iter().map(|rows| rows.len()).sum();
    LEVELS.map(|(level, share)| {
        let n_over: usize = scores.iter().map(|rows| n_over(rows, level)).sum();
        n_over as f64 / n_rows as f64 / share
    })
}

#[test]
fn the_same_score_is_about_equally_rare_whatever_the_detector() {
    const PARTS: [DetectorKind; 3] = [DetectorKind::Pca, DetectorKind::Knn, DetectorKind::Ecod];
    let mut all: BTreeMap<String, Vec<Vec<RowScore>>> = BTreeMap::new();
    // What lies outside of all that was learnt is no row like those of the training.
    for kind in KINDS.into_iter().filter(|kind| *kind != "trend") {
        let scored = scored(kind);
        let parts: Vec<Vec<RowScore>> =
            PARTS.iter().filter_map(|part| scored.get(part).cloned()).collect();
        for how in [Combine::Mean, Combine::Max, Combine::Median] {
            all.entry(how.to_string()).or_default().push(detect::combine(how, &parts));
        }
        for (detector, rows) in scored {
            let of_kind = times(&[&rows])[0];
            assert!((0.3..=2.0).contains(&of_kind), "{kind} {detector} {of_kind}");
            all.entry(detector.to_string()).or_default().push(rows);
        }
    }
    for (name, rows) in all {
        let rows: Vec<&[RowScore]> = rows.iter().map(Vec::as_slice).collect();
        let times = times(&rows);
        println!("{name:8} {times:.2?}");
        let least = if name == "mean" { 0.25 } else { 0.5 };
        assert!((least..=2.0).contains(&times[0]), "{name} {times:.2?}");
        assert!((least / 2.0..=2.0).contains(&times[1]), "{name} {times:.2?}");
        assert!(times[2] <= 8.0, "{name} {times:.2?}");
    }
}
