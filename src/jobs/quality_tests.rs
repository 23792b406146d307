//! What a training finds out beside its model, and what comes of it.

use super::{
    AsOf,
    fixture::{self, Fixture},
};
use crate::{
    catalog::{alerts, feedback, metrics, models},
    detect::Random,
    domain::{
        Doubt, Feedback, InjectedKind, JobKind, ModelQuality, Span, Timestamp, Verdict, WarmingUp,
    },
};

fn noon() -> Timestamp {
    Timestamp::parse("2026-05-01T12:00:00Z").unwrap()
}

type Row = (&'static str, Timestamp, f64);

/// So many hours of `orders` with a daily season, the last one at `end`.
fn hourly(n: i64, end: Timestamp) -> Vec<Row> {
    let value = |ago: i64| {
        let season = (ago as f64 / 24.0 * std::f64::consts::TAU).cos();
        100.0 + 20.0 * season + (ago * 7_919 % 101) as f64 / 20.0
    };
    (0..n).rev().map(|ago| ("orders", end - Span::hours(ago), value(ago))).collect()
}

async fn run(fixture: &Fixture, jobs: &[JobKind], at: Timestamp) {
    for job in jobs {
        fixture.run(*job, AsOf::live(at)).await.unwrap();
    }
}

async fn quality(fixture: &Fixture) -> (u64, ModelQuality) {
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let row = models::currents(&mut reader, &fixture.batch.name).await.unwrap().remove(0);
    (row.rows, row.quality.unwrap())
}

#[tokio::test]
async fn a_budget_gives_the_metric_a_threshold_and_alerts_are_judged_by_it() {
    let mut fixture = fixture::open().await;
    fixture.batch.alert.budget = Some("1/week".parse().unwrap());
    let mut rows = hourly(2000, noon());
    rows.last_mut().unwrap().2 = 900.0;
    fixture.source(&rows);
    let all = [JobKind::Ingest, JobKind::Train, JobKind::Score, JobKind::Alert];
    run(&fixture, &all, noon()).await;
    let (_, quality) = quality(&fixture).await;
    let found = quality.calibration.unwrap();
    assert!(found.doubt.is_none() && found.threshold != 0.8, "{found:?}");
    assert!((50.0..90.0).contains(&found.days), "{found:?}");
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let raised = alerts::list(&mut reader, &alerts::AlertFilter::default()).await.unwrap();
    let thresholds: Vec<_> = raised.iter().map(|row| row.alert.threshold).collect();
    assert_eq!(thresholds, [Some(found.threshold)]);
}

#[tokio::test]
async fn an_incident_leaves_later_trainings() {
    let fixture = fixture::open().await;
    let mut rows = hourly(1000, noon());
    for row in rows.iter_mut().rev().take(1) {
        row.2 = 900.0;
    }
    fixture.source(&rows);
    let all = [JobKind::Ingest, JobKind::Train, JobKind::Score, JobKind::Alert];
    run(&fixture, &all, noon()).await;
    let raised = {
        let mut reader = fixture.ctx.catalog.reader().await.unwrap();
        alerts::list(&mut reader, &alerts::AlertFilter::default()).await.unwrap().remove(0)
    };
    let say = async |verdict, until| {
        let mut tx = fixture.ctx.catalog.begin().await.unwrap();
        let said = Feedback {
            alert: raised.alert.id.clone(),
            verdict,
            note: "migration".into(),
            author: "ann".into(),
            at: noon(),
            until,
        };
        feedback::add(&mut tx, &said).await.unwrap();
        let all = feedback::of_alert(&mut tx, &said.alert).await.unwrap();
        assert_eq!(all[0], said, "the newest first");
        tx.commit().await.unwrap();
    };
    let later = noon() + Span::days(1);
    fixture.source(&[hourly(24, later), rows].concat());
    run(&fixture, &[JobKind::Ingest, JobKind::Train], later).await;
    let (n_rows, before) = quality(&fixture).await;
    assert_eq!(before.excluded_rows, 0);

    say(Verdict::Incident, Some(noon() + Span::hours(2))).await;
    run(&fixture, &[JobKind::Train], later + Span::hours(1)).await;
    let (n_left, after) = quality(&fixture).await;
    assert_eq!((after.excluded_rows, n_left), (3, n_rows - 3));

    say(Verdict::Up, None).await;
    run(&fixture, &[JobKind::Train], later + Span::hours(2)).await;
    assert_eq!(quality(&fixture).await.1.excluded_rows, 0, "the newest word counts");
}

#[tokio::test]
async fn made_up_anomalies_are_found_and_not_looked_for_again_within_a_week() {
    let fixture = fixture::open().await;
    let mut rows = hourly(1000, noon() + Span::days(8));
    rows.remove(500);
    fixture.source(&rows);
    run(&fixture, &[JobKind::Ingest, JobKind::Train], noon()).await;
    let first = quality(&fixture).await.1;
    let recall = first.recall.clone().unwrap();
    assert_eq!((recall.measured_at, recall.kinds.len()), (noon(), 6));
    let spike = recall.kinds.iter().find(|one| one.kind == InjectedKind::Spike).unwrap();
    assert_eq!((spike.found, spike.tried, spike.median_delay), (3, 3, Some(0)), "{recall:?}");
    run(&fixture, &[JobKind::Train], noon() + Span::days(6)).await;
    assert_eq!(quality(&fixture).await.1.recall, Some(recall));
    run(&fixture, &[JobKind::Ingest, JobKind::Train], noon() + Span::days(8)).await;
    let last = quality(&fixture).await.1;
    assert_eq!(last.recall.unwrap().measured_at, noon() + Span::days(8));
    assert_eq!(last.gaps, 0, "one hour missing is two steps");
}

#[tokio::test]
async fn a_young_metric_is_scored_by_the_past_of_its_siblings_and_says_so() {
    let mut fixture = fixture::open().await;
    fixture.batch.alert.budget = Some("1/week".parse().unwrap());
    let sized = |name: &'static str, n: i64, size: f64, seed: u64| {
        let noise = move |at: Timestamp| 12.0 * Random::new(at.secs() as u64 * seed).unit();
        let rows = hourly(n, noon()).into_iter();
        rows.map(move |(_, at, value)| (name, at, size * (value + noise(at)))).collect::<Vec<_>>()
    };
    let mut rows = [sized("at", 1_500, 1.0, 3), sized("be", 1_500, 4.0, 5)].concat();
    rows.extend(sized("new", 40, 20.0, 7));
    rows.extend(sized("newer", 10, 20.0, 7));
    let newest = rows.iter_mut().find(|(name, at, _)| *name == "new" && *at == noon());
    newest.unwrap().2 *= 3.0;
    fixture.source(&rows);
    run(&fixture, &[JobKind::Ingest, JobKind::Train, JobKind::Score], noon()).await;
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let models = models::currents(&mut reader, &fixture.batch.name).await.unwrap();
    let leans: Vec<_> = models
        .iter()
        .map(|row| (row.metric.as_str(), row.rows, row.quality.clone().unwrap().warming_up))
        .collect();
    let warming = Some(WarmingUp { have: 40, need: 336 });
    assert_eq!(leans, [("at", 1_500, None), ("be", 1_500, None), ("new", 40, warming)]);
    let budgets: Vec<_> = models
        .iter()
        .map(|row| row.quality.clone().unwrap().calibration.unwrap())
        .map(|found| (found.threshold == 0.8, found.n_scores, found.doubt))
        .collect();
    assert!(!budgets[0].0 && 1_000 < budgets[0].1, "{budgets:?}");
    let no_score = Some(Doubt::TooFewScores { need: 200, have: 0 });
    assert_eq!(budgets[2], (true, 0, no_score), "what is borrowed is not its own past");
    let listed = metrics::list(&mut reader, &fixture.batch.name).await.unwrap();
    let shown: Vec<_> =
        listed.iter().map(|row| (row.warming_up, row.skip_reason.is_some())).collect();
    assert_eq!(shown, [(None, false), (None, false), (warming, false), (None, true)]);
    assert!(0.8 <= listed[2].last_score.unwrap(), "{listed:?}");
}

#[tokio::test]
async fn metrics_that_are_too_young_take_no_turn_at_measuring() {
    let fixture = fixture::open().await;
    let names: Vec<String> = (0..40).map(|n| format!("a{n}")).collect();
    let young = names.iter().flat_map(|name| {
        hourly(10, noon()).into_iter().map(|(_, at, value)| (name.as_str(), at, value))
    });
    let rows: Vec<(&str, Timestamp, f64)> = young.chain(hourly(400, noon())).collect();
    fixture.source(&rows);
    run(&fixture, &[JobKind::Ingest, JobKind::Train], noon()).await;
    assert!(quality(&fixture).await.1.recall.is_some());
}

#[test]
fn an_alert_rate_is_of_the_threshold_in_use() {
    let rate = |threshold| super::verify::alert_rate(&[0.1, 0.2, 0.8, 0.95], threshold);
    assert_eq!([0.8, 0.9, 0.99].map(rate), [0.5, 0.25, 0.0]);
    assert_eq!(super::verify::alert_rate(&[], 0.8), 0.0);
}
