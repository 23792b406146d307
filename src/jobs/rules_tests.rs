//! Rules on a real catalog: what fires at an ingest or a look for moved levels, who is told, and
//! what a repeat changes.

use super::fixture::{self, Fixture};
use super::{AsOf, Notify, turns};
use crate::{
    alerting,
    catalog::{alerts, episodes, messages},
    domain::{
        AbsenceSpec, AlertKind, AlertState, BatchSpec, ChangeReport, JobKind, Lasting, Limits,
        Maintenance, MaintenanceTime, MessageEvent, Resolution, RunReport, Snooze, Span, Timestamp,
    },
};

fn noon() -> Timestamp {
    Timestamp::parse("2026-06-01T12:00:00Z").unwrap()
}

fn minutes(n: i64) -> Span {
    Span::secs(60 * n)
}

async fn ingest(fixture: &Fixture, rows: &[(&str, Timestamp, f64)], at: Timestamp) {
    fixture.source(rows);
    fixture.run(JobKind::Ingest, AsOf::live(at)).await.unwrap();
}

/// Metric, kind and state of every alert, the newest observation first.
async fn stored(fixture: &Fixture) -> Vec<(String, AlertKind, AlertState)> {
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let rows = alerts::list(&mut reader, &alerts::AlertFilter::default()).await.unwrap();
    let row =
        |row: alerts::AlertRow| (row.alert.metric.to_string(), row.alert.kind, row.episode.state);
    rows.into_iter().map(row).collect()
}

/// What was said of the newest alert by itself.
async fn told(fixture: &Fixture) -> Vec<MessageEvent> {
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let rows = alerts::list(&mut reader, &alerts::AlertFilter::default()).await.unwrap();
    let mut events = Vec::new();
    for event in MessageEvent::ALL {
        let id = alerting::message_id(*event, &[rows[0].alert.id.clone()], "");
        if messages::get(&mut reader, &id).await.unwrap().is_some() {
            events.push(*event);
        }
    }
    events
}

fn up_to(upper: f64) -> Limits {
    Limits { upper: Some(upper), ..Limits::default() }
}

async fn limited(pattern: &str) -> Fixture {
    let mut fixture = fixture::open().await;
    fixture.batch.rules.thresholds.insert(pattern.into(), up_to(10.0));
    fixture.batch.alert.snooze = Snooze::Time(Span::hours(6));
    fixture.batch.alert.resolve_after = 1;
    fixture
}

#[tokio::test]
async fn a_value_over_its_limit_is_told_at_ingest_and_told_when_it_is_over() {
    let fixture = limited("ord*").await;
    let orders = |ago, value| ("orders", noon() - minutes(ago), value);
    let mut rows = vec![orders(3, 5.0), ("visits", noon() - minutes(3), 500.0)];
    ingest(&fixture, &rows, noon()).await;
    assert_eq!(stored(&fixture).await, []);
    rows.push(orders(2, 11.0));
    ingest(&fixture, &rows, noon() + minutes(1)).await;
    let open = [("orders".to_owned(), AlertKind::Threshold, AlertState::Firing)];
    assert_eq!(stored(&fixture).await, open);
    // The same rows again, and more of the same, are no news.
    ingest(&fixture, &rows, noon() + minutes(2)).await;
    rows.push(orders(1, 12.0));
    ingest(&fixture, &rows, noon() + minutes(3)).await;
    assert_eq!(stored(&fixture).await, open);
    rows.push(orders(0, 10.0));
    ingest(&fixture, &rows, noon() + minutes(4)).await;
    let over = [("orders".to_owned(), AlertKind::Threshold, AlertState::Resolved)];
    assert_eq!(stored(&fixture).await, over);
    assert_eq!(told(&fixture).await, [MessageEvent::Firing, MessageEvent::Resolved]);
}

#[tokio::test]
async fn the_snooze_of_a_limit_spans_ingests() {
    let fixture = limited("orders").await;
    let mut rows = Vec::new();
    for (n, value) in [11.0, 5.0, 11.0, 5.0].into_iter().enumerate() {
        rows.push(("orders", noon() + minutes(n as i64), value));
        ingest(&fixture, &rows, noon() + minutes(n as i64)).await;
    }
    assert_eq!(stored(&fixture).await.len(), 1);
    let suppressed = "anomstack_alerts_suppressed_total{batch=\"shop\",reason=\"snooze\"} 1";
    assert!(fixture.ctx.metrics.render().unwrap().contains(suppressed));
}

#[tokio::test]
async fn a_limit_of_the_metric_itself_counts_before_those_of_the_batch() {
    let mut fixture = limited("*").await;
    let orders = crate::domain::MetricName::parse("orders").unwrap();
    fixture.batch.metrics.entry(orders).or_default().thresholds = Some(up_to(100.0));
    let rows = [("orders", noon(), 50.0), ("visits", noon(), 50.0)];
    ingest(&fixture, &rows, noon()).await;
    let names: Vec<String> = stored(&fixture).await.into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["visits"]);
}

#[tokio::test]
async fn an_alert_is_closed_when_its_limit_is_gone() {
    let changes: [fn(&mut BatchSpec); 4] = [
        |batch| batch.rules.thresholds.clear(),
        |batch| {
            batch.rules.thresholds.clear();
            batch.rules.thresholds.insert("visits".into(), up_to(10.0));
        },
        |batch| batch.alert.enabled = false,
        |batch| batch.alert.exclude = vec!["ord*".into()],
    ];
    for change in changes {
        let mut fixture = limited("orders").await;
        ingest(&fixture, &[("orders", noon(), 11.0)], noon()).await;
        change(&mut fixture.batch);
        // Nothing new comes.
        ingest(&fixture, &[("orders", noon(), 11.0)], noon() + minutes(1)).await;
        let mut tx = fixture.ctx.catalog.begin().await.unwrap();
        let (batch, kind) = (&fixture.batch.name, AlertKind::Threshold);
        let rows = episodes::newest(&mut tx, batch, kind).await.unwrap();
        assert_eq!(rows[0].episode.resolution, Some(Resolution::Closed));
        assert!(turns::open(&mut tx, batch, kind).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_people_heard_of_is_told_to_be_over_where_new_alerts_are_kept_quiet() {
    let mut fixture = limited("orders").await;
    let mut rows = vec![("orders", noon(), 11.0)];
    ingest(&fixture, &rows, noon()).await;
    fixture.ctx.notify = Notify::Keep;
    rows.push(("orders", noon() + minutes(1), 5.0));
    rows.push(("visits", noon() + minutes(1), 5.0));
    ingest(&fixture, &rows, noon() + minutes(1)).await;
    assert_eq!(told(&fixture).await, [MessageEvent::Firing, MessageEvent::Resolved]);
}

async fn look(fixture: &Fixture, at: Timestamp) -> ChangeReport {
    match fixture.run(JobKind::Change, AsOf::live(at)).await.unwrap() {
        RunReport::Change(report) => report,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_level_that_moved_is_told_once_and_becomes_the_usual_one() {
    let mut fixture = fixture::open().await;
    fixture.batch.rules.change.enabled = true;
    fixture.batch.rules.change.snooze = Snooze::Time(Span::ZERO);
    let row = |n: i64| {
        let level = if n < 60 { 10.0 } else { 20.0 };
        ("orders", noon() + minutes(n), level + (n * 37 % 19 - 9) as f64 / 9.0)
    };
    let mut reports = Vec::new();
    for n in [59, 60, 61, 70, 80, 200] {
        let rows: Vec<_> = (0..=n).map(row).collect();
        ingest(&fixture, &rows, noon() + minutes(n)).await;
        let report = look(&fixture, noon() + minutes(n)).await;
        reports.push((report.tested, report.raised, report.resolved));
    }
    assert_eq!(reports, [(1, 0, 0), (1, 1, 0), (1, 0, 0), (1, 0, 1), (1, 0, 0), (1, 0, 0)]);
    assert_eq!(told(&fixture).await, [MessageEvent::Firing, MessageEvent::Resolved]);
    let rows = {
        let mut reader = fixture.ctx.catalog.reader().await.unwrap();
        episodes::newest(&mut reader, &fixture.batch.name, AlertKind::Change).await.unwrap()
    };
    assert_eq!(rows[0].episode.resolution, Some(Resolution::Closed));
    assert_eq!(rows[0].episode.until, noon() + minutes(61));
}

#[tokio::test]
async fn a_level_that_moved_is_closed_when_nobody_looks_for_it_any_more() {
    for is_job_gone in [true, false] {
        let mut fixture = fixture::open().await;
        fixture.batch.rules.change.enabled = true;
        let row = |n: i64| {
            let level = if n < 60 { 10.0 } else { 20.0 };
            ("orders", noon() + minutes(n), level + (n * 37 % 19 - 9) as f64 / 9.0)
        };
        let rows: Vec<_> = (0..=60).map(row).collect();
        ingest(&fixture, &rows, noon() + minutes(60)).await;
        assert_eq!(look(&fixture, noon() + minutes(60)).await.raised, 1);
        match is_job_gone {
            true => {
                fixture.batch.rules.change.enabled = false;
                ingest(&fixture, &rows, noon() + minutes(61)).await;
            }
            false => {
                fixture.batch.rules.change.exclude = vec!["ord*".into()];
                assert_eq!(look(&fixture, noon() + minutes(61)).await.resolved, 1);
            }
        }
        assert_eq!(
            stored(&fixture).await,
            [("orders".to_owned(), AlertKind::Change, AlertState::Resolved)]
        );
    }
}

#[tokio::test]
async fn metrics_without_a_past_or_left_out_are_not_looked_at() {
    let mut fixture = fixture::open().await;
    fixture.batch.rules.change.exclude = vec!["test_*".into()];
    let mut rows: Vec<_> = (0..40).map(|n| ("test_a", noon() + minutes(n), 1.0)).collect();
    rows.extend((0..10).map(|n| ("orders", noon() + minutes(n), 1.0)));
    ingest(&fixture, &rows, noon() + minutes(40)).await;
    let report = look(&fixture, noon() + minutes(40)).await;
    assert_eq!(report, ChangeReport { too_short: 1, ..ChangeReport::default() });
}

/// Which rule, how it is asked for, and the value of each minute from the 40th on; none stays away.
type Ruled = (AlertKind, fn(&mut BatchSpec), fn(i64) -> Option<f64>);

const RULES: [Ruled; 6] = [
    (
        AlertKind::Threshold,
        |batch| batch.rules.thresholds.extend([("orders".to_owned(), up_to(50.0))]),
        |_| Some(60.0),
    ),
    (AlertKind::Change, |_| {}, |_| Some(60.0)),
    (
        AlertKind::Frozen,
        |batch| batch.rules.still.frozen = Some(Lasting::Points(4)),
        |_| Some(12.0),
    ),
    (AlertKind::Zeros, |batch| batch.rules.still.zeros = Some(Lasting::Points(4)), |_| Some(0.0)),
    (AlertKind::Rows, |batch| batch.rules.still.rows_drop = Some(0.5), |_| Some(12.0)),
    (
        AlertKind::Absence,
        |batch| {
            let after = Span::secs(4 * 60);
            batch.absence = Some(AbsenceSpec { after, exclude: Vec::new() });
        },
        |_| None,
    ),
];

/// The kinds raised by what is seen at the 50th minute, in the quiet time, and at the 60th, after it.
async fn raised_around(rule: &Ruled, quiet: Option<Maintenance>) -> [Vec<AlertKind>; 2] {
    let (kind, ask, value) = rule;
    let mut fixture = fixture::open().await;
    fixture.batch.maintenance.extend(quiet);
    fixture.batch.alert.recent = usize::MAX;
    ask(&mut fixture.batch);
    let usual = |n: i64| ("orders", noon() + minutes(n), 10.0 + (n * 37 % 19) as f64 / 9.0);
    let rows: Vec<_> = (0..40).map(usual).collect();
    for n in 34..40 {
        ingest(&fixture, &rows, noon() + minutes(n)).await;
    }
    let mut found = [Vec::new(), Vec::new()];
    for (found, end) in found.iter_mut().zip([50, 60]) {
        let later = (40..=end).filter_map(|n| Some(("orders", noon() + minutes(n), value(n)?)));
        let mut rows: Vec<_> = rows.iter().copied().chain(later).collect();
        if *kind == AlertKind::Rows {
            rows.drain(..rows.len() - 5);
        }
        let as_of = AsOf::live(noon() + minutes(end));
        ingest(&fixture, &rows, as_of.now).await;
        for job in [JobKind::Change, JobKind::Alert] {
            if (job == JobKind::Change) == (*kind == AlertKind::Change) {
                fixture.run(job, as_of).await.unwrap();
            }
        }
        let kinds = stored(&fixture).await.into_iter().map(|(_, kind, _)| kind);
        found.extend(kinds);
    }
    let metrics = fixture.ctx.metrics.render().unwrap();
    let is_counted = metrics.contains("reason=\"maintenance\"");
    assert_eq!(is_counted, !fixture.batch.maintenance.is_empty(), "{kind:?}");
    found
}

#[tokio::test]
async fn no_rule_fires_in_a_quiet_time_and_what_outlives_it_fires_after_it() {
    for rule in &RULES {
        let (kind, ..) = rule;
        let when = MaintenanceTime::of(vec![(noon() + minutes(39), noon() + minutes(55))]);
        let quiet = Maintenance { when, reason: "move".into() };
        let loud = raised_around(rule, None).await;
        assert_eq!(loud, [vec![*kind], vec![*kind]], "{kind:?}, without one");
        let held = raised_around(rule, Some(quiet)).await;
        assert_eq!(held, [vec![], vec![*kind]], "{kind:?}");
    }
}
