//! Table `push_answers`: what was answered to bodies that came with a key, so that a repeated one
//! is answered alike and stored once.

use super::{
    Connection,
    error::{CatalogError, Doing as _},
};
use crate::domain::{BatchName, Timestamp};

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Hex digits of the body's checksum.
    pub body_sha256: String,
    /// What was answered.
    pub answer: String,
}

/// Keeps an answer. Belongs in the transaction that lists the body's rows.
///
/// # Errors
/// [`CatalogError::Query`], also when the key has an answer.
pub async fn keep(
    conn: &mut Connection,
    (batch, key): (&BatchName, &str),
    answered: &Answered,
    now: Timestamp,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO push_answers (batch, key, body_sha256, answer, answered_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(batch)
    .bind(key)
    .bind(&answered.body_sha256)
    .bind(&answered.answer)
    .bind(now)
    .execute(conn)
    .await
    .doing("keep an answer")
    .map(drop)
}

/// The answer a key had.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn get(
    conn: &mut Connection,
    batch: &BatchName,
    key: &str,
) -> Result<Option<Answered>, CatalogError> {
    let found: Option<(String, String)> = sqlx::query_as(
        "SELECT body_sha256, answer FROM push_answers WHERE batch = ?1 AND key = ?2",
    )
    .bind(batch)
    .bind(key)
    .fetch_optional(conn)
    .await
    .doing("look for an answer")?;
    Ok(found.map(|(body_sha256, answer)| Answered { body_sha256, answer }))
}

/// Forgets answers given before an instant.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn forget_before(conn: &mut Connection, before: Timestamp) -> Result<(), CatalogError> {
    sqlx::query("DELETE FROM push_answers WHERE answered_at < ?1")
        .bind(before)
        .execute(conn)
        .await
        .doing("forget old answers")
        .map(drop)
}
