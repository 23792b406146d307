//! Tables `link_key` and `used_links`: what signed links are signed with, and which were followed.

use super::{
    Connection,
    error::{CatalogError, Doing as _},
};
use crate::domain::{LinkKey, Timestamp};

/// The key, once there is one.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn key(conn: &mut Connection) -> Result<Option<LinkKey>, CatalogError> {
    let key: Option<Vec<u8>> = sqlx::query_scalar("SELECT key FROM link_key")
        .fetch_optional(conn)
        .await
        .doing("read the key of signed links")?;
    // The table holds no other length.
    Ok(key.and_then(|key| key.try_into().ok()).map(LinkKey::new))
}

/// Keeps a key, unless there is one: a second would make forgeries of all links that were sent.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn keep_key(conn: &mut Connection, key: &LinkKey) -> Result<(), CatalogError> {
    sqlx::query("INSERT INTO link_key (id, key) VALUES (1, ?1) ON CONFLICT (id) DO NOTHING")
        .bind(key.bytes().as_slice())
        .execute(conn)
        .await
        .doing("keep the key of signed links")
        .map(drop)
}

/// Marks a link as followed; `false` when it was followed before.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn mark_used(
    conn: &mut Connection,
    nonce: &str,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let marked = sqlx::query(
        "INSERT INTO used_links (nonce, used_at) VALUES (?1, ?2) ON CONFLICT (nonce) DO NOTHING",
    )
    .bind(nonce)
    .bind(now)
    .execute(conn)
    .await
    .doing("mark a signed link as followed")?;
    Ok(marked.rows_affected() == 1)
}

/// Whether a link was followed.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn is_used(conn: &mut Connection, nonce: &str) -> Result<bool, CatalogError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM used_links WHERE nonce = ?1)")
        .bind(nonce)
        .fetch_one(conn)
        .await
        .doing("see whether a signed link was followed")
}

/// Forgets links that were followed before an instant; gives their number.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn forget_before(conn: &mut Connection, before: Timestamp) -> Result<u64, CatalogError> {
    let forgotten = sqlx::query("DELETE FROM used_links WHERE used_at < ?1")
        .bind(before)
        .execute(conn)
        .await
        .doing("forget old signed links")?;
    Ok(forgotten.rows_affected())
}
