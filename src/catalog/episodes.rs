//! Table `alerts`: what becomes of alerts after they fired.

use super::{
    Connection,
    alerts::AlertRow,
    error::{CatalogError, Doing as _},
};
use crate::domain::{Alert, AlertId, AlertKind, BatchName, Resolution, Severity, Timestamp};

/// A batch's alerts of a kind that are not over, by metric.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn firing(
    conn: &mut Connection,
    batch: &BatchName,
    kind: AlertKind,
) -> Result<Vec<AlertRow>, CatalogError> {
    sqlx::query_as(
        "SELECT * FROM alerts WHERE batch = ?1 AND kind = ?2 AND state = 'firing'
         ORDER BY metric, at",
    )
    .bind(batch)
    .bind(kind)
    .fetch_all(conn)
    .await
    .doing("read alerts that are not over")
}

/// All alerts that are not over.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn all_firing(conn: &mut Connection) -> Result<Vec<AlertRow>, CatalogError> {
    sqlx::query_as("SELECT * FROM alerts WHERE state = 'firing' ORDER BY batch, metric, at")
        .fetch_all(conn)
        .await
        .doing("read all alerts that are not over")
}

/// Notes that an alert goes on.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn extend(
    conn: &mut Connection,
    id: &AlertId,
    until: Timestamp,
) -> Result<(), CatalogError> {
    sqlx::query("UPDATE alerts SET until = MAX(until, ?2) WHERE id = ?1 AND state = 'firing'")
        .bind(id)
        .bind(until)
        .execute(conn)
        .await
        .doing("extend an alert")
        .map(drop)
}

/// Notes that an alert has become critical; `false` when it was.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn escalate(
    conn: &mut Connection,
    id: &AlertId,
    until: Timestamp,
    reason: &str,
) -> Result<bool, CatalogError> {
    let louder = sqlx::query(
        "UPDATE alerts SET severity = ?3, reason = ?4, until = MAX(until, ?2)
         WHERE id = ?1 AND state = 'firing' AND severity <> ?3",
    )
    .bind(id)
    .bind(until)
    .bind(Severity::Critical)
    .bind(reason)
    .execute(conn)
    .await
    .doing("make an alert critical")?;
    Ok(louder.rows_affected() == 1)
}

/// Takes up again an alert that late data had ended, as it is by the newest data; `false` when it is
/// not over, or for another reason.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn reopen(conn: &mut Connection, alert: &Alert) -> Result<bool, CatalogError> {
    let reopened = sqlx::query(
        "UPDATE alerts SET state = 'firing', resolved_at = NULL, resolution = NULL, severity = ?2,
                until = ?3, value = ?4, expected = ?5, lower = ?6, upper = ?7, score = ?8,
                peak_score = ?8, threshold = ?9, model = ?10, reason = ?11
         WHERE id = ?1 AND state = 'resolved' AND resolution = 'late-data'",
    )
    .bind(&alert.id)
    .bind(alert.severity)
    .bind(alert.at)
    .bind(alert.value)
    .bind(alert.band.map(|band| band.expected))
    .bind(alert.band.map(|band| band.lower))
    .bind(alert.band.map(|band| band.upper))
    .bind(alert.score)
    .bind(alert.threshold)
    .bind(&alert.model)
    .bind(&alert.reason)
    .execute(conn)
    .await
    .doing("take up an alert again")?;
    Ok(reopened.rows_affected() == 1)
}

/// Notes that an alert is over; `false` when it was.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn resolve(
    conn: &mut Connection,
    id: &AlertId,
    resolution: Resolution,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let over = sqlx::query(
        "UPDATE alerts SET state = 'resolved', resolved_at = ?2, resolution = ?3
         WHERE id = ?1 AND state = 'firing'",
    )
    .bind(id)
    .bind(now)
    .bind(resolution)
    .execute(conn)
    .await
    .doing("resolve an alert")?;
    Ok(over.rows_affected() == 1)
}

/// The newest alert of a kind of each metric of a batch, over or not.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn newest(
    conn: &mut Connection,
    batch: &BatchName,
    kind: AlertKind,
) -> Result<Vec<AlertRow>, CatalogError> {
    sqlx::query_as(
        "SELECT * FROM alerts AS a
         WHERE batch = ?1 AND kind = ?2
           AND at = (SELECT MAX(at) FROM alerts AS other
                     WHERE other.batch = a.batch AND other.metric = a.metric
                       AND other.kind = a.kind)
         ORDER BY metric",
    )
    .bind(batch)
    .bind(kind)
    .fetch_all(conn)
    .await
    .doing("read the newest alerts of a batch")
}
