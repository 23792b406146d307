//! Reading and writing a batch's history. A write is one immutable object; a read fetches the
//! segments that overlap its range, checks each against the catalog's checksum and merges them.
//! Fetching is async, decoding and merging run on computing threads.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    SeriesError,
    changed::Comparison,
    merge::{Row, Rows, arrive},
    segment::{
        CHALLENGERS, POINTS, Range, SCORES, Schema, damaged, encode_series, learn, newest, settled,
    },
};
use crate::{
    compute::Compute,
    domain::{BatchName, MetricName, ScorePoint, Segment, Series, Timestamp},
    io::{Key, Store, StoreError, WriteMode, parquet::Compression},
};

/// Segments fetched ahead of the one that is decoded.
const N_AHEAD: usize = 4;

/// The points and scores of batches, in a store.
#[derive(Debug, Clone)]
pub struct History {
    store: Store,
    pub(super) compute: Compute,
    compression: Compression,
}

impl History {
    /// A history kept in a store.
    pub fn new(store: Store, compute: Compute, compression: Compression) -> Self {
        Self { store, compute, compression }
    }

    /// Writes observations as one segment. When this returns the object is durable, but nobody
    /// knows of it until the catalog lists it. Writing the same rows to the same key again is no
    /// error.
    ///
    /// # Shape
    /// `all` is sorted by metric; at most one series a metric.
    ///
    /// # Errors
    /// [`SeriesError::Empty`] without points; [`SeriesError::Write`] when the store fails or other
    /// rows lie under the key.
    pub async fn write_series(
        &self,
        key: Key,
        batch: &BatchName,
        all: Vec<Series>,
    ) -> Result<Segment, SeriesError> {
        let (batch, place, compression) = (batch.clone(), key.clone(), self.compression);
        let work = move || encode_series(&all, batch, &place, compression);
        let (segment, bytes) = self.compute.run(work).await??;
        self.store_once(&key, bytes, &segment).await?;
        Ok(segment)
    }

    /// The observations that are not in the segments or have another value there. What is stored
    /// is looked through a piece at a time, never held.
    ///
    /// # Shape
    /// The segments are in order of arrival, the newest last. `incoming` is sorted by metric; at
    /// most one series a metric. Both hold for what is given back; no series of it is empty.
    ///
    /// # Errors
    /// As [`Self::read_points`].
    pub async fn changed(
        &self,
        segments: &[Segment],
        incoming: Vec<Series>,
    ) -> Result<Vec<Series>, SeriesError> {
        let mut comparison = Comparison::new(incoming);
        let Some((oldest, newest)) = comparison.range() else { return Ok(Vec::new()) };
        let is_beside = |segment: &&Segment| segment.min_at <= newest && oldest <= segment.max_at;
        let beside = segments.iter().filter(is_beside).cloned();
        let fetched = stream::iter(beside).map(|segment| self.fetch(segment)).buffered(N_AHEAD);
        let mut fetched = std::pin::pin!(fetched);
        while let Some(segment) = fetched.try_next().await? {
            let work = move || {
                learn(&mut comparison, segment)?;
                Ok::<_, SeriesError>(comparison)
            };
            comparison = self.compute.run(work).await??;
        }
        Ok(self.compute.run(move || comparison.changed()).await?)
    }

    /// Writes points as one segment; of several for one metric and instant the last stays.
    #[cfg(test)]
    pub(crate) async fn write_points(
        &self,
        key: Key,
        batch: &BatchName,
        points: Vec<crate::domain::Point>,
    ) -> Result<Segment, SeriesError> {
        let gather = move || {
            let mut rows = Rows::new();
            for point in points {
                arrive(&mut rows, point.metric, vec![(point.at, point.value)]);
            }
            rows
        };
        self.write(&POINTS, key, batch, gather).await
    }

    /// Writes scores as one segment; as [`Self::write_series`].
    ///
    /// # Errors
    /// As [`Self::write_series`].
    pub async fn write_scores(
        &self,
        key: Key,
        batch: &BatchName,
        scores: Vec<ScorePoint>,
    ) -> Result<Segment, SeriesError> {
        self.write(&SCORES, key, batch, move || by_metric(scores)).await
    }

    /// Writes scores of challengers as one segment; as [`Self::write_series`].
    ///
    /// # Errors
    /// As [`Self::write_series`].
    pub async fn write_challengers(
        &self,
        key: Key,
        batch: &BatchName,
        scores: Vec<ScorePoint>,
    ) -> Result<Segment, SeriesError> {
        self.write(&CHALLENGERS, key, batch, move || by_metric(scores)).await
    }

    /// Reads points. Of several rows for one metric and instant the one in the segment with the
    /// greatest id stays. A metric without a row in the range is left out.
    ///
    /// # Shape
    /// Sorted by metric; at most one series a metric, none empty.
    ///
    /// # Errors
    /// [`SeriesError::Segment`] for a segment that is missing or damaged, which one and whose.
    pub async fn read_points(
        &self,
        segments: &[Segment],
        query: &Range,
    ) -> Result<Vec<Series>, SeriesError> {
        let rows = self.read(&POINTS, segments, Some(query)).await?;
        let series = move || {
            rows.into_iter()
                .map(|(metric, rows)| {
                    let (at, value) = rows.into_iter().unzip();
                    Series { metric, at, value }
                })
                .collect()
        };
        Ok(self.compute.run(series).await?)
    }

    /// Reads scores by metric, in time order; merged as [`Self::read_points`].
    ///
    /// # Errors
    /// As [`Self::read_points`].
    pub async fn read_scores(
        &self,
        segments: &[Segment],
        query: &Range,
    ) -> Result<BTreeMap<MetricName, Vec<ScorePoint>>, SeriesError> {
        self.read(&SCORES, segments, Some(query)).await
    }

    /// Reads scores of challengers; as [`Self::read_scores`].
    ///
    /// # Errors
    /// As [`Self::read_points`].
    pub async fn read_challengers(
        &self,
        segments: &[Segment],
        query: &Range,
    ) -> Result<BTreeMap<MetricName, Vec<ScorePoint>>, SeriesError> {
        self.read(&CHALLENGERS, segments, Some(query)).await
    }

    /// Merges the rows of segments of points from an instant on into one segment, which carries the
    /// id of the newest of them: it must be listed under that id, in their place
    /// ([`super::plan_compaction`]). `None` when they have no such rows.
    ///
    /// # Errors
    /// As reading and writing.
    pub async fn compact_points(
        &self,
        key: Key,
        parts: &[Segment],
        from: Timestamp,
    ) -> Result<Option<Segment>, SeriesError> {
        self.compact(&POINTS, key, parts, from).await
    }

    /// Merges segments of scores into one; as [`Self::compact_points`].
    ///
    /// # Errors
    /// As reading and writing.
    pub async fn compact_scores(
        &self,
        key: Key,
        parts: &[Segment],
        from: Timestamp,
    ) -> Result<Option<Segment>, SeriesError> {
        self.compact(&SCORES, key, parts, from).await
    }

    /// Merges segments of challengers' scores into one; as [`Self::compact_points`].
    ///
    /// # Errors
    /// As reading and writing.
    pub async fn compact_challengers(
        &self,
        key: Key,
        parts: &[Segment],
        from: Timestamp,
    ) -> Result<Option<Segment>, SeriesError> {
        self.compact(&CHALLENGERS, key, parts, from).await
    }

    async fn compact<T: Row + Send + 'static>(
        &self,
        schema: &'static Schema<T>,
        key: Key,
        parts: &[Segment],
        from: Timestamp,
    ) -> Result<Option<Segment>, SeriesError> {
        let Some(newest) = parts.iter().max_by_key(|part| part.id) else {
            return Err(SeriesError::Empty { key });
        };
        let mut rows = self.read(schema, parts, None).await?;
        let gather = move || {
            rows.retain(|_, of_metric| {
                of_metric.retain(|row| from <= row.at());
                !of_metric.is_empty()
            });
            rows
        };
        match self.write(schema, key, &newest.batch, gather).await {
            Ok(merged) => Ok(Some(Segment { id: newest.id, ..merged })),
            Err(SeriesError::Empty { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn write<T: Row + Send + 'static>(
        &self,
        schema: &'static Schema<T>,
        key: Key,
        batch: &BatchName,
        gather: impl FnOnce() -> Rows<T> + Send + 'static,
    ) -> Result<Segment, SeriesError> {
        let (batch, place, compression) = (batch.clone(), key.clone(), self.compression);
        let work = move || schema.encode(gather(), batch, &place, compression);
        let (segment, bytes) = self.compute.run(work).await??;
        self.store_once(&key, bytes, &segment).await?;
        Ok(segment)
    }

    /// Creates the object. One that is there already was written by the same run before it was
    /// interrupted, if it has the same bytes; anything else is never replaced, as the catalog may
    /// list it.
    async fn store_once(
        &self,
        key: &Key,
        bytes: Bytes,
        segment: &Segment,
    ) -> Result<(), SeriesError> {
        let failed = |source| SeriesError::Write { key: key.clone(), source };
        match self.store.put(key, bytes, WriteMode::CreateOnly).await {
            Err(StoreError::AlreadyExists { .. }) => {}
            written => return written.map(drop).map_err(failed),
        }
        match self.store.get_verified(key, &segment.sha256, segment.size).await {
            Ok(_) => Ok(()),
            Err(StoreError::Corrupt { key, .. }) => Err(failed(StoreError::AlreadyExists { key })),
            Err(error) => Err(failed(error)),
        }
    }

    /// Rows after all upserts; without a query every row.
    async fn read<T: Row + Send + 'static>(
        &self,
        schema: &'static Schema<T>,
        segments: &[Segment],
        query: Option<&Range>,
    ) -> Result<Rows<T>, SeriesError> {
        if let Some(stray) = segments.iter().find(|segment| segment.kind != schema.kind) {
            return Err(SeriesError::Kind { key: stray.key.clone(), expected: schema.kind });
        }
        let mut wanted: Vec<&Segment> =
            segments.iter().filter(|segment| query.is_none_or(|q| q.touches(segment))).collect();
        wanted.sort_by_key(|segment| segment.id);
        let fetched = stream::iter(wanted.into_iter().cloned())
            .map(|segment| self.fetch(segment))
            .buffered(N_AHEAD);
        let mut fetched = std::pin::pin!(fetched);
        let mut rows = Rows::new();
        while let Some(segment) = fetched.try_next().await? {
            let query = query.cloned();
            let work = move || {
                schema.decode(segment, query.as_ref(), &mut rows)?;
                Ok::<_, SeriesError>(rows)
            };
            rows = self.compute.run(work).await??;
        }
        let n_newest = query.and_then(|query| query.newest).unwrap_or(usize::MAX);
        let finish = move || {
            let kept = settled(rows).into_iter();
            kept.map(|(metric, rows)| (metric, newest(rows, n_newest))).collect()
        };
        Ok(self.compute.run(finish).await?)
    }

    pub(super) async fn fetch(
        &self,
        segment: Segment,
    ) -> Result<(Segment, Key, Bytes), SeriesError> {
        let failed = |source| damaged(&segment, source);
        let key = Key::parse(&segment.key).map_err(|source| failed(source.into()))?;
        let bytes = self.store.get_sized(&key, segment.size).await.map_err(failed)?;
        Ok((segment, key, bytes))
    }
}

fn by_metric(scores: Vec<ScorePoint>) -> Rows<ScorePoint> {
    let mut rows = Rows::new();
    for stretch in scores.chunk_by(|one, other| one.metric == other.metric) {
        arrive(&mut rows, stretch[0].metric.clone(), stretch.to_vec());
    }
    rows
}
