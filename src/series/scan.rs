//! A batch's history as one lazy frame, for questions the jobs do not ask. Filters and columns are
//! pushed down into the Parquet files; of several rows for one metric and instant only the one in
//! the newest segment is seen.

use polars::prelude::{
    DataFrame, Expr, LazyFrame, SortMultipleOptions, UnionArgs, UniqueKeepStrategy, col, concat,
    lit,
};

use super::{
    History, SeriesError,
    columns::instant_type,
    segment::{Names, Range, damaged},
};
use crate::{
    domain::{MetricName, Segment},
    io::{parquet, parquet::ParquetError, verify},
};

/// Which segment a row comes from, while rows of several are compared.
const SEGMENT: &str = "segment";

impl History {
    /// The rows of some segments of one kind, as they were last stored.
    ///
    /// # Shape
    /// The columns of the segments (`metric`, `at` in UTC microseconds, `value`, and for scores
    /// `score`, `expected`, `lower`, `upper`, `model`), sorted by metric and time. `None` when no
    /// segment touches the range. `query.newest` is not looked at.
    ///
    /// # Errors
    /// [`SeriesError::Segment`] for a segment that is missing or damaged,
    /// [`SeriesError::Decode`] for one that is no Parquet file.
    pub async fn scan(
        &self,
        segments: &[Segment],
        query: &Range,
    ) -> Result<Option<LazyFrame>, SeriesError> {
        let mut wanted: Vec<&Segment> =
            segments.iter().filter(|segment| query.touches(segment)).collect();
        wanted.sort_by_key(|segment| segment.id);
        let mut parts = Vec::with_capacity(wanted.len());
        for segment in wanted {
            let (segment, key, bytes) = self.fetch(segment.clone()).await?;
            verify(&key, &bytes, &segment.sha256, segment.size)
                .map_err(|source| damaged(&segment, source))?;
            let frame = parquet::scan(bytes).map_err(|source| undecoded(&segment, source))?;
            parts.push(frame.filter(holds(query)).with_column(lit(segment.id).alias(SEGMENT)));
        }
        let Some(newest) = segments.last().filter(|_| !parts.is_empty()) else { return Ok(None) };
        let all = concat(parts, UnionArgs::default())
            .map_err(|source| undecoded(newest, ParquetError::Decode { source }))?;
        let order = SortMultipleOptions::default().with_maintain_order(true);
        let unique = [col("metric"), col("at")];
        Ok(Some(
            all.sort(["metric", "at", SEGMENT], order)
                .unique_stable_generic(Some(unique.to_vec()), UniqueKeepStrategy::Last)
                .select([polars::prelude::all().exclude_cols([SEGMENT]).as_expr()]),
        ))
    }

    /// Runs a lazy frame on the computing threads.
    ///
    /// # Errors
    /// [`ParquetError::Decode`] when a file does not hold what it says.
    pub async fn collect(
        &self,
        frame: LazyFrame,
    ) -> Result<Result<DataFrame, ParquetError>, SeriesError> {
        Ok(self.compute.run(move || parquet::collect(frame)).await?)
    }
}

fn holds(query: &Range) -> Expr {
    let instant = |at: crate::domain::Timestamp| lit(at.micros()).cast(instant_type());
    let in_time = col("at").gt_eq(instant(query.from)).and(col("at").lt(instant(query.to)));
    let Names { from, before } = &query.names;
    let name = |metric: &MetricName| lit(metric.as_str());
    let conditions = [
        query.metric.as_ref().map(|only| col("metric").eq(name(only))),
        from.as_ref().map(|from| col("metric").gt_eq(name(from))),
        before.as_ref().map(|before| col("metric").lt(name(before))),
    ];
    conditions.into_iter().flatten().fold(in_time, Expr::and)
}

fn undecoded(segment: &Segment, source: ParquetError) -> SeriesError {
    SeriesError::Decode { key: segment.key.clone(), batch: segment.batch.clone(), source }
}
