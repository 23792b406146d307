//! Tables `segments` and `doomed_segments`: the Parquet objects of each batch's history, and those
//! that a sweep may delete.

use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    codec::{count, uncount},
    error::{CatalogError, Doing as _},
};
use crate::domain::{BatchName, RunId, Segment, SegmentKind, Timestamp};

struct SegmentRow(Segment);

impl FromRow<'_, SqliteRow> for SegmentRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self(Segment {
            id: row.try_get("id")?,
            batch: row.try_get("batch")?,
            kind: row.try_get("kind")?,
            key: row.try_get("key")?,
            min_at: row.try_get("min_at")?,
            max_at: row.try_get("max_at")?,
            n_rows: uncount(row.try_get("n_rows")?),
            size: uncount(row.try_get("size")?),
            sha256: row.try_get("sha256")?,
        }))
    }
}

/// Lists a segment whose object is durable; gives its id, larger than every earlier one.
///
/// # Errors
/// [`CatalogError::Query`], also when its key is listed already.
pub async fn insert(
    conn: &mut Connection,
    segment: &Segment,
    run: RunId,
) -> Result<i64, CatalogError> {
    let id: i64 = sqlx::query_scalar("UPDATE segment_ids SET last = last + 1 RETURNING last")
        .fetch_one(&mut *conn)
        .await
        .doing("take the next segment id")?;
    insert_as(conn, id, segment, run).await?;
    Ok(id)
}

async fn insert_as(
    conn: &mut Connection,
    id: i64,
    segment: &Segment,
    run: RunId,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO segments (id, batch, kind, key, min_at, max_at, n_rows, size, sha256, run)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )
    .bind(id)
    .bind(&segment.batch)
    .bind(segment.kind)
    .bind(&segment.key)
    .bind(segment.min_at)
    .bind(segment.max_at)
    .bind(count(segment.n_rows))
    .bind(count(segment.size))
    .bind(&segment.sha256)
    .bind(run)
    .execute(conn)
    .await
    .doing("list a segment")
    .map(drop)
}

/// When the oldest stored point of a batch was observed; `None` without points.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn oldest_point(
    conn: &mut Connection,
    batch: &BatchName,
) -> Result<Option<Timestamp>, CatalogError> {
    sqlx::query_scalar("SELECT MIN(min_at) FROM segments WHERE batch = ?1 AND kind = 'points'")
        .bind(batch)
        .fetch_one(conn)
        .await
        .doing("find the oldest point of a batch")
}

/// The segments of a batch with rows in `from <= at < to`, oldest first.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn live(
    conn: &mut Connection,
    batch: &BatchName,
    kind: SegmentKind,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Segment>, CatalogError> {
    let rows: Vec<SegmentRow> = sqlx::query_as(
        "SELECT id, batch, kind, key, min_at, max_at, n_rows, size, sha256 FROM segments
         WHERE batch = ?1 AND kind = ?2 AND ?3 <= max_at AND min_at < ?4
         ORDER BY id",
    )
    .bind(batch)
    .bind(kind)
    .bind(from)
    .bind(to)
    .fetch_all(conn)
    .await
    .doing("list the segments of a batch")?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Puts a compacted segment in the place of those it was made from and dooms them. It takes the
/// largest of their ids, so rows that arrived after them still win; hence no live segment of the
/// batch and kind may lie between them.
///
/// # Errors
/// [`CatalogError::SegmentsChanged`] when one of them is no longer live.
pub async fn replace(
    conn: &mut Connection,
    old_ids: &[i64],
    compacted: &Segment,
    now: Timestamp,
) -> Result<i64, CatalogError> {
    let mut place = None;
    for id in old_ids {
        let run: Option<RunId> = doom(conn, *id, now).await?;
        let run = run.ok_or(CatalogError::SegmentsChanged)?;
        place = place.max(Some((*id, run)));
    }
    let (id, run) = place.ok_or(CatalogError::SegmentsChanged)?;
    insert_as(conn, id, compacted, run).await?;
    Ok(id)
}

/// Takes a segment off the list for a sweep to delete; gives the run that wrote it, or `None` when
/// it was not live.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn doom(
    conn: &mut Connection,
    id: i64,
    now: Timestamp,
) -> Result<Option<RunId>, CatalogError> {
    sqlx::query(
        "INSERT INTO doomed_segments (batch, kind, key, min_at, max_at, n_rows, size, sha256,
                                      doomed_at)
         SELECT batch, kind, key, min_at, max_at, n_rows, size, sha256, ?2
         FROM segments WHERE id = ?1",
    )
    .bind(id)
    .bind(now)
    .execute(&mut *conn)
    .await
    .doing("doom a segment")?;
    sqlx::query_scalar("DELETE FROM segments WHERE id = ?1 RETURNING run")
        .bind(id)
        .fetch_optional(conn)
        .await
        .doing("take a segment off the list")
}

/// The segments doomed before an instant; their ids are for [`forget`] only.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn doomed(
    conn: &mut Connection,
    before: Timestamp,
) -> Result<Vec<Segment>, CatalogError> {
    let rows: Vec<SegmentRow> = sqlx::query_as(
        "SELECT id, batch, kind, key, min_at, max_at, n_rows, size, sha256 FROM doomed_segments
         WHERE doomed_at < ?1 ORDER BY id",
    )
    .bind(before)
    .fetch_all(conn)
    .await
    .doing("list doomed segments")?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Forgets a doomed segment whose object is gone.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn forget(conn: &mut Connection, id: i64) -> Result<(), CatalogError> {
    sqlx::query("DELETE FROM doomed_segments WHERE id = ?1")
        .bind(id)
        .execute(conn)
        .await
        .doing("forget a doomed segment")
        .map(drop)
}

/// Every key the catalog knows of, live or doomed: what lies in the store beside these is nobody's.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn known_keys(conn: &mut Connection) -> Result<Vec<String>, CatalogError> {
    sqlx::query_scalar(
        "SELECT key FROM segments UNION SELECT key FROM doomed_segments ORDER BY key",
    )
    .fetch_all(conn)
    .await
    .doing("list the keys of all segments")
}
