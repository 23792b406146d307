//! One segment: rows to bytes and back, and what of it a query wants. Everything here computes and
//! runs on computing threads.

use bytes::Bytes;
use polars::prelude::{
    DataFrame, Expr, LiteralValue, PlSmallStr, PolarsError, Scalar, TimeUnit, TimeZone, col,
};

use super::{
    SeriesError,
    columns::{self, ColumnError},
    merge::{Row, Rows, upserted},
};
use crate::{
    domain::{BatchName, MetricName, ScorePoint, Segment, SegmentKind, Timestamp},
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
    /// One metric, or all of them.
    pub metric: Option<MetricName>,
}

impl Range {
    /// Every metric from one instant to before another.
    pub fn between(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to, metric: None }
    }
}

/// How rows of a kind become columns and come back.
pub(super) struct Schema<T> {
    /// What the segments are listed as.
    pub(super) kind: SegmentKind,
    frame: fn(&Rows<T>) -> Result<DataFrame, PolarsError>,
    add: fn(&mut Rows<T>, &DataFrame) -> Result<(), ColumnError>,
}

/// Segments of observations.
pub(super) static POINTS: Schema<(Timestamp, f64)> =
    Schema { kind: SegmentKind::Points, frame: columns::points_frame, add: columns::add_points };

/// Segments of scores.
pub(super) static SCORES: Schema<ScorePoint> =
    Schema { kind: SegmentKind::Scores, frame: columns::scores_frame, add: columns::add_scores };

impl Range {
    /// Whether a segment may hold rows of the range.
    pub(super) fn touches(&self, segment: &Segment) -> bool {
        self.from <= segment.max_at && segment.min_at < self.to
    }

    /// What rows of a segment must meet; `None` when all of them do.
    fn filter(&self, segment: &Segment) -> Option<Expr> {
        let instant = |at: Timestamp| {
            let zone = Some(TimeZone::UTC);
            let scalar = Scalar::new_datetime(at.micros(), TimeUnit::Microseconds, zone);
            Expr::Literal(LiteralValue::Scalar(scalar))
        };
        let conditions = [
            (segment.min_at < self.from).then(|| col("at").gt_eq(instant(self.from))),
            (self.to <= segment.max_at).then(|| col("at").lt(instant(self.to))),
            self.metric.as_ref().map(|metric| {
                let name = Scalar::from(PlSmallStr::from(metric.as_str()));
                col("metric").eq(Expr::Literal(LiteralValue::Scalar(name)))
            }),
        ];
        conditions.into_iter().flatten().reduce(Expr::and)
    }
}

/// A segment that is missing, damaged or out of reach.
pub(super) fn damaged(segment: &Segment, source: StoreError) -> SeriesError {
    SeriesError::Segment { key: segment.key.clone(), batch: segment.batch.clone(), source }
}

/// Every row as it is after all upserts.
pub(super) fn settled<T: Row>(rows: Rows<T>) -> Rows<T> {
    rows.into_iter().map(|(metric, rows)| (metric, upserted(rows))).collect()
}

impl<T: Row> Schema<T> {
    /// Checks a segment's bytes and adds the rows asked for to those of older segments.
    pub(super) fn decode(
        &self,
        (segment, key, bytes): (Segment, Key, Bytes),
        query: Option<&Range>,
        rows: &mut Rows<T>,
    ) -> Result<(), SeriesError> {
        verify(&key, &bytes, &segment.sha256, segment.size).map_err(|e| damaged(&segment, e))?;
        let named = || (segment.key.clone(), segment.batch.clone());
        let undecoded = |source| {
            let (key, batch) = named();
            SeriesError::Decode { key, batch, source }
        };
        let misfit = |source| {
            let (key, batch) = named();
            SeriesError::Columns { key, batch, source }
        };
        let file = parquet::scan(bytes).map_err(undecoded)?;
        let frames = match query.and_then(|query| query.filter(&segment)) {
            Some(filter) => vec![file.filter(filter)],
            // A row group at a time, so that columns and rows of a large segment are not in memory
            // at once.
            None => parquet::row_groups(&file, segment.n_rows),
        };
        for frame in frames {
            let frame = parquet::collect(frame).map_err(undecoded)?;
            (self.add)(rows, &frame).map_err(misfit)?;
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
        let failed = |source| SeriesError::Encode { key: key.clone(), source };
        let frame = (self.frame)(&rows).map_err(|source| ParquetError::Encode { source });
        let mut frame = frame.map_err(failed)?;
        drop(rows);
        let n_rows = frame.height() as u64;
        let bytes = parquet::encode(&mut frame, compression).map_err(failed)?;
        let segment = Segment {
            id: 0,
            batch,
            kind: self.kind,
            key: key.to_string(),
            min_at,
            max_at,
            n_rows,
            size: bytes.len() as u64,
            sha256: sha256_hex(&bytes),
        };
        Ok((segment, bytes))
    }
}
