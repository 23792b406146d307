//! Retention: what is older than a batch wants to keep leaves the catalog; the sweep then removes
//! its objects. Models that serve, served last, or raised an alert that is still known stay.

use std::fmt;

use crate::{
    catalog::{models, raw_parts, runs, segments},
    domain::{BatchSpec, SegmentKind, Span, Timestamp},
    io::layout,
};

use super::{JobContext, JobError};

/// Versions of a metric's model that stay however old they are.
const KEEP_MODELS: u32 = 10;
/// Versions younger than this stay however many there are.
const KEEP_MODELS_FOR: Span = Span::days(2);

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
    retired.runs = runs::forget_before(&mut tx, &batch.name, before).await?;
    let old_models = models::Surplus { keep: KEEP_MODELS, before: now - KEEP_MODELS_FOR };
    retired.models = models::forget_surplus(&mut tx, &batch.name, old_models).await?;
    tx.commit().await?;
    retired.raw = remove_raw(ctx, batch, before).await?;
    Ok(retired)
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
mod tests {
    use super::*;
    use crate::{
        catalog::runs::{NewRun, RunCause},
        domain::{JobKind, MetricName, Point},
        jobs::fixture::{self, Fixture},
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
}
