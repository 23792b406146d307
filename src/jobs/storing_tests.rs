//! Ingests whose rows come in several frames and are stored in several segments.

use std::collections::BTreeMap;

use polars::prelude::{Column, DataFrame};

use super::{
    AsOf, JobError,
    fixture::{self, Fixture},
    ingest::Memory,
    storing::{Storing, WATERMARK},
    sweep, window,
};
use crate::{
    catalog::{source_memory, watermarks},
    domain::{IngestReport, JobKind, Remembered, Secret, SourceKind, Span, Timestamp},
    series::Range,
};

type Row = (&'static str, i64, f64);

fn now() -> Timestamp {
    Timestamp::parse("2026-05-31T12:00:00Z").unwrap()
}

/// Rows at so many minutes before now.
fn frame(rows: &[Row]) -> DataFrame {
    let at = |ago: i64| (now() - Span::secs(60 * ago)).secs();
    DataFrame::new_infer_height(vec![
        Column::new("metric".into(), rows.iter().map(|row| row.0).collect::<Vec<_>>()),
        Column::new("ts".into(), rows.iter().map(|row| at(row.1)).collect::<Vec<_>>()),
        Column::new("value".into(), rows.iter().map(|row| row.2).collect::<Vec<_>>()),
    ])
    .unwrap()
}

fn memory(notes: &[(&str, &str)]) -> Memory {
    let mut after = Remembered::default();
    notes.iter().for_each(|(name, note)| after.note(name, (*note).to_owned()));
    Memory { is_live: true, source: "s".into(), before: Remembered::default(), after }
}

/// Stores frames with a segment for every two rows.
async fn store(
    fixture: &Fixture,
    frames: &[DataFrame],
    memory: Memory,
) -> Result<IngestReport, JobError> {
    let as_of = AsOf::live(now());
    let claim = fixture.claim(JobKind::Ingest, as_of).await?;
    let mut storing = Storing::new(&fixture.ctx, &claim, &fixture.batch, as_of)?;
    storing.segment_rows = 2;
    for frame in frames {
        storing.take(frame.clone()).await?;
    }
    let report = storing.commit(memory).await?;
    let mut tx = fixture.ctx.catalog.begin().await?;
    let done = crate::domain::RunReport::Ingest(report.clone());
    crate::catalog::runs::succeed(&mut tx, &claim, &done, now()).await?;
    tx.commit().await?;
    Ok(report)
}

/// Metric, minutes before now and value of all that is stored.
async fn stored(fixture: &Fixture) -> Vec<(String, i64, f64)> {
    let all = Range::between(Timestamp::MIN, Timestamp::MAX);
    let found = window::points_between(&fixture.ctx, &fixture.batch.name, all).await.unwrap();
    let ago = |at: Timestamp| (now().secs() - at.secs()) / 60;
    let rows = found.iter().flat_map(|series| {
        let rows = series.at.iter().zip(&series.value);
        rows.map(|(at, value)| (series.metric.to_string(), ago(*at), *value))
    });
    rows.collect()
}

#[tokio::test]
async fn of_rows_of_one_instant_in_several_frames_the_last_holds() {
    let fixture = fixture::open().await;
    store(&fixture, &[frame(&[("a", 1, 1.0)])], memory(&[])).await.unwrap();
    // The stored value comes back after another one: it must not be taken for no news.
    let frames = [
        frame(&[("a", 1, 2.0), ("b", 9, 9.0)]),
        frame(&[("a", 1, 1.0), ("b", 8, 8.0)]),
        frame(&[("b", 7, 7.0), ("b", 7, 7.5)]),
        frame(&[("b", 9, 9.5)]),
    ];
    let report = store(&fixture, &frames, memory(&[])).await.unwrap();
    let row = |metric: &str, ago, value| (metric.to_owned(), ago, value);
    let expected = [row("a", 1, 1.0), row("b", 9, 9.5), row("b", 8, 8.0), row("b", 7, 7.5)];
    assert_eq!(stored(&fixture).await, expected);
    let n_rejected: u64 = report.rejected.values().sum();
    assert_eq!((report.rows_read, report.rows_stored, n_rejected), (7, 6, 1));
    assert_eq!(report.n_metrics, 2);

    let again = store(&fixture, &frames[2..], memory(&[])).await.unwrap();
    assert_eq!((again.rows_stored, again.rows_unchanged), (0, 2));
}

#[tokio::test]
async fn frames_of_other_columns_and_types_are_kept_and_archived_alike() {
    let fixture = fixture::open().await;
    let texts = DataFrame::new_infer_height(vec![
        Column::new("value".into(), ["5"]),
        Column::new("ts".into(), [(now() - Span::secs(60)).to_string()]),
        Column::new("metric".into(), ["b"]),
    ]);
    let frames = [frame(&[("a", 1, 1.0)]), texts.unwrap()];
    store(&fixture, &frames, memory(&[])).await.unwrap();
    assert_eq!(stored(&fixture).await, [("a".to_owned(), 1, 1.0), ("b".to_owned(), 1, 5.0)]);
    let raw = fixture.ctx.store.keys("data/raw").await.unwrap();
    assert_eq!(raw.len(), 2, "{raw:?}");
}

#[tokio::test]
async fn what_was_stored_of_a_read_that_failed_is_never_seen_and_swept() {
    let mut fixture = fixture::open().await;
    let as_of = AsOf::live(now());
    let claim = fixture.claim(JobKind::Ingest, as_of).await.unwrap();
    let mut storing = Storing::new(&fixture.ctx, &claim, &fixture.batch, as_of).unwrap();
    storing.segment_rows = 1;
    storing.take(frame(&[("a", 1, 1.0)])).await.unwrap();
    drop(storing);
    let written = fixture.ctx.store.keys("data").await.unwrap();
    assert_eq!(written.len(), 2, "a segment and what came: {written:?}");
    assert_eq!(stored(&fixture).await, []);
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    assert!(crate::catalog::runs::cancel(&mut tx, claim.run, now()).await.unwrap());
    tx.commit().await.unwrap();

    store(&fixture, &[frame(&[("a", 2, 2.0)])], memory(&[])).await.unwrap();
    // The store's own clock tells how old an object is.
    fixture.ctx.clock = || Timestamp::parse("2200-01-01T00:00:00Z").unwrap();
    assert_eq!(sweep(&fixture.ctx).await.unwrap().orphans, 2);
    assert_eq!(fixture.ctx.store.keys("data").await.unwrap().len(), 2);
    assert_eq!(stored(&fixture).await, [("a".to_owned(), 2, 2.0)]);
}

async fn remembered(fixture: &Fixture, source: &str) -> Remembered {
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    source_memory::get(&mut reader, &fixture.batch.name, source).await.unwrap()
}

#[tokio::test]
async fn what_a_source_remembers_is_kept_with_its_rows_and_for_its_settings_only() {
    let fixture = fixture::open().await;
    store(&fixture, &[frame(&[("a", 1, 1.0)])], memory(&[("a.csv", "1")])).await.unwrap();
    assert_eq!(remembered(&fixture, "s").await.get("a.csv"), Some("1"));
    assert!(remembered(&fixture, "t").await.is_empty());
    store(&fixture, &[], memory(&[("b.csv", "2")])).await.unwrap();
    let notes = remembered(&fixture, "s").await;
    assert_eq!((notes.get("a.csv"), notes.get("b.csv")), (None, Some("2")), "without rows too");
}

#[tokio::test]
async fn rows_that_a_later_read_may_take_in_are_not_remembered_as_read() {
    let mut fixture = fixture::open().await;
    // Unlike files, it is one whole: what it remembers is of all of its rows.
    fixture.batch.source.kind = SourceKind::Sql {
        url: Secret::new("sqlite://shop.db".into()),
        query: "SELECT 1".into(),
        query_origin: "shop.sql".into(),
        params: BTreeMap::new(),
    };
    let ahead = -60 * 24 * 2;
    let frames = [frame(&[("a", 1, 1.0), ("a", ahead, 2.0)])];
    store(&fixture, &frames, memory(&[("a.csv", "1")])).await.unwrap();
    assert!(remembered(&fixture, "s").await.is_empty());
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let read = watermarks::get(&mut reader, &fixture.batch.name, WATERMARK).await.unwrap();
    assert_eq!(read, Some(now() - Span::secs(60)));
}
