//! Alerts that join messages that wait for more of their group.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::*;
use crate::{
    catalog::{alerts, outbox::Taking},
    domain::{AlertKind, RunId},
    jobs::fixture::{self, Fixture},
};

/// A batch whose messages, one a metric, wait for half a minute.
async fn waiting_by_metric() -> Fixture {
    let mut fixture = fixture::open().await;
    fixture.batch.alert.channels = vec!["hook".into()];
    fixture.batch.alert.group = Grouping::Metric;
    fixture.batch.alert.group_wait = Span::secs(30);
    fixture
}

fn alert(metric: &str, id: &str, at: Timestamp) -> Alert {
    Alert {
        id: AlertId(id.into()),
        batch: BatchName::parse("shop").unwrap(),
        metric: MetricName::parse(metric).unwrap(),
        kind: AlertKind::Anomaly,
        severity: Severity::Warning,
        at,
        since: at,
        value: Some(7.0),
        band: None,
        score: Some(0.9),
        threshold: Some(0.8),
        model: None,
        reason: "7 looks odd".into(),
    }
}

/// Tells of an alert of each of so many metrics; gives the messages made and SQLite's steps.
async fn told(fixture: &Fixture, n_metrics: usize, name: &str) -> (u64, u64) {
    let now = (fixture.ctx.clock)();
    let of = |n: usize| alert(&format!("metric{n}"), &format!("{name}{n}"), now);
    let fired: Vec<Alert> = (0..n_metrics).map(of).collect();
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    for alert in &fired {
        alerts::insert(&mut tx, alert, RunId(1), now).await.unwrap();
    }
    let n_steps = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&n_steps);
    tx.lock_handle().await.unwrap().set_progress_handler(10, move || {
        counted.fetch_add(10, Ordering::Relaxed);
        true
    });
    let fired: Vec<&Alert> = fired.iter().collect();
    let event = (MessageEvent::Firing, "");
    let n_new = tell_alerts(&mut tx, &fixture.batch, event, &fired, now).await.unwrap();
    tx.lock_handle().await.unwrap().remove_progress_handler();
    tx.commit().await.unwrap();
    (n_new, n_steps.load(Ordering::Relaxed))
}

#[tokio::test]
async fn twice_as_many_groups_that_wait_are_twice_the_work() {
    let mut steps = Vec::new();
    for n_metrics in [50, 100] {
        let fixture = waiting_by_metric().await;
        assert_eq!(told(&fixture, n_metrics, "first").await.0, n_metrics as u64);
        let (n_new, n_steps) = told(&fixture, n_metrics, "then").await;
        assert_eq!(n_new, 0, "each joins its own");
        steps.push(n_steps);
    }
    assert!(steps[1] < steps[0] * 5 / 2, "{steps:?}");
}

#[tokio::test]
async fn an_alert_stands_in_the_message_it_joins_once() {
    let fixture = waiting_by_metric().await;
    for name in ["a", "b", "b", "a", "c"] {
        told(&fixture, 1, name).await;
    }
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let taking = Taking::at((fixture.ctx.clock)() + Span::secs(30));
    let due = outbox::take(&mut tx, "hook", taking, 9).await.unwrap();
    assert_eq!(due.len(), 1);
    let about = messages::alerts_of(&mut tx, &due[0].message).await.unwrap();
    assert_eq!(about, ["a0", "b0", "c0"].map(|id| AlertId(id.into())));
}

#[tokio::test]
async fn a_command_that_ends_lets_go_of_what_it_said_and_of_no_more() {
    let fixture = waiting_by_metric().await;
    told(&fixture, 1, "a").await;
    let now = (fixture.ctx.clock)();
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let later = now + Span::from_micros(1);
    assert_eq!(outbox::release_all(&mut tx, later, now).await.unwrap(), 0);
    assert_eq!(outbox::release_all(&mut tx, now, now).await.unwrap(), 1);
    assert_eq!(outbox::take(&mut tx, "hook", Taking::at(now), 9).await.unwrap().len(), 1);
}
