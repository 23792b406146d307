//! Compact: many small segments of a batch become one, so that reads stay fast. Readers see the
//! same rows before and after, those too old to keep excepted; the old objects are removed by a
//! later sweep.

use crate::{
    catalog::{CatalogError, segments},
    domain::{BatchName, SegmentKind, Timestamp},
    io::layout,
    series,
};

use super::{JobContext, JobError};

/// Merges what `series::plan_compaction` names, kind by kind, and lets go of their rows
/// before an instant; gives how many segments were replaced. Safe beside other writers: segments
/// added meanwhile stay newer, and what another compaction was faster with is left to it.
///
/// # Errors
/// [`JobError`] when a segment cannot be read or written; nothing is changed then.
pub async fn compact(
    ctx: &JobContext,
    batch: &BatchName,
    from: Timestamp,
) -> Result<usize, JobError> {
    let mut n_replaced = 0;
    for kind in SegmentKind::ALL {
        let mut reader = ctx.catalog.reader().await?;
        let live =
            segments::live(&mut reader, batch, *kind, Timestamp::MIN, Timestamp::MAX).await?;
        drop(reader);
        let Some(small) = series::plan_compaction(&live) else { continue };
        let Some(key) = layout::merged_key(&small, from) else { continue };
        let merged = match kind {
            SegmentKind::Points => ctx.history.compact_points(key, &small, from).await?,
            SegmentKind::Scores => ctx.history.compact_scores(key, &small, from).await?,
            SegmentKind::Challengers => ctx.history.compact_challengers(key, &small, from).await?,
        };
        let ids: Vec<i64> = small.iter().map(|segment| segment.id).collect();
        let mut tx = ctx.catalog.begin().await?;
        let now = (ctx.clock)();
        match merged {
            Some(merged) => match segments::replace(&mut tx, &ids, &merged, now).await {
                Err(CatalogError::SegmentsChanged) => continue,
                replaced => replaced.map(drop)?,
            },
            None => {
                for id in &ids {
                    segments::doom(&mut tx, *id, now).await?;
                }
            }
        }
        tx.commit().await?;
        n_replaced += ids.len();
    }
    Ok(n_replaced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::runs::{self, NewRun, RunCause},
        domain::{JobKind, MetricName, Point, Span},
        jobs::{
            fixture::{self, Fixture},
            retire,
        },
        series::Range,
    };

    /// One segment for each list of ages in days; each point's value is its age.
    async fn write(fixture: &Fixture, segments: &[&[i64]]) {
        let Fixture { ctx, batch, .. } = fixture;
        let now = (ctx.clock)();
        for (n, ages) in segments.iter().enumerate() {
            let new = NewRun {
                batch: batch.name.clone(),
                job: JobKind::Ingest,
                slot: now + Span::secs(n as i64),
                cause: RunCause::Manual,
                due: now,
                config_hash: String::new(),
            };
            let mut tx = ctx.catalog.begin().await.unwrap();
            let run = runs::materialise(&mut tx, &new, now).await.unwrap().unwrap();
            let metric = MetricName::parse("m").unwrap();
            let point = |age: &i64| {
                let at = now - Span::days(*age);
                Point { metric: metric.clone(), at, value: *age as f64 }
            };
            let points = ages.iter().map(point).collect();
            let key = layout::points_key(&batch.name, run, 1);
            let segment = ctx.history.write_points(key, &batch.name, points).await.unwrap();
            segments::insert(&mut tx, &segment, run).await.unwrap();
            tx.commit().await.unwrap();
        }
    }

    /// The ages of what is left, the oldest first, after both ways of letting go.
    async fn left(fixture: &Fixture) -> Vec<f64> {
        let Fixture { ctx, batch, .. } = fixture;
        let from = (ctx.clock)() - batch.history.retention;
        assert_eq!(compact(ctx, &batch.name, from).await.unwrap(), 9);
        assert_eq!(compact(ctx, &batch.name, from).await.unwrap(), 0);
        retire(ctx, batch).await.unwrap();
        let all = Range::between(Timestamp::MIN, Timestamp::MAX);
        let mut reader = ctx.catalog.reader().await.unwrap();
        let kind = SegmentKind::Points;
        let live = segments::live(&mut reader, &batch.name, kind, all.from, all.to).await.unwrap();
        let series = ctx.history.read_points(&live, &all).await.unwrap();
        series.into_iter().flat_map(|of_metric| of_metric.value).collect()
    }

    #[tokio::test]
    async fn old_rows_merged_with_new_ones_go_when_they_are_too_old() {
        let fixture = fixture::open().await;
        let days = fixture.batch.history.retention.micros() / Span::days(1).micros();
        let (kept, gone) = (days, days + 1);
        write(&fixture, &[&[gone, kept, 9], &[8], &[7], &[6], &[5], &[4], &[3], &[2], &[1]]).await;
        let expected = [kept, 9, 8, 7, 6, 5, 4, 3, 2, 1].map(|age| age as f64);
        assert_eq!(left(&fixture).await, expected);
    }

    #[tokio::test]
    async fn nothing_stands_in_for_segments_that_are_too_old_as_a_whole() {
        let fixture = fixture::open().await;
        let days = fixture.batch.history.retention.micros() / Span::days(1).micros();
        let ages: Vec<[i64; 1]> = (1..=9).map(|n| [days + n]).collect();
        write(&fixture, &ages.iter().map(<[i64; 1]>::as_slice).collect::<Vec<_>>()).await;
        assert_eq!(left(&fixture).await, [0.0; 0]);
        let mut reader = fixture.ctx.catalog.reader().await.unwrap();
        assert_eq!(segments::doomed(&mut reader, Timestamp::MAX).await.unwrap().len(), 9);
    }
}
