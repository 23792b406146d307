//! Table `outbox`: who is still to be told which message. A row is made in the transaction of its
//! alerts, so no crash can lose it; a repeat carries the same key, so the other side can tell.

mod dead;
mod hold;
mod merge;
mod settle;

use std::collections::BTreeSet;

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    codec::{stored_words, uncount},
    error::{CatalogError, Doing as _},
};
use crate::domain::{AlertId, MessageId, Span, Timestamp};

pub use dead::{DeadLetter, dead_letters, revive};
pub use hold::{Unsent, held_until, hold, release, release_all, unsent};
pub use merge::{Merging, is_late, merge, n_waiting};
pub use settle::{Settled, settle};

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

pub(super) const BACKLOG: &str = "SELECT channel, COUNT(*), MIN(first_at) FROM outbox
     WHERE state IN ('pending', 'sending') GROUP BY channel ORDER BY channel";

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
    /// The alerts the channel took already, where it takes each by itself.
    pub taken: BTreeSet<AlertId>,
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
            taken: taken(row.try_get("taken")?)?,
            epoch: row.try_get("epoch")?,
        })
    }
}

fn taken(text: Option<&str>) -> Result<BTreeSet<AlertId>, sqlx::Error> {
    let ids: Vec<String> = match text {
        Some(text) => serde_json::from_str(text).map_err(|e| sqlx::Error::Decode(e.into()))?,
        None => Vec::new(),
    };
    Ok(ids.into_iter().map(AlertId).collect())
}

/// Why a delivery did not succeed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Refusal {
    /// The channel's status code, where it has one.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: String,
}

/// When deliveries are to be taken.
#[derive(Debug, Clone, Copy)]
pub struct Taking {
    /// The present.
    pub now: Timestamp,
    /// What was tried before has to be due by then; only what was never tried may be due later. A
    /// drain so never takes a delivery twice.
    pub began: Timestamp,
}

impl Taking {
    /// Whatever is due.
    pub const fn at(now: Timestamp) -> Self {
        Self { now, began: now }
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
         VALUES (?1, ?2, 'pending', ?3, ?4, ?3)
         ON CONFLICT (message, channel) DO NOTHING",
    )
    .bind(message)
    .bind(channel)
    .bind(now)
    .bind(idem_key(message, channel))
    .execute(conn)
    .await
    .doing("put a message in the outbox")?;
    Ok(queued.rows_affected() == 1)
}

/// The delivery's name for the other side: fit for a header, whatever the channel is called.
fn idem_key(message: &MessageId, channel: &str) -> String {
    let mut key = format!("{message}.");
    for byte in channel.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => key.push(char::from(byte)),
            _ => key.push_str(&format!("%{byte:02X}")),
        }
    }
    key
}

/// The channels that anything waits for.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn waiting_channels(conn: &mut Connection) -> Result<Vec<String>, CatalogError> {
    // From name to name along the index: thousands of messages to one channel cost one step.
    sqlx::query_scalar(
        "WITH RECURSIVE waiting (channel) AS (
             SELECT MIN(channel) FROM outbox WHERE state IN ('pending', 'sending')
             UNION ALL
             SELECT (SELECT MIN(channel) FROM outbox
                     WHERE state IN ('pending', 'sending') AND waiting.channel < channel)
             FROM waiting WHERE waiting.channel IS NOT NULL)
         SELECT channel FROM waiting WHERE channel IS NOT NULL ORDER BY channel",
    )
    .fetch_all(conn)
    .await
    .doing("find the channels that messages wait for")
}

/// Takes a channel's deliveries that are due, those waiting longest first, and marks them as being
/// sent. One whose sender never came back is due again, and may have arrived. What is said of an
/// alert later waits for what is still to be said of it before.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn take(
    conn: &mut Connection,
    channel: &str,
    taking: Taking,
    limit: u32,
) -> Result<Vec<Delivery>, CatalogError> {
    let mut taken: Vec<Delivery> = sqlx::query_as(
        "UPDATE outbox SET may_be_there = MAX(may_be_there, state = 'sending'),
                state = 'sending', lease_until = ?2, epoch = epoch + 1
         WHERE (message, channel) IN (
             SELECT due.message, due.channel FROM outbox AS due
             WHERE due.channel = ?5 AND due.state IN ('pending', 'sending') AND due.next_at <= ?1
               AND ((due.state = 'pending' AND (due.next_at <= ?4 OR due.epoch = 0))
                    OR (due.state = 'sending' AND due.lease_until <= ?4))
               AND NOT EXISTS (
                   SELECT 1 FROM message_alerts AS mine
                   JOIN message_alerts AS theirs ON theirs.alert = mine.alert
                   JOIN outbox AS before
                     ON before.message = theirs.message AND before.channel = due.channel
                   WHERE mine.message = due.message AND before.message <> due.message
                     AND before.state IN ('pending', 'sending')
                     AND (before.first_at < due.first_at
                          OR before.first_at = due.first_at
                             AND (SELECT event FROM messages WHERE id = due.message) = 'resolved'
                             AND (SELECT event FROM messages WHERE id = before.message)
                                 <> 'resolved'))
             ORDER BY due.next_at, due.message LIMIT ?3)
         RETURNING message, channel, attempts, may_be_there, taken, idem_key, first_at, epoch",
    )
    .bind(taking.now)
    .bind(taking.now + SENDING_LEASE)
    .bind(limit)
    .bind(taking.began)
    .bind(channel)
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

/// Makes deliveries due again whose sender is gone, and which may have arrived; gives their number.
/// At start-up only.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn void_leases(conn: &mut Connection, now: Timestamp) -> Result<u64, CatalogError> {
    let voided = sqlx::query(
        "UPDATE outbox SET state = 'pending', lease_until = NULL, next_at = ?1, may_be_there = 1
         WHERE state = 'sending'",
    )
    .bind(now)
    .execute(conn)
    .await
    .doing("take deliveries back from senders that are gone")?;
    Ok(voided.rows_affected())
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

/// What waits for a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// Which.
    pub channel: String,
    /// How many messages.
    pub n_waiting: u64,
    /// When the one waiting longest came up.
    pub oldest: Timestamp,
}

/// What waits, by channel.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn backlog(conn: &mut Connection) -> Result<Vec<Backlog>, CatalogError> {
    let rows: Vec<(String, i64, Timestamp)> =
        sqlx::query_as(BACKLOG).fetch_all(conn).await.doing("count what waits")?;
    let backlog = |(channel, n, oldest)| Backlog { channel, n_waiting: uncount(n), oldest };
    Ok(rows.into_iter().map(backlog).collect())
}

/// Where one message to one channel is; `None` when there is none.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn state_of(
    conn: &mut Connection,
    message: &MessageId,
    channel: &str,
) -> Result<Option<(DeliveryState, Option<String>)>, CatalogError> {
    sqlx::query_as("SELECT state, last_error FROM outbox WHERE message = ?1 AND channel = ?2")
        .bind(message)
        .bind(channel)
        .fetch_optional(conn)
        .await
        .doing("look where a delivery is")
}
