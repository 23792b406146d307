//! Table `source_memory`: what each batch's source noted of its last good read.

use super::{
    Connection,
    error::{CatalogError, Doing as _},
};
use crate::domain::{BatchName, Remembered};

/// What was noted of the last good read with these settings, which `source` is a hash of. Nothing
/// when there was none.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn get(
    conn: &mut Connection,
    batch: &BatchName,
    source: &str,
) -> Result<Remembered, CatalogError> {
    let notes: Option<String> =
        sqlx::query_scalar("SELECT notes FROM source_memory WHERE batch = ?1 AND source = ?2")
            .bind(batch)
            .bind(source)
            .fetch_optional(conn)
            .await
            .doing("read what a source noted")?;
    match notes {
        Some(notes) => serde_json::from_str(&notes).doing("read what a source noted"),
        None => Ok(Remembered::default()),
    }
}

/// Keeps what was noted of a good read, in the place of all that was noted before.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn set(
    conn: &mut Connection,
    batch: &BatchName,
    source: &str,
    notes: &Remembered,
) -> Result<(), CatalogError> {
    let notes = serde_json::to_string(notes).doing("write what a source noted")?;
    sqlx::query(
        "INSERT INTO source_memory (batch, source, notes) VALUES (?1, ?2, ?3)
         ON CONFLICT (batch) DO UPDATE SET source = excluded.source, notes = excluded.notes",
    )
    .bind(batch)
    .bind(source)
    .bind(notes)
    .execute(conn)
    .await
    .doing("keep what a source noted")
    .map(drop)
}
