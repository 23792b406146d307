//! A batch's history as its detectors count it: rows. A row is an observation or, where the batch
//! resamples, a full bucket of them, stamped with its start.

use std::collections::BTreeMap;

use crate::{
    catalog::segments,
    domain::{BatchSpec, MetricName, SegmentKind, Series, Span, Timestamp},
    features::{self, FeatureFrame},
    series::Range,
};

use super::{JobContext, JobError, window};

/// Observations read at once on the way to buckets: 16 bytes each, whatever a bucket holds.
const POINTS_AT_ONCE: u64 = 5_000_000;

/// The newest rows of each metric in a range. Buckets are made of a slice of time after the other,
/// each of about as many observations as may be in memory at once.
///
/// # Shape
/// `range.to` is where a bucket ends; a first bucket that `range.from` would cut is left out.
pub(super) async fn rows_between(
    ctx: &JobContext,
    batch: &BatchSpec,
    range: Range,
) -> Result<Vec<Series>, JobError> {
    let Some(bucket) = batch.features.resample else {
        return window::points_between(ctx, &batch.name, range).await;
    };
    let kind = SegmentKind::Points;
    let mut reader = ctx.catalog.reader().await?;
    let live = segments::live(&mut reader, &batch.name, kind, range.from, range.to).await?;
    drop(reader);
    let n_points: u64 = live.iter().map(|segment| segment.n_rows).sum();
    let n_newest = range.newest.unwrap_or(usize::MAX);
    let mut rows: BTreeMap<MetricName, Series> = BTreeMap::new();
    for (from, to) in slices((range.from, range.to), bucket, n_points.div_ceil(POINTS_AT_ONCE)) {
        let slice = Range { from, to, newest: None, ..range.clone() };
        let points = ctx.history.read_points(&live, &slice).await?;
        let spec = batch.features.clone();
        let add = move || {
            for newer in points.into_iter().map(|series| features::resampled(series, &spec)) {
                let empty = || Series::empty(newer.metric.clone());
                let known = rows.entry(newer.metric.clone()).or_insert_with(empty);
                known.at.extend(newer.at);
                known.value.extend(newer.value);
                if n_newest < known.len() {
                    *known = known.newest(n_newest);
                }
            }
            rows
        };
        rows = ctx.compute.run(add).await?;
    }
    Ok(rows.into_values().collect())
}

/// What detectors see of rows.
pub(super) fn frame(rows: &Series, batch: &BatchSpec) -> FeatureFrame {
    features::build(rows, &batch.features.of_rows())
}

/// How long a row is; an observation is an instant.
pub(super) fn length(batch: &BatchSpec) -> Span {
    batch.features.resample.unwrap_or(Span::from_micros(1))
}

/// About `n` slices of whole buckets, the oldest first, from the first bucket that begins in a
/// stretch of time.
fn slices((from, to): (Timestamp, Timestamp), bucket: Span, n: u64) -> Vec<(Timestamp, Timestamp)> {
    let length = bucket.micros().max(1);
    let start = from.floor(bucket);
    let mut start = if start < from { start + bucket } else { start };
    let n_buckets = (to - start).micros().max(0) as u64 / length.unsigned_abs();
    let n_at_once = i64::try_from(n_buckets / n.max(1) + 1).unwrap_or(i64::MAX);
    let step = Span::from_micros(length.saturating_mul(n_at_once));
    let mut slices = Vec::new();
    while start < to {
        let end = (start + step).min(to);
        slices.push((start, end));
        start = end;
    }
    slices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_of_whole_buckets_and_hold_every_one_once() {
        let at = |minute: i64| Timestamp::from_secs(60 * minute).unwrap();
        let of = |from, n| slices((at(from), at(600)), Span::hours(1), n);
        assert_eq!(of(0, 1), [(at(0), at(600))]);
        assert_eq!(of(1, 0), [(at(60), at(600))], "the cut one is left out");
        let four = [(at(60), at(240)), (at(240), at(420)), (at(420), at(600))];
        assert_eq!(of(30, 4), four);
        assert_eq!(of(600, 4), []);
    }
}
