//! Messages that are kept back for a moment, because more is about to be known of their alerts.

use std::collections::BTreeSet;

use crate::{
    catalog::{
        Connection,
        error::{CatalogError, Doing as _},
    },
    domain::{AlertId, BatchName, MessageId, Span, Timestamp},
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

/// Messages of a batch that something fired, that came up after an instant and that no channel was
/// sent yet, the newest first; each with the alert it names first.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn unsent(
    conn: &mut Connection,
    batch: &BatchName,
    after: Timestamp,
) -> Result<Vec<(MessageId, AlertId)>, CatalogError> {
    sqlx::query_as(
        "SELECT m.id, first.alert FROM messages AS m
         JOIN message_alerts AS first ON first.message = m.id AND first.position = 0
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

/// The channels a message goes to, by name.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn channels_of(
    conn: &mut Connection,
    message: &MessageId,
) -> Result<BTreeSet<String>, CatalogError> {
    let names: Vec<String> = sqlx::query_scalar("SELECT channel FROM outbox WHERE message = ?1")
        .bind(message)
        .fetch_all(conn)
        .await
        .doing("find whom a message goes to")?;
    Ok(names.into_iter().collect())
}
