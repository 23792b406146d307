//! Of a batch that resamples, every count is one of buckets.

use super::{
    AsOf,
    fixture::{self, Fixture},
    window,
};
use crate::{
    catalog::models,
    domain::{
        Aggregate, DetectorKind, DetectorRole, DetectorSpec, InjectedKind, JobKind, ModelQuality,
        ScorePoint, Span, Timestamp, WarmingUp,
    },
    series::Range,
};

type Row = (&'static str, Timestamp, f64);

fn noon() -> Timestamp {
    Timestamp::parse("2026-05-31T12:00:00Z").unwrap()
}

/// Rows so many seconds apart, for so many hours up to noon; none at noon.
fn every(step: i64, hours: i64) -> Vec<Row> {
    let value = |ago: i64| {
        let hour = (ago - 1).div_euclid(3600);
        10.0 + (ago as f64 / 86_400.0 * std::f64::consts::TAU).cos() + (hour * 7 % 11) as f64 / 50.0
    };
    let times = (1..=hours * 3600 / step).rev().map(|n| n * step);
    times.map(|ago| ("orders", noon() - Span::secs(ago), value(ago))).collect()
}

async fn hourly(aggregate: Aggregate) -> Fixture {
    let mut fixture = fixture::open().await;
    fixture.batch.features.resample = Some(Span::hours(1));
    fixture.batch.features.aggregate = aggregate;
    fixture
}

async fn run(fixture: &Fixture, jobs: &[JobKind], now: Timestamp) {
    for job in jobs {
        fixture.run(*job, AsOf::live(now)).await.unwrap();
    }
}

async fn scores(fixture: &Fixture) -> Vec<ScorePoint> {
    let all = Range::between(Timestamp::MIN, Timestamp::MAX);
    let found = window::scores_between(&fixture.ctx, &fixture.batch.name, all).await.unwrap();
    found.into_values().flatten().collect()
}

async fn quality(fixture: &Fixture) -> (u64, ModelQuality) {
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let row = models::currents(&mut reader, &fixture.batch.name).await.unwrap().remove(0);
    (row.rows, row.quality.unwrap())
}

const ALL: [JobKind; 3] = [JobKind::Ingest, JobKind::Train, JobKind::Score];

#[tokio::test]
async fn as_many_buckets_are_scored_as_points_would_be_and_each_is_whole() {
    let mut fixture = hourly(Aggregate::Count).await;
    fixture.batch.train.max_points = 200;
    fixture.source(&every(60, 300));
    run(&fixture, &ALL, noon() + Span::secs(180)).await;
    let values: Vec<f64> = scores(&fixture).await.iter().map(|score| score.value).collect();
    assert_eq!(values, vec![60.0; fixture.batch.score.max_points]);
    assert_eq!(quality(&fixture).await.0, 200, "buckets are learnt from, not points");
}

#[tokio::test]
async fn detectors_that_look_back_over_buckets_have_a_model_and_true_sums() {
    let mut fixture = hourly(Aggregate::Sum).await;
    fixture.batch.features.lags = 5;
    fixture.batch.detectors = vec![DetectorSpec {
        kind: DetectorKind::Pca,
        tag: "pca".into(),
        role: DetectorRole::Champion,
        params: Default::default(),
    }];
    let rows = every(20, 120);
    fixture.source(&rows);
    run(&fixture, &ALL, noon()).await;
    let found = scores(&fixture).await;
    assert_eq!(found.len(), fixture.batch.score.max_points);
    for score in found {
        let inside = |at: Timestamp| score.at <= at && at < score.at + Span::hours(1);
        let sum: f64 = rows.iter().filter(|row| inside(row.1)).map(|row| row.2).sum();
        assert!((score.value - sum).abs() < 1e-6, "{score:?} {sum}");
    }
}

#[tokio::test]
async fn made_up_anomalies_are_put_into_buckets() {
    let fixture = hourly(Aggregate::Mean).await;
    fixture.source(&every(300, 1000));
    run(&fixture, &[JobKind::Ingest, JobKind::Train], noon()).await;
    let recall = quality(&fixture).await.1.recall.unwrap();
    let spike = recall.kinds.iter().find(|one| one.kind == InjectedKind::Spike).unwrap();
    assert_eq!((spike.found, spike.tried), (3, 3), "{recall:?}");
    let shift = recall.kinds.iter().find(|one| one.kind == InjectedKind::Shift).unwrap();
    assert!(0 < shift.found, "{recall:?}");
}

#[tokio::test]
async fn a_metric_is_young_by_its_buckets() {
    let fixture = hourly(Aggregate::Mean).await;
    let old = |name: &'static str, size: f64, seed: u64| {
        let noise = move |at: Timestamp| {
            crate::detect::Random::new(at.floor(Span::hours(1)).secs() as u64 * seed).unit()
        };
        every(600, 600)
            .into_iter()
            .map(move |(_, at, value)| (name, at, size * (value + noise(at))))
    };
    let first = noon() - Span::hours(60);
    let young = old("new", 20.0, 7).filter(|row| first <= row.1);
    let rows: Vec<Row> = young.chain(old("od", 1.0, 3)).chain(old("oe", 4.0, 5)).collect();
    fixture.source(&rows);
    run(&fixture, &[JobKind::Ingest, JobKind::Train], noon()).await;
    let (n_rows, quality) = quality(&fixture).await;
    let warming_up = Some(WarmingUp { have: 60, need: 336 });
    assert_eq!((n_rows, quality.warming_up), (60, warming_up));
}
