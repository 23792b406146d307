//! Digest: what happened in a stretch of time, over all batches.

use std::collections::BTreeMap;

use crate::{
    alerting,
    catalog::{
        CatalogError, Connection, alerts, alerts::AlertFilter, alerts::AlertRow, feedback,
        messages, models, runs, runs::RunFilter,
    },
    domain::{
        AlertDigest, AlertKind, AlertState, BatchDigest, BatchName, BatchSpec, Digest, DigestSpec,
        JobKind, MessageEvent, MetricName, RunReport, RunState, Span, Timestamp,
    },
};

use super::{JobContext, JobError, tell, tell::Telling};

/// Alerts and silent metrics of a batch that are named; the rest is counted.
const MOST_LINES: usize = 20;
/// Metrics that are called noisy.
const MOST_NOISY: usize = 3;
/// Alerts and runs of one batch looked at.
const MOST_ROWS: u32 = 10_000;

/// Reads what happened from one instant up to another; times are told in a zone.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn digest(
    conn: &mut Connection,
    batches: &[BatchSpec],
    timezone: chrono_tz::Tz,
    (from, until): (Timestamp, Timestamp),
) -> Result<Digest, CatalogError> {
    let mut told = Vec::with_capacity(batches.len());
    for batch in batches {
        told.push(of_batch(conn, &batch.name, (from, until)).await?);
    }
    Ok(Digest { from, until, timezone, batches: told })
}

async fn of_batch(
    conn: &mut Connection,
    batch: &BatchName,
    (from, until): (Timestamp, Timestamp),
) -> Result<BatchDigest, CatalogError> {
    let rows = alerts_of(conn, batch, from).await?;
    let raised = rows.iter().filter(|row| from <= row.raised_at && row.raised_at < until);
    let raised: Vec<&AlertRow> = raised.collect();
    let firing = |row: &&AlertRow| row.episode.state == AlertState::Firing;
    let silent = rows.iter().filter(firing).filter(|row| row.alert.kind == AlertKind::Absence);
    let (failed, n_rejected) = runs_of(conn, batch, (from, until)).await?;
    let tally = feedback::tally(conn, Some(batch), until).await?;
    let models = models::currents(conn, batch).await?;
    let newest = models.iter().map(|model| model.trained_at).max();
    Ok(BatchDigest {
        batch: batch.clone(),
        n_raised: raised.len() as u64,
        n_firing: rows.iter().filter(firing).count() as u64,
        alerts: raised.iter().take(MOST_LINES).map(|row| line(row, until)).collect(),
        noisiest: noisiest(&raised),
        silent: silent.take(MOST_LINES).map(|row| row.alert.metric.clone()).collect(),
        failed,
        n_rejected,
        precision: tally.precision(),
        response_rate: tally.response_rate(),
        model_age: newest.map(|at| (until - at).max(Span::ZERO)),
    })
}

/// Raised since then, or still firing.
async fn alerts_of(
    conn: &mut Connection,
    batch: &BatchName,
    from: Timestamp,
) -> Result<Vec<AlertRow>, CatalogError> {
    let batch = Some(batch.clone());
    let filter = AlertFilter { batch, limit: MOST_ROWS, ..AlertFilter::default() };
    let mut rows = alerts::list(conn, &filter).await?;
    rows.retain(|row| from <= row.raised_at || row.episode.state == AlertState::Firing);
    Ok(rows)
}

fn line(row: &AlertRow, until: Timestamp) -> AlertDigest {
    let AlertRow { alert, episode, .. } = row;
    let end = match episode.state {
        AlertState::Firing => until,
        AlertState::Resolved => episode.until.max(alert.at),
    };
    AlertDigest {
        severity: alert.severity,
        kind: alert.kind,
        metric: alert.metric.clone(),
        since: alert.since,
        lasted: (end - alert.since).max(Span::ZERO),
        is_over: episode.state == AlertState::Resolved,
        reason: alert.reason.clone(),
    }
}

/// The metrics with the most alerts, those with more than one.
fn noisiest(raised: &[&AlertRow]) -> Vec<(MetricName, u64)> {
    let mut counts = BTreeMap::<&MetricName, u64>::new();
    for row in raised {
        *counts.entry(&row.alert.metric).or_default() += 1;
    }
    let mut counts: Vec<(MetricName, u64)> = counts
        .into_iter()
        .filter(|(_, n_alerts)| 1 < *n_alerts)
        .map(|(metric, n_alerts)| (metric.clone(), n_alerts))
        .collect();
    counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    counts.truncate(MOST_NOISY);
    counts
}

/// How many runs failed for good, by job, and how many rows were rejected.
async fn runs_of(
    conn: &mut Connection,
    batch: &BatchName,
    (from, until): (Timestamp, Timestamp),
) -> Result<(Vec<(JobKind, u64)>, u64), CatalogError> {
    let filter = RunFilter { batch: Some(batch.clone()), limit: MOST_ROWS, ..RunFilter::default() };
    let (mut failed, mut n_rejected) = (BTreeMap::<JobKind, u64>::new(), 0_u64);
    for run in runs::list(conn, &filter).await? {
        if run.slot < from || until <= run.slot {
            continue;
        }
        if run.state == RunState::Dead {
            *failed.entry(run.job).or_default() += 1;
        }
        if let Some(RunReport::Ingest(report)) = run.report {
            n_rejected += report.rejected.values().sum::<u64>();
        }
    }
    Ok((failed.into_iter().collect(), n_rejected))
}

/// Puts the digest of a slot in the outbox of its channels, once; `false` when it is there.
///
/// # Errors
/// [`JobError::Catalog`].
pub async fn send_digest(
    ctx: &JobContext,
    batches: &[BatchSpec],
    spec: &DigestSpec,
    (from, slot): (Timestamp, Timestamp),
) -> Result<bool, JobError> {
    let again = slot.to_string();
    let id = alerting::message_id(MessageEvent::Digest, &[], &again);
    let mut reader = ctx.catalog.reader().await?;
    if messages::get(&mut reader, &id).await?.is_some() {
        return Ok(false);
    }
    let found = digest(&mut reader, batches, spec.timezone, (from, slot)).await?;
    drop(reader);
    let telling = Telling {
        event: MessageEvent::Digest,
        batch: None,
        alerts: Vec::new(),
        words: Some((found.title(), found.text())),
        again,
        channels: spec.channels.iter().cloned().collect(),
    };
    let mut tx = ctx.catalog.begin().await?;
    let n_queued = tell::tell(&mut tx, &telling, (ctx.clock)()).await?;
    messages::keep_digest(&mut tx, &id, &found).await?;
    tx.commit().await?;
    Ok(0 < n_queued)
}
