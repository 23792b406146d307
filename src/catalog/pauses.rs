//! Table `pauses`: batches of which nothing runs by itself for the time being.

use std::collections::BTreeMap;

use super::{
    Connection,
    error::{CatalogError, Doing as _},
};
use crate::domain::{BatchName, Timestamp};

/// Pauses a batch; `false` when it was paused already.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn pause(
    conn: &mut Connection,
    batch: &BatchName,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let paused = sqlx::query(
        "INSERT INTO pauses (batch, since) VALUES (?1, ?2) ON CONFLICT (batch) DO NOTHING",
    )
    .bind(batch)
    .bind(now)
    .execute(conn)
    .await
    .doing("pause a batch")?;
    Ok(paused.rows_affected() == 1)
}

/// Ends a batch's pause; `false` when there was none.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn resume(conn: &mut Connection, batch: &BatchName) -> Result<bool, CatalogError> {
    let resumed = sqlx::query("DELETE FROM pauses WHERE batch = ?1")
        .bind(batch)
        .execute(conn)
        .await
        .doing("end a batch's pause")?;
    Ok(resumed.rows_affected() == 1)
}

/// The paused batches and since when.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn all(conn: &mut Connection) -> Result<BTreeMap<BatchName, Timestamp>, CatalogError> {
    let rows: Vec<(BatchName, Timestamp)> =
        sqlx::query_as("SELECT batch, since FROM pauses ORDER BY batch")
            .fetch_all(conn)
            .await
            .doing("list paused batches")?;
    Ok(rows.into_iter().collect())
}
