//! The demo's promise, on whatever day it is run.

use std::collections::BTreeMap;

use super::{
    project::SEED,
    report::{Tally, tally},
    shop,
};
use crate::{
    alerting::{self, PastAlerts, Policy, Scored},
    config::{self, Environment},
    detect::{self, FitContext},
    domain::{Alert, BatchSpec, MetricName, ModelVersion, RowScore, Series, Span, Timestamp},
    features,
};

#[test]
fn at_least_seven_of_eight_incidents_are_found_with_at_most_two_false_alerts_on_any_day() {
    let batch = shop_batch();
    let first = Timestamp::parse("2025-11-03T07:00:00Z").unwrap();
    // Forty days apart by 9 days and 5 hours: every weekday, every part of the day, both
    // changes of the clock, a whole year.
    for n in 0..40 {
        let end = first + Span::hours(n * (9 * 24 + 5));
        let history = shop::generate(end, SEED);
        let alerts = replay(&batch, &history.rows, end);
        let Tally { first, n_false } = tally(&alerts, &history.incidents);
        let n_found = first.iter().flatten().count();
        let missed: Vec<_> = history
            .incidents
            .iter()
            .zip(&first)
            .filter(|(_, alert)| alert.is_none())
            .map(|(incident, _)| incident.title)
            .collect();
        assert!(7 <= n_found && n_false <= 2, "{end}: missed {missed:?}, {n_false} false");
    }
}

/// The demo's own batch file.
fn shop_batch() -> BatchSpec {
    let dir = tempfile::tempdir().unwrap();
    super::project::write_files(dir.path()).unwrap();
    let project = config::load(dir.path(), &Environment::default()).unwrap();
    project.batches.into_iter().find(|batch| batch.name.as_str() == "shop").unwrap()
}

/// What the jobs do, without their storage.
fn replay(
    batch: &BatchSpec,
    rows: &[(&'static str, Timestamp, f64)],
    end: Timestamp,
) -> Vec<Alert> {
    let mut all: BTreeMap<&str, Series> = BTreeMap::new();
    for (metric, at, value) in rows {
        let name = MetricName::parse(metric).unwrap();
        let series = all.entry(metric).or_insert_with(|| Series::empty(name));
        series.at.push(*at);
        series.value.push(*value);
    }
    all.into_values().flat_map(|series| alerts_of(batch, &series, end)).collect()
}

fn alerts_of(batch: &BatchSpec, series: &Series, end: Timestamp) -> Vec<Alert> {
    let frame = features::build(series, &batch.features);
    let fitting = FitContext::new(batch.timezone, 0);
    let fitted = detect::fit(&batch.detectors[0], &frame, &fitting).unwrap();
    let from = frame.at.partition_point(|at| *at < end - batch.score.window);
    let scores = fitted.score(&frame, from..frame.at.len());
    let scored: Vec<Scored> = scores
        .into_iter()
        .zip(&frame.raw_value[from..])
        .filter_map(|(row, value)| {
            let RowScore { at, score, band, aspect } = row;
            let model = ModelVersion::at(end);
            Some(Scored { at, value: *value, score: score.ok()?, band, aspect, model })
        })
        .collect();
    let who = (batch.name.clone(), series.metric.clone());
    let policy = Policy::compile(&batch.alert).unwrap();
    let decision = alerting::decide(&who, &policy, &scored, Timestamp::MIN, &PastAlerts::default());
    let observed: Vec<Timestamp> =
        series.at.iter().copied().filter(|at| end - batch.score.window <= *at).collect();
    let absence = batch.absence.as_ref().unwrap();
    let silences = alerting::absences(&who, absence, &observed, Timestamp::MIN, end);
    decision.alerts.into_iter().chain(silences).collect()
}
