//! What a batch's history holds of a stretch of time, as the jobs read it.

use std::collections::BTreeMap;

use crate::{
    catalog::segments,
    domain::{BatchName, MetricName, ScorePoint, Segment, SegmentKind, Series},
    series::Range,
};

use super::{Archive, JobError};

/// Points of a batch by metric; a metric without any in the range is left out.
pub(super) async fn points_between<'a>(
    archive: impl Into<Archive<'a>>,
    batch: &BatchName,
    range: Range,
) -> Result<Vec<Series>, JobError> {
    let archive = archive.into();
    let live = live(archive, batch, SegmentKind::Points, &range).await?;
    Ok(archive.history.read_points(&live, &range).await?)
}

/// Scores of a batch by metric, in time order.
pub(super) async fn scores_between<'a>(
    archive: impl Into<Archive<'a>>,
    batch: &BatchName,
    range: Range,
) -> Result<BTreeMap<MetricName, Vec<ScorePoint>>, JobError> {
    let archive = archive.into();
    let live = live(archive, batch, SegmentKind::Scores, &range).await?;
    Ok(archive.history.read_scores(&live, &range).await?)
}

/// Scores of a batch's challengers by metric, in time order.
pub(super) async fn challenger_scores_between<'a>(
    archive: impl Into<Archive<'a>>,
    batch: &BatchName,
    range: Range,
) -> Result<BTreeMap<MetricName, Vec<ScorePoint>>, JobError> {
    let archive = archive.into();
    let live = live(archive, batch, SegmentKind::Challengers, &range).await?;
    Ok(archive.history.read_challengers(&live, &range).await?)
}

async fn live(
    archive: Archive<'_>,
    batch: &BatchName,
    kind: SegmentKind,
    range: &Range,
) -> Result<Vec<Segment>, JobError> {
    let mut reader = archive.catalog.reader().await?;
    Ok(segments::live(&mut reader, batch, kind, range.from, range.to).await?)
}
