//! Table `feedback`: what people say of alerts. Nothing is overwritten; the newest word on an alert
//! counts.

use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    codec::uncount,
    error::{CatalogError, Doing as _},
};
use crate::domain::{AlertId, BatchName, Feedback, Incident, MetricName, Span, Timestamp, Verdict};

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

/// The newest word on each alert of a batch, by metric, where it was said after an instant.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn newest(
    conn: &mut Connection,
    batch: &BatchName,
    after: Timestamp,
) -> Result<Vec<(MetricName, Verdict, Timestamp)>, CatalogError> {
    sqlx::query_as(
        "SELECT a.metric, f.verdict, f.at FROM feedback AS f JOIN alerts AS a ON a.id = f.alert
         WHERE a.batch = ?1 AND ?2 < f.at
           AND f.id = (SELECT MAX(newest.id) FROM feedback AS newest WHERE newest.alert = f.alert)
         ORDER BY f.id",
    )
    .bind(batch)
    .bind(after)
    .fetch_all(conn)
    .await
    .doing("read the newest words on a batch's alerts")
}

/// How far back alerts and the words on them are counted.
const TALLIED: Span = Span::days(90);

/// What people made of the alerts of the last 90 days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Alerts raised.
    pub raised: u64,
    /// Those somebody had a word on, or looks after.
    pub answered: u64,
    /// Those last called worth knowing, an incident or a new normal.
    pub useful: u64,
    /// Those last called not worth knowing, or foreseen.
    pub useless: u64,
}

impl Tally {
    /// The share of useful alerts among those with a word on them; `None` without any.
    pub fn precision(&self) -> Option<f64> {
        let n_rated = self.useful + self.useless;
        (0 < n_rated).then(|| self.useful as f64 / n_rated as f64)
    }

    /// The share of alerts somebody answered; `None` without alerts.
    pub fn response_rate(&self) -> Option<f64> {
        (0 < self.raised).then(|| self.answered as f64 / self.raised as f64)
    }
}

/// Counts the alerts of the 90 days before an instant, of one batch or of all.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn tally(
    conn: &mut Connection,
    batch: Option<&BatchName>,
    now: Timestamp,
) -> Result<Tally, CatalogError> {
    let (raised, answered, useful, useless): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), COUNT(COALESCE(f.verdict, a.acked_by)),
                COUNT(CASE WHEN f.verdict IN ('up', 'incident', 'new-normal') THEN 1 END),
                COUNT(CASE WHEN f.verdict IN ('down', 'expected') THEN 1 END)
         FROM alerts AS a
         LEFT JOIN feedback AS f ON f.id = (SELECT MAX(newest.id) FROM feedback AS newest
                                            WHERE newest.alert = a.id)
         WHERE (?1 IS NULL OR a.batch = ?1) AND ?2 <= a.raised_at",
    )
    .bind(batch)
    .bind(now - TALLIED)
    .fetch_one(conn)
    .await
    .doing("count alerts and the words on them")?;
    let [raised, answered, useful, useless] = [raised, answered, useful, useless].map(uncount);
    Ok(Tally { raised, answered, useful, useless })
}

/// The stretches of a batch that models do not learn from: what was last called an incident, and all
/// that lies before an alert last called a new normal.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn incidents(
    conn: &mut Connection,
    batch: &BatchName,
) -> Result<Vec<Incident>, CatalogError> {
    let rows: Vec<(MetricName, Timestamp, Timestamp)> = sqlx::query_as(
        "SELECT a.metric,
                CASE f.verdict WHEN 'incident' THEN a.since ELSE ?2 END,
                CASE f.verdict WHEN 'incident' THEN MAX(a.at, COALESCE(f.until, a.at))
                               ELSE a.since - 1 END
         FROM feedback AS f JOIN alerts AS a ON a.id = f.alert
         WHERE a.batch = ?1 AND f.verdict IN ('incident', 'new-normal')
           AND f.id = (SELECT MAX(newest.id) FROM feedback AS newest WHERE newest.alert = f.alert)
         ORDER BY a.metric, a.since",
    )
    .bind(batch)
    .bind(Timestamp::MIN)
    .fetch_all(conn)
    .await
    .doing("list the incidents of a batch")?;
    let incident = |(metric, from, until)| Incident { metric, from, until };
    Ok(rows.into_iter().map(incident).collect())
}
