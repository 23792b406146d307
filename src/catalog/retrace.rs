//! Questions about one point of the past, over the tables of alerts, runs, messages and silences:
//! when it was judged, what came before it, and who was told.

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    alerts::AlertRow,
    codec::uncount,
    error::{CatalogError, Doing as _},
    outbox::DeliveryState,
};
use crate::domain::{AlertId, AlertKind, BatchName, MessageEvent, MetricName, Timestamp};

/// What became of one message about an alert on one channel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// Why it is said.
    pub event: MessageEvent,
    /// Alerts the message names.
    pub n_alerts: u64,
    /// To which channel.
    pub channel: String,
    /// Where the delivery is in its life.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was first to be sent.
    pub first_at: Timestamp,
    /// When it was sent or given up.
    pub ended_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

impl FromRow<'_, SqliteRow> for Told {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            event: row.try_get("event")?,
            n_alerts: uncount(row.try_get("n_alerts")?),
            channel: row.try_get("channel")?,
            state: row.try_get("state")?,
            attempts: row.try_get("attempts")?,
            first_at: row.try_get("first_at")?,
            ended_at: row.try_get("ended_at")?,
            error: row.try_get("last_error")?,
        })
    }
}

/// What was said of an alert, the oldest first.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn told(conn: &mut Connection, alert: &AlertId) -> Result<Vec<Told>, CatalogError> {
    sqlx::query_as(
        "SELECT m.event, o.channel, o.state, o.attempts, o.first_at, o.ended_at, o.last_error,
                (SELECT COUNT(*) FROM message_alerts AS n WHERE n.message = m.id) AS n_alerts
         FROM message_alerts AS a JOIN messages AS m ON m.id = a.message
              JOIN outbox AS o ON o.message = m.id
         WHERE a.alert = ?1 ORDER BY m.created_at, m.id, o.channel",
    )
    .bind(alert)
    .fetch_all(conn)
    .await
    .doing("list who was told of an alert")
}

/// The newest observation before an instant that fired an alert of a kind.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn fired_before(
    conn: &mut Connection,
    (batch, metric): (&BatchName, &MetricName),
    kind: AlertKind,
    before: Timestamp,
) -> Result<Option<Timestamp>, CatalogError> {
    sqlx::query_scalar(
        "SELECT MAX(at) FROM alerts WHERE batch = ?1 AND metric = ?2 AND kind = ?3 AND at < ?4",
    )
    .bind(batch)
    .bind(metric)
    .bind(kind)
    .bind(before)
    .fetch_one(conn)
    .await
    .doing("find the alert before an instant")
}

/// The alert of a kind that was raised before an instant and has a hit there or later.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn open_at(
    conn: &mut Connection,
    (batch, metric): (&BatchName, &MetricName),
    kind: AlertKind,
    at: Timestamp,
) -> Result<Option<AlertRow>, CatalogError> {
    sqlx::query_as(
        "SELECT * FROM alerts
         WHERE batch = ?1 AND metric = ?2 AND kind = ?3 AND at < ?4 AND ?4 <= until
         ORDER BY at DESC LIMIT 1",
    )
    .bind(batch)
    .bind(metric)
    .bind(kind)
    .bind(at)
    .fetch_optional(conn)
    .await
    .doing("find the alert that was open at an instant")
}

/// The slot of the first alert run at or after an instant that did its work.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn judged_at(
    conn: &mut Connection,
    batch: &BatchName,
    at: Timestamp,
) -> Result<Option<Timestamp>, CatalogError> {
    sqlx::query_scalar(
        "SELECT MIN(slot) FROM runs
         WHERE batch = ?1 AND job = 'alert' AND state = 'succeeded' AND ?2 <= slot",
    )
    .bind(batch)
    .bind(at)
    .fetch_one(conn)
    .await
    .doing("find the run that judged a point")
}

/// A silence somebody asked for that holds at an instant: until when, and who asked.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn silence_at(
    conn: &mut Connection,
    (batch, metric): (&BatchName, &MetricName),
    at: Timestamp,
) -> Result<Option<(Timestamp, String)>, CatalogError> {
    sqlx::query_as(
        "SELECT until, author FROM snoozes
         WHERE batch = ?1 AND (metric IS NULL OR metric = ?2) AND since <= ?3 AND ?3 < until
         ORDER BY until DESC, id LIMIT 1",
    )
    .bind(batch)
    .bind(metric)
    .bind(at)
    .fetch_optional(conn)
    .await
    .doing("find a silence somebody asked for")
}
