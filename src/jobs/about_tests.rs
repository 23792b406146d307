//! What is told of an alert beside the alert itself, from stored history.

use super::{about::about, fixture, picture::pictures};
use crate::{
    catalog::{alerts, alerts::AlertRow, segments},
    chart::Window,
    domain::{
        Alert, AlertId, AlertKind, AlertState, Band, Episode, MetricName, ModelVersion, Point,
        RunId, ScorePoint, Severity, Span, Timestamp,
    },
    io::Key,
    jobs::Archive,
};

const N_HOURS: i64 = 30 * 24;

fn at(hour: i64) -> Timestamp {
    Timestamp::parse("2026-05-01T00:00:00Z").unwrap() + Span::hours(hour)
}

fn name(text: &str) -> MetricName {
    MetricName::parse(text).unwrap()
}

/// Thirty days of three metrics; in the last three hours `orders` and `revenue` fall.
async fn filled() -> (fixture::Fixture, AlertRow) {
    let fixture = fixture::open().await;
    let (mut points, mut scores) = (Vec::new(), Vec::new());
    for metric in ["calm", "orders", "revenue"] {
        for hour in 0..N_HOURS {
            let is_low = N_HOURS - 3 <= hour && metric != "calm";
            let value = if is_low { 1.0 } else { 100.0 + (hour % 7) as f64 };
            points.push(Point { metric: name(metric), at: at(hour), value });
            scores.push(ScorePoint {
                metric: name(metric),
                at: at(hour),
                value,
                score: if is_low { 0.97 } else { 0.1 },
                band: Some(Band { expected: 103.0, lower: 95.0, upper: 110.0 }),
                aspect: None,
                model: ModelVersion::at(at(0)),
            });
        }
    }
    let batch = &fixture.batch.name;
    let key = |name: &str| Key::parse(&format!("data/processed/shop/{name}.parquet")).unwrap();
    let history = &fixture.ctx.history;
    let all = [
        history.write_points(key("p"), batch, points).await.unwrap(),
        history.write_scores(key("s"), batch, scores).await.unwrap(),
    ];
    let alert = Alert {
        id: AlertId("a".into()),
        batch: batch.clone(),
        metric: name("orders"),
        kind: AlertKind::Anomaly,
        severity: Severity::Critical,
        at: at(N_HOURS - 1),
        since: at(N_HOURS - 3),
        value: Some(1.0),
        band: None,
        score: Some(0.97),
        threshold: Some(0.9),
        model: None,
        reason: "orders fell".into(),
    };
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    for segment in &all {
        segments::insert(&mut tx, segment, RunId(1)).await.unwrap();
    }
    alerts::insert(&mut tx, &alert, RunId(1), at(N_HOURS)).await.unwrap();
    tx.commit().await.unwrap();
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let row = alerts::get(&mut reader, &alert.id).await.unwrap().unwrap();
    drop(reader);
    (fixture, row)
}

#[tokio::test]
async fn an_alert_is_told_with_its_rarity_its_companions_and_a_chart() {
    let (fixture, row) = filled().await;
    let archive = Archive::from(&fixture.ctx);
    let told = about(archive, at(N_HOURS), &fixture.batch, &row).await.unwrap();
    let rarity = told.rarity.unwrap().to_string();
    assert_eq!(rarity, "lower than all of the last 30 days at this hour");
    let related: Vec<String> = told.related.iter().map(ToString::to_string).collect();
    assert_eq!(related, ["revenue went down (score 0.97)"]);
    let chart = told.chart(&fixture.ctx.compute).await.unwrap().unwrap();
    assert!(chart.svg.contains(">orders fell<") && chart.svg.contains("<circle"), "{}", chart.svg);
    assert_eq!(&chart.png[1..4], b"PNG");
    assert_eq!(chart.alt, "orders: orders fell");
}

#[tokio::test]
async fn an_alert_without_history_is_told_without_a_chart() {
    let (fixture, row) = filled().await;
    let alert = Alert { metric: name("gone"), value: None, ..row.alert };
    let episode = Episode { state: AlertState::Firing, ..row.episode };
    let row = AlertRow { alert, episode, ..row };
    let archive = Archive::from(&fixture.ctx);
    let told = about(archive, at(N_HOURS), &fixture.batch, &row).await.unwrap();
    assert_eq!((told.rarity, told.related.len()), (None, 2));
    assert_eq!(told.chart(&fixture.ctx.compute).await.unwrap(), None);
}

#[tokio::test]
async fn a_batch_is_pictured_metric_by_metric_with_its_alerts() {
    let (fixture, _) = filled().await;
    let window = Window { from: at(N_HOURS - 48), to: at(N_HOURS) };
    let all = pictures(&fixture.ctx, &fixture.batch, None, window).await.unwrap();
    let seen: Vec<(&str, usize, usize, usize)> = all
        .iter()
        .map(|one| (one.title.as_str(), one.values.len(), one.scores.len(), one.marks.len()))
        .collect();
    assert_eq!(seen, [("calm", 48, 48, 0), ("orders", 48, 48, 1), ("revenue", 48, 48, 0)]);
}
