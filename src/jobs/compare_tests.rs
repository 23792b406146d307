//! Challengers score beside the champions, change nothing of theirs and alert nobody.

use std::collections::BTreeMap;

use super::{
    AsOf, Compared, compare,
    fixture::{self, Fixture},
    window,
};
use crate::{
    catalog::alerts,
    domain::{
        DetectorKind, DetectorRole, DetectorSpec, JobKind, ParamValue, ScorePoint, Span, Timestamp,
    },
    series::Range,
};

const ALL: [JobKind; 4] = [JobKind::Ingest, JobKind::Train, JobKind::Score, JobKind::Alert];

fn noon() -> Timestamp {
    Timestamp::parse("2026-05-01T12:00:00Z").unwrap()
}

/// Parameters by which a detector of values scores every ordinary extreme high.
fn louder(kind: DetectorKind) -> BTreeMap<String, ParamValue> {
    let linear = ("proba".to_owned(), ParamValue::Text("linear".to_owned()));
    if kind == DetectorKind::Mad { [linear].into() } else { BTreeMap::new() }
}

/// A batch of the default detector and of these challengers, with 1,000 hours of two metrics;
/// `orders` ends in a spike.
async fn run(challengers: &[DetectorKind]) -> Fixture {
    let mut fixture = fixture::open().await;
    fixture.batch.alert.recent = 25;
    for kind in challengers {
        fixture.batch.detectors.push(DetectorSpec {
            kind: *kind,
            tag: format!("new-{kind}"),
            role: DetectorRole::Challenger,
            params: louder(*kind),
        });
    }
    let value = |ago: i64| {
        let season = (ago as f64 / 24.0 * std::f64::consts::TAU).cos();
        100.0 + 20.0 * season + (ago * 7_919 % 101) as f64 / 20.0
    };
    let rows = |metric, last: f64| {
        let value = move |ago| if ago == 0 { last } else { value(ago) };
        (0..1_000).rev().map(move |ago| (metric, noon() - Span::hours(ago), value(ago)))
    };
    let all: Vec<_> = rows("orders", 900.0).chain(rows("revenue", value(0))).collect();
    fixture.source(&all);
    for job in ALL {
        fixture.run(job, AsOf::live(noon())).await.unwrap();
    }
    fixture
}

fn all() -> Range {
    Range::between(Timestamp::MIN, Timestamp::MAX)
}

async fn scores(fixture: &Fixture) -> Vec<ScorePoint> {
    let found = window::scores_between(&fixture.ctx, &fixture.batch.name, all()).await.unwrap();
    found.into_values().flatten().collect()
}

async fn rivals(fixture: &Fixture) -> Vec<ScorePoint> {
    let (ctx, name) = (&fixture.ctx, &fixture.batch.name);
    let found = window::challenger_scores_between(ctx, name, all()).await.unwrap();
    found.into_values().flatten().collect()
}

/// Metric and time of every alert.
async fn raised(fixture: &Fixture) -> Vec<(String, Timestamp)> {
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let rows = alerts::list(&mut reader, &alerts::AlertFilter::default()).await.unwrap();
    rows.into_iter().map(|row| (row.alert.metric.to_string(), row.alert.at)).collect()
}

async fn compared(fixture: &Fixture) -> Vec<Compared> {
    let as_of = AsOf::live(noon());
    compare(&fixture.ctx, &fixture.batch, as_of, (None, Span::days(30))).await.unwrap()
}

#[tokio::test]
async fn champions_score_and_alert_bit_for_bit_as_without_challengers() {
    let alone = run(&[]).await;
    let beside = run(&[DetectorKind::Zscore, DetectorKind::Hbos]).await;
    let bits = |points: Vec<ScorePoint>| -> Vec<_> {
        points.into_iter().map(|one| (one.metric, one.at, one.score.to_bits(), one.band)).collect()
    };
    let (expected, found) = (scores(&alone).await, scores(&beside).await);
    assert_eq!(expected.len(), 50);
    assert_eq!(bits(found), bits(expected));
    assert_eq!(raised(&alone).await, [("orders".to_owned(), noon())]);
    assert_eq!(raised(&beside).await, raised(&alone).await);
    assert_eq!((rivals(&alone).await.len(), rivals(&beside).await.len()), (0, 50));
}

#[tokio::test]
async fn scores_of_challengers_never_alert_and_are_said_to_have_been_alerts() {
    let fixture = run(&[DetectorKind::Mad]).await;
    let over = |one: &ScorePoint| fixture.batch.alert.threshold <= one.score;
    let quiet = |one: &&ScorePoint| one.metric.as_str() == "revenue" && over(one);
    let n_over = rivals(&fixture).await.iter().filter(quiet).count();
    assert!(0 < n_over, "the challenger is louder here");
    assert_eq!(raised(&fixture).await, [("orders".to_owned(), noon())]);
    let revenue = compared(&fixture).await.remove(1);
    assert_eq!(revenue.comparison.champion_alerts, 0);
    assert!(0 < revenue.comparison.challenger_alerts, "{revenue:?}");
}

#[tokio::test]
async fn a_challenger_that_is_the_champion_again_differs_in_nothing() {
    let fixture = run(&[DetectorKind::Auto]).await;
    for one in compared(&fixture).await {
        let found = &one.comparison;
        assert_eq!((found.points, found.agreement), (25, Some(1.0)));
        assert!((found.rank_correlation.unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(found.mean_difference, Some(0.0));
        assert_eq!(found.champion_alerts, found.challenger_alerts);
        let model = one.model.unwrap();
        assert_eq!((model.champion.tried, model.champion.found), (18, model.challenger.found));
        assert_eq!(model.champion.detectors, ["auto"]);
        assert_eq!(model.challenger.detectors, ["new-auto"]);
        assert!(500 < model.challenger.bytes, "{model:?}");
    }
}

#[tokio::test]
async fn the_figures_are_those_of_the_stored_scores() {
    let fixture = run(&[DetectorKind::Zscore]).await;
    let (scores, rivals) = (scores(&fixture).await, rivals(&fixture).await);
    let orders = compared(&fixture).await.remove(0);
    let distances = scores.iter().zip(&rivals).map(|(one, other)| {
        assert_eq!((&one.metric, one.at, one.value), (&other.metric, other.at, other.value));
        (one.score - other.score).abs()
    });
    let mean = distances.take(25).sum::<f64>() / 25.0;
    assert!((orders.comparison.mean_difference.unwrap() - mean).abs() < 1e-12, "{orders:?}");
    assert_eq!(orders.comparison.champion_alerts, 1, "the spike");
    let model = orders.model.unwrap();
    assert!(model.challenger.found <= model.champion.found, "{model:?}");
}

#[tokio::test]
async fn scores_of_another_model_are_not_compared() {
    let mut fixture = run(&[DetectorKind::Zscore]).await;
    fixture.batch.detectors.truncate(1);
    for job in [JobKind::Train, JobKind::Score] {
        fixture.run(job, AsOf::live(noon())).await.unwrap();
    }
    for one in compared(&fixture).await {
        assert_eq!((one.comparison.points, one.model), (0, None));
    }
}

#[tokio::test]
async fn a_challenger_that_cannot_be_trained_costs_the_metric_nothing() {
    let mut fixture = run(&[]).await;
    fixture.batch.detectors.push(DetectorSpec {
        kind: DetectorKind::Knn,
        tag: "wide".to_owned(),
        role: DetectorRole::Challenger,
        params: BTreeMap::from([("n_neighbors".to_owned(), crate::domain::ParamValue::Int(0))]),
    });
    for job in [JobKind::Train, JobKind::Score] {
        fixture.run(job, AsOf::live(noon() + Span::secs(1))).await.unwrap();
    }
    assert_eq!((scores(&fixture).await.len(), rivals(&fixture).await.len()), (50, 0));
}
