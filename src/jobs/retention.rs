//! Retention: what is older than a batch wants to keep leaves the catalog; the sweep then removes
//! its objects. Models that serve, served last, or raised an alert that is still known stay.

use std::fmt;

use crate::{
    catalog::{
        forget,
        forget::{OldAlerts, Walk},
        models, raw_parts, runs, segments,
    },
    domain::{BatchName, BatchSpec, SegmentKind, Span, Timestamp},
    io::layout,
};

use super::{JobContext, JobError};

/// Versions of a metric's model that stay however old they are.
const KEEP_MODELS: u32 = 10;
/// Versions younger than this stay however many there are.
const KEEP_MODELS_FOR: Span = Span::days(2);
/// Alerts and messages are counted over this long, so they stay for as long at least.
const LEAST_TOLD: Span = Span::days(90);
/// How long alerts stay whose batch is not configured any more: as the usual history.
const UNCONFIGURED: Span = Span::days(365);
/// Rows of a transaction, so that other writers wait for some milliseconds at most.
const AT_ONCE: u32 = 200;

/// What retention let go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retired {
    /// History segments.
    pub segments: u64,
    /// Objects with what an ingest received.
    pub raw: u64,
    /// Model versions.
    pub models: u64,
    /// Runs with their logs.
    pub runs: u64,
}

impl fmt::Display for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segments, raw, models, runs } = self;
        write!(f, "{segments} segments, {raw} raw objects, {models} models and {runs} runs")
    }
}

/// Lets go of what is older than the batch's retention. A segment goes when its newest row is too
/// old, so rows may stay a little longer than asked for, never shorter.
///
/// # Errors
/// [`JobError`] when the catalog or the store cannot be used; a later pass goes on.
pub async fn retire(ctx: &JobContext, batch: &BatchSpec) -> Result<Retired, JobError> {
    let now = (ctx.clock)();
    let before = now - batch.history.retention;
    let mut retired = Retired::default();
    let mut tx = ctx.catalog.begin().await?;
    for kind in SegmentKind::ALL {
        let (from, to) = (Timestamp::MIN, before);
        for old in segments::live(&mut tx, &batch.name, *kind, from, to).await? {
            if old.max_at < before {
                segments::doom(&mut tx, old.id, now).await?;
                retired.segments += 1;
            }
        }
    }
    let old_models = models::Surplus { keep: KEEP_MODELS, before: now - KEEP_MODELS_FOR };
    retired.models = models::forget_surplus(&mut tx, &batch.name, old_models).await?;
    tx.commit().await?;
    retired.runs = in_parts(ctx, Old::Runs(&batch.name, before)).await?;
    retired.raw = remove_raw(ctx, batch, before).await?;
    Ok(retired)
}

/// What is old, by table.
#[derive(Clone, Copy)]
enum Old<'a> {
    Runs(&'a BatchName, Timestamp),
    Alerts(OldAlerts<'a>),
    Snoozes(Timestamp),
}

/// Forgets what is old, a part a transaction; gives how much it was.
async fn in_parts(ctx: &JobContext, old: Old<'_>) -> Result<u64, JobError> {
    let mut total = 0;
    loop {
        let mut tx = ctx.catalog.begin().await?;
        let n_done = match old {
            Old::Runs(batch, before) => runs::forget_before(&mut tx, batch, before, AT_ONCE).await,
            Old::Alerts(old) => forget::alerts(&mut tx, old, AT_ONCE).await,
            Old::Snoozes(before) => forget::snoozes(&mut tx, before, AT_ONCE).await,
        }?;
        tx.commit().await?;
        total += n_done;
        if n_done == 0 {
            return Ok(total);
        }
    }
}

/// Forgets old messages, looking at a part of them a transaction; gives how many.
async fn forget_messages(ctx: &JobContext, before: Timestamp) -> Result<u64, JobError> {
    let mut walk = Walk::begin();
    loop {
        let mut tx = ctx.catalog.begin().await?;
        let has_more = forget::messages(&mut tx, before, &mut walk, AT_ONCE).await?;
        tx.commit().await?;
        if !has_more {
            return Ok(walk.n_forgotten);
        }
    }
}

/// What was let go of what people were told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Alerts that are over, with the words on them.
    pub alerts: u64,
    /// Messages that went their way.
    pub messages: u64,
    /// Silences that ended.
    pub snoozes: u64,
}

impl fmt::Display for Forgotten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alerts, messages, snoozes } = self;
        write!(f, "{alerts} alerts, {messages} messages and {snoozes} silences")
    }
}

/// Lets go of alerts that are over and of what was said of them, once they are as old as their
/// batch's history may become and as `LEAST_TOLD`; also of batches that are not configured any
/// more. Open alerts and what is still to be said stay, and words on alerts stay for as long as they
/// keep a stored point from training.
///
/// # Errors
/// [`JobError::Catalog`]; a later pass goes on.
pub async fn forget_told(ctx: &JobContext, batches: &[BatchSpec]) -> Result<Forgotten, JobError> {
    let now = (ctx.clock)();
    let mut forgotten = Forgotten::default();
    let named = forget::batches_with_alerts(&mut *ctx.catalog.reader().await?).await?;
    for name in &named {
        let batch = batches.iter().find(|batch| batch.name == *name);
        let age = batch.map_or(UNCONFIGURED, |batch| batch.history.retention.max(LEAST_TOLD));
        let oldest_point = segments::oldest_point(&mut *ctx.catalog.reader().await?, name).await?;
        let old = OldAlerts { batch: name, before: now - age, oldest_point };
        forgotten.alerts += in_parts(ctx, Old::Alerts(old)).await?;
    }
    let before = now - LEAST_TOLD;
    forgotten.messages = forget_messages(ctx, before).await?;
    forgotten.snoozes = in_parts(ctx, Old::Snoozes(before)).await?;
    Ok(forgotten)
}

/// Raw objects lie in folders named by day; a day goes when all of it is too old.
async fn remove_raw(
    ctx: &JobContext,
    batch: &BatchSpec,
    before: Timestamp,
) -> Result<u64, JobError> {
    let mut n_removed = 0;
    for key in ctx.store.keys(&layout::raw_prefix(&batch.name)).await? {
        let day = layout::raw_day(&key).and_then(|day| Timestamp::parse(day).ok());
        if day.is_some_and(|day| day + Span::days(1) <= before) {
            ctx.store.delete_if_exists(&key).await?;
            let mut tx = ctx.catalog.begin().await?;
            raw_parts::forget(&mut tx, key.as_str()).await?;
            tx.commit().await?;
            n_removed += 1;
        }
    }
    Ok(n_removed)
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
