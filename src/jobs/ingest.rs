//! Ingest: asks the source for rows since the last good one minus the lateness, rejects bad rows by
//! reason, and stores what is new or changed. Repeating it stores nothing.

use polars::prelude::DataFrame;

use crate::{
    catalog::{metrics, metrics::MetricSeen, runs, runs::Claim, segments, watermarks},
    domain::{BatchSpec, IngestReport, Point, Span},
    io::{StoreError, WriteMode, layout, parquet},
    series::{self, Range},
    sources::{self, Intake, IntakeRules, Notes, ReadContext},
};

use super::{AsOf, JobContext, JobError, window};

const WATERMARK: &str = "ingest";

pub(super) async fn ingest(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    as_of: AsOf,
) -> Result<IngestReport, JobError> {
    let mut reader = ctx.catalog.reader().await?;
    let watermark = watermarks::get(&mut reader, &batch.name, WATERMARK).await?;
    drop(reader);
    let notes = Notes::default();
    let reading = ReadContext {
        batch,
        now: as_of.now,
        last_timestamp: as_of.read_until(watermark),
        client: &ctx.client,
        program: &ctx.program,
        environment: &ctx.environment,
        notes: &notes,
    };
    let frame = sources::read(&batch.source, &reading, &ctx.compute).await?;
    let (frame, intake) = take_in(ctx, batch, as_of, frame).await?;
    let Intake { points, mut report } = intake;
    report.notes = notes.take();

    let fresh = keep_changed(ctx, batch, points).await?;
    let n_read: u64 = report.rows_read;
    let n_rejected: u64 = report.rejected.values().sum();
    report.rows_stored = fresh.len() as u64;
    report.rows_unchanged = n_read.saturating_sub(n_rejected + report.rows_stored);
    ctx.metrics.rows_ingested(&batch.name, report.rows_stored);
    for (reason, n_rows) in &report.rejected {
        ctx.metrics.rows_rejected(&batch.name, *reason, *n_rows);
    }
    if fresh.is_empty() {
        return Ok(report);
    }
    archive(ctx, claim, batch, frame, as_of).await?;
    commit(ctx, claim, batch, fresh, as_of).await?;
    Ok(report)
}

async fn take_in(
    ctx: &JobContext,
    batch: &BatchSpec,
    as_of: AsOf,
    frame: DataFrame,
) -> Result<(DataFrame, Intake), JobError> {
    let mut rules = IntakeRules::of(batch, as_of.now);
    rules.newest = rules.newest.min(as_of.until - Span::from_micros(1));
    let work = move || {
        let intake = sources::intake(&frame, &rules);
        intake.map(|intake| (frame, intake))
    };
    Ok(ctx.compute.run(work).await??)
}

/// Only the points that are new or have another value than the stored one.
async fn keep_changed(
    ctx: &JobContext,
    batch: &BatchSpec,
    points: Vec<Point>,
) -> Result<Vec<Point>, JobError> {
    let Some(oldest) = points.iter().map(|point| point.at).min() else { return Ok(points) };
    let newest = points.iter().map(|point| point.at).max().unwrap_or(oldest);
    let until = newest + Span::from_micros(1);
    let range = Range::between(oldest, until);
    let stored = window::points_between(ctx, &batch.name, range).await?;
    if stored.is_empty() {
        return Ok(points);
    }
    Ok(ctx.compute.run(move || series::changed(&stored, &points)).await?)
}

/// Keeps what the source gave, as it came, by arrival day.
async fn archive(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    mut frame: DataFrame,
    as_of: AsOf,
) -> Result<(), JobError> {
    let key = layout::raw_key(&batch.name, as_of.now, claim.run, claim.epoch);
    let encode = move || parquet::encode(&mut frame, parquet::Compression::Zstd);
    let bytes = ctx.compute.run(encode).await?.map_err(|source| JobError::Encode {
        what: "the raw rows".into(),
        source: source.into(),
    })?;
    match ctx.store.put(&key, bytes, WriteMode::CreateOnly).await {
        // Every attempt has its own key: this one had written it.
        Ok(()) | Err(StoreError::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// One object, then one transaction that makes it part of the history and moves the watermark.
async fn commit(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    fresh: Vec<Point>,
    as_of: AsOf,
) -> Result<(), JobError> {
    let seen = summarise(&fresh);
    // One metric stamped ahead must not make later reads pass over the others' rows.
    let newest = fresh.iter().map(|point| point.at.min(as_of.now)).max();
    let key = layout::points_key(&batch.name, claim.run, claim.epoch);
    let segment = ctx.history.write_points(key, &batch.name, fresh).await?;
    let now = (ctx.clock)();
    let mut tx = ctx.catalog.begin().await?;
    runs::guard(&mut tx, claim, "store").await?;
    segments::insert(&mut tx, &segment, claim.run).await?;
    metrics::touch(&mut tx, &batch.name, &seen, now).await?;
    let watermark = watermarks::get(&mut tx, &batch.name, WATERMARK).await?;
    if let Some(newest) = newest.filter(|newest| watermark.is_none_or(|old| old < *newest)) {
        watermarks::set(&mut tx, &batch.name, WATERMARK, newest).await?;
        ctx.metrics.set_newest_point(&batch.name, newest);
    }
    Ok(tx.commit().await?)
}

/// Newest point and count of each metric; `fresh` is sorted by metric and time.
fn summarise(fresh: &[Point]) -> Vec<MetricSeen> {
    fresh
        .chunk_by(|a, b| a.metric == b.metric)
        .filter_map(|points| {
            let newest: &Point = points.iter().max_by_key(|point| point.at)?;
            Some(MetricSeen {
                metric: newest.metric.clone(),
                newest_at: newest.at,
                newest_value: newest.value,
                n_new: points.len() as u64,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MetricName, Timestamp};

    #[test]
    fn the_newest_point_of_each_metric_is_summarised() {
        let point = |metric: &str, secs: i64, value: f64| Point {
            metric: MetricName::parse(metric).unwrap(),
            at: Timestamp::from_secs(secs).unwrap(),
            value,
        };
        let seen = summarise(&[point("a", 1, 1.0), point("a", 3, 3.0), point("b", 2, 2.0)]);
        let found: Vec<_> =
            seen.iter().map(|s| (s.metric.as_str(), s.newest_value, s.n_new)).collect();
        assert_eq!(found, [("a", 3.0, 2), ("b", 2.0, 1)]);
    }
}
