//! Table `inbox`: objects of pushed rows, from their arrival until their rows are points and the
//! object is gone.

use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    codec::{count, uncount},
    error::{CatalogError, Doing as _},
};
use crate::domain::{BatchName, Span, Timestamp};

/// An object of pushed rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Rises with every arrival; 0 before it is listed.
    pub id: i64,
    /// Whose rows.
    pub batch: BatchName,
    /// Where the object lies.
    pub key: String,
    /// Rows in it.
    pub n_rows: u64,
    /// Bytes.
    pub size: u64,
    /// Hex digits of its checksum.
    pub sha256: String,
}

impl FromRow<'_, SqliteRow> for Arrival {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            batch: row.try_get("batch")?,
            key: row.try_get("key")?,
            n_rows: uncount(row.try_get("n_rows")?),
            size: uncount(row.try_get("size")?),
            sha256: row.try_get("sha256")?,
        })
    }
}

/// How much of a batch waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Rows.
    pub rows: u64,
    /// Bytes of their objects.
    pub bytes: u64,
    /// When the first of them came.
    pub oldest: Option<Timestamp>,
}

/// Lists an object that is durable.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn add(
    conn: &mut Connection,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO inbox (batch, key, n_rows, size, sha256, received_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(&arrival.batch)
    .bind(&arrival.key)
    .bind(count(arrival.n_rows))
    .bind(count(arrival.size))
    .bind(&arrival.sha256)
    .bind(now)
    .execute(conn)
    .await
    .doing("list pushed rows")
    .map(drop)
}

/// What waits of a batch in the order it came: as many whole objects as stay within a number of
/// rows, and at least one.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn waiting(
    conn: &mut Connection,
    batch: &BatchName,
    max_rows: u64,
) -> Result<Vec<Arrival>, CatalogError> {
    let mut arrivals: Vec<Arrival> = sqlx::query_as(
        "SELECT id, batch, key, n_rows, size, sha256 FROM inbox
         WHERE batch = ?1 AND drained_at IS NULL ORDER BY id",
    )
    .bind(batch)
    .fetch_all(conn)
    .await
    .doing("list the pushed rows of a batch")?;
    let mut n_rows = 0;
    let fitting = arrivals.iter().take_while(|arrival| {
        n_rows += arrival.n_rows;
        n_rows <= max_rows
    });
    let n_fitting = fitting.count().max(1);
    arrivals.truncate(n_fitting);
    Ok(arrivals)
}

/// How much of a batch waits.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn depth(conn: &mut Connection, batch: &BatchName) -> Result<Depth, CatalogError> {
    let (rows, bytes, oldest): (i64, i64, Option<Timestamp>) = sqlx::query_as(
        "SELECT COALESCE(SUM(n_rows), 0), COALESCE(SUM(size), 0), MIN(received_at) FROM inbox
         WHERE batch = ?1 AND drained_at IS NULL",
    )
    .bind(batch)
    .fetch_one(conn)
    .await
    .doing("measure an inbox")?;
    Ok(Depth { rows: uncount(rows), bytes: uncount(bytes), oldest })
}

/// The batches of which rows wait and no ingest is under way or planned, nor was begun within the
/// last `spacing`.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn due(
    conn: &mut Connection,
    now: Timestamp,
    spacing: Span,
) -> Result<Vec<BatchName>, CatalogError> {
    sqlx::query_scalar(
        "SELECT DISTINCT batch FROM inbox
         WHERE drained_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM runs
                           WHERE runs.batch = inbox.batch AND job = 'ingest'
                             AND (state IN ('pending', 'running', 'retry_wait') OR ?1 < slot))
         ORDER BY batch",
    )
    .bind(now - spacing)
    .fetch_all(conn)
    .await
    .doing("look for pushed rows")
}

/// Notes that the rows of objects are points now. Belongs in the transaction that stores these.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn drained(
    conn: &mut Connection,
    ids: &[i64],
    now: Timestamp,
) -> Result<(), CatalogError> {
    for id in ids {
        sqlx::query("UPDATE inbox SET drained_at = ?2 WHERE id = ?1 AND drained_at IS NULL")
            .bind(id)
            .bind(now)
            .execute(&mut *conn)
            .await
            .doing("take rows out of an inbox")?;
    }
    Ok(())
}

/// The objects whose rows are points, in the order they came.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn spent(conn: &mut Connection) -> Result<Vec<Arrival>, CatalogError> {
    sqlx::query_as(
        "SELECT id, batch, key, n_rows, size, sha256 FROM inbox
         WHERE drained_at IS NOT NULL ORDER BY id",
    )
    .fetch_all(conn)
    .await
    .doing("list spent inbox objects")
}

/// Takes objects that are gone off the list.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn forget(conn: &mut Connection, ids: &[i64]) -> Result<(), CatalogError> {
    for id in ids {
        sqlx::query("DELETE FROM inbox WHERE id = ?1 AND drained_at IS NOT NULL")
            .bind(id)
            .execute(&mut *conn)
            .await
            .doing("forget a spent inbox object")?;
    }
    Ok(())
}

/// Every key that is listed.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn known_keys(conn: &mut Connection) -> Result<Vec<String>, CatalogError> {
    sqlx::query_scalar("SELECT key FROM inbox ORDER BY key")
        .fetch_all(conn)
        .await
        .doing("list inbox objects")
}
