//! What the program says of itself, and of values that stand still, on a real catalog.

use super::{
    AsOf, Attention, Watched, attend, close_abandoned, digest,
    fixture::{self, Fixture},
    send_digest, watch,
};
use crate::{
    alerting,
    catalog::{
        alerts::{self, AlertRow},
        messages,
        runs::{self, Failure},
    },
    domain::{
        AlertKind, AlertState, CronExpr, DigestSpec, JobKind, Lasting, MessageEvent, Resolution,
        Span, Timestamp, WatchSpec,
    },
};

fn noon() -> Timestamp {
    Timestamp::parse("2026-06-01T12:00:00Z").unwrap()
}

fn spec() -> WatchSpec {
    WatchSpec {
        enabled: true,
        channels: vec!["log".into()],
        job_failures: 3,
        late: Span::secs(900),
        model_max_age: None,
        disk_low: 1_000,
        heartbeat: None,
    }
}

async fn stored(fixture: &Fixture) -> Vec<AlertRow> {
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    alerts::list(&mut reader, &alerts::AlertFilter::default()).await.unwrap()
}

async fn fail(fixture: &Fixture, at: Timestamp) {
    let claim = fixture.claim(JobKind::Train, AsOf::live(at)).await.unwrap();
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let failure = Failure { error_chain: "no room".into(), retry_at: None };
    runs::fail(&mut tx, &claim, &failure, at).await.unwrap();
    tx.commit().await.unwrap();
}

async fn look(fixture: &Fixture, n_free: u64) -> (u64, u64) {
    let batches = std::slice::from_ref(&fixture.batch);
    let watched = Watched { batches, spec: &spec(), n_free: Some(n_free) };
    watch(&fixture.ctx, &watched).await.unwrap()
}

#[tokio::test]
async fn a_job_that_fails_three_times_in_a_row_is_told_once_and_told_when_it_works_again() {
    let fixture = fixture::open().await;
    for n in 0..2 {
        fail(&fixture, noon() + Span::secs(n)).await;
    }
    assert_eq!(look(&fixture, 5_000).await, (0, 0));
    fail(&fixture, noon() + Span::secs(2)).await;
    assert_eq!(look(&fixture, 5_000).await, (1, 0));
    assert_eq!(look(&fixture, 5_000).await, (0, 0), "it is known");
    let rows = stored(&fixture).await;
    let subject = (rows[0].alert.metric.as_str(), rows[0].alert.kind);
    assert_eq!(subject, ("pipeline/job-train", AlertKind::Pipeline));
    assert_eq!(rows[0].alert.reason, "train failed 3 times in a row: no room");
    fixture.source(&[("orders", noon(), 1.0)]);
    fixture.run(JobKind::Train, AsOf::live(noon() + Span::secs(9))).await.unwrap();
    assert_eq!(look(&fixture, 5_000).await, (0, 1));
    assert_eq!(stored(&fixture).await[0].episode.resolution, Some(Resolution::Recovered));
}

#[tokio::test]
async fn a_full_disk_is_told_and_told_when_there_is_room_again() {
    let fixture = fixture::open().await;
    assert_eq!(look(&fixture, 999).await, (1, 0));
    assert_eq!(look(&fixture, 10).await, (0, 0));
    let rows = stored(&fixture).await;
    assert_eq!(
        (rows[0].alert.batch.as_str(), rows[0].alert.metric.as_str()),
        ("anomstack", "pipeline/disk")
    );
    assert_eq!(look(&fixture, 1_000).await, (0, 1));
}

#[tokio::test]
async fn what_is_wrong_with_a_batch_that_is_switched_off_is_closed() {
    let mut fixture = fixture::open().await;
    for n in 0..3 {
        fail(&fixture, noon() + Span::secs(n)).await;
    }
    assert_eq!(look(&fixture, 5_000).await, (1, 0));
    fixture.batch.enabled = false;
    assert_eq!(look(&fixture, 5_000).await, (0, 1));
    assert_eq!(stored(&fixture).await[0].episode.resolution, Some(Resolution::Closed));
}

#[tokio::test]
async fn what_was_closed_fires_again_while_its_cause_is_there() {
    let mut fixture = fixture::open().await;
    for n in 0..3 {
        fail(&fixture, noon() + Span::secs(n)).await;
    }
    assert_eq!(look(&fixture, 5_000).await, (1, 0));
    let first = stored(&fixture).await.remove(0).alert.id;
    let (now, by) = ((fixture.ctx.clock)(), (Attention::Resolve, "ana"));
    attend(&fixture.ctx.catalog, &first, by, now).await.unwrap();
    fixture.ctx.clock = || Timestamp::parse("2026-06-01T00:01:00Z").unwrap();
    assert_eq!(look(&fixture, 5_000).await, (1, 0));
    let rows = stored(&fixture).await;
    assert_eq!(rows.iter().filter(|row| !row.is_over()).count(), 1);
    assert_eq!(rows.len(), 2);
}

#[tokio::test]
async fn a_watch_that_is_switched_off_closes_what_it_raised() {
    let fixture = fixture::open().await;
    for n in 0..3 {
        fail(&fixture, noon() + Span::secs(n)).await;
    }
    assert_eq!(look(&fixture, 10).await, (2, 0));
    let off = WatchSpec { enabled: false, ..spec() };
    let batches = std::slice::from_ref(&fixture.batch);
    let watched = Watched { batches, spec: &off, n_free: Some(10) };
    for n_closed in [2, 0] {
        assert_eq!(watch(&fixture.ctx, &watched).await.unwrap(), (0, n_closed));
    }
}

#[tokio::test]
async fn of_a_batch_that_is_gone_its_pipeline_is_closed_and_the_programs_own_goes_on() {
    let fixture = fixture::open().await;
    for n in 0..3 {
        fail(&fixture, noon() + Span::secs(n)).await;
    }
    assert_eq!(look(&fixture, 10).await, (2, 0));
    let now = (fixture.ctx.clock)();
    assert_eq!(close_abandoned(&fixture.ctx.catalog, &[].into(), now).await.unwrap(), 1);
    let rows = stored(&fixture).await;
    let open: Vec<&str> =
        rows.iter().filter(|row| !row.is_over()).map(|row| row.alert.metric.as_str()).collect();
    assert_eq!(open, ["pipeline/disk"]);
}

#[tokio::test]
async fn what_stood_still_is_closed_when_nobody_looks_for_it_any_more() {
    for is_rule_gone in [true, false] {
        let mut fixture = fixture::open().await;
        fixture.batch.rules.still.frozen = Some(Lasting::Points(5));
        let value = |n: i64| if n < 20 { (n % 7) as f64 + 1.0 } else { 4.5 };
        let row = |n: i64| ("orders", noon() + Span::secs(60 * n), value(n));
        fixture.source(&(0..25).map(row).collect::<Vec<_>>());
        fixture.run(JobKind::Ingest, AsOf::live(noon() + Span::secs(1_500))).await.unwrap();
        assert!(!stored(&fixture).await[0].is_over());
        match is_rule_gone {
            true => fixture.batch.rules.still.frozen = None,
            false => fixture.batch.rules.still.exclude = vec!["ord*".into()],
        }
        fixture.run(JobKind::Ingest, AsOf::live(noon() + Span::secs(1_560))).await.unwrap();
        assert_eq!(stored(&fixture).await[0].episode.resolution, Some(Resolution::Closed));
    }
}

#[tokio::test]
async fn a_value_that_stands_still_is_told_at_ingest_until_it_moves() {
    let mut fixture = fixture::open().await;
    fixture.batch.rules.still.frozen = Some(Lasting::Points(5));
    fixture.batch.rules.still.zeros = Some(Lasting::Points(5));
    let row = |n: i64, value| ("orders", noon() + Span::secs(60 * n), value);
    let mut rows: Vec<_> = (0..20).map(|n| row(n, (n % 7) as f64 + 1.0)).collect();
    let mut states = Vec::new();
    for value in [0.0, 4.0] {
        let n = rows.len() as i64;
        rows.extend((0..if value == 0.0 { 5 } else { 1 }).map(|i| row(n + i, value)));
        fixture.source(&rows);
        fixture.run(JobKind::Ingest, AsOf::live(noon() + Span::secs(1_800))).await.unwrap();
        let found = stored(&fixture).await;
        states.push((found.len(), found[0].alert.kind, found[0].episode.state));
    }
    let told = [AlertState::Firing, AlertState::Resolved].map(|state| (1, AlertKind::Zeros, state));
    assert_eq!(states, told);
}

#[tokio::test]
async fn an_ingest_with_far_fewer_rows_than_usual_is_told() {
    let mut fixture = fixture::open().await;
    fixture.batch.rules.still.rows_drop = Some(0.5);
    for day in 0..6 {
        let n = if day < 5 { 100 } else { 40 };
        let at = noon() + Span::days(day);
        let rows: Vec<_> = (0..n).map(|n| ("orders", at - Span::secs(n), 1.0)).collect();
        fixture.source(&rows);
        fixture.run(JobKind::Ingest, AsOf::live(at)).await.unwrap();
    }
    let rows = stored(&fixture).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].alert.reason, "the source gave 40 rows, at this time of day usually 100");
}

#[tokio::test]
async fn the_digest_covers_all_batches_and_is_sent_once_a_slot() {
    let fixture = fixture::open().await;
    for n in 0..3 {
        fail(&fixture, (fixture.ctx.clock)() + Span::secs(n)).await;
    }
    look(&fixture, 5_000).await;
    let other = crate::domain::BatchSpec {
        name: crate::domain::BatchName::parse("other").unwrap(),
        ..fixture.batch.clone()
    };
    let batches = [fixture.batch.clone(), other];
    let slot = (fixture.ctx.clock)() + Span::hours(1);
    let from = slot - Span::days(1);
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let spec = DigestSpec {
        at: CronExpr::parse("0 8 * * *").unwrap(),
        timezone: chrono_tz::Europe::Dublin,
        channels: vec!["log".to_owned()],
    };
    let found = digest(&mut reader, &batches, spec.timezone, (from, slot)).await.unwrap();
    drop(reader);
    let text = found.text();
    assert_eq!(found.title(), "1 alert in 24 hours, 1 still firing");
    let lines = ["pipeline/job-train for 1 h, goes on", "failed for good: train, 3 times"];
    assert!(lines.iter().all(|line| text.contains(line)), "{text}");
    assert!(text.contains("other\n  no alerts"), "{text}");
    let send = || send_digest(&fixture.ctx, &batches, &spec, (from, slot));
    assert!(send().await.unwrap());
    assert!(!send().await.unwrap());
    let id = alerting::message_id(MessageEvent::Digest, &[], &slot.to_string());
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    assert_eq!(messages::digest_of(&mut reader, &id).await.unwrap(), Some(found));
}
