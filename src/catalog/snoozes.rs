//! Table `snoozes`: silences people asked for, of a metric or of a whole batch.

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    error::{CatalogError, Doing as _},
};
use crate::domain::{BatchName, MetricName, Timestamp};

/// A silence somebody asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SnoozeRow {
    /// Of which batch.
    pub batch: BatchName,
    /// Of which metric; all of them without one.
    pub metric: Option<MetricName>,
    /// When it was asked for.
    pub since: Timestamp,
    /// Observations before this are silent.
    pub until: Timestamp,
    /// Who asked for it.
    pub author: String,
}

impl FromRow<'_, SqliteRow> for SnoozeRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            batch: row.try_get("batch")?,
            metric: row.try_get("metric")?,
            since: row.try_get("since")?,
            until: row.try_get("until")?,
            author: row.try_get("author")?,
        })
    }
}

/// Keeps a silence; its end comes after its start.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn add(conn: &mut Connection, snooze: &SnoozeRow) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO snoozes (batch, metric, since, until, author) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(&snooze.batch)
    .bind(&snooze.metric)
    .bind(snooze.since)
    .bind(snooze.until)
    .bind(&snooze.author)
    .execute(conn)
    .await
    .doing("store a silence")
    .map(drop)
}

/// The silences of a batch that end after an instant, in the order in which they were asked for.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn ending_after(
    conn: &mut Connection,
    batch: &BatchName,
    after: Timestamp,
) -> Result<Vec<SnoozeRow>, CatalogError> {
    sqlx::query_as("SELECT * FROM snoozes WHERE batch = ?1 AND ?2 < until ORDER BY id")
        .bind(batch)
        .bind(after)
        .fetch_all(conn)
        .await
        .doing("read the silences of a batch")
}
