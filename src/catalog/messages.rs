//! Tables `messages` and `message_alerts`: what is said to people, once, however many channels it goes
//! to and however often it is tried.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    codec::uncount,
    error::{CatalogError, Doing as _},
};
use crate::domain::{AlertId, AlertState, BatchName, Digest, MessageEvent, MessageId, Timestamp};

/// Something to be said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MessageRow {
    /// Made from what it says, so that saying it again changes nothing.
    pub id: MessageId,
    /// Why it is said.
    pub event: MessageEvent,
    /// About which batch; `None` for several or none.
    pub batch: Option<BatchName>,
    /// The headline of what is not about alerts.
    pub title: Option<String>,
    /// The text of what is not about alerts.
    pub text: Option<String>,
    /// When it came up.
    pub created_at: Timestamp,
}

impl FromRow<'_, SqliteRow> for MessageRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            event: row.try_get("event")?,
            batch: row.try_get("batch")?,
            title: row.try_get("title")?,
            text: row.try_get("text")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

/// Stores a message and which alerts it is about, in the order they are named; `false` when it is
/// known already, which changes nothing.
///
/// # Errors
/// [`CatalogError::Query`], also when there is no such alert.
pub async fn insert(
    conn: &mut Connection,
    message: &MessageRow,
    alerts: &[AlertId],
) -> Result<bool, CatalogError> {
    let inserted = sqlx::query(
        "INSERT INTO messages (id, event, batch, title, text, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING",
    )
    .bind(&message.id)
    .bind(message.event)
    .bind(&message.batch)
    .bind(&message.title)
    .bind(&message.text)
    .bind(message.created_at)
    .execute(&mut *conn)
    .await
    .doing("store a message")?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    add(conn, &message.id, alerts).await?;
    Ok(true)
}

/// Makes a message be about more alerts, after those it is about; gives how many it was not about
/// before.
///
/// # Errors
/// [`CatalogError::Query`], also when there is no such message or alert.
pub async fn add(
    conn: &mut Connection,
    message: &MessageId,
    alerts: &[AlertId],
) -> Result<u64, CatalogError> {
    let ids: Vec<&str> = alerts.iter().map(|id| id.0.as_str()).collect();
    let added = sqlx::query(
        "INSERT INTO message_alerts (message, position, alert)
         SELECT ?1, MIN(key) + (SELECT IFNULL(MAX(position) + 1, 0) FROM message_alerts
                                WHERE message = ?1), value
         FROM json_each(?2)
         WHERE NOT EXISTS (SELECT 1 FROM message_alerts WHERE alert = value AND message = ?1)
         GROUP BY value",
    )
    .bind(message)
    .bind(serde_json::json!(ids).to_string())
    .execute(conn)
    .await
    .doing("store what a message is about")?;
    Ok(added.rows_affected())
}

/// One message.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn get(
    conn: &mut Connection,
    id: &MessageId,
) -> Result<Option<MessageRow>, CatalogError> {
    sqlx::query_as("SELECT id, event, batch, title, text, created_at FROM messages WHERE id = ?1")
        .bind(id)
        .fetch_optional(conn)
        .await
        .doing("read a message")
}

/// Keeps what a message's digest says, beside its text.
///
/// # Errors
/// [`CatalogError::Query`] and [`CatalogError::Json`].
pub async fn keep_digest(
    conn: &mut Connection,
    id: &MessageId,
    digest: &Digest,
) -> Result<(), CatalogError> {
    let digest = serde_json::to_string(digest).doing("write a digest")?;
    sqlx::query("UPDATE messages SET digest = ?2 WHERE id = ?1")
        .bind(id)
        .bind(digest)
        .execute(conn)
        .await
        .doing("store a digest")
        .map(drop)
}

/// What a message's digest says; `None` for every other message, and for a digest that another
/// version of the program wrote: its text says it as well.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn digest_of(
    conn: &mut Connection,
    id: &MessageId,
) -> Result<Option<Digest>, CatalogError> {
    let kept: Option<Option<String>> =
        sqlx::query_scalar("SELECT digest FROM messages WHERE id = ?1")
            .bind(id)
            .fetch_optional(conn)
            .await
            .doing("read a digest")?;
    Ok(kept.flatten().and_then(|text| serde_json::from_str(&text).ok()))
}

/// The first alerts a message is about: those that still fire, the critical ones first, and then in the
/// order they are named.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn first_alerts(
    conn: &mut Connection,
    id: &MessageId,
    limit: u32,
) -> Result<Vec<AlertId>, CatalogError> {
    sqlx::query_scalar(
        "SELECT about.alert FROM message_alerts AS about JOIN alerts AS a ON a.id = about.alert
         WHERE about.message = ?1
         ORDER BY a.state = 'firing' DESC, a.severity = 'critical' DESC, about.position LIMIT ?2",
    )
    .bind(id)
    .bind(limit)
    .fetch_all(conn)
    .await
    .doing("read what a message is about first")
}

/// How many alerts of a batch in a state a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertCount {
    /// Of which batch.
    pub batch: BatchName,
    /// In which state, now.
    pub state: AlertState,
    /// How many.
    pub n_alerts: u64,
    /// How many of them are critical.
    pub n_critical: u64,
}

/// How many alerts a message is about, by batch and state.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn counts_of(
    conn: &mut Connection,
    id: &MessageId,
) -> Result<Vec<AlertCount>, CatalogError> {
    let rows: Vec<(BatchName, AlertState, i64, i64)> = sqlx::query_as(
        "SELECT a.batch, a.state, COUNT(*), SUM(a.severity = 'critical')
         FROM message_alerts AS m JOIN alerts AS a ON a.id = m.alert
         WHERE m.message = ?1 GROUP BY a.batch, a.state ORDER BY a.batch, a.state",
    )
    .bind(id)
    .fetch_all(conn)
    .await
    .doing("count what a message is about")?;
    let count = |(batch, state, n, n_critical)| AlertCount {
        batch,
        state,
        n_alerts: uncount(n),
        n_critical: uncount(n_critical),
    };
    Ok(rows.into_iter().map(count).collect())
}

/// The alerts a message is about, in the order they are named.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn alerts_of(
    conn: &mut Connection,
    id: &MessageId,
) -> Result<Vec<AlertId>, CatalogError> {
    sqlx::query_scalar("SELECT alert FROM message_alerts WHERE message = ?1 ORDER BY position")
        .bind(id)
        .fetch_all(conn)
        .await
        .doing("read what a message is about")
}

/// When something was last said of an alert, to anybody.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn last_said(
    conn: &mut Connection,
    alert: &AlertId,
) -> Result<Option<Timestamp>, CatalogError> {
    sqlx::query_scalar(
        "SELECT MAX(said.created_at) FROM message_alerts AS about
         JOIN messages AS said ON said.id = about.message
         WHERE about.alert = ?1",
    )
    .bind(alert)
    .fetch_one(conn)
    .await
    .doing("find out when an alert was last told")
}

/// Those of some alerts of which an event was said before.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn said_before(
    conn: &mut Connection,
    alerts: &[&AlertId],
    event: MessageEvent,
) -> Result<BTreeSet<AlertId>, CatalogError> {
    let ids: Vec<&str> = alerts.iter().map(|id| id.0.as_str()).collect();
    let rows: Vec<AlertId> = sqlx::query_scalar(
        "SELECT DISTINCT about.alert FROM message_alerts AS about
         JOIN messages AS said ON said.id = about.message AND said.event = ?2
         WHERE about.alert IN (SELECT value FROM json_each(?1))",
    )
    .bind(serde_json::json!(ids).to_string())
    .bind(event)
    .fetch_all(conn)
    .await
    .doing("find what was said of alerts before")?;
    Ok(rows.into_iter().collect())
}

/// The channels that were told that an alert fired, or still will be, of those alerts that were told
/// to any.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn told(
    conn: &mut Connection,
    alerts: &[&AlertId],
) -> Result<BTreeMap<AlertId, BTreeSet<String>>, CatalogError> {
    let ids: Vec<&str> = alerts.iter().map(|id| id.0.as_str()).collect();
    let rows: Vec<(AlertId, String)> = sqlx::query_as(
        "SELECT DISTINCT about.alert, box.channel
         FROM message_alerts AS about
         JOIN messages AS said ON said.id = about.message AND said.event IN ('firing', 'escalated')
         JOIN outbox AS box ON box.message = said.id
         WHERE about.alert IN (SELECT value FROM json_each(?1))",
    )
    .bind(serde_json::json!(ids).to_string())
    .fetch_all(conn)
    .await
    .doing("find out who was told of alerts")?;
    let mut told = BTreeMap::<_, BTreeSet<_>>::new();
    for (alert, channel) in rows {
        told.entry(alert).or_default().insert(channel);
    }
    Ok(told)
}
