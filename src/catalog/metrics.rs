//! Table `metrics`: every metric ever seen, with what is newest of it.

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    codec::{count, uncount},
    error::{CatalogError, Doing as _},
};
use crate::domain::{BatchName, MetricName, NoScore, ScorePoint, Skipped, Timestamp, WarmingUp};

/// What an ingest stored of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSeen {
    /// Which one.
    pub metric: MetricName,
    /// The newest stored observation.
    pub newest_at: Timestamp,
    /// Its value.
    pub newest_value: f64,
    /// Observations that were not there before.
    pub n_new: u64,
}

/// What is known of a metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricRow {
    /// Which one.
    pub metric: MetricName,
    /// When it was first ingested.
    pub first_seen: Timestamp,
    /// When the newest observation was made.
    pub newest_at: Timestamp,
    /// The newest value.
    pub newest_value: f64,
    /// Observations stored.
    pub n_points: u64,
    /// The newest score.
    pub last_score: Option<f64>,
    /// Of which observation.
    pub last_score_at: Option<Timestamp>,
    /// Why the last training or scoring passed it over; nothing once it has been scored again.
    pub skip_reason: Option<NoScore>,
    /// Set while its current model leans on other metrics.
    pub warming_up: Option<WarmingUp>,
}

impl FromRow<'_, SqliteRow> for MetricRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let skip_reason: Option<String> = row.try_get("skip_reason")?;
        let skip_reason = skip_reason.map(|text| serde_json::from_str(&text)).transpose();
        let warming_up: Option<String> = row.try_get("warming_up")?;
        let warming_up = warming_up.map(|text| serde_json::from_str(&text)).transpose();
        Ok(Self {
            metric: row.try_get("metric")?,
            first_seen: row.try_get("first_seen")?,
            newest_at: row.try_get("newest_at")?,
            newest_value: row.try_get("newest_value")?,
            n_points: uncount(row.try_get("n_points")?),
            last_score: row.try_get("last_score")?,
            last_score_at: row.try_get("last_score_at")?,
            skip_reason: skip_reason.map_err(|error| sqlx::Error::Decode(error.into()))?,
            warming_up: warming_up.map_err(|error| sqlx::Error::Decode(error.into()))?,
        })
    }
}

/// Notes what an ingest stored. An observation older than the newest known moves nothing back.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn touch(
    conn: &mut Connection,
    batch: &BatchName,
    seen: &[MetricSeen],
    now: Timestamp,
) -> Result<(), CatalogError> {
    for metric in seen {
        sqlx::query(
            "INSERT INTO metrics (batch, metric, first_seen, newest_at, newest_value, n_points)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (batch, metric) DO UPDATE SET
                 newest_value = CASE WHEN newest_at <= excluded.newest_at
                                     THEN excluded.newest_value ELSE newest_value END,
                 newest_at = MAX(newest_at, excluded.newest_at),
                 n_points = n_points + excluded.n_points",
        )
        .bind(batch)
        .bind(&metric.metric)
        .bind(now)
        .bind(metric.newest_at)
        .bind(metric.newest_value)
        .bind(count(metric.n_new))
        .execute(&mut *conn)
        .await
        .doing("note a metric")?;
    }
    Ok(())
}

/// Notes the newest score of each metric among these.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn note_scores(
    conn: &mut Connection,
    batch: &BatchName,
    scores: &[ScorePoint],
) -> Result<(), CatalogError> {
    let mut newest = std::collections::BTreeMap::new();
    for score in scores {
        let kept = newest.entry(&score.metric).or_insert(score);
        if kept.at <= score.at {
            *kept = score;
        }
    }
    for (metric, score) in newest {
        sqlx::query(
            "UPDATE metrics SET last_score = ?3, last_score_at = ?4, skip_reason = NULL
             WHERE batch = ?1 AND metric = ?2 AND COALESCE(last_score_at, ?4) <= ?4",
        )
        .bind(batch)
        .bind(metric)
        .bind(score.score)
        .bind(score.at)
        .execute(&mut *conn)
        .await
        .doing("note the newest score of a metric")?;
    }
    Ok(())
}

/// Notes why a training passed metrics over.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn note_skips(
    conn: &mut Connection,
    batch: &BatchName,
    skips: &[Skipped],
) -> Result<(), CatalogError> {
    const EVERY: &str = "UPDATE metrics SET skip_reason = ?3 WHERE batch = ?1 AND metric = ?2";
    note_reasons(conn, batch, skips, EVERY, "note why a metric was passed over").await
}

/// Notes why metrics were not scored. What a training said before tells more and stays.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn note_unscored(
    conn: &mut Connection,
    batch: &BatchName,
    skips: &[Skipped],
) -> Result<(), CatalogError> {
    const FIRST: &str = "UPDATE metrics SET skip_reason = ?3
         WHERE batch = ?1 AND metric = ?2 AND skip_reason IS NULL";
    note_reasons(conn, batch, skips, FIRST, "note why a metric was not scored").await
}

/// Runs a statement for each reason: `?1` is the batch, `?2` the metric, `?3` the reason.
async fn note_reasons(
    conn: &mut Connection,
    batch: &BatchName,
    skips: &[Skipped],
    update: &'static str,
    doing: &'static str,
) -> Result<(), CatalogError> {
    for skip in skips {
        let reason = serde_json::to_string(&skip.reason).doing("write a reason")?;
        sqlx::query(update)
            .bind(batch)
            .bind(&skip.metric)
            .bind(reason)
            .execute(&mut *conn)
            .await
            .doing(doing)?;
    }
    Ok(())
}

/// The metrics of a batch by name.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn list(
    conn: &mut Connection,
    batch: &BatchName,
) -> Result<Vec<MetricRow>, CatalogError> {
    sqlx::query_as(
        "SELECT k.metric, k.first_seen, k.newest_at, k.newest_value, k.n_points, k.last_score,
                k.last_score_at, k.skip_reason, json_extract(m.quality, '$.warming_up') AS warming_up
         FROM metrics AS k
         LEFT JOIN model_pointers AS p USING (batch, metric)
         LEFT JOIN models AS m USING (batch, metric, version)
         WHERE k.batch = ?1 ORDER BY k.metric",
    )
    .bind(batch)
    .fetch_all(conn)
    .await
    .doing("list the metrics of a batch")
}
