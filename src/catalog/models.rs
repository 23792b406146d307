//! Tables `models` and `model_pointers`: every verified version, and which one scores.

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    codec::{count, stored_words, uncount},
    error::{CatalogError, Doing as _},
};
use crate::domain::{BatchName, MetricName, ModelQuality, ModelVersion, RunId, Timestamp};

stored_words! {
    /// Whether a version may score.
    ModelState {
        /// It was read back after it was written.
        Verified = "verified",
        /// Its object was found damaged and put aside.
        Quarantined = "quarantined",
    }
}

/// One model version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelRow {
    /// Whose.
    pub batch: BatchName,
    /// Whose.
    pub metric: MetricName,
    /// Which training.
    pub version: ModelVersion,
    /// Key of the model object.
    pub model_key: String,
    /// Key of its card.
    pub metadata_key: String,
    /// Hex SHA-256 of the model object.
    pub sha256: String,
    /// Bytes of the model object.
    pub size: u64,
    /// When it was trained.
    pub trained_at: Timestamp,
    /// Observations it was fitted on.
    pub rows: u64,
    /// Tags of the detectors inside.
    pub detectors: Vec<String>,
    /// Whether it may score.
    pub state: ModelState,
    /// Why it may not.
    pub reason: Option<String>,
    /// What its training found out; nothing for versions of an older program.
    pub quality: Option<ModelQuality>,
}

impl FromRow<'_, SqliteRow> for ModelRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let detectors: String = row.try_get("detectors")?;
        let detectors = serde_json::from_str(&detectors);
        let quality: Option<String> = row.try_get("quality")?;
        let quality = quality.map(|text| serde_json::from_str(&text)).transpose();
        Ok(Self {
            batch: row.try_get("batch")?,
            metric: row.try_get("metric")?,
            version: row.try_get("version")?,
            model_key: row.try_get("model_key")?,
            metadata_key: row.try_get("metadata_key")?,
            sha256: row.try_get("sha256")?,
            size: uncount(row.try_get("size")?),
            trained_at: row.try_get("trained_at")?,
            rows: uncount(row.try_get("rows")?),
            detectors: detectors.map_err(|error| sqlx::Error::Decode(error.into()))?,
            state: row.try_get("state")?,
            reason: row.try_get("reason")?,
            quality: quality.map_err(|error| sqlx::Error::Decode(error.into()))?,
        })
    }
}

/// A version found damaged.
#[derive(Debug, Clone, Copy)]
pub struct Damage<'a> {
    /// Whose.
    pub batch: &'a BatchName,
    /// Whose.
    pub metric: &'a MetricName,
    /// Which.
    pub version: &'a ModelVersion,
    /// What is wrong with it.
    pub reason: &'a str,
}

/// Records a verified version and makes it the one that scores; the one before is remembered.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn register(
    conn: &mut Connection,
    model: &ModelRow,
    run: RunId,
) -> Result<(), CatalogError> {
    record(conn, model, run).await?;
    point_to(conn, &model.batch, &model.metric, &model.version).await
}

/// Records a verified version; it becomes the one that scores only where there is none.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn register_aside(
    conn: &mut Connection,
    model: &ModelRow,
    run: RunId,
) -> Result<(), CatalogError> {
    record(conn, model, run).await?;
    sqlx::query(
        "INSERT INTO model_pointers (batch, metric, version, previous) VALUES (?1, ?2, ?3, NULL)
         ON CONFLICT (batch, metric) DO NOTHING",
    )
    .bind(&model.batch)
    .bind(&model.metric)
    .bind(&model.version)
    .execute(conn)
    .await
    .doing("make a first model current")
    .map(drop)
}

async fn record(conn: &mut Connection, model: &ModelRow, run: RunId) -> Result<(), CatalogError> {
    let detectors = serde_json::to_string(&model.detectors).doing("write a model's detectors")?;
    let quality = model.quality.as_ref().map(serde_json::to_string).transpose();
    let quality = quality.doing("write a model's quality")?;
    sqlx::query(
        "INSERT INTO models (batch, metric, version, model_key, metadata_key, sha256, size,
                             trained_at, rows, detectors, state, reason, run, quality)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'verified', NULL, ?11, ?12)
         ON CONFLICT (batch, metric, version) DO UPDATE SET
             model_key = excluded.model_key, metadata_key = excluded.metadata_key,
             sha256 = excluded.sha256, size = excluded.size, trained_at = excluded.trained_at,
             rows = excluded.rows, detectors = excluded.detectors, state = excluded.state,
             reason = NULL, run = excluded.run, quality = excluded.quality",
    )
    .bind(&model.batch)
    .bind(&model.metric)
    .bind(&model.version)
    .bind(&model.model_key)
    .bind(&model.metadata_key)
    .bind(&model.sha256)
    .bind(count(model.size))
    .bind(model.trained_at)
    .bind(count(model.rows))
    .bind(detectors)
    .bind(run)
    .bind(quality)
    .execute(conn)
    .await
    .doing("record a model")
    .map(drop)
}

async fn point_to(
    conn: &mut Connection,
    batch: &BatchName,
    metric: &MetricName,
    version: &ModelVersion,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO model_pointers (batch, metric, version, previous) VALUES (?1, ?2, ?3, NULL)
         ON CONFLICT (batch, metric) DO UPDATE SET
             previous = CASE WHEN version = excluded.version THEN previous ELSE version END,
             version = excluded.version",
    )
    .bind(batch)
    .bind(metric)
    .bind(version)
    .execute(conn)
    .await
    .doing("make a model current")
    .map(drop)
}

/// The version that scores a metric.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn current(
    conn: &mut Connection,
    batch: &BatchName,
    metric: &MetricName,
) -> Result<Option<ModelRow>, CatalogError> {
    sqlx::query_as(
        "SELECT m.batch, m.metric, m.version, m.model_key, m.metadata_key, m.sha256, m.size,
                m.trained_at, m.rows, m.detectors, m.state, m.reason, m.quality
         FROM model_pointers AS p JOIN models AS m USING (batch, metric, version)
         WHERE p.batch = ?1 AND p.metric = ?2",
    )
    .bind(batch)
    .bind(metric)
    .fetch_optional(conn)
    .await
    .doing("find the current model of a metric")
}

/// The versions that score a batch's metrics, by metric.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn currents(
    conn: &mut Connection,
    batch: &BatchName,
) -> Result<Vec<ModelRow>, CatalogError> {
    sqlx::query_as(
        "SELECT m.batch, m.metric, m.version, m.model_key, m.metadata_key, m.sha256, m.size,
                m.trained_at, m.rows, m.detectors, m.state, m.reason, m.quality
         FROM model_pointers AS p JOIN models AS m USING (batch, metric, version)
         WHERE p.batch = ?1 ORDER BY m.metric",
    )
    .bind(batch)
    .fetch_all(conn)
    .await
    .doing("find the current models of a batch")
}

/// Whether any metric of a batch has a model.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn has_any(conn: &mut Connection, batch: &BatchName) -> Result<bool, CatalogError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM model_pointers WHERE batch = ?1)")
        .bind(batch)
        .fetch_one(conn)
        .await
        .doing("look whether a batch has models")
}

/// Which versions are more than a batch needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surplus {
    /// So many of the newest versions of a metric stay.
    pub keep: u32,
    /// Versions trained from here on stay.
    pub before: Timestamp,
}

/// Takes surplus versions of a batch off the list; gives their number. A version that serves, that
/// served before it, or that an alert names is never surplus. The objects are left to the sweep.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn forget_surplus(
    conn: &mut Connection,
    batch: &BatchName,
    surplus: Surplus,
) -> Result<u64, CatalogError> {
    let forgotten = sqlx::query(
        "WITH ranked AS (
             SELECT metric, version, trained_at,
                    row_number() OVER (PARTITION BY metric ORDER BY version DESC) AS place
             FROM models WHERE batch = ?1
         )
         DELETE FROM models
         WHERE batch = ?1
           AND (metric, version) IN (SELECT metric, version FROM ranked
                                     WHERE ?2 < place AND trained_at < ?3)
           AND NOT EXISTS (SELECT 1 FROM model_pointers AS pointer
                           WHERE pointer.batch = models.batch AND pointer.metric = models.metric
                             AND models.version IN (pointer.version, pointer.previous))
           AND NOT EXISTS (SELECT 1 FROM alerts
                           WHERE alerts.batch = models.batch AND alerts.metric = models.metric
                             AND alerts.model = models.version)",
    )
    .bind(batch)
    .bind(surplus.keep)
    .bind(surplus.before)
    .execute(conn)
    .await
    .doing("forget surplus models")?;
    Ok(forgotten.rows_affected())
}

/// The keys of every object of every version.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn known_keys(conn: &mut Connection) -> Result<Vec<String>, CatalogError> {
    sqlx::query_scalar("SELECT model_key FROM models UNION SELECT metadata_key FROM models")
        .fetch_all(conn)
        .await
        .doing("list the keys of all models")
}

/// Every version of a metric, the newest first.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn versions(
    conn: &mut Connection,
    batch: &BatchName,
    metric: &MetricName,
) -> Result<Vec<ModelRow>, CatalogError> {
    sqlx::query_as(
        "SELECT batch, metric, version, model_key, metadata_key, sha256, size, trained_at, rows,
                detectors, state, reason, quality
         FROM models WHERE batch = ?1 AND metric = ?2 ORDER BY version DESC",
    )
    .bind(batch)
    .bind(metric)
    .fetch_all(conn)
    .await
    .doing("list the models of a metric")
}

/// Every version of every metric of a batch, by metric, the newest first.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn list(conn: &mut Connection, batch: &BatchName) -> Result<Vec<ModelRow>, CatalogError> {
    sqlx::query_as(
        "SELECT batch, metric, version, model_key, metadata_key, sha256, size, trained_at, rows,
                detectors, state, reason, quality
         FROM models WHERE batch = ?1 ORDER BY metric, version DESC",
    )
    .bind(batch)
    .fetch_all(conn)
    .await
    .doing("list the models of a batch")
}

/// Puts a damaged version aside. When it was the current one, the newest verified version older
/// than it takes its place, or the metric is left without a model. Gives what is current now.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn quarantine(
    conn: &mut Connection,
    damage: Damage<'_>,
) -> Result<Option<ModelRow>, CatalogError> {
    let Damage { batch, metric, version, reason } = damage;
    sqlx::query(
        "UPDATE models SET state = 'quarantined', reason = ?4
         WHERE batch = ?1 AND metric = ?2 AND version = ?3",
    )
    .bind(batch)
    .bind(metric)
    .bind(version)
    .bind(reason)
    .execute(&mut *conn)
    .await
    .doing("quarantine a model")?;
    sqlx::query(
        "UPDATE model_pointers SET previous = NULL
         WHERE batch = ?1 AND metric = ?2 AND previous = ?3",
    )
    .bind(batch)
    .bind(metric)
    .bind(version)
    .execute(&mut *conn)
    .await
    .doing("forget a damaged previous model")?;
    let was_current =
        sqlx::query("DELETE FROM model_pointers WHERE batch = ?1 AND metric = ?2 AND version = ?3")
            .bind(batch)
            .bind(metric)
            .bind(version)
            .execute(&mut *conn)
            .await
            .doing("take a damaged model out of use")?;
    if was_current.rows_affected() == 1 {
        fall_back(conn, damage).await?;
    }
    current(conn, batch, metric).await
}

async fn fall_back(conn: &mut Connection, damage: Damage<'_>) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO model_pointers (batch, metric, version, previous)
         SELECT batch, metric, version, NULL FROM models
         WHERE batch = ?1 AND metric = ?2 AND version < ?3 AND state = 'verified'
         ORDER BY version DESC LIMIT 1",
    )
    .bind(damage.batch)
    .bind(damage.metric)
    .bind(damage.version)
    .execute(conn)
    .await
    .doing("fall back to an older model")
    .map(drop)
}
