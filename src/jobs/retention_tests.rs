//! What is let go of, and what is kept.

use super::*;
use crate::{
    alerting,
    catalog::{
        alerts,
        alerts::AlertFilter,
        episodes, feedback, outbox,
        outbox::{Merging, Settled, Taking},
        runs::{NewRun, RunCause},
    },
    domain::{
        Alert, AlertId, AlertKind, Feedback, JobKind, MessageEvent, MessageId, MetricName, Point,
        Resolution, RunId, Severity, Verdict,
    },
    jobs::{
        fixture::{self, Fixture},
        tell::{Telling, tell},
    },
    series::Range,
};

#[tokio::test]
async fn only_what_is_older_than_the_retention_goes() {
    let Fixture { ctx, batch, .. } = fixture::open().await;
    let now = (ctx.clock)();
    let ages = [Span::days(367), Span::days(1)];
    for (n, age) in ages.into_iter().enumerate() {
        let at = now - age;
        let new = NewRun {
            batch: batch.name.clone(),
            job: JobKind::Ingest,
            slot: at,
            cause: RunCause::Manual,
            due: at,
            config_hash: String::new(),
        };
        let mut tx = ctx.catalog.begin().await.unwrap();
        let run = runs::materialise(&mut tx, &new, at).await.unwrap().unwrap();
        let part = layout::Part { run, epoch: 1, number: 0 };
        let raw = layout::raw_part_key(&batch.name, at, part);
        let mode = crate::io::WriteMode::CreateOnly;
        ctx.store.put(&raw, bytes::Bytes::from_static(b"x"), mode).await.unwrap();
        let point = Point { metric: MetricName::parse("m").unwrap(), at, value: n as f64 };
        let key = layout::points_key(&batch.name, run, 1);
        let segment = ctx.history.write_points(key, &batch.name, vec![point]).await.unwrap();
        segments::insert(&mut tx, &segment, run).await.unwrap();
        tx.commit().await.unwrap();
    }

    let retired = retire(&ctx, &batch).await.unwrap();
    assert_eq!((retired.segments, retired.raw), (1, 1));
    let mut reader = ctx.catalog.reader().await.unwrap();
    let all = Range::between(Timestamp::MIN, Timestamp::MAX);
    let kind = SegmentKind::Points;
    let live = segments::live(&mut reader, &batch.name, kind, all.from, all.to).await.unwrap();
    let left = ctx.history.read_points(&live, &all).await.unwrap();
    assert_eq!(left[0].value, [1.0]);
    assert_eq!(retire(&ctx, &batch).await.unwrap(), Retired::default());
}

fn alert(id: &str, at: Timestamp) -> Alert {
    Alert {
        id: AlertId(id.into()),
        batch: BatchName::parse("shop").unwrap(),
        metric: MetricName::parse("orders").unwrap(),
        kind: AlertKind::Anomaly,
        severity: Severity::Warning,
        at,
        since: at,
        value: None,
        band: None,
        score: None,
        threshold: None,
        model: None,
        reason: "odd".into(),
    }
}

/// Raises an alert, tells of it, and ends it where that is asked for.
async fn raise(fixture: &Fixture, id: &str, at: Timestamp, is_over: bool) {
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let alert = alert(id, at);
    alerts::insert(&mut tx, &alert, RunId(1), at).await.unwrap();
    let telling = Telling {
        event: MessageEvent::Firing,
        batch: None,
        alerts: vec![alert.id.clone()],
        words: None,
        again: String::new(),
        channels: ["log".to_owned()].into(),
    };
    tell(&mut tx, &telling, at).await.unwrap();
    if is_over {
        episodes::resolve(&mut tx, &alert.id, Resolution::Recovered, at).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Sends what waits, as of an instant.
async fn send_all(fixture: &Fixture, at: Timestamp) {
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    for delivery in outbox::take(&mut tx, "log", Taking::at(at), 10_000).await.unwrap() {
        assert!(outbox::settle(&mut tx, &delivery, &Settled::Sent, at).await.unwrap());
    }
    tx.commit().await.unwrap();
}

async fn word(fixture: &Fixture, id: &str, verdict: Verdict, at: Timestamp) {
    let said = Feedback {
        alert: AlertId(id.into()),
        verdict,
        note: String::new(),
        author: "ann".into(),
        at,
        until: None,
    };
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    feedback::add(&mut tx, &said).await.unwrap();
    tx.commit().await.unwrap();
}

async fn kept(fixture: &Fixture) -> Vec<String> {
    let filter = AlertFilter { limit: 10_000, ..AlertFilter::default() };
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let mut kept: Vec<String> = alerts::list(&mut reader, &filter)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.alert.id.0)
        .collect();
    kept.sort();
    kept
}

async fn forget(fixture: &Fixture) -> Forgotten {
    forget_told(&fixture.ctx, std::slice::from_ref(&fixture.batch)).await.unwrap()
}

#[tokio::test]
async fn alerts_that_are_over_go_with_all_that_was_said_of_them_and_open_or_unsaid_ones_stay() {
    let mut fixture = fixture::open().await;
    fixture.batch.history.retention = Span::days(100);
    let now = (fixture.ctx.clock)();
    let (old, young) = (now - Span::days(101), now - Span::days(99));
    for (id, at, is_over) in [("old", old, true), ("open", old, false), ("young", young, true)] {
        raise(&fixture, id, at, is_over).await;
    }
    word(&fixture, "old", Verdict::Down, old).await;
    raise(&fixture, "late-word", old, true).await;
    word(&fixture, "late-word", Verdict::Down, young).await;
    let message = |id: &str| alerting::message_id(MessageEvent::Firing, &[AlertId(id.into())], "");
    send_all(&fixture, now).await;
    raise(&fixture, "unsaid", old, true).await;
    assert_eq!(forget(&fixture).await, Forgotten { alerts: 1, messages: 1, snoozes: 0 });
    assert_eq!(kept(&fixture).await, ["late-word", "open", "unsaid", "young"]);
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    assert_eq!(outbox::state_of(&mut reader, &message("old"), "log").await.unwrap(), None);
    assert!(outbox::state_of(&mut reader, &message("open"), "log").await.unwrap().is_some());
    drop(reader);
    send_all(&fixture, now).await;
    assert_eq!(forget(&fixture).await.alerts, 1, "what was unsaid is said");
    assert_eq!(forget(&fixture).await, Forgotten::default());
}

#[tokio::test]
async fn an_incident_keeps_its_stretch_from_training_for_as_long_as_a_point_of_it_is_stored() {
    let mut fixture = fixture::open().await;
    fixture.batch.history.retention = Span::days(100);
    let now = (fixture.ctx.clock)();
    let old = now - Span::days(120);
    for id in ["incident", "normal", "down"] {
        raise(&fixture, id, old, true).await;
    }
    word(&fixture, "incident", Verdict::Incident, old).await;
    word(&fixture, "normal", Verdict::NewNormal, old).await;
    word(&fixture, "down", Verdict::Down, old).await;
    send_all(&fixture, now).await;
    let point = Point { metric: MetricName::parse("orders").unwrap(), at: old, value: 1.0 };
    let key = layout::points_key(&fixture.batch.name, RunId(1), 1);
    let history = &fixture.ctx.history;
    let segment = history.write_points(key, &fixture.batch.name, vec![point]).await.unwrap();
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let id = segments::insert(&mut tx, &segment, RunId(1)).await.unwrap();
    tx.commit().await.unwrap();
    forget(&fixture).await;
    assert_eq!(kept(&fixture).await, ["incident", "normal"]);
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    segments::doom(&mut tx, id, now).await.unwrap();
    tx.commit().await.unwrap();
    forget(&fixture).await;
    assert_eq!(kept(&fixture).await, [""; 0]);
}

#[tokio::test]
async fn more_than_a_transaction_takes_goes_all_the_same_merged_or_not() {
    let fixture = fixture::open().await;
    let now = (fixture.ctx.clock)();
    let old = now - Span::days(400);
    for n in 0..=AT_ONCE {
        raise(&fixture, &format!("a{n:04}"), old, true).await;
    }
    let into = MessageId("storm-1".into());
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let merging = Merging { into: &into, channel: "log", before: None, now: old + Span::secs(1) };
    assert_eq!(outbox::merge(&mut tx, merging).await.unwrap(), u64::from(AT_ONCE) + 1);
    tx.commit().await.unwrap();
    send_all(&fixture, now).await;
    let n_alerts = u64::from(AT_ONCE) + 1;
    let expected = Forgotten { alerts: n_alerts, messages: n_alerts + 1, snoozes: 0 };
    assert_eq!(forget(&fixture).await, expected);
}

#[tokio::test]
async fn a_transaction_looks_at_a_bounded_part_of_the_old_messages_however_many_stay() {
    let fixture = fixture::open().await;
    let now = (fixture.ctx.clock)();
    for n in 0..5 {
        raise(&fixture, &format!("stays-{n}"), now - Span::days(400), false).await;
    }
    raise(&fixture, "goes", now - Span::days(300), true).await;
    send_all(&fixture, now).await;
    let old = OldAlerts { batch: &fixture.batch.name, before: now, oldest_point: None };
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    assert_eq!(forget::alerts(&mut tx, old, 9).await.unwrap(), 1);
    let (mut walk, mut steps) = (Walk::begin(), Vec::new());
    while forget::messages(&mut tx, now, &mut walk, 2).await.unwrap() {
        steps.push(walk.n_forgotten);
    }
    assert_eq!(steps, [0, 0, 1]);
}
