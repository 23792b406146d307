//! Table `alerts`: every alert ever raised, once.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    codec::uncount,
    error::{CatalogError, Doing as _},
};
use crate::domain::{
    Alert, AlertId, AlertKind, AlertState, Band, BatchName, Episode, MetricName, RunId, Severity,
    Timestamp,
};

/// A stored alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertRow {
    /// What it says.
    #[serde(flatten)]
    pub alert: Alert,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// By which run.
    pub run: RunId,
    /// What became of it since.
    #[serde(flatten)]
    pub episode: Episode,
    /// Who looks after it, and since when.
    pub acked: Option<(Timestamp, String)>,
}

impl FromRow<'_, SqliteRow> for AlertRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let expected: Option<f64> = row.try_get("expected")?;
        let band = match (expected, row.try_get("lower")?, row.try_get("upper")?) {
            (Some(expected), Some(lower), Some(upper)) => Some(Band { expected, lower, upper }),
            _ => None,
        };
        let alert = Alert {
            id: row.try_get("id")?,
            batch: row.try_get("batch")?,
            metric: row.try_get("metric")?,
            kind: row.try_get("kind")?,
            severity: row.try_get("severity")?,
            at: row.try_get("at")?,
            since: row.try_get("since")?,
            value: row.try_get("value")?,
            band,
            score: row.try_get("score")?,
            threshold: row.try_get("threshold")?,
            model: row.try_get("model")?,
            reason: row.try_get("reason")?,
        };
        let episode = Episode {
            until: row.try_get("until")?,
            peak_score: row.try_get("peak_score")?,
            state: row.try_get("state")?,
            resolved_at: row.try_get("resolved_at")?,
            resolution: row.try_get("resolution")?,
        };
        let acked_at: Option<Timestamp> = row.try_get("acked_at")?;
        let acked = acked_at.zip(row.try_get("acked_by")?);
        let (raised_at, run) = (row.try_get("raised_at")?, row.try_get("run")?);
        Ok(Self { alert, raised_at, run, episode, acked })
    }
}

impl AlertRow {
    /// Whether it goes on no more.
    pub fn is_over(&self) -> bool {
        self.episode.state == AlertState::Resolved
    }
}

/// Which alerts to list.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertFilter {
    /// Only of this batch.
    pub batch: Option<BatchName>,
    /// Only of this metric.
    pub metric: Option<MetricName>,
    /// Only in this state.
    pub state: Option<AlertState>,
    /// Only about observations from this instant on.
    pub since: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
    /// After leaving out so many.
    pub offset: u32,
}

impl Default for AlertFilter {
    fn default() -> Self {
        Self { batch: None, metric: None, state: None, since: None, limit: 50, offset: 0 }
    }
}

/// Stores an alert; `false` when it is known already, which changes nothing.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn insert(
    conn: &mut Connection,
    alert: &Alert,
    run: RunId,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let inserted = sqlx::query(
        "INSERT INTO alerts (id, batch, metric, kind, severity, at, since, until, value, expected,
                             lower, upper, score, peak_score, threshold, model, reason, raised_at,
                             run, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?8, ?9, ?10, ?11, ?12, ?12, ?13, ?14, ?15, ?16,
                 ?17, 'firing')
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(&alert.id)
    .bind(&alert.batch)
    .bind(&alert.metric)
    .bind(alert.kind)
    .bind(alert.severity)
    .bind(alert.at)
    .bind(alert.since)
    .bind(alert.value)
    .bind(alert.band.map(|band| band.expected))
    .bind(alert.band.map(|band| band.lower))
    .bind(alert.band.map(|band| band.upper))
    .bind(alert.score)
    .bind(alert.threshold)
    .bind(&alert.model)
    .bind(&alert.reason)
    .bind(now)
    .bind(run)
    .execute(conn)
    .await
    .doing("store an alert")?;
    Ok(inserted.rows_affected() == 1)
}

/// One alert.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn get(conn: &mut Connection, id: &AlertId) -> Result<Option<AlertRow>, CatalogError> {
    sqlx::query_as("SELECT * FROM alerts WHERE id = ?1")
        .bind(id)
        .fetch_optional(conn)
        .await
        .doing("read an alert")
}

/// Alerts, those about the newest observations first.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn list(
    conn: &mut Connection,
    filter: &AlertFilter,
) -> Result<Vec<AlertRow>, CatalogError> {
    sqlx::query_as(
        "SELECT * FROM alerts
         WHERE (?1 IS NULL OR batch = ?1) AND (?2 IS NULL OR metric = ?2) AND (?3 IS NULL OR ?3 <= at)
           AND (?6 IS NULL OR state = ?6)
         ORDER BY at DESC, id LIMIT ?4 OFFSET ?5",
    )
    .bind(&filter.batch)
    .bind(&filter.metric)
    .bind(filter.since)
    .bind(filter.limit)
    .bind(filter.offset)
    .bind(filter.state)
    .fetch_all(conn)
    .await
    .doing("list alerts")
}

/// Notes how far an alert has come: its newest hit, its highest score and how loud it became.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn moved(
    conn: &mut Connection,
    id: &AlertId,
    until: Timestamp,
    (peak_score, severity): (f64, Severity),
) -> Result<(), CatalogError> {
    sqlx::query(
        "UPDATE alerts SET until = MAX(until, ?2), peak_score = MAX(COALESCE(peak_score, ?3), ?3),
                severity = ?4
         WHERE id = ?1 AND state = 'firing'",
    )
    .bind(id)
    .bind(until)
    .bind(peak_score)
    .bind(severity)
    .execute(conn)
    .await
    .doing("extend an alert")
    .map(drop)
}

/// Notes who looks after an alert; `false` when somebody does already, which changes nothing.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn ack(
    conn: &mut Connection,
    id: &AlertId,
    author: &str,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let noted = sqlx::query(
        "UPDATE alerts SET acked_at = ?2, acked_by = ?3 WHERE id = ?1 AND acked_at IS NULL",
    )
    .bind(id)
    .bind(now)
    .bind(author)
    .execute(conn)
    .await
    .doing("note who looks after an alert")?;
    Ok(noted.rows_affected() == 1)
}

/// How many alerts of a batch are not over, by severity; each severity once.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn firing(
    conn: &mut Connection,
    batch: &BatchName,
) -> Result<Vec<(Severity, u64)>, CatalogError> {
    let mut counts = Vec::new();
    for severity in [Severity::Warning, Severity::Critical] {
        let n_alerts: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM alerts
             WHERE batch = ?1 AND state = 'firing' AND severity = ?2",
        )
        .bind(batch)
        .bind(severity)
        .fetch_one(&mut *conn)
        .await
        .doing("count alerts that are not over")?;
        counts.push((severity, uncount(n_alerts)));
    }
    Ok(counts)
}

/// For each metric of a batch that ever had an alert of a kind, the observation of the newest. What
/// late data took back counts for nothing.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn last_fired(
    conn: &mut Connection,
    batch: &BatchName,
    kind: AlertKind,
) -> Result<BTreeMap<MetricName, Timestamp>, CatalogError> {
    let rows: Vec<(MetricName, Timestamp)> = sqlx::query_as(
        "SELECT metric, MAX(at) FROM alerts WHERE batch = ?1 AND kind = ?2 AND resolution IS NOT 'late-data'
         GROUP BY metric ORDER BY metric",
    )
    .bind(batch)
    .bind(kind)
    .fetch_all(conn)
    .await
    .doing("find the newest alerts of a batch")?;
    Ok(rows.into_iter().collect())
}
