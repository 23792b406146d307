//! Many messages that wait for one channel said in one. Nothing is lost: the one is about every alert
//! of the many, and each of them names the one.

use crate::{
    catalog::{
        Connection,
        codec::uncount,
        error::{CatalogError, Doing as _},
        messages,
        messages::MessageRow,
        outbox::enqueue,
    },
    domain::{BatchName, MessageEvent, MessageId, Timestamp},
};

/// The events of messages about alerts, as SQL's list.
macro_rules! of_alerts {
    () => {
        "('firing', 'escalated', 'reminder', 'resolved', 'storm')"
    };
}

/// Which messages become one.
#[derive(Debug, Clone, Copy)]
pub struct Merging<'a> {
    /// The one that says them.
    pub into: &'a MessageId,
    /// The channel they wait for.
    pub channel: &'a str,
    /// Only those that came up before; `None` is all.
    pub before: Option<Timestamp>,
    /// The present.
    pub now: Timestamp,
}

/// How many messages about alerts wait for a channel, counted up to `most`.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn n_waiting(
    conn: &mut Connection,
    channel: &str,
    most: u32,
) -> Result<u64, CatalogError> {
    let n: i64 = sqlx::query_scalar(concat!(
        "SELECT COUNT(*) FROM (
             SELECT 1 FROM outbox AS o JOIN messages AS m ON m.id = o.message
             WHERE o.channel = ?1 AND o.state = 'pending'
               AND m.event IN ",
        of_alerts!(),
        "
             LIMIT ?2)",
    ))
    .bind(channel)
    .bind(most)
    .fetch_one(conn)
    .await
    .doing("count what waits for a channel")?;
    Ok(uncount(n))
}

/// Whether two or more messages to a channel, one of them due, came up before an instant.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn is_late(
    conn: &mut Connection,
    channel: &str,
    before: Timestamp,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    sqlx::query_scalar(concat!(
        "SELECT COUNT(*) = 2 AND MIN(next_at) <= ?3 FROM (
             SELECT o.next_at FROM outbox AS o JOIN messages AS m ON m.id = o.message
             WHERE o.channel = ?1 AND o.state = 'pending' AND o.first_at < ?2
               AND m.event IN ",
        of_alerts!(),
        "
             ORDER BY o.next_at LIMIT 2)",
    ))
    .bind(channel)
    .bind(before)
    .bind(now)
    .fetch_one(conn)
    .await
    .doing("look for messages that waited long")
}

/// Says in one message what waits in many; gives how many. What was tried of the many
/// counts for it: it is due at once, or when the last of those that failed would have been.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn merge(conn: &mut Connection, merging: Merging<'_>) -> Result<u64, CatalogError> {
    let Merging { into, channel, now, .. } = merging;
    let event = MessageEvent::Storm;
    let batch = batch_of(conn, merging).await?;
    let row =
        MessageRow { id: into.clone(), event, batch, title: None, text: None, created_at: now };
    messages::insert(conn, &row, &[]).await?;
    enqueue(conn, into, channel, now).await?;
    gather(conn, merging).await?;
    let merged = sqlx::query(concat!(
        "UPDATE outbox SET state = 'merged', ended_at = ?4, merged_into = ?3
         WHERE channel = ?1 AND state = 'pending' AND (?2 IS NULL OR first_at < ?2)
           AND message <> ?3
           AND message IN (
               SELECT id FROM messages
               WHERE event IN ",
        of_alerts!(),
        ")",
    ))
    .bind(channel)
    .bind(merging.before)
    .bind(into)
    .bind(now)
    .execute(&mut *conn)
    .await
    .doing("merge waiting messages")?;
    sqlx::query(
        "UPDATE outbox
         SET may_be_there = (SELECT MAX(may_be_there) FROM outbox WHERE merged_into = ?1),
             attempts = (SELECT MAX(attempts) FROM outbox WHERE merged_into = ?1),
             next_at = MAX(next_at, COALESCE((SELECT MAX(next_at) FROM outbox
                                              WHERE merged_into = ?1 AND 0 < attempts), next_at))
         WHERE message = ?1 AND channel = ?2",
    )
    .bind(into)
    .bind(channel)
    .execute(conn)
    .await
    .doing("count what was tried of merged messages")?;
    Ok(merged.rows_affected())
}

/// The batch that all of the many are about, where it is one.
async fn batch_of(
    conn: &mut Connection,
    merging: Merging<'_>,
) -> Result<Option<BatchName>, CatalogError> {
    let mut batches: Vec<Option<BatchName>> = sqlx::query_scalar(concat!(
        "SELECT DISTINCT m.batch FROM outbox AS o JOIN messages AS m ON m.id = o.message
         WHERE o.channel = ?1 AND o.state = 'pending' AND (?2 IS NULL OR o.first_at < ?2)
           AND m.event IN ",
        of_alerts!(),
        "
         ORDER BY m.batch LIMIT 2",
    ))
    .bind(merging.channel)
    .bind(merging.before)
    .fetch_all(conn)
    .await
    .doing("find whom waiting messages are about")?;
    let last = batches.pop().flatten();
    Ok(last.filter(|_| batches.is_empty()))
}

/// Makes the one be about every alert of the many.
async fn gather(conn: &mut Connection, merging: Merging<'_>) -> Result<(), CatalogError> {
    sqlx::query(concat!(
        "INSERT INTO message_alerts (message, position, alert)
         SELECT ?3, ROW_NUMBER() OVER (ORDER BY MIN(o.first_at), a.alert) - 1, a.alert
         FROM outbox AS o JOIN messages AS m ON m.id = o.message
         JOIN message_alerts AS a ON a.message = o.message
         WHERE o.channel = ?1 AND o.state = 'pending' AND (?2 IS NULL OR o.first_at < ?2)
           AND o.message <> ?3
           AND m.event IN ",
        of_alerts!(),
        "
         GROUP BY a.alert",
    ))
    .bind(merging.channel)
    .bind(merging.before)
    .bind(merging.into)
    .execute(conn)
    .await
    .doing("gather the alerts of waiting messages")
    .map(drop)
}
