//! What was told long ago leaves the catalog, a bounded part at a time, so that no other writer
//! waits for long. What is open or still to be said stays, and so does what training needs.

use super::{
    Connection,
    error::{CatalogError, Doing as _},
};
use crate::domain::{BatchName, MessageId, Timestamp};

/// What is old of a batch's alerts.
#[derive(Debug, Clone, Copy)]
pub struct OldAlerts<'a> {
    /// Whose.
    pub batch: &'a BatchName,
    /// Over, last seen and last had a word on before.
    pub before: Timestamp,
    /// The oldest stored point: words that keep stretches from training count for it and what is
    /// newer; `None` without points.
    pub oldest_point: Option<Timestamp>,
}

/// The batches that have alerts, configured or not.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn batches_with_alerts(conn: &mut Connection) -> Result<Vec<BatchName>, CatalogError> {
    // From name to name along the index.
    sqlx::query_scalar(
        "WITH RECURSIVE found (batch) AS (
             SELECT MIN(batch) FROM alerts
             UNION ALL
             SELECT (SELECT MIN(batch) FROM alerts WHERE found.batch < batch)
             FROM found WHERE found.batch IS NOT NULL)
         SELECT batch FROM found WHERE batch IS NOT NULL ORDER BY batch",
    )
    .fetch_all(conn)
    .await
    .doing("find the batches that have alerts")
}

pub(super) const OLD_ALERTS: &str = "DELETE FROM alerts WHERE id IN (
     SELECT a.id FROM alerts AS a
     WHERE a.batch = ?1 AND a.state = 'resolved' AND a.resolved_at < ?2 AND a.until < ?2
       AND NOT EXISTS (
           SELECT 1 FROM feedback AS f
           WHERE f.alert = a.id
             AND (?2 <= f.at
                  OR f.verdict IN ('incident', 'new-normal')
                     AND ?3 <= MAX(a.until, COALESCE(f.until, a.until))))
       AND NOT EXISTS (
           SELECT 1 FROM message_alerts AS about
           JOIN outbox AS box ON box.message = about.message
           WHERE about.alert = a.id AND box.state IN ('pending', 'sending'))
     LIMIT ?4)";

/// Forgets up to so many old alerts with the words on them; gives how many. An alert that something
/// is still to be said of stays.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn alerts(
    conn: &mut Connection,
    old: OldAlerts<'_>,
    most: u32,
) -> Result<u64, CatalogError> {
    let forgotten = sqlx::query(OLD_ALERTS)
        .bind(old.batch)
        .bind(old.before)
        .bind(old.oldest_point.unwrap_or(Timestamp::MAX))
        .bind(most)
        .execute(conn)
        .await
        .doing("forget old alerts")?;
    Ok(forgotten.rows_affected())
}

/// How far a walk over old messages came.
#[derive(Debug, Clone)]
pub struct Walk {
    /// The last message that was looked at.
    last: (Timestamp, MessageId),
    /// How many were forgotten.
    pub n_forgotten: u64,
}

impl Walk {
    /// One that has looked at nothing.
    pub const fn begin() -> Self {
        Self { last: (Timestamp::MIN, MessageId(String::new())), n_forgotten: 0 }
    }
}

pub(super) const OLD_MESSAGES: &str = "SELECT created_at, id FROM messages
     WHERE created_at < ?1 AND (created_at, id) > (?2, ?3) ORDER BY created_at, id LIMIT ?4";

/// Looks at so many more messages that came up before an instant, the oldest first, and forgets
/// those of them that went their way and are about no alert that is kept; `false` when it has looked
/// at all. What stays is looked at once a walk.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn messages(
    conn: &mut Connection,
    before: Timestamp,
    walk: &mut Walk,
    most: u32,
) -> Result<bool, CatalogError> {
    let looked: Vec<(Timestamp, MessageId)> = sqlx::query_as(OLD_MESSAGES)
        .bind(before)
        .bind(walk.last.0)
        .bind(&walk.last.1)
        .bind(most)
        .fetch_all(&mut *conn)
        .await
        .doing("look for old messages")?;
    let ids: Vec<&str> = looked.iter().map(|(_, id)| id.0.as_str()).collect();
    let ids = serde_json::json!(ids).to_string();
    // Again, for those that said what has gone only now.
    loop {
        let n_gone = forget_of(conn, &ids).await?;
        walk.n_forgotten += n_gone;
        if n_gone == 0 {
            break;
        }
    }
    let Some(last) = looked.into_iter().next_back() else { return Ok(false) };
    walk.last = last;
    Ok(true)
}

/// Forgets what can go of messages whose ids are a list in JSON; gives how many.
async fn forget_of(conn: &mut Connection, ids: &str) -> Result<u64, CatalogError> {
    let forgotten = sqlx::query(
        "DELETE FROM messages AS m
         WHERE m.id IN (SELECT value FROM json_each(?1))
           AND NOT EXISTS (SELECT 1 FROM message_alerts AS about WHERE about.message = m.id)
           AND NOT EXISTS (SELECT 1 FROM outbox AS box
                           WHERE box.message = m.id AND box.state IN ('pending', 'sending'))
           AND NOT EXISTS (SELECT 1 FROM outbox AS said WHERE said.merged_into = m.id)",
    )
    .bind(ids)
    .execute(conn)
    .await
    .doing("forget old messages")?;
    Ok(forgotten.rows_affected())
}

/// Forgets up to so many silences that ended before an instant; gives how many.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn snoozes(
    conn: &mut Connection,
    before: Timestamp,
    most: u32,
) -> Result<u64, CatalogError> {
    let forgotten = sqlx::query(
        "DELETE FROM snoozes WHERE id IN (SELECT id FROM snoozes WHERE until < ?1 LIMIT ?2)",
    )
    .bind(before)
    .bind(most)
    .execute(conn)
    .await
    .doing("forget old silences")?;
    Ok(forgotten.rows_affected())
}
