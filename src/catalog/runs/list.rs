//! Looking at runs.

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    super::{
        Connection,
        codec::uncount,
        error::{CatalogError, Doing as _},
    },
    RunCause,
};
use crate::domain::{BatchName, JobKind, RunId, RunReport, RunState, Timestamp};

/// Everything known about a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    /// Which run.
    pub id: RunId,
    /// Whose.
    pub batch: BatchName,
    /// What it does.
    pub job: JobKind,
    /// The instant it was due.
    pub slot: Timestamp,
    /// What made it.
    pub cause: RunCause,
    /// Where it is in its life.
    pub state: RunState,
    /// When it may start (again).
    pub due: Timestamp,
    /// Tries begun, those handed back not counted.
    pub attempt: i64,
    /// How often its process ended while it ran.
    pub crash_count: i64,
    /// Of its newest claim; 0 before the first.
    pub epoch: i64,
    /// What it last committed.
    pub stage: Option<String>,
    /// Who claimed it last.
    pub worker: Option<String>,
    /// The batch's configuration when it was made.
    pub config_hash: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its newest attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended for good.
    pub ended_at: Option<Timestamp>,
    /// What it did.
    pub report: Option<RunReport>,
    /// What went wrong last, or why it was skipped.
    pub error: Option<String>,
}

impl FromRow<'_, SqliteRow> for RunRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let report: Option<String> = row.try_get("report")?;
        let report = report.map(|text| serde_json::from_str(&text)).transpose();
        Ok(Self {
            id: row.try_get("id")?,
            batch: row.try_get("batch")?,
            job: row.try_get("job")?,
            slot: row.try_get("slot")?,
            cause: row.try_get("cause")?,
            state: row.try_get("state")?,
            due: row.try_get("due")?,
            attempt: row.try_get("attempt")?,
            crash_count: row.try_get("crash_count")?,
            epoch: row.try_get("epoch")?,
            stage: row.try_get("stage")?,
            worker: row.try_get("worker")?,
            config_hash: row.try_get("config_hash")?,
            created_at: row.try_get("created_at")?,
            started_at: row.try_get("started_at")?,
            ended_at: row.try_get("ended_at")?,
            report: report.map_err(|error| sqlx::Error::Decode(error.into()))?,
            error: row.try_get("error")?,
        })
    }
}

/// Which runs to list.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFilter {
    /// Only of this batch.
    pub batch: Option<BatchName>,
    /// Only of this job.
    pub job: Option<JobKind>,
    /// Only in this state.
    pub state: Option<RunState>,
    /// At most so many.
    pub limit: u32,
    /// After leaving out so many.
    pub offset: u32,
}

impl Default for RunFilter {
    fn default() -> Self {
        Self { batch: None, job: None, state: None, limit: 50, offset: 0 }
    }
}

/// One run.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn get(conn: &mut Connection, run: RunId) -> Result<Option<RunRow>, CatalogError> {
    sqlx::query_as(
        "SELECT id, batch, job, slot, cause, state, due, attempt, crash_count, epoch, stage, worker,
                config_hash, created_at, started_at, ended_at, report, error
         FROM runs WHERE id = ?1",
    )
    .bind(run)
    .fetch_optional(conn)
    .await
    .doing("read a run")
}

/// What became of a slot of a job, if it has a run.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn state_of(
    conn: &mut Connection,
    batch: &BatchName,
    job: JobKind,
    slot: Timestamp,
) -> Result<Option<RunState>, CatalogError> {
    sqlx::query_scalar("SELECT state FROM runs WHERE batch = ?1 AND job = ?2 AND slot = ?3")
        .bind(batch)
        .bind(job)
        .bind(slot)
        .fetch_optional(conn)
        .await
        .doing("find the run of a slot")
}

/// Runs, the newest first.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn list(conn: &mut Connection, filter: &RunFilter) -> Result<Vec<RunRow>, CatalogError> {
    sqlx::query_as(
        "SELECT id, batch, job, slot, cause, state, due, attempt, crash_count, epoch, stage, worker,
                config_hash, created_at, started_at, ended_at, report, error
         FROM runs
         WHERE (?1 IS NULL OR batch = ?1) AND (?2 IS NULL OR job = ?2) AND (?3 IS NULL OR state = ?3)
         ORDER BY id DESC LIMIT ?4 OFFSET ?5",
    )
    .bind(&filter.batch)
    .bind(filter.job)
    .bind(filter.state)
    .bind(filter.limit)
    .bind(filter.offset)
    .fetch_all(conn)
    .await
    .doing("list runs")
}

/// The newest slot of a job that its schedule made, run or skipped.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn latest_slot(
    conn: &mut Connection,
    batch: &BatchName,
    job: JobKind,
) -> Result<Option<Timestamp>, CatalogError> {
    sqlx::query_scalar(
        "SELECT MAX(slot) FROM runs WHERE batch = ?1 AND job = ?2 AND cause = 'schedule'",
    )
    .bind(batch)
    .bind(job)
    .fetch_one(conn)
    .await
    .doing("find the newest slot of a job")
}

/// Whether a batch ever had a run, of any job or of one, made at or after an instant.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn has_any(
    conn: &mut Connection,
    batch: &BatchName,
    job: Option<JobKind>,
    since: Timestamp,
) -> Result<bool, CatalogError> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM runs
                        WHERE batch = ?1 AND (?2 IS NULL OR job = ?2) AND ?3 <= created_at)",
    )
    .bind(batch)
    .bind(job)
    .bind(since)
    .fetch_one(conn)
    .await
    .doing("look whether a batch ever ran")
}

/// The batches that are being worked on.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn busy_batches(conn: &mut Connection) -> Result<Vec<BatchName>, CatalogError> {
    sqlx::query_scalar("SELECT DISTINCT batch FROM runs WHERE state = 'running' ORDER BY batch")
        .fetch_all(conn)
        .await
        .doing("list the batches that are being worked on")
}

/// How many runs wait to be claimed, due or not.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn n_waiting(conn: &mut Connection) -> Result<u64, CatalogError> {
    let n: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM runs WHERE state IN ('pending', 'retry_wait')")
            .fetch_one(conn)
            .await
            .doing("count waiting runs")?;
    Ok(uncount(n))
}

/// When the next waiting run is due, those that wait for the end of a pause left out.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn next_due(conn: &mut Connection) -> Result<Option<Timestamp>, CatalogError> {
    sqlx::query_scalar(
        "SELECT MIN(due) FROM runs
         WHERE state IN ('pending', 'retry_wait')
           AND (cause = 'manual'
                OR NOT EXISTS (SELECT 1 FROM pauses WHERE pauses.batch = runs.batch))",
    )
    .fetch_one(conn)
    .await
    .doing("find when the next run is due")
}
