//! Table `outbox`: who is still to be told which message. A row is made in the transaction of its
//! alerts, so no crash can lose it; a repeat carries the same key, so the other side can tell.

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    codec::{stored_words, uncount},
    error::{CatalogError, Doing as _},
};
use crate::domain::{MessageId, Span, Timestamp};

/// How long a send may take before the row is due again; longer than any channel's time-out.
const SENDING_LEASE: Span = Span::secs(120);

stored_words! {
    /// Where a delivery is in its life.
    DeliveryState {
        /// Waits for its time.
        Pending = "pending",
        /// Is being sent, under a lease.
        Sending = "sending",
        /// The channel took it.
        Sent = "sent",
        /// Given up; listed for people.
        Dead = "dead",
        /// Said by another message that says many.
        Merged = "merged",
        /// It may have arrived; not sent again, because the channel is set so.
        Unknown = "unknown",
    }
}

/// A message on its way to a channel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivery {
    /// Which message.
    pub message: MessageId,
    /// To which channel.
    pub channel: String,
    /// Attempts that failed before this one.
    pub attempts: u32,
    /// The same on every repeat.
    pub idem_key: String,
    /// When the alert was first to be sent.
    pub first_at: Timestamp,
    /// Whether an earlier attempt may have arrived.
    pub may_be_there: bool,
    /// Which claim of the row this is.
    pub epoch: i64,
}

impl FromRow<'_, SqliteRow> for Delivery {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            message: row.try_get("message")?,
            channel: row.try_get("channel")?,
            attempts: row.try_get("attempts")?,
            idem_key: row.try_get("idem_key")?,
            first_at: row.try_get("first_at")?,
            may_be_there: row.try_get("may_be_there")?,
            epoch: row.try_get("epoch")?,
        })
    }
}

/// Why a delivery did not succeed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Refusal {
    /// The channel's status code, where it has one.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: String,
}

/// Which deliveries are to be taken.
#[derive(Debug, Clone, Copy)]
pub struct Taking<'a> {
    /// The present.
    pub now: Timestamp,
    /// What was tried before has to be due by then; only what was never tried may be due later. A
    /// drain so never takes a delivery twice.
    pub began: Timestamp,
    /// Channels that are left alone.
    pub busy: &'a [&'a str],
}

impl Taking<'_> {
    /// Whatever is due.
    pub const fn at(now: Timestamp) -> Self {
        Self { now, began: now, busy: &[] }
    }
}

/// Puts a message in the outbox of a channel; `false` when it is there already.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn enqueue(
    conn: &mut Connection,
    message: &MessageId,
    channel: &str,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let queued = sqlx::query(
        "INSERT INTO outbox (message, channel, state, next_at, idem_key, first_at)
         VALUES (?1, ?2, 'pending', ?3, ?1 || '.' || ?2, ?3)
         ON CONFLICT (message, channel) DO NOTHING",
    )
    .bind(message)
    .bind(channel)
    .bind(now)
    .execute(conn)
    .await
    .doing("put a message in the outbox")?;
    Ok(queued.rows_affected() == 1)
}

/// Takes the deliveries that are due, those waiting longest first, and marks them as being sent.
/// One whose sender never came back is due again.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn due(
    conn: &mut Connection,
    taking: &Taking<'_>,
    limit: u32,
) -> Result<Vec<Delivery>, CatalogError> {
    let mut taken: Vec<Delivery> = sqlx::query_as(
        "UPDATE outbox SET state = 'sending', lease_until = ?2, epoch = epoch + 1
         WHERE (message, channel) IN (
             SELECT message, channel FROM outbox
             WHERE ((state = 'pending' AND next_at <= ?1 AND (next_at <= ?4 OR epoch = 0))
                    OR (state = 'sending' AND lease_until <= ?4))
               AND channel NOT IN (SELECT value FROM json_each(?5))
             ORDER BY next_at, message, channel LIMIT ?3)
         RETURNING message, channel, attempts, may_be_there, idem_key, first_at, epoch",
    )
    .bind(taking.now)
    .bind(taking.now + SENDING_LEASE)
    .bind(limit)
    .bind(taking.began)
    .bind(serde_json::json!(taking.busy).to_string())
    .fetch_all(conn)
    .await
    .doing("take due deliveries")?;
    taken.sort_by(|a, b| (a.first_at, &a.message).cmp(&(b.first_at, &b.message)));
    Ok(taken)
}

/// Whether anything is waiting to be sent now, without taking it.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn has_due(conn: &mut Connection, now: Timestamp) -> Result<bool, CatalogError> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM outbox
                        WHERE state IN ('pending', 'sending')
                          AND ((state = 'pending' AND next_at <= ?1)
                               OR (state = 'sending' AND lease_until <= ?1)))",
    )
    .bind(now)
    .fetch_one(conn)
    .await
    .doing("look for due deliveries")
}

/// Notes that the channel took it; `false` when somebody else has the delivery by now.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn sent(
    conn: &mut Connection,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let noted = sqlx::query(
        "UPDATE outbox SET state = 'sent', lease_until = NULL, ended_at = ?4, last_error = NULL,
                attempts = attempts + 1
         WHERE message = ?1 AND channel = ?2 AND epoch = ?3 AND state = 'sending'",
    )
    .bind(&delivery.message)
    .bind(&delivery.channel)
    .bind(delivery.epoch)
    .bind(now)
    .execute(conn)
    .await
    .doing("note a delivery as sent")?;
    Ok(noted.rows_affected() == 1)
}

/// Notes a failed attempt and when to try again.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn retry(
    conn: &mut Connection,
    delivery: &Delivery,
    next_at: Timestamp,
    refusal: &Refusal,
) -> Result<bool, CatalogError> {
    let noted = sqlx::query(
        "UPDATE outbox SET state = 'pending', lease_until = NULL, attempts = attempts + 1,
                next_at = ?4, last_status = ?5, last_error = ?6
         WHERE message = ?1 AND channel = ?2 AND epoch = ?3 AND state = 'sending'",
    )
    .bind(&delivery.message)
    .bind(&delivery.channel)
    .bind(delivery.epoch)
    .bind(next_at)
    .bind(refusal.status)
    .bind(&refusal.error)
    .execute(conn)
    .await
    .doing("note a failed delivery")?;
    Ok(noted.rows_affected() == 1)
}

/// Puts a delivery off without counting an attempt: the channel asked for patience, or the process
/// is ending.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn postpone(
    conn: &mut Connection,
    delivery: &Delivery,
    next_at: Timestamp,
) -> Result<bool, CatalogError> {
    let noted = sqlx::query(
        "UPDATE outbox SET state = 'pending', lease_until = NULL, next_at = ?4
         WHERE message = ?1 AND channel = ?2 AND epoch = ?3 AND state = 'sending'",
    )
    .bind(&delivery.message)
    .bind(&delivery.channel)
    .bind(delivery.epoch)
    .bind(next_at)
    .execute(conn)
    .await
    .doing("put a delivery off")?;
    Ok(noted.rows_affected() == 1)
}

/// Gives a delivery up.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn dead(
    conn: &mut Connection,
    delivery: &Delivery,
    refusal: &Refusal,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let noted = sqlx::query(
        "UPDATE outbox SET state = 'dead', lease_until = NULL, attempts = attempts + 1,
                ended_at = ?4, last_status = ?5, last_error = ?6
         WHERE message = ?1 AND channel = ?2 AND epoch = ?3 AND state = 'sending'",
    )
    .bind(&delivery.message)
    .bind(&delivery.channel)
    .bind(delivery.epoch)
    .bind(now)
    .bind(refusal.status)
    .bind(&refusal.error)
    .execute(conn)
    .await
    .doing("give a delivery up")?;
    Ok(noted.rows_affected() == 1)
}

/// Makes deliveries due again whose sender is gone; gives their number. At start-up only.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn void_leases(conn: &mut Connection, now: Timestamp) -> Result<u64, CatalogError> {
    let voided = sqlx::query(
        "UPDATE outbox SET state = 'pending', lease_until = NULL, next_at = ?1
         WHERE state = 'sending'",
    )
    .bind(now)
    .execute(conn)
    .await
    .doing("take deliveries back from senders that are gone")?;
    Ok(voided.rows_affected())
}

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadLetter {
    /// Which message.
    pub message: MessageId,
    /// To which channel.
    pub channel: String,
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
            attempts: row.try_get("attempts")?,
            status: row.try_get("last_status")?,
            error: row.try_get("last_error")?,
            ended_at: row.try_get("ended_at")?,
        })
    }
}

/// What was given up, newest first.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn dead_letters(
    conn: &mut Connection,
    limit: u32,
) -> Result<Vec<DeadLetter>, CatalogError> {
    sqlx::query_as(
        "SELECT message, channel, attempts, last_status, last_error, ended_at FROM outbox
         WHERE state = 'dead' ORDER BY ended_at DESC, message, channel LIMIT ?1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await
    .doing("list what was given up")
}

/// How many deliveries of each channel are in each state.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn counts(
    conn: &mut Connection,
) -> Result<Vec<(String, DeliveryState, u64)>, CatalogError> {
    let rows: Vec<(String, DeliveryState, i64)> = sqlx::query_as(
        "SELECT channel, state, COUNT(*) FROM outbox
         GROUP BY channel, state ORDER BY channel, state",
    )
    .fetch_all(conn)
    .await
    .doing("count deliveries")?;
    Ok(rows.into_iter().map(|(channel, state, n)| (channel, state, uncount(n))).collect())
}
