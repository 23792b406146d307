//! Table `watermarks`: the instant a job of a batch goes on from, by name. It never moves back.

use std::collections::BTreeMap;

use super::{
    Connection,
    error::{CatalogError, Doing as _},
};
use crate::domain::{BatchName, Timestamp};

/// The instant kept under a name.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn get(
    conn: &mut Connection,
    batch: &BatchName,
    name: &str,
) -> Result<Option<Timestamp>, CatalogError> {
    sqlx::query_scalar("SELECT at FROM watermarks WHERE batch = ?1 AND name = ?2")
        .bind(batch)
        .bind(name)
        .fetch_optional(conn)
        .await
        .doing("read a watermark")
}

/// The instants kept under names that begin with a prefix, by what follows it.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn all(
    conn: &mut Connection,
    batch: &BatchName,
    prefix: &str,
) -> Result<BTreeMap<String, Timestamp>, CatalogError> {
    let rows: Vec<(String, Timestamp)> = sqlx::query_as(
        "SELECT substr(name, length(?2) + 1), at FROM watermarks
         WHERE batch = ?1 AND substr(name, 1, length(?2)) = ?2
         ORDER BY name",
    )
    .bind(batch)
    .bind(prefix)
    .fetch_all(conn)
    .await
    .doing("read watermarks")?;
    Ok(rows.into_iter().collect())
}

/// Moves the instant kept under a name forward; an earlier one changes nothing.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn set(
    conn: &mut Connection,
    batch: &BatchName,
    name: &str,
    at: Timestamp,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO watermarks (batch, name, at) VALUES (?1, ?2, ?3)
         ON CONFLICT (batch, name) DO UPDATE SET at = MAX(at, excluded.at)",
    )
    .bind(batch)
    .bind(name)
    .bind(at)
    .execute(conn)
    .await
    .doing("move a watermark")
    .map(drop)
}
