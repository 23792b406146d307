//! Messages that are kept back for a moment, because more is about to be known of their alerts.

use std::collections::BTreeSet;

use sqlx::{FromRow, Row, sqlite::SqliteRow};

use crate::{
    catalog::{
        Connection,
        error::{CatalogError, Doing as _},
    },
    domain::{AlertId, BatchName, MessageId, MetricName, Span, Timestamp},
};

/// Keeps a message that nobody was sent yet back until an instant.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn hold(
    conn: &mut Connection,
    message: &MessageId,
    until: Timestamp,
) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE outbox SET next_at = MAX(next_at, ?2)
         WHERE message = ?1 AND state = 'pending' AND epoch = 0",
    )
    .bind(message)
    .bind(until)
    .execute(conn)
    .await
    .doing("keep a message back")
    .map(drop)
}

/// Lets go, at an instant, of messages about an alert that were kept back for what is known of all
/// of their alerts by now; gives how many. Each still waits so long for more of its group.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn release(
    conn: &mut Connection,
    alert: &AlertId,
    at: Timestamp,
    group_wait: Span,
) -> Result<u64, CatalogError> {
    let released = sqlx::query(
        "UPDATE outbox SET next_at = MAX(?2, first_at + ?3)
         WHERE state = 'pending' AND epoch = 0 AND MAX(?2, first_at + ?3) < next_at
           AND message IN (
               SELECT mine.message FROM message_alerts AS mine
               JOIN messages AS said ON said.id = mine.message AND said.event = 'firing'
               WHERE mine.alert = ?1 AND NOT EXISTS (
                   SELECT 1 FROM message_alerts AS theirs
                   JOIN readings AS open ON open.alert = theirs.alert
                   WHERE theirs.message = mine.message AND open.state IN ('wanted', 'asked')))",
    )
    .bind(alert)
    .bind(at)
    .bind(group_wait.micros())
    .execute(conn)
    .await
    .doing("let go of messages that were kept back")?;
    Ok(released.rows_affected())
}

/// Lets go, at an instant, of messages that something fired and that came up at another or later,
/// though more of their groups may come; gives how many. Those that wait for words go on waiting.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn release_all(
    conn: &mut Connection,
    since: Timestamp,
    at: Timestamp,
) -> Result<u64, CatalogError> {
    let released = sqlx::query(
        "UPDATE outbox SET next_at = ?2
         WHERE state = 'pending' AND epoch = 0 AND ?2 < next_at
           AND message IN (
               SELECT id FROM messages AS said
               WHERE ?1 <= said.created_at AND said.event = 'firing' AND NOT EXISTS (
                   SELECT 1 FROM message_alerts AS theirs
                   JOIN readings AS open ON open.alert = theirs.alert
                   WHERE theirs.message = said.id AND open.state IN ('wanted', 'asked')
                     AND ?2 < open.until))",
    )
    .bind(since)
    .bind(at)
    .execute(conn)
    .await
    .doing("let go of messages that wait for more of their group")?;
    Ok(released.rows_affected())
}

/// Until when a message is kept back; `None` when no channel waits for it.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn held_until(
    conn: &mut Connection,
    message: &MessageId,
) -> Result<Option<Timestamp>, CatalogError> {
    sqlx::query_scalar(
        "SELECT MIN(next_at) FROM outbox WHERE message = ?1 AND state = 'pending' AND epoch = 0",
    )
    .bind(message)
    .fetch_one(conn)
    .await
    .doing("find out until when a message is kept back")
}

/// A message that no channel was sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// Which.
    pub message: MessageId,
    /// When it came up.
    pub created_at: Timestamp,
    /// The metric of the alert it names first.
    pub metric: MetricName,
    /// Whom it goes to.
    pub channels: BTreeSet<String>,
}

impl FromRow<'_, SqliteRow> for Unsent {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let channels = serde_json::from_str(row.try_get("channels")?);
        Ok(Self {
            message: row.try_get("id")?,
            created_at: row.try_get("created_at")?,
            metric: row.try_get("metric")?,
            channels: channels.map_err(|error| sqlx::Error::Decode(error.into()))?,
        })
    }
}

/// Messages of a batch that something fired, that came up after an instant and that no channel was
/// sent yet, the newest first.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn unsent(
    conn: &mut Connection,
    batch: &BatchName,
    after: Timestamp,
) -> Result<Vec<Unsent>, CatalogError> {
    sqlx::query_as(
        "SELECT m.id, m.created_at, a.metric,
                (SELECT json_group_array(channel) FROM outbox WHERE message = m.id) AS channels
         FROM messages AS m
         JOIN message_alerts AS first ON first.message = m.id AND first.position = 0
         JOIN alerts AS a ON a.id = first.alert
         WHERE ?2 < m.created_at AND m.batch = ?1 AND m.event = 'firing'
           AND NOT EXISTS (SELECT 1 FROM outbox AS box
                           WHERE box.message = m.id AND (box.state <> 'pending' OR 0 < box.epoch))
         ORDER BY m.created_at DESC, m.id",
    )
    .bind(batch)
    .bind(after)
    .fetch_all(conn)
    .await
    .doing("find messages that wait for more of their group")
}
