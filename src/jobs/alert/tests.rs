//! Alerts over several runs: what is raised, goes on, gets worse, ends, and what is said of it.

use crate::{
    catalog::{
        alerts::{self, AlertRow},
        feedback, messages, outbox,
        snoozes::{self, SnoozeRow},
    },
    domain::{
        AlertId, AlertReport, AlertState, Feedback, Grouping, JobKind, Maintenance,
        MaintenanceTime, MessageEvent, MessageId, MetricName, Resolution, RunReport, Span,
        Timestamp, Verdict,
    },
    jobs::{
        Archive, AsOf, Attention, attend, close_abandoned, explain_alert,
        fixture::{self, Fixture},
    },
};

fn noon() -> Timestamp {
    Timestamp::parse("2026-05-31T12:00:00Z").unwrap()
}

fn minute(n: i64) -> Timestamp {
    noon() + Span::secs(60 * n)
}

/// Ten hours of usual points before noon and one point a minute after it: the values given, per
/// metric.
fn rows<'a>(metrics: &[&'a str], after: &[f64]) -> Vec<(&'a str, Timestamp, f64)> {
    let usual = |n: i64| 100.0 + (n.rem_euclid(11) * 7 % 11) as f64;
    let mut rows = Vec::new();
    for metric in metrics {
        rows.extend((-600..=0).map(|n| (*metric, minute(n), usual(n))));
        for (n, value) in (1..).zip(after) {
            let value = if *value == 0.0 { usual(n) } else { *value };
            rows.push((*metric, minute(n), value));
        }
    }
    rows
}

/// A batch with models trained at noon; its own log is its channel.
async fn trained(metrics: &[&str]) -> Fixture {
    let fixture = fixture::open().await;
    fixture.source(&rows(metrics, &[]));
    for job in [JobKind::Ingest, JobKind::Train, JobKind::Score, JobKind::Alert] {
        fixture.run(job, AsOf::live(noon())).await.unwrap();
    }
    fixture
}

/// What a run reports once these values have come, the newest of them as long ago as a minute.
async fn pass(fixture: &Fixture, metrics: &[&str], after: &[f64]) -> AlertReport {
    let as_of = AsOf::live(minute(after.len() as i64));
    fixture.source(&rows(metrics, after));
    for job in [JobKind::Ingest, JobKind::Score] {
        fixture.run(job, as_of).await.unwrap();
    }
    match fixture.run(JobKind::Alert, as_of).await.unwrap() {
        RunReport::Alert(report) => report,
        other => panic!("{other:?}"),
    }
}

async fn all(fixture: &Fixture) -> Vec<AlertRow> {
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    alerts::list(&mut reader, &alerts::AlertFilter::default()).await.unwrap()
}

async fn one(fixture: &Fixture) -> AlertRow {
    let mut rows = all(fixture).await;
    assert_eq!(rows.len(), 1, "{rows:#?}");
    rows.remove(0)
}

/// Every message in the outbox with its number of alerts, in the order of their names.
async fn said(fixture: &Fixture) -> Vec<(MessageEvent, usize)> {
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let far = noon() + Span::days(3_650);
    let mut said = Vec::new();
    // The end of an alert waits until its beginning is said.
    loop {
        let due = outbox::take(&mut tx, "log", outbox::Taking::at(far), 100).await.unwrap();
        if due.is_empty() {
            break;
        }
        for delivery in due {
            let message: &MessageId = &delivery.message;
            let row = messages::get(&mut tx, message).await.unwrap().unwrap();
            said.push((row.event, messages::alerts_of(&mut tx, message).await.unwrap().len()));
            let is_over = row.event == MessageEvent::Resolved;
            assert!(!is_over || said.iter().any(|(event, _)| *event == MessageEvent::Firing));
            let sent = outbox::Settled::Sent;
            assert!(outbox::settle(&mut tx, &delivery, &sent, far).await.unwrap());
        }
    }
    said.sort_by_key(|(event, n)| (event.as_str(), *n));
    said
}

const HIGH: f64 = 1e4;

#[tokio::test]
async fn an_alert_lasts_while_there_are_hits_and_its_end_is_told_where_its_start_was() {
    let fixture = trained(&["orders"]).await;
    assert_eq!(pass(&fixture, &["orders"], &[HIGH]).await.raised, 1);
    let second = pass(&fixture, &["orders"], &[HIGH, HIGH]).await;
    assert_eq!((second.raised, second.queued), (0, 0), "it goes on, and nobody hears it again");
    assert_eq!(pass(&fixture, &["orders"], &[HIGH, HIGH, 0.0, 0.0]).await.resolved, 0);
    let row = one(&fixture).await;
    assert_eq!((row.alert.at, row.episode.until), (minute(1), minute(2)));
    assert_eq!(row.episode.state, AlertState::Firing);
    // Detectors look back, so that the points right after a spike may be unusual too.
    let quiet = [&[HIGH, HIGH][..], &[0.0; 30]].concat();
    let last = pass(&fixture, &["orders"], &quiet).await;
    assert_eq!((last.resolved, last.queued), (1, 1));
    let row = one(&fixture).await;
    assert_eq!(row.episode.resolution, Some(Resolution::Recovered));
    assert_eq!(said(&fixture).await, [(MessageEvent::Firing, 1), (MessageEvent::Resolved, 1)]);
    let again = pass(&fixture, &["orders"], &quiet).await;
    assert_eq!((again.raised, again.resolved, again.queued), (0, 0, 0), "a repeat changes nothing");
}

#[tokio::test]
async fn alerts_of_one_run_are_one_message_a_group() {
    for (group, expected) in [
        (Grouping::Batch, vec![(MessageEvent::Firing, 2)]),
        (Grouping::Metric, vec![(MessageEvent::Firing, 1); 2]),
    ] {
        let mut fixture = trained(&["orders", "visits"]).await;
        fixture.batch.alert.group = group;
        assert_eq!(pass(&fixture, &["orders", "visits"], &[HIGH]).await.raised, 2);
        assert_eq!(said(&fixture).await, expected);
    }
}

#[tokio::test]
async fn alerts_of_several_runs_are_one_message_while_it_waits_for_its_group() {
    let mut fixture = trained(&["orders", "visits"]).await;
    fixture.batch.alert.group_wait = Span::secs(30);
    let queued = pass(&fixture, &["orders"], &[HIGH]).await.queued;
    let both = pass(&fixture, &["orders", "visits"], &[HIGH]).await;
    assert_eq!((queued, both.raised, both.queued), (1, 1, 0));
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let channels = outbox::waiting_channels(&mut tx).await.unwrap();
    let now = (fixture.ctx.clock)();
    let mut due = async |after| {
        let taking = outbox::Taking::at(now + after);
        outbox::take(&mut tx, &channels[0], taking, 9).await.unwrap().len()
    };
    assert_eq!((due(Span::secs(29)).await, due(Span::secs(30)).await), (0, 1));
    drop(tx);
    assert_eq!(said(&fixture).await, [(MessageEvent::Firing, 2)]);
}

#[tokio::test]
async fn what_is_on_its_way_is_not_added_to() {
    let mut fixture = trained(&["orders", "visits"]).await;
    fixture.batch.alert.group_wait = Span::secs(30);
    pass(&fixture, &["orders"], &[HIGH]).await;
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let channels = outbox::waiting_channels(&mut tx).await.unwrap();
    let taking = outbox::Taking::at((fixture.ctx.clock)() + Span::secs(30));
    assert_eq!(outbox::take(&mut tx, &channels[0], taking, 9).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    assert_eq!(pass(&fixture, &["orders", "visits"], &[HIGH]).await.queued, 1);
    assert_eq!(said(&fixture).await, [(MessageEvent::Firing, 1), (MessageEvent::Firing, 1)]);
}

#[tokio::test]
async fn an_alert_that_late_data_shows_to_be_none_is_taken_back_and_that_is_said() {
    let fixture = trained(&["orders"]).await;
    pass(&fixture, &["orders"], &[HIGH]).await;
    let revised = pass(&fixture, &["orders"], &[0.0]).await;
    assert_eq!(revised.resolved, 1);
    let row = one(&fixture).await;
    assert_eq!(row.episode.resolution, Some(Resolution::LateData));
    assert_eq!(said(&fixture).await, [(MessageEvent::Firing, 1), (MessageEvent::Resolved, 1)]);
}

#[tokio::test]
async fn an_alert_that_late_data_took_back_fires_again_when_it_is_given_back() {
    let fixture = trained(&["orders"]).await;
    pass(&fixture, &["orders"], &[HIGH]).await;
    pass(&fixture, &["orders"], &[0.0]).await;
    let given_back = pass(&fixture, &["orders"], &[2.0 * HIGH]).await;
    assert_eq!((given_back.raised, given_back.queued), (1, 1));
    let row = one(&fixture).await;
    assert_eq!((row.episode.state, row.alert.value), (AlertState::Firing, Some(2.0 * HIGH)));
    let again = pass(&fixture, &["orders"], &[2.0 * HIGH]).await;
    assert_eq!((again.raised, again.queued), (0, 0), "a repeat changes nothing");
    let taken_back = pass(&fixture, &["orders"], &[0.0]).await;
    assert_eq!((taken_back.resolved, taken_back.queued), (1, 1), "and its end is said again");
}

#[tokio::test]
async fn an_alert_that_came_back_and_is_closed_by_hand_is_said_to_be_over_once_more() {
    let fixture = trained(&["orders"]).await;
    for value in [HIGH, 0.0, 2.0 * HIGH] {
        pass(&fixture, &["orders"], &[value]).await;
    }
    let n_before = said(&fixture).await.len();
    let (ctx, row) = (&fixture.ctx, one(&fixture).await);
    let now = (ctx.clock)();
    attend(&ctx.catalog, &row.alert.id, (Attention::Resolve, "ana"), now).await.unwrap();
    let said = said(&fixture).await;
    assert_eq!(said.len(), n_before + 1, "{said:?}");
}

#[tokio::test]
async fn an_alert_that_is_given_back_does_not_join_the_message_of_its_first_time() {
    let mut fixture = trained(&["orders"]).await;
    fixture.batch.alert.group_wait = Span::secs(30);
    pass(&fixture, &["orders"], &[HIGH]).await;
    pass(&fixture, &["orders"], &[0.0]).await;
    assert_eq!(pass(&fixture, &["orders"], &[2.0 * HIGH]).await.queued, 1);
    let (fired, over) = ((MessageEvent::Firing, 1), (MessageEvent::Resolved, 1));
    assert_eq!(said(&fixture).await, [fired, fired, over]);
}

#[tokio::test]
async fn an_alert_of_a_metric_nobody_looks_at_any_more_is_closed_and_that_is_said() {
    let mut fixture = trained(&["orders"]).await;
    pass(&fixture, &["orders"], &[HIGH]).await;
    fixture.batch.alert.exclude = vec!["ord*".into()];
    assert_eq!(pass(&fixture, &["orders"], &[HIGH, HIGH]).await.resolved, 1);
    assert_eq!(one(&fixture).await.episode.resolution, Some(Resolution::Closed));
}

#[tokio::test]
async fn what_is_silent_for_people_or_work_is_counted_and_not_raised() {
    let mut fixture = trained(&["orders"]).await;
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let snooze = SnoozeRow {
        batch: fixture.batch.name.clone(),
        metric: Some(MetricName::parse("orders").unwrap()),
        since: noon(),
        until: minute(2),
        author: "ana".into(),
    };
    snoozes::add(&mut tx, &snooze).await.unwrap();
    tx.commit().await.unwrap();
    let when = MaintenanceTime::of(vec![(minute(2), minute(3))]);
    fixture.batch.maintenance = vec![Maintenance { when, reason: "move".into() }];
    let first = pass(&fixture, &["orders"], &[HIGH]).await;
    assert_eq!((first.raised, first.suppressed["snoozed_by_person"]), (0, 1));
    let second = pass(&fixture, &["orders"], &[HIGH, HIGH]).await;
    assert_eq!((second.raised, second.suppressed["maintenance"]), (0, 1));
    assert_eq!(
        pass(&fixture, &["orders"], &[HIGH, HIGH, HIGH]).await.raised,
        1,
        "it outlived both"
    );
}

#[tokio::test]
async fn an_alert_that_goes_on_is_said_again_unless_somebody_looks_after_it() {
    let mut fixture = trained(&["orders"]).await;
    fixture.batch.alert.remind = Some(Span::from_micros(1));
    fixture.ctx.clock = || Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
    pass(&fixture, &["orders"], &[HIGH]).await;
    fixture.ctx.clock = || Timestamp::parse("2026-06-01T01:00:00Z").unwrap();
    assert_eq!(pass(&fixture, &["orders"], &[HIGH, HIGH]).await.queued, 1);
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let id = one(&fixture).await.alert.id;
    assert!(alerts::ack(&mut tx, &id, "ana", minute(9)).await.unwrap());
    assert!(!alerts::ack(&mut tx, &id, "bo", minute(9)).await.unwrap(), "the first stays");
    tx.commit().await.unwrap();
    fixture.ctx.clock = || Timestamp::parse("2026-06-01T02:00:00Z").unwrap();
    assert_eq!(pass(&fixture, &["orders"], &[HIGH, HIGH, HIGH]).await.queued, 0);
}

#[tokio::test]
async fn a_down_vote_raises_the_bar_and_the_next_alert_says_so() {
    let fixture = trained(&["orders"]).await;
    let quiet = [&[HIGH][..], &[0.0; 400]].concat();
    pass(&fixture, &["orders"], &[HIGH]).await;
    pass(&fixture, &["orders"], &quiet).await;
    let first = one(&fixture).await;
    let word = Feedback {
        alert: first.alert.id.clone(),
        verdict: Verdict::Down,
        note: String::new(),
        author: "ana".into(),
        at: minute(10),
        until: None,
    };
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    feedback::add(&mut tx, &word).await.unwrap();
    tx.commit().await.unwrap();
    pass(&fixture, &["orders"], &[&quiet[..], &[HIGH]].concat()).await;
    let second = all(&fixture).await.remove(0).alert;
    assert!(first.alert.threshold < second.threshold, "{second:?}");
    assert!(second.reason.contains("by 1 down-vote until 2026-06-30"), "{}", second.reason);
    let row = all(&fixture).await.remove(0);
    let explained = explain_alert(Archive::from(&fixture.ctx), &fixture.batch, &row).await.unwrap();
    let step = explained.steps.iter().find(|step| step.gate == "threshold").unwrap();
    assert!(step.detail.contains("by 1 down-vote until 2026-06-30"), "{}", step.detail);
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let now = (fixture.ctx.clock)();
    let tally = feedback::tally(&mut reader, Some(&fixture.batch.name), now).await.unwrap();
    assert_eq!((tally.precision(), tally.response_rate()), (Some(0.0), Some(0.5)));
}

#[tokio::test]
async fn an_alert_somebody_closes_or_whose_batch_is_gone_is_said_to_be_over_once() {
    let fixture = trained(&["orders", "visits"]).await;
    pass(&fixture, &["orders", "visits"], &[HIGH]).await;
    let rows = all(&fixture).await;
    let (catalog, now) = (&fixture.ctx.catalog, (fixture.ctx.clock)());
    let closed = (Attention::Resolve, "ana");
    for _ in 0..2 {
        let row = attend(catalog, &rows[0].alert.id, closed, now).await.unwrap().unwrap();
        assert_eq!(row.episode.resolution, Some(Resolution::Closed));
    }
    let kept = [fixture.batch.name.clone()].into();
    assert_eq!(close_abandoned(catalog, &kept, now).await.unwrap(), 0);
    for n_closed in [1, 0] {
        assert_eq!(close_abandoned(catalog, &[].into(), now).await.unwrap(), n_closed);
    }
    let resolved = (MessageEvent::Resolved, 1);
    assert_eq!(said(&fixture).await, [(MessageEvent::Firing, 2), resolved, resolved]);
    let unknown = AlertId("none".into());
    assert_eq!(attend(catalog, &unknown, closed, now).await.unwrap(), None);
}
