//! Sweep: removes objects nothing refers to: segments that compaction replaced, and what a killed
//! run had written but not committed. Only objects older than the grace are touched, so a run that
//! is just writing keeps its own.

use std::collections::HashSet;

use crate::{
    catalog::{models, segments},
    domain::Span,
    io::Key,
};

use super::{JobContext, JobError};

/// Far longer than any run may take between writing an object and committing it.
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
    for prefix in ["data/processed", "models"] {
        swept.orphans += sweep_orphans(ctx, prefix).await?;
    }
    Ok(swept)
}

async fn sweep_orphans(ctx: &JobContext, prefix: &str) -> Result<u64, JobError> {
    // Listed before the references are read: what is written in between is too young anyway.
    let keys = ctx.store.keys(prefix).await?;
    let mut reader = ctx.catalog.reader().await?;
    let segments = segments::known_keys(&mut reader).await?;
    let mut referenced: HashSet<String> = segments.into_iter().collect();
    referenced.extend(models::known_keys(&mut reader).await?);
    drop(reader);
    let old = (ctx.clock)() - GRACE;
    let mut n_removed = 0;
    for key in keys.into_iter().filter(|key| !referenced.contains(key.as_str())) {
        if ctx.store.stat(&key).await?.modified < old {
            ctx.store.delete_if_exists(&key).await?;
            n_removed += 1;
        }
    }
    Ok(n_removed)
}
