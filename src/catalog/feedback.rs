//! Table `feedback`: what people say of alerts. Nothing is overwritten; the newest word on an alert
//! counts.

use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    error::{CatalogError, Doing as _},
};
use crate::domain::{AlertId, BatchName, Feedback, Incident, MetricName, Timestamp};

struct Said(Feedback);

impl FromRow<'_, SqliteRow> for Said {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self(Feedback {
            alert: row.try_get("alert")?,
            verdict: row.try_get("verdict")?,
            note: row.try_get("note")?,
            author: row.try_get("author")?,
            at: row.try_get("at")?,
            until: row.try_get("until")?,
        }))
    }
}

/// Keeps a word on an alert that there is.
///
/// # Errors
/// [`CatalogError::Query`], also when there is no such alert.
pub async fn add(conn: &mut Connection, feedback: &Feedback) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO feedback (alert, verdict, note, author, at, until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(&feedback.alert)
    .bind(feedback.verdict)
    .bind(&feedback.note)
    .bind(&feedback.author)
    .bind(feedback.at)
    .bind(feedback.until)
    .execute(conn)
    .await
    .doing("store feedback")
    .map(drop)
}

/// All words on an alert, the newest first.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn of_alert(
    conn: &mut Connection,
    alert: &AlertId,
) -> Result<Vec<Feedback>, CatalogError> {
    let said: Vec<Said> = sqlx::query_as(
        "SELECT alert, verdict, note, author, at, until FROM feedback
         WHERE alert = ?1 ORDER BY id DESC",
    )
    .bind(alert)
    .fetch_all(conn)
    .await
    .doing("read feedback")?;
    Ok(said.into_iter().map(|said| said.0).collect())
}

/// The stretches of a batch whose alerts were last called an incident.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn incidents(
    conn: &mut Connection,
    batch: &BatchName,
) -> Result<Vec<Incident>, CatalogError> {
    let rows: Vec<(MetricName, Timestamp, Timestamp)> = sqlx::query_as(
        "SELECT a.metric, a.since, MAX(a.at, COALESCE(f.until, a.at))
         FROM feedback AS f JOIN alerts AS a ON a.id = f.alert
         WHERE a.batch = ?1 AND f.verdict = 'incident'
           AND f.id = (SELECT MAX(newest.id) FROM feedback AS newest WHERE newest.alert = f.alert)
         ORDER BY a.metric, a.since",
    )
    .bind(batch)
    .fetch_all(conn)
    .await
    .doing("list the incidents of a batch")?;
    let incident = |(metric, from, until)| Incident { metric, from, until };
    Ok(rows.into_iter().map(incident).collect())
}
