//! Messages that are kept back for a moment, because more is about to be known of their alerts.

use crate::{
    catalog::{
        Connection,
        error::{CatalogError, Doing as _},
    },
    domain::{AlertId, MessageId, Timestamp},
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
/// of their alerts by now; gives how many.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn release(
    conn: &mut Connection,
    alert: &AlertId,
    at: Timestamp,
) -> Result<u64, CatalogError> {
    let released = sqlx::query(
        "UPDATE outbox SET next_at = ?2
         WHERE state = 'pending' AND epoch = 0 AND ?2 < next_at
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
    .execute(conn)
    .await
    .doing("let go of messages that were kept back")?;
    Ok(released.rows_affected())
}
