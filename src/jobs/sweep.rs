//! Sweep: removes objects nothing refers to: segments that compaction replaced, and what a killed
//! run had written but not committed. Only objects older than the grace are touched, and none of a
//! batch that is being worked on, so a run that is just writing keeps its own.

use std::collections::HashSet;

use crate::{
    catalog::{inbox as pushed, links, models, raw_parts, runs, segments},
    domain::{BatchName, Link, SegmentKind, Span},
    io::{Key, layout},
};

use super::{JobContext, JobError, inbox};

/// For what is written outside of runs: far longer than it takes from an object to its commit.
const GRACE: Span = Span::hours(2);

/// What a sweep removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Objects of replaced segments.
    pub replaced: u64,
    /// Objects that never became part of anything.
    pub orphans: u64,
}

/// Removes what nothing refers to any more.
///
/// # Errors
/// [`JobError`] when the store or the catalog cannot be used; a later sweep goes on.
pub async fn sweep(ctx: &JobContext) -> Result<Swept, JobError> {
    let mut swept = Swept::default();
    let mut reader = ctx.catalog.reader().await?;
    let doomed = segments::doomed(&mut reader, (ctx.clock)() - GRACE).await?;
    drop(reader);
    for segment in doomed {
        ctx.store.delete_if_exists(&Key::parse(&segment.key)?).await?;
        let mut tx = ctx.catalog.begin().await?;
        segments::forget(&mut tx, segment.id).await?;
        tx.commit().await?;
        swept.replaced += 1;
    }
    inbox::remove_spent(ctx).await?;
    // Followed that long ago, a link has expired by itself.
    let mut tx = ctx.catalog.begin().await?;
    links::forget_before(&mut tx, (ctx.clock)() - Link::LIFE - GRACE).await?;
    tx.commit().await?;
    for prefix in ["data/processed", "data/raw", layout::INBOX, "models"] {
        swept.orphans += sweep_orphans(ctx, prefix).await?;
    }
    Ok(swept)
}

async fn sweep_orphans(ctx: &JobContext, prefix: &str) -> Result<u64, JobError> {
    // Listed before the references are read: what is written in between is too young anyway. The
    // busy batches between the two: a run that ends later is busy here, one that ended is referred
    // to there.
    let keys = ctx.store.keys(prefix).await?;
    let mut reader = ctx.catalog.reader().await?;
    let busy: Vec<String> =
        runs::busy_batches(&mut reader).await?.iter().flat_map(folders).collect();
    let segments = segments::known_keys(&mut reader).await?;
    let mut referenced: HashSet<String> = segments.into_iter().collect();
    referenced.extend(models::known_keys(&mut reader).await?);
    referenced.extend(raw_parts::known_keys(&mut reader).await?);
    referenced.extend(pushed::known_keys(&mut reader).await?);
    drop(reader);
    let old = (ctx.clock)() - GRACE;
    let mut n_removed = 0;
    let is_orphan = |key: &Key| {
        let is_busy = busy.iter().any(|folder| key.as_str().starts_with(folder));
        // Raw objects of earlier versions of this program are whole by themselves, and not listed.
        let is_listed = !key.as_str().starts_with("data/raw/") || layout::is_raw_part(key);
        !is_busy && is_listed && !referenced.contains(key.as_str())
    };
    for key in keys.into_iter().filter(is_orphan) {
        if ctx.store.stat(&key).await?.modified < old {
            ctx.store.delete_if_exists(&key).await?;
            n_removed += 1;
        }
    }
    Ok(n_removed)
}

/// Where the runs of a batch write.
fn folders(batch: &BatchName) -> Vec<String> {
    let history = SegmentKind::ALL.iter().map(|kind| layout::history_prefix(batch, *kind));
    let all = history.chain([layout::models_prefix(batch), layout::raw_prefix(batch)]);
    all.map(|folder| format!("{folder}/")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::runs::{Lease, NewRun, RunCause},
        domain::{JobKind, Timestamp},
        io::WriteMode,
        jobs::fixture,
    };

    #[tokio::test]
    async fn objects_of_a_batch_stay_while_it_is_being_worked_on() {
        let mut fixture = fixture::open().await;
        // The store's own clock tells how old an object is.
        fixture.ctx.clock = || Timestamp::parse("2200-01-01T00:00:00Z").unwrap();
        let (ctx, batch) = (&fixture.ctx, fixture.batch.name.clone());
        let now = (ctx.clock)();
        for key in [
            "models/shop/m/model_1.pkl",
            "data/processed/shop/points/run-1-1.parquet",
            "models/shop2/m/model_1.pkl",
            "data/processed/shop2/scores/run-1-1.parquet",
        ] {
            let key = Key::parse(key).unwrap();
            let x = bytes::Bytes::from_static(b"x");
            ctx.store.put(&key, x, WriteMode::CreateOnly).await.unwrap();
        }
        let new = NewRun {
            batch,
            job: JobKind::Train,
            slot: now,
            cause: RunCause::Manual,
            due: now,
            config_hash: String::new(),
        };
        let mut tx = ctx.catalog.begin().await.unwrap();
        let run = runs::materialise(&mut tx, &new, now).await.unwrap().unwrap();
        let lease = Lease { worker: "foreground", length: Span::hours(6) };
        runs::claim_one(&mut tx, run, now, lease).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        assert_eq!(sweep(ctx).await.unwrap(), Swept { replaced: 0, orphans: 2 });
        assert_eq!(ctx.store.keys("models/shop").await.unwrap().len(), 1);

        let mut tx = ctx.catalog.begin().await.unwrap();
        assert!(runs::cancel(&mut tx, run, now).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(sweep(ctx).await.unwrap(), Swept { replaced: 0, orphans: 2 });
    }
}
