//! Table `readings`: which alerts a language model is asked about, and what it said.

use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    codec::{stored_words, uncount},
    error::{CatalogError, Doing as _},
};
use crate::domain::{AlertId, MessageId, PlainWords, Timestamp};

stored_words! {
    /// How far asking about an alert has come.
    ReadingState {
        /// It is to be asked about.
        Wanted = "wanted",
        /// The model is being asked.
        Asked = "asked",
        /// There is an answer.
        Given = "given",
        /// There will be none.
        Missing = "missing",
    }
}

/// An alert that a language model is or was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadingRow {
    /// How far it has come.
    pub state: ReadingState,
    /// What the model said.
    pub words: Option<PlainWords>,
    /// Why there is no answer.
    pub error: Option<String>,
}

impl FromRow<'_, SqliteRow> for ReadingRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let text: Option<String> = row.try_get("text")?;
        let words = text.zip(row.try_get("model")?).map(|(text, model)| PlainWords { text, model });
        Ok(Self { state: row.try_get("state")?, words, error: row.try_get("error")? })
    }
}

/// An alert to ask about now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// Which.
    pub alert: AlertId,
    /// An answer after this is of no use.
    pub until: Timestamp,
}

/// Asks for words about an alert by `until`; `false` when they were asked for already, which
/// changes nothing.
///
/// # Errors
/// [`CatalogError::Query`], also when there is no such alert.
pub async fn want(
    conn: &mut Connection,
    alert: &AlertId,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, CatalogError> {
    let wanted = sqlx::query(
        "INSERT INTO readings (alert, state, wanted_at, until) VALUES (?1, 'wanted', ?2, ?3)
         ON CONFLICT (alert) DO NOTHING",
    )
    .bind(alert)
    .bind(now)
    .bind(until)
    .execute(conn)
    .await
    .doing("ask for words about an alert")?;
    Ok(wanted.rows_affected() == 1)
}

/// How many alerts were asked about from an instant on.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn n_since(conn: &mut Connection, since: Timestamp) -> Result<u64, CatalogError> {
    let n: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM readings WHERE ?1 <= wanted_at")
        .bind(since)
        .fetch_one(conn)
        .await
        .doing("count the alerts asked about")?;
    Ok(uncount(n))
}

/// How many of a message's alerts were asked about.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn n_of_message(conn: &mut Connection, message: &MessageId) -> Result<u64, CatalogError> {
    let n: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM message_alerts AS about JOIN readings AS r ON r.alert = about.alert
         WHERE about.message = ?1",
    )
    .bind(message)
    .fetch_one(conn)
    .await
    .doing("count the alerts of a message asked about")?;
    Ok(uncount(n))
}
pub(super) const ANY_OPEN: &str =
    "SELECT EXISTS (SELECT 1 FROM readings WHERE state IN ('wanted', 'asked'))";

/// Whether any alert waits to be asked about, or for an answer.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn any_open(conn: &mut Connection) -> Result<bool, CatalogError> {
    sqlx::query_scalar(ANY_OPEN).fetch_one(conn).await.doing("look for alerts to ask about")
}

/// Takes alerts to ask about, those that waited longest first; each is given once.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn take(
    conn: &mut Connection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Asking>, CatalogError> {
    let rows: Vec<(AlertId, Timestamp)> = sqlx::query_as(
        "UPDATE readings SET state = 'asked'
         WHERE alert IN (SELECT alert FROM readings WHERE state = 'wanted' AND ?1 < until
                         ORDER BY until, alert LIMIT ?2)
         RETURNING alert, until",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(conn)
    .await
    .doing("take alerts to ask about")?;
    Ok(rows.into_iter().map(|(alert, until)| Asking { alert, until }).collect())
}

/// Notes that what is still open was not answered in time; gives how many.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn expire(conn: &mut Connection, now: Timestamp) -> Result<u64, CatalogError> {
    let expired = sqlx::query(
        "UPDATE readings SET state = 'missing', error = 'no answer came in time'
         WHERE state IN ('wanted', 'asked') AND until <= ?1",
    )
    .bind(now)
    .execute(conn)
    .await
    .doing("give up on answers that did not come")?;
    Ok(expired.rows_affected())
}

/// Notes what came of asking about an alert: words, or why there are none; `false` when it was
/// given up on already, which changes nothing.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn settle(
    conn: &mut Connection,
    alert: &AlertId,
    came: Result<&PlainWords, &str>,
) -> Result<bool, CatalogError> {
    let (words, error) = (came.ok(), came.err());
    let settled = sqlx::query(
        "UPDATE readings SET state = IIF(?2 IS NULL, 'missing', 'given'), text = ?2, model = ?3,
                error = ?4
         WHERE alert = ?1 AND state IN ('wanted', 'asked')",
    )
    .bind(alert)
    .bind(words.map(|words| words.text.as_str()))
    .bind(words.map(|words| words.model.as_str()))
    .bind(error)
    .execute(conn)
    .await
    .doing("keep what was said about an alert")?;
    Ok(settled.rows_affected() == 1)
}

/// What came of asking about an alert; `None` when nobody was asked.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn of(
    conn: &mut Connection,
    alert: &AlertId,
) -> Result<Option<ReadingRow>, CatalogError> {
    sqlx::query_as("SELECT state, text, model, error FROM readings WHERE alert = ?1")
        .bind(alert)
        .fetch_optional(conn)
        .await
        .doing("read what was said about an alert")
}
