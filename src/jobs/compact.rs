//! Compact: many small segments of a batch become one, so that reads stay fast. Readers see the
//! same rows before and after; the old objects are removed by a later sweep.

use crate::{
    catalog::segments,
    domain::{BatchName, SegmentKind, Timestamp},
    io::layout,
    series,
};

use super::{JobContext, JobError};

/// Merges what `series::plan_compaction` names, for points and scores; returns how many segments
/// were replaced. Safe beside other writers: segments added meanwhile stay newer.
///
/// # Errors
/// [`JobError`] when a segment cannot be read or written; nothing is changed then.
pub async fn compact(ctx: &JobContext, batch: &BatchName) -> Result<usize, JobError> {
    let mut n_replaced = 0;
    for kind in SegmentKind::ALL {
        let mut reader = ctx.catalog.reader().await?;
        let (from, to) = (Timestamp::MIN, Timestamp::MAX);
        let live = segments::live(&mut reader, batch, *kind, from, to).await?;
        drop(reader);
        let Some(small) = series::plan_compaction(&live) else { continue };
        let Some(key) = layout::merged_key(&small) else { continue };
        let merged = match kind {
            SegmentKind::Points => ctx.history.compact_points(key, &small).await?,
            SegmentKind::Scores => ctx.history.compact_scores(key, &small).await?,
        };
        let ids: Vec<i64> = small.iter().map(|segment| segment.id).collect();
        let mut tx = ctx.catalog.begin().await?;
        segments::replace(&mut tx, &ids, &merged, (ctx.clock)()).await?;
        tx.commit().await?;
        n_replaced += ids.len();
    }
    Ok(n_replaced)
}
