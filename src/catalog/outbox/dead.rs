//! Dead letters: what was given up, and how it is tried once more.

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::DeliveryState;
use crate::{
    catalog::{
        Connection,
        error::{CatalogError, Doing as _},
    },
    domain::{MessageId, Timestamp},
};

/// A delivery that was given up, or that may have arrived and is not repeated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadLetter {
    /// Which message.
    pub message: MessageId,
    /// To which channel.
    pub channel: String,
    /// Given up or unknown.
    pub state: DeliveryState,
    /// Attempts made.
    pub attempts: u32,
    /// The channel's last status code, where it has one.
    pub status: Option<u16>,
    /// What went wrong at last.
    pub error: Option<String>,
    /// When it was given up.
    pub ended_at: Timestamp,
}

impl FromRow<'_, SqliteRow> for DeadLetter {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            message: row.try_get("message")?,
            channel: row.try_get("channel")?,
            state: row.try_get("state")?,
            attempts: row.try_get("attempts")?,
            status: row.try_get("last_status")?,
            error: row.try_get("last_error")?,
            ended_at: row.try_get("ended_at")?,
        })
    }
}

/// What was given up or is unknown, newest first.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn dead_letters(
    conn: &mut Connection,
    limit: u32,
) -> Result<Vec<DeadLetter>, CatalogError> {
    sqlx::query_as(
        "SELECT message, channel, state, attempts, last_status, last_error, ended_at FROM outbox
         WHERE state IN ('dead', 'unknown') ORDER BY ended_at DESC, message, channel LIMIT ?1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await
    .doing("list what was given up")
}

/// Makes due again what was given up: the messages whose id begins so, those of unknown fate among
/// them, or without one everything that is dead; gives how many. They have all attempts anew.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn revive(
    conn: &mut Connection,
    id: Option<&str>,
    now: Timestamp,
) -> Result<u64, CatalogError> {
    let revived = sqlx::query(
        "UPDATE outbox SET state = 'pending', attempts = 0, next_at = ?2, first_at = ?2, epoch = 0,
                ended_at = NULL
         WHERE (?1 IS NULL AND state = 'dead')
            OR (state IN ('dead', 'unknown') AND substr(message, 1, length(?1)) = ?1)",
    )
    .bind(id)
    .bind(now)
    .execute(conn)
    .await
    .doing("try again what was given up")?;
    Ok(revived.rows_affected())
}
