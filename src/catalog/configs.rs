//! Table `configs`: which configurations of a batch runs were made with.

use super::{
    Connection,
    error::{CatalogError, Doing as _},
};
use crate::domain::{BatchName, Timestamp};

/// Notes that a configuration is in use; `false` when it was known.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn save(
    conn: &mut Connection,
    hash: &str,
    batch: &BatchName,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let saved = sqlx::query(
        "INSERT INTO configs (hash, batch, saved_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (batch, hash) DO NOTHING",
    )
    .bind(hash)
    .bind(batch)
    .bind(now)
    .execute(conn)
    .await
    .doing("note a configuration")?;
    Ok(saved.rows_affected() == 1)
}
