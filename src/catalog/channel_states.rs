//! Table `channel_states`: channels that asked to be left alone for a while, and those the other side
//! has closed. A channel without a row is used as it is configured.

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    error::{CatalogError, Doing as _},
};
use crate::domain::Timestamp;

/// Why a channel is not used as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelState {
    /// Which.
    pub channel: String,
    /// Nothing is sent before.
    pub not_before: Option<Timestamp>,
    /// Since when nothing is sent until somebody enables it.
    pub disabled_at: Option<Timestamp>,
    /// What the other side said.
    pub reason: String,
}

impl FromRow<'_, SqliteRow> for ChannelState {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            channel: row.try_get("channel")?,
            not_before: row.try_get("not_before")?,
            disabled_at: row.try_get("disabled_at")?,
            reason: row.try_get("reason")?,
        })
    }
}

impl ChannelState {
    /// Whether nothing may be sent now.
    pub fn is_closed(&self, now: Timestamp) -> bool {
        self.disabled_at.is_some() || self.not_before.is_some_and(|not_before| now < not_before)
    }
}

/// Every channel that is not used as it is configured, by name.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn all(conn: &mut Connection) -> Result<Vec<ChannelState>, CatalogError> {
    sqlx::query_as(
        "SELECT channel, not_before, disabled_at, reason FROM channel_states ORDER BY channel",
    )
    .fetch_all(conn)
    .await
    .doing("list the states of channels")
}

/// Leaves a channel alone until then; an earlier request for longer stays.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn hold(
    conn: &mut Connection,
    channel: &str,
    not_before: Timestamp,
    reason: &str,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO channel_states (channel, not_before, reason) VALUES (?1, ?2, ?3)
         ON CONFLICT (channel) DO UPDATE
         SET not_before = MAX(COALESCE(not_before, excluded.not_before), excluded.not_before),
             reason = IIF(disabled_at IS NULL, excluded.reason, reason)",
    )
    .bind(channel)
    .bind(not_before)
    .bind(reason)
    .execute(conn)
    .await
    .doing("leave a channel alone")
    .map(drop)
}

/// Uses a channel no more until somebody enables it.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn disable(
    conn: &mut Connection,
    channel: &str,
    now: Timestamp,
    reason: &str,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO channel_states (channel, disabled_at, reason) VALUES (?1, ?2, ?3)
         ON CONFLICT (channel) DO UPDATE
         SET disabled_at = COALESCE(disabled_at, excluded.disabled_at), reason = excluded.reason",
    )
    .bind(channel)
    .bind(now)
    .bind(reason)
    .execute(conn)
    .await
    .doing("disable a channel")
    .map(drop)
}

/// Forgets the states of all channels but these; gives how many.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn keep_only(conn: &mut Connection, channels: &[&str]) -> Result<u64, CatalogError> {
    let forgotten = sqlx::query(
        "DELETE FROM channel_states WHERE channel NOT IN (SELECT value FROM json_each(?1))",
    )
    .bind(serde_json::json!(channels).to_string())
    .execute(conn)
    .await
    .doing("forget the states of channels that are gone")?;
    Ok(forgotten.rows_affected())
}

/// Uses a channel again as it is configured; `false` when it was.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn enable(conn: &mut Connection, channel: &str) -> Result<bool, CatalogError> {
    let enabled = sqlx::query("DELETE FROM channel_states WHERE channel = ?1")
        .bind(channel)
        .execute(conn)
        .await
        .doing("enable a channel")?;
    Ok(enabled.rows_affected() == 1)
}
