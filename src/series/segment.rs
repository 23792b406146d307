//! One segment: rows to bytes and back, and what of it a query wants. Everything here computes and
//! runs on computing threads.

use bytes::Bytes;
use polars::prelude::{DataFrame, PolarsError};

use super::{
    SeriesError,
    changed::Comparison,
    columns::{self, ColumnError, Wanted},
    merge::{Row, Rows, upserted},
};
use crate::{
    domain::{BatchName, MetricName, ScorePoint, Segment, SegmentKind, Series, Timestamp},
    io::{
        Key, StoreError,
        parquet::{self, Compression, ParquetError},
        sha256_hex, verify,
    },
};

/// What to read of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant no longer wanted.
    pub to: Timestamp,
    /// One metric, or all of `names`.
    pub metric: Option<MetricName>,
    /// Which metrics by their place in the order of names.
    pub names: Names,
    /// So many of each metric's rows, the newest, or all of them.
    pub newest: Option<usize>,
}

/// A stretch of metrics in the order of their names; all of them by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Names {
    /// The first, or from the very first on.
    pub from: Option<MetricName>,
    /// The first no longer wanted, or to the very last.
    pub before: Option<MetricName>,
}

impl Range {
    /// Every metric from one instant to before another.
    pub fn between(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to, metric: None, names: Names::default(), newest: None }
    }
}

/// How rows of a kind become columns and come back.
pub(super) struct Schema<T> {
    /// What the segments are listed as.
    pub(super) kind: SegmentKind,
    frame: fn(&Rows<T>) -> Result<DataFrame, PolarsError>,
    add: fn(&mut Rows<T>, &DataFrame, Wanted<'_>) -> Result<(), ColumnError>,
}

/// Segments of observations.
pub(super) static POINTS: Schema<(Timestamp, f64)> =
    Schema { kind: SegmentKind::Points, frame: columns::points_frame, add: columns::add_points };

/// Segments of scores.
pub(super) static SCORES: Schema<ScorePoint> = scores_as(SegmentKind::Scores);

/// Segments of challengers' scores.
pub(super) static CHALLENGERS: Schema<ScorePoint> = scores_as(SegmentKind::Challengers);

const fn scores_as(kind: SegmentKind) -> Schema<ScorePoint> {
    Schema { kind, frame: columns::scores_frame, add: columns::add_scores }
}

impl Range {
    /// Whether a segment may hold rows of the range.
    pub(super) fn touches(&self, segment: &Segment) -> bool {
        self.from <= segment.max_at && segment.min_at < self.to
    }

    /// Whether every metric is asked for.
    fn is_of_all(&self) -> bool {
        self.metric.is_none() && self.names == Names::default()
    }

    /// Whether a metric is one of those asked for.
    fn names(&self, metric: &str) -> bool {
        let Names { from, before } = &self.names;
        self.metric.as_ref().is_none_or(|only| only.as_str() == metric)
            && from.as_ref().is_none_or(|from| from.as_str() <= metric)
            && before.as_ref().is_none_or(|before| metric < before.as_str())
    }

    /// Whether an instant is one of those asked for.
    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// A segment that is missing, damaged or out of reach.
pub(super) fn damaged(segment: &Segment, source: StoreError) -> SeriesError {
    SeriesError::Segment { key: segment.key.clone(), batch: segment.batch.clone(), source }
}

/// Checks a segment's bytes.
fn open(
    (segment, key, bytes): (Segment, Key, Bytes),
) -> Result<(Segment, parquet::File), SeriesError> {
    verify(&key, &bytes, &segment.sha256, segment.size).map_err(|e| damaged(&segment, e))?;
    let file = parquet::File::open(bytes).map_err(|source| undecoded(&segment, source))?;
    Ok((segment, file))
}

fn undecoded(segment: &Segment, source: ParquetError) -> SeriesError {
    SeriesError::Decode { key: segment.key.clone(), batch: segment.batch.clone(), source }
}

fn misfit(segment: &Segment, source: ColumnError) -> SeriesError {
    SeriesError::Columns { key: segment.key.clone(), batch: segment.batch.clone(), source }
}

/// Checks a segment's bytes and lets a comparison learn its rows.
pub(super) fn learn(
    comparison: &mut Comparison,
    fetched: (Segment, Key, Bytes),
) -> Result<(), SeriesError> {
    let (segment, file) = open(fetched)?;
    for group in file.row_groups() {
        let read = file.read(group, 0..group.n_rows(), None);
        let frame = read.map_err(|source| undecoded(&segment, source))?;
        comparison.learn(&frame).map_err(|source| misfit(&segment, source))?;
    }
    Ok(())
}

/// Leaves the newest rows of each metric, once it has twice as many. What is dropped could not come
/// back: rows that arrive later replace others or add to those that are newer.
pub(super) fn thin<T: Row>(rows: &mut Rows<T>, n_newest: usize) {
    for of_metric in rows.values_mut().filter(|of_metric| n_newest < of_metric.len() / 2) {
        *of_metric = newest(upserted(std::mem::take(of_metric)), n_newest);
    }
}

/// The newest of a metric's rows in time order.
pub(super) fn newest<T>(mut rows: Vec<T>, n_newest: usize) -> Vec<T> {
    rows.split_off(rows.len().saturating_sub(n_newest))
}

/// Every row as it is after all upserts.
pub(super) fn settled<T: Row>(rows: Rows<T>) -> Rows<T> {
    rows.into_iter().map(|(metric, rows)| (metric, upserted(rows))).collect()
}

impl<T: Row> Schema<T> {
    /// Checks a segment's bytes and adds the rows asked for to those of older segments.
    pub(super) fn decode(
        &self,
        fetched: (Segment, Key, Bytes),
        query: Option<&Range>,
        rows: &mut Rows<T>,
    ) -> Result<(), SeriesError> {
        let (segment, file) = open(fetched)?;
        let undecoded = |source| undecoded(&segment, source);
        let misfit = |source| misfit(&segment, source);
        let is_wanted = |at| query.is_none_or(|query| query.holds(at));
        // A row group at a time, so that columns and rows of a large segment are not in memory at
        // once.
        for group in file.row_groups() {
            let mut stretch = 0..group.n_rows();
            if let Some(query) = query.filter(|query| !query.is_of_all()) {
                let names = file.read(group, stretch, Some(&["metric"])).map_err(undecoded)?;
                stretch = columns::rows_of(&names, |name| query.names(name)).map_err(misfit)?;
            }
            if !stretch.is_empty() {
                let frame = file.read(group, stretch, None).map_err(undecoded)?;
                (self.add)(rows, &frame, &is_wanted).map_err(misfit)?;
                if let Some(n_newest) = query.and_then(|query| query.newest) {
                    thin(rows, n_newest);
                }
            }
        }
        Ok(())
    }

    /// The object of a segment and its entry for the catalog, id 0.
    pub(super) fn encode(
        &self,
        rows: Rows<T>,
        batch: BatchName,
        key: &Key,
        compression: Compression,
    ) -> Result<(Segment, Bytes), SeriesError> {
        let rows = settled(rows);
        let at = || rows.values().flatten().map(Row::at);
        let (Some(min_at), Some(max_at)) = (at().min(), at().max()) else {
            return Err(SeriesError::Empty { key: key.clone() });
        };
        let frame = (self.frame)(&rows);
        drop(rows);
        Draft { kind: self.kind, batch, key, min_at, max_at }.encode(frame, compression)
    }
}

/// The object of a segment of points, one series a metric, and its entry for the catalog, id 0.
pub(super) fn encode_series(
    all: &[Series],
    batch: BatchName,
    key: &Key,
    compression: Compression,
) -> Result<(Segment, Bytes), SeriesError> {
    let oldest = all.iter().filter_map(|series| series.at.first()).min();
    let newest = all.iter().filter_map(|series| series.at.last()).max();
    let (Some(min_at), Some(max_at)) = (oldest.copied(), newest.copied()) else {
        return Err(SeriesError::Empty { key: key.clone() });
    };
    let frame = columns::series_frame(all);
    let kind = SegmentKind::Points;
    Draft { kind, batch, key, min_at, max_at }.encode(frame, compression)
}

/// What is known of a segment before it is encoded.
struct Draft<'a> {
    kind: SegmentKind,
    batch: BatchName,
    key: &'a Key,
    min_at: Timestamp,
    max_at: Timestamp,
}

impl Draft<'_> {
    fn encode(
        self,
        frame: Result<DataFrame, PolarsError>,
        compression: Compression,
    ) -> Result<(Segment, Bytes), SeriesError> {
        let failed = |source| SeriesError::Encode { key: self.key.clone(), source };
        let mut frame = frame.map_err(|source| failed(ParquetError::Encode { source }))?;
        let n_rows = frame.height() as u64;
        let bytes = parquet::encode(&mut frame, compression).map_err(failed)?;
        let segment = Segment {
            id: 0,
            batch: self.batch,
            kind: self.kind,
            key: self.key.to_string(),
            min_at: self.min_at,
            max_at: self.max_at,
            n_rows,
            size: bytes.len() as u64,
            sha256: sha256_hex(&bytes),
        };
        Ok((segment, bytes))
    }
}
