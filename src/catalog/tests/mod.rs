//! The catalog on real files; here what the other tests share, and opening.

mod runs_live;
mod tables;

use std::path::Path;

use super::{
    alerts, configs, episodes, messages, metrics, models,
    models::{Damage, ModelRow, ModelState},
    outbox, run_log, runs,
    runs::{Claim, Failure, Lease, NewRun, RunCause, RunFilter, Voided},
    segments, watermarks, *,
};
use crate::domain::{
    Alert, AlertId, AlertKind, AlertState, Band, BatchName, Digest, IngestReport, JobKind,
    MessageEvent, MessageId, MetricName, ModelVersion, NoScore, Resolution, RunId, RunReport,
    RunState, ScorePoint, Segment, SegmentKind, Severity, Skipped, Span, Timestamp,
};

const LEASE: Lease<'_> = Lease { worker: "here", length: Span::secs(30) };

struct Fixture {
    catalog: Catalog,
    folder: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&folder.path().join("catalog.db")).await.unwrap();
    Fixture { catalog, folder }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + secs).unwrap()
}

fn batch(name: &str) -> BatchName {
    BatchName::parse(name).unwrap()
}

fn metric(name: &str) -> MetricName {
    MetricName::parse(name).unwrap()
}

fn new_run(name: &str, job: JobKind, secs: i64) -> NewRun {
    NewRun {
        batch: batch(name),
        job,
        slot: at(secs),
        cause: RunCause::Schedule,
        due: at(secs),
        config_hash: "c0ffee".into(),
    }
}

fn report() -> RunReport {
    RunReport::Ingest(IngestReport { rows_read: 3, rows_stored: 2, ..IngestReport::default() })
}

async fn materialise(catalog: &Catalog, new: &NewRun) -> Option<RunId> {
    let mut tx = catalog.begin().await.unwrap();
    let run = runs::materialise(&mut tx, new, new.slot).await.unwrap();
    tx.commit().await.unwrap();
    run
}

async fn claim(catalog: &Catalog, now: Timestamp) -> Option<Claim> {
    let mut tx = catalog.begin().await.unwrap();
    let claim = runs::claim(&mut tx, now, LEASE, &runs::Room::unlimited()).await.unwrap();
    tx.commit().await.unwrap();
    claim
}

async fn state(catalog: &Catalog, run: RunId) -> (RunState, i64, i64) {
    let row = runs::get(&mut catalog.reader().await.unwrap(), run).await.unwrap().unwrap();
    (row.state, row.attempt, row.crash_count)
}

async fn sql(path: &Path, statement: &'static str) -> Result<(), sqlx::Error> {
    use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
    let options = SqliteConnectOptions::new().filename(path);
    let mut conn = SqliteConnection::connect_with(&options).await?;
    sqlx::query(statement).execute(&mut conn).await?;
    conn.close().await
}

#[tokio::test]
async fn a_transaction_dropped_before_its_commit_leaves_nothing() {
    let Fixture { catalog, folder } = fixture().await;
    let mut tx = catalog.begin().await.unwrap();
    let new = new_run("shop", JobKind::Ingest, 0);
    let run = runs::materialise(&mut tx, &new, at(0)).await.unwrap().unwrap();
    let claimed = runs::claim_one(&mut tx, run, at(0), LEASE).await.unwrap().unwrap();
    segments::insert(&mut tx, &segment("a"), claimed.run).await.unwrap();
    models::register(&mut tx, &model(1), run).await.unwrap();
    assert!(alerts::insert(&mut tx, &alert("x"), run, at(0)).await.unwrap());
    let said = message(&mut tx, "x").await;
    outbox::enqueue(&mut tx, &said, "log", at(0)).await.unwrap();
    watermarks::set(&mut tx, &new.batch, "ingest", at(0)).await.unwrap();
    drop(tx);
    catalog.close().await.unwrap();

    let catalog = Catalog::open(&folder.path().join("catalog.db")).await.unwrap();
    let mut conn = catalog.reader().await.unwrap();
    assert_eq!(runs::list(&mut conn, &RunFilter::default()).await.unwrap(), []);
    assert_eq!(segments::known_keys(&mut conn).await.unwrap(), Vec::<String>::new());
    assert!(!models::has_any(&mut conn, &new.batch).await.unwrap());
    assert_eq!(alerts::get(&mut conn, &AlertId("x".into())).await.unwrap(), None);
    assert_eq!(outbox::counts(&mut conn).await.unwrap(), []);
    assert_eq!(watermarks::get(&mut conn, &new.batch, "ingest").await.unwrap(), None);
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let mut conn = catalog.reader().await.unwrap();
    let refused = runs::materialise(&mut conn, &new_run("a", JobKind::Train, 0), at(0)).await;
    assert!(matches!(refused, Err(CatalogError::Query { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_catalog_of_a_newer_program_and_a_damaged_one_are_refused() {
    let Fixture { catalog, folder } = fixture().await;
    let path = folder.path().join("catalog.db");
    catalog.close().await.unwrap();
    sql(&path, "UPDATE _sqlx_migrations SET version = 9000 WHERE version = 1").await.unwrap();
    let refused = Catalog::open(&path).await.unwrap_err();
    assert!(matches!(refused, CatalogError::Newer { found: 9000, .. }), "{refused}");

    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is no database ".repeat(500)).unwrap();
    let refused = Catalog::open(&text).await.unwrap_err();
    assert!(matches!(refused, CatalogError::Damaged { .. } | CatalogError::Open { .. }));
}

#[tokio::test]
async fn a_catalog_of_an_older_program_is_copied_before_it_is_migrated() {
    let Fixture { catalog, folder } = fixture().await;
    let path = folder.path().join("catalog.db");
    materialise(&catalog, &new_run("shop", JobKind::Ingest, 0)).await;
    open::copy(&catalog.writer, &path, 1).await.unwrap();
    open::copy(&catalog.writer, &path, 1).await.unwrap();
    let copy = Catalog::open(&folder.path().join("catalog.db.before-1")).await.unwrap();
    let mut conn = copy.reader().await.unwrap();
    assert_eq!(runs::list(&mut conn, &RunFilter::default()).await.unwrap().len(), 1);
    assert!(!folder.path().join("catalog.db.before-1.partial").exists());
}

#[tokio::test]
async fn a_catalog_of_the_first_version_keeps_its_runs_and_gets_all_that_came_later() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let first = sqlx::SqlitePool::connect_with(options).await.unwrap();
    open::migrate(&first, &path, 1).await.unwrap();
    let new = new_run("shop", JobKind::Ingest, 0);
    let mut conn = first.acquire().await.unwrap();
    runs::materialise(&mut conn, &new, at(0)).await.unwrap();
    segments::insert(&mut conn, &segment("old"), RunId(1)).await.unwrap();
    let forgotten = new_run("shop", JobKind::Train, 0);
    runs::materialise(&mut conn, &forgotten, at(0)).await.unwrap();
    sqlx::raw_sql("DELETE FROM runs WHERE id = 2").execute(&mut *conn).await.unwrap();
    drop(conn);
    first.close().await;
    let catalog = Catalog::open(&path).await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    assert!(pauses::pause(&mut tx, &batch("shop"), at(1)).await.unwrap());
    assert_eq!(runs::list(&mut tx, &RunFilter::default()).await.unwrap().len(), 1);
    let events = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM run_events WHERE run = 1");
    assert_eq!(events.fetch_one(&mut *tx).await.unwrap(), 1);
    let next = runs::materialise(&mut tx, &new_run("shop", JobKind::Change, 0), at(1)).await;
    assert_eq!(next.unwrap(), Some(RunId(3)), "the number of a forgotten run is not given again");
    let later = Segment { kind: SegmentKind::Challengers, ..segment("new") };
    assert_eq!(segments::insert(&mut tx, &later, RunId(1)).await.unwrap(), 2);
    for (kind, id) in [(SegmentKind::Points, 1), (SegmentKind::Challengers, 2)] {
        let live = segments::live(&mut tx, &batch("shop"), kind, at(0), at(9)).await.unwrap();
        assert_eq!(live.iter().map(|segment| segment.id).collect::<Vec<_>>(), [id]);
    }
    assert!(folder.path().join("catalog.db.before-1").exists());
}

#[tokio::test]
async fn alerts_deliveries_and_feedback_from_before_there_were_episodes_are_kept() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let old = sqlx::SqlitePool::connect_with(options).await.unwrap();
    open::migrate(&old, &path, 6).await.unwrap();
    for sql in [
        "INSERT INTO alerts (id, batch, metric, kind, severity, at, since, reason, raised_at, run)
         VALUES ('x', 'shop', 'orders', 'absence', 'warning', 5, 4, 'silent', 6, 1)",
        "INSERT INTO outbox (alert, channel, state, attempts, next_at, idem_key, first_at)
         VALUES ('x', 'hook', 'pending', 3, 0, 'x.hook', 0)",
        "INSERT INTO feedback (alert, verdict, note, author, at) VALUES ('x', 'up', '', 'me', 7)",
    ] {
        sqlx::query(sql).execute(&old).await.unwrap();
    }
    old.close().await;
    let catalog = Catalog::open(&path).await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    let id = AlertId("x".into());
    let row = alerts::get(&mut tx, &id).await.unwrap().unwrap();
    assert_eq!(row.episode.state, AlertState::Resolved);
    assert_eq!(feedback::of_alert(&mut tx, &id).await.unwrap().len(), 1);
    let due = outbox::take(&mut tx, "hook", outbox::Taking::at(at(0)), 10).await.unwrap();
    assert_eq!((due[0].attempts, due[0].idem_key.as_str()), (3, "x.hook"));
    assert_eq!(messages::alerts_of(&mut tx, &due[0].message).await.unwrap(), [id]);
    let digest = messages::digest_of(&mut tx, &due[0].message).await.unwrap();
    assert_eq!(digest, None, "what was said before digests were kept has its text alone");
    let broken = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut *tx).await.unwrap();
    assert!(broken.is_empty(), "every reference is whole");
    for (after, n_words) in [(Timestamp::MIN, 1), (at(0), 0)] {
        let words = feedback::newest(&mut tx, &batch("shop"), after).await.unwrap();
        assert_eq!(words.len(), n_words, "after {after}");
    }
    let explained = "EXPLAIN QUERY PLAN SELECT MAX(attempts) FROM outbox WHERE merged_into = ?1";
    let plan = sqlx::query_as::<_, (i64, i64, i64, String)>(explained).bind("m");
    let plan = plan.fetch_one(&mut *tx).await.unwrap().3;
    assert!(plan.contains("outbox_by_merged"), "{plan}");
}

#[tokio::test]
async fn what_is_counted_every_second_or_let_go_of_is_found_by_an_index() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let mut reader = catalog.reader().await.unwrap();
    for (query, index) in [
        (outbox::BACKLOG, "COVERING INDEX outbox_waiting"),
        (readings::ANY_OPEN, "INDEX readings_open"),
        (forget::OLD_ALERTS, "INDEX alerts_ended"),
        (forget::OLD_MESSAGES, "INDEX messages_by_time"),
    ] {
        let explained = format!("EXPLAIN QUERY PLAN {query}");
        let plan = sqlx::query_as::<_, (i64, i64, i64, String)>(sqlx::AssertSqlSafe(explained));
        let plan = plan.fetch_all(&mut *reader).await.unwrap();
        let plan: Vec<&str> = plan.iter().map(|step| step.3.as_str()).collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{query}: {plan:?}");
        let is_scan = |step: &&&str| step.starts_with("SCAN") && !step.contains("INDEX");
        let is_list = |step: &&&str| step.contains("json_each") || step.contains("CONSTANT ROW");
        let scans: Vec<_> = plan.iter().filter(is_scan).filter(|step| !is_list(step)).collect();
        assert!(scans.is_empty(), "{query}: {plan:?}");
    }
}

#[tokio::test]
async fn a_paused_batch_gives_no_run_to_a_worker_except_by_hand() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let scheduled = materialise(&catalog, &new_run("shop", JobKind::Ingest, 0)).await;
    let by_hand = NewRun { cause: RunCause::Manual, ..new_run("shop", JobKind::Train, 5) };
    let by_hand = materialise(&catalog, &by_hand).await;
    let mut tx = catalog.begin().await.unwrap();
    assert!(pauses::pause(&mut tx, &batch("shop"), at(1)).await.unwrap());
    assert!(!pauses::pause(&mut tx, &batch("shop"), at(2)).await.unwrap());
    assert_eq!(pauses::all(&mut tx).await.unwrap(), [(batch("shop"), at(1))].into());
    assert_eq!(runs::next_due(&mut tx).await.unwrap(), Some(at(5)));
    tx.commit().await.unwrap();
    let first = claim(&catalog, at(9)).await.unwrap();
    assert_eq!(Some(first.run), by_hand);
    let mut tx = catalog.begin().await.unwrap();
    runs::succeed(&mut tx, &first, &report(), at(9)).await.unwrap();
    assert_eq!(runs::next_due(&mut tx).await.unwrap(), None);
    tx.commit().await.unwrap();
    assert_eq!(claim(&catalog, at(9)).await, None);
    let mut tx = catalog.begin().await.unwrap();
    assert!(pauses::resume(&mut tx, &batch("shop")).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(claim(&catalog, at(9)).await.map(|claim| claim.run), scheduled);
}

fn segment(key: &str) -> Segment {
    Segment {
        id: 0,
        batch: batch("shop"),
        kind: SegmentKind::Points,
        key: key.into(),
        min_at: at(0),
        max_at: at(10),
        n_rows: 5,
        size: 100,
        sha256: "a".repeat(64),
    }
}

fn model(day: i64) -> ModelRow {
    let trained_at = at(day * 86_400);
    ModelRow {
        batch: batch("shop"),
        metric: metric("../../x 🚀"),
        version: ModelVersion::at(trained_at),
        model_key: format!("models/{day}.pkl"),
        metadata_key: format!("models/{day}.json"),
        sha256: "b".repeat(64),
        size: 10,
        trained_at,
        rows: 90,
        detectors: vec!["pca".into(), "knn".into()],
        state: ModelState::Verified,
        reason: None,
        quality: None,
    }
}

fn alert(id: &str) -> Alert {
    Alert {
        id: AlertId(id.into()),
        batch: batch("shop"),
        metric: metric("orders"),
        kind: AlertKind::Anomaly,
        severity: Severity::Warning,
        at: at(5),
        since: at(4),
        value: Some(9.5),
        band: Some(Band { expected: 5.0, lower: 4.0, upper: 6.0 }),
        score: Some(0.99),
        threshold: Some(0.9),
        model: Some(model(1).version),
        reason: "far above".into(),
    }
}

#[tokio::test]
async fn a_digest_is_kept_and_one_in_an_unknown_form_is_told_by_its_text() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let mut tx = catalog.begin().await.unwrap();
    assert!(alerts::insert(&mut tx, &alert("a"), RunId(1), at(0)).await.unwrap());
    let id = message(&mut tx, "a").await;
    let timezone = chrono_tz::Europe::Dublin;
    let digest = Digest { from: at(0), until: at(9), timezone, batches: Vec::new() };
    messages::keep_digest(&mut tx, &id, &digest).await.unwrap();
    assert_eq!(messages::digest_of(&mut tx, &id).await.unwrap(), Some(digest));
    sqlx::query("UPDATE messages SET digest = '{\"of\": 1}'").execute(&mut *tx).await.unwrap();
    assert_eq!(messages::digest_of(&mut tx, &id).await.unwrap(), None);
}

#[tokio::test]
async fn a_message_names_what_still_fires_first_and_of_that_what_is_critical() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let mut tx = catalog.begin().await.unwrap();
    for (id, severity) in [
        ("over", Severity::Critical),
        ("warning", Severity::Warning),
        ("critical", Severity::Critical),
    ] {
        let alert = Alert { severity, ..alert(id) };
        assert!(alerts::insert(&mut tx, &alert, RunId(1), at(0)).await.unwrap());
    }
    let over = AlertId("over".into());
    assert!(episodes::resolve(&mut tx, &over, Resolution::Closed, at(9)).await.unwrap());
    let about = ["over", "warning", "critical"].map(|id| AlertId(id.into()));
    let row = messages::MessageRow {
        id: MessageId("m".into()),
        event: MessageEvent::Firing,
        batch: Some(batch("shop")),
        title: None,
        text: None,
        created_at: at(0),
    };
    assert!(messages::insert(&mut tx, &row, &about).await.unwrap());
    let first = messages::first_alerts(&mut tx, &row.id, 2).await.unwrap();
    assert_eq!(first, ["critical", "warning"].map(|id| AlertId(id.into())));
}

/// A message of the same name about an alert that there is.
async fn message(conn: &mut Connection, id: &str) -> MessageId {
    let message = messages::MessageRow {
        id: MessageId(id.into()),
        event: MessageEvent::Firing,
        batch: Some(batch("shop")),
        title: None,
        text: None,
        created_at: at(0),
    };
    assert!(messages::insert(conn, &message, &[AlertId(id.into())]).await.unwrap());
    assert!(!messages::insert(conn, &message, &[AlertId(id.into())]).await.unwrap());
    message.id
}
