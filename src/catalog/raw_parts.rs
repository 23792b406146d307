//! Table `raw_parts`: the objects with what ingests received that are part of something.

use super::{
    Connection,
    error::{CatalogError, Doing as _},
};

/// Lists an object that is durable. Listing it again changes nothing.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn insert(conn: &mut Connection, key: &str) -> Result<(), CatalogError> {
    sqlx::query("INSERT INTO raw_parts (key) VALUES (?1) ON CONFLICT (key) DO NOTHING")
        .bind(key)
        .execute(conn)
        .await
        .doing("list a raw object")
        .map(drop)
}

/// Takes an object off the list that is gone.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn forget(conn: &mut Connection, key: &str) -> Result<(), CatalogError> {
    sqlx::query("DELETE FROM raw_parts WHERE key = ?1")
        .bind(key)
        .execute(conn)
        .await
        .doing("forget a raw object")
        .map(drop)
}

/// Every key listed.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn known_keys(conn: &mut Connection) -> Result<Vec<String>, CatalogError> {
    sqlx::query_scalar("SELECT key FROM raw_parts ORDER BY key")
        .fetch_all(conn)
        .await
        .doing("list the keys of raw objects")
}
