//! The jobs one after the other: what one run leaves must not mislead the next.

use std::collections::BTreeMap;

use super::{
    AsOf,
    fixture::{self, Fixture},
    window,
};
use crate::{
    catalog::{alerts, models, watermarks},
    domain::{
        AbsenceSpec, AlertReport, DetectorKind, DetectorRole, DetectorSpec, JobKind, ModelVersion,
        ParamValue, RunReport, ScorePoint, Snooze, Span, Timestamp,
    },
    io::layout,
    series::Range,
};

type Row = (&'static str, Timestamp, f64);

fn noon() -> Timestamp {
    Timestamp::parse("2026-05-31T12:00:00Z").unwrap()
}

fn minutes(n: i64) -> Span {
    Span::secs(60 * n)
}

/// So many rows of `orders` a minute apart, the last one at `end`.
fn orders(n: i64, end: Timestamp) -> Vec<Row> {
    (0..n).rev().map(|ago| ("orders", end - minutes(ago), 100.0 + (ago * 7 % 11) as f64)).collect()
}

async fn run_all(fixture: &Fixture, jobs: &[JobKind], as_of: AsOf) {
    for job in jobs {
        fixture.run(*job, as_of).await.unwrap();
    }
}

async fn judge(fixture: &Fixture, as_of: AsOf) -> AlertReport {
    match fixture.run(JobKind::Alert, as_of).await.unwrap() {
        RunReport::Alert(report) => report,
        other => panic!("{other:?}"),
    }
}

async fn scores(fixture: &Fixture) -> BTreeMap<Timestamp, ScorePoint> {
    let all = Range::between(Timestamp::MIN, Timestamp::MAX);
    let found = window::scores_between(&fixture.ctx, &fixture.batch.name, all).await.unwrap();
    found.into_values().flatten().map(|score| (score.at, score)).collect()
}

/// Metric and time of every alert, sorted.
async fn alerts(fixture: &Fixture) -> Vec<(String, Timestamp)> {
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let filter = alerts::AlertFilter { limit: u32::MAX, ..alerts::AlertFilter::default() };
    let rows = alerts::list(&mut reader, &filter).await.unwrap();
    let mut found: Vec<_> =
        rows.into_iter().map(|row| (row.alert.metric.to_string(), row.alert.at)).collect();
    found.sort();
    found
}

async fn current(fixture: &Fixture) -> ModelVersion {
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let rows = models::currents(&mut reader, &fixture.batch.name).await.unwrap();
    rows[0].version.clone()
}

#[tokio::test]
async fn a_row_stamped_ahead_does_not_make_ingest_pass_over_the_others() {
    let fixture = fixture::open().await;
    fixture
        .source(&[("ahead", noon() + Span::hours(20), 1.0), ("usual", noon() - minutes(1), 1.0)]);
    fixture.run(JobKind::Ingest, AsOf::live(noon())).await.unwrap();
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let read = watermarks::get(&mut reader, &fixture.batch.name, "ingest").await.unwrap();
    assert_eq!(read, Some(noon()), "later rows of `usual` are still asked for");
}

#[tokio::test]
async fn only_the_file_with_rows_that_are_not_due_is_read_again() {
    let mut fixture = fixture::open().await;
    fixture.read_all_files();
    fixture.batch.features.resample = Some(Span::hours(1));
    fixture.batch.source.drop_incomplete = true;
    for day in 1..=3 {
        let old = noon() - Span::days(day);
        fixture.file(&format!("{day}.csv"), &orders(10, old));
    }
    let half_past = noon() + minutes(30);
    fixture.file("0.csv", &[("orders", noon() - minutes(1), 1.0), ("orders", half_past, 2.0)]);
    let ingest = async |as_of| match fixture.run(JobKind::Ingest, as_of).await.unwrap() {
        RunReport::Ingest(report) => (report.rows_read, report.rows_stored),
        other => panic!("{other:?}"),
    };
    assert_eq!(ingest(AsOf::live(half_past)).await, (32, 31));
    assert_eq!(ingest(AsOf::live(half_past + minutes(1))).await, (2, 0));
    assert_eq!(ingest(AsOf::live(half_past + minutes(31))).await, (2, 1), "it is full now");
    assert_eq!(ingest(AsOf::live(half_past + minutes(32))).await, (0, 0));
}

#[tokio::test]
async fn a_bucket_that_is_still_filling_is_neither_learnt_from_nor_scored() {
    let mut fixture = fixture::open().await;
    let hour = Span::hours(1);
    fixture.batch.features.resample = Some(hour);
    let half_past = noon() + minutes(30);
    fixture.source(&orders(60 * 200, half_past));
    run_all(&fixture, &[JobKind::Ingest, JobKind::Train, JobKind::Score], AsOf::live(half_past))
        .await;
    assert_eq!(scores(&fixture).await.keys().last(), Some(&(noon() - hour)));
    let key = layout::metadata_key(
        &fixture.batch.name,
        &crate::domain::MetricName::parse("orders").unwrap(),
        &current(&fixture).await,
    );
    let card: crate::domain::ModelCard =
        crate::io::json::decode(&fixture.ctx.store.get(&key).await.unwrap()).unwrap();
    assert_eq!(card.trained_to, noon() - hour);

    fixture.source(&orders(60 * 200, noon() + hour));
    run_all(&fixture, &[JobKind::Ingest, JobKind::Score], AsOf::live(noon() + hour)).await;
    assert_eq!(scores(&fixture).await.keys().last(), Some(&noon()), "it is full now");
}

#[tokio::test]
async fn another_attempt_keeps_what_the_one_before_received() {
    let fixture = fixture::open().await;
    for value in [1.0, 2.0] {
        fixture.source(&[("orders", noon(), value)]);
        fixture.run(JobKind::Ingest, AsOf::live(noon())).await.unwrap();
    }
    let raw = fixture.ctx.store.keys(&layout::raw_prefix(&fixture.batch.name)).await.unwrap();
    assert_eq!(raw.len(), 2, "{raw:?}");
}

#[tokio::test]
async fn a_detector_that_cannot_be_trained_is_left_out_of_the_model_and_said() {
    let mut fixture = fixture::open().await;
    let params = BTreeMap::from([("n_neighbors".to_owned(), ParamValue::Int(200))]);
    let (kind, role) = (DetectorKind::Knn, DetectorRole::Champion);
    let knn = DetectorSpec { kind, tag: "wide".to_owned(), role, params };
    fixture.batch.detectors.push(knn);
    fixture.source(&orders(100, noon()));
    fixture.run(JobKind::Ingest, AsOf::live(noon())).await.unwrap();
    let report = fixture.run(JobKind::Train, AsOf::live(noon())).await.unwrap();
    let RunReport::Train(report) = report else { panic!("{report:?}") };
    assert_eq!((report.trained, report.skipped.len()), (1, 0));
    let (why, n_metrics) = report.left_out.first_key_value().unwrap();
    assert!(why.starts_with("detector `wide`: ") && *n_metrics == 1, "{why} {n_metrics}");
    let rows = {
        let mut reader = fixture.ctx.catalog.reader().await.unwrap();
        models::currents(&mut reader, &fixture.batch.name).await.unwrap()
    };
    assert_eq!(rows[0].detectors, ["auto"]);
    fixture.run(JobKind::Score, AsOf::live(noon())).await.unwrap();
    assert!(!scores(&fixture).await.is_empty(), "the others score alone");

    fixture.batch.detectors.remove(0);
    let report = fixture.run(JobKind::Train, AsOf::live(noon() + minutes(1))).await.unwrap();
    let RunReport::Train(report) = report else { panic!("{report:?}") };
    assert_eq!((report.trained, report.skipped.len()), (0, 1), "with none there is no model");
}

#[tokio::test]
async fn training_as_of_the_past_leaves_the_newer_model_in_use() {
    let fixture = fixture::open().await;
    fixture.source(&orders(600, noon()));
    let then = AsOf::exactly(noon() - Span::hours(2));
    run_all(&fixture, &[JobKind::Ingest, JobKind::Train], AsOf::live(noon())).await;
    let newer = current(&fixture).await;
    fixture.run(JobKind::Train, then).await.unwrap();
    assert_eq!(current(&fixture).await, newer);
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let all = models::list(&mut reader, &fixture.batch.name).await.unwrap();
    assert_eq!(all.len(), 2, "the older training is kept");
    drop(reader);
    fixture.run(JobKind::Train, AsOf::live(noon() + minutes(1))).await.unwrap();
    assert_ne!(current(&fixture).await, newer);
}

#[tokio::test]
async fn a_metric_without_a_model_gets_one_from_training_as_of_the_past() {
    let fixture = fixture::open().await;
    fixture.source(&orders(600, noon()));
    run_all(&fixture, &[JobKind::Ingest, JobKind::Train], AsOf::live(noon())).await;
    let others = orders(600, noon()).into_iter().map(|(_, at, value)| ("late", at, value));
    fixture.source(&others.collect::<Vec<_>>());
    run_all(&fixture, &[JobKind::Ingest, JobKind::Train], AsOf::exactly(noon() - minutes(1))).await;
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let rows = models::currents(&mut reader, &fixture.batch.name).await.unwrap();
    assert_eq!(rows.len(), 2);
}

#[tokio::test]
async fn only_recent_silences_of_a_metric_never_judged_are_told_and_none_of_an_excluded_one() {
    let mut fixture = fixture::open().await;
    fixture.batch.absence = Some(AbsenceSpec { after: Span::hours(1), exclude: Vec::new() });
    fixture.batch.alert.exclude = vec!["test_*".into()];
    fixture.batch.alert.recent = 2;
    let hours_ago = [30, 20, 10, 5];
    let at = |metric| hours_ago.map(|n| (metric, noon() - Span::hours(n), 1.0));
    fixture.source(&[at("orders"), at("test_orders")].concat());
    fixture.run(JobKind::Ingest, AsOf::live(noon())).await.unwrap();
    judge(&fixture, AsOf::live(noon())).await;
    let told = [10, 5].map(|n| ("orders".to_owned(), noon() - Span::hours(n)));
    assert_eq!(alerts(&fixture).await, told);
}

#[tokio::test]
async fn a_silence_is_closed_when_its_metric_is_excluded() {
    let mut fixture = fixture::open().await;
    fixture.batch.absence = Some(AbsenceSpec { after: Span::hours(1), exclude: Vec::new() });
    fixture.source(&[("orders", noon() - Span::hours(5), 1.0)]);
    fixture.run(JobKind::Ingest, AsOf::live(noon())).await.unwrap();
    assert_eq!(judge(&fixture, AsOf::live(noon())).await.raised, 1);
    assert_eq!(judge(&fixture, AsOf::live(noon() + minutes(1))).await.resolved, 0);
    fixture.batch.alert.exclude = vec!["ord*".into()];
    assert_eq!(judge(&fixture, AsOf::live(noon() + minutes(2))).await.resolved, 1);
}

#[tokio::test]
async fn a_row_that_comes_after_a_newer_one_was_judged_is_judged_once() {
    let mut fixture = fixture::open().await;
    fixture.batch.alert.recent = 30;
    fixture.batch.alert.snooze = Snooze::Time(Span::ZERO);
    let late = noon() - minutes(5);
    let mut rows = orders(600, noon());
    rows.retain(|(_, at, _)| *at != late);
    fixture.source(&rows);
    run_all(&fixture, &[JobKind::Ingest, JobKind::Train, JobKind::Score], AsOf::live(noon())).await;
    assert_eq!(judge(&fixture, AsOf::live(noon())).await, AlertReport::default());

    let soon = AsOf::live(noon() + minutes(1));
    rows.push(("orders", late, 1e4));
    fixture.source(&rows);
    run_all(&fixture, &[JobKind::Ingest, JobKind::Score], soon).await;
    assert_eq!(judge(&fixture, soon).await.raised, 1);
    assert_eq!(alerts(&fixture).await, [("orders".to_owned(), late)]);
    assert_eq!(judge(&fixture, soon).await, AlertReport::default(), "nothing is counted twice");
}
