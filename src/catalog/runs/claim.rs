//! The life of a run: claimed under a lease and an epoch, then succeeded, failed or handed back.
//! The lease is for speed, the epoch for safety: nothing is written for a run whose epoch has
//! moved on.

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    super::{
        Connection,
        error::{CatalogError, Doing as _},
    },
    RunCause,
};
use crate::domain::{BatchName, JobKind, RunId, RunReport, Span, Timestamp};

/// Lost leases of one run after which it is given up: it probably kills the process.
const MAX_CRASHES: i64 = 3;

/// A run that is being worked on, and the right to write for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Which run.
    pub run: RunId,
    /// Whose.
    pub batch: BatchName,
    /// What it does.
    pub job: JobKind,
    /// The instant it was due.
    pub slot: Timestamp,
    /// What made it.
    pub cause: RunCause,
    /// Which try this is, from 1.
    pub attempt: i64,
    /// Higher than that of every earlier claim.
    pub epoch: i64,
    /// The batch's configuration when the run was made.
    pub config_hash: String,
}

impl FromRow<'_, SqliteRow> for Claim {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            run: row.try_get("id")?,
            batch: row.try_get("batch")?,
            job: row.try_get("job")?,
            slot: row.try_get("slot")?,
            cause: row.try_get("cause")?,
            attempt: row.try_get("attempt")?,
            epoch: row.try_get("epoch")?,
            config_hash: row.try_get("config_hash")?,
        })
    }
}

/// Who claims, and until when nobody else may.
#[derive(Debug, Clone, Copy)]
pub struct Lease<'a> {
    /// The worker's name.
    pub worker: &'a str,
    /// How long the claim is good without being renewed.
    pub length: Span,
}

/// Which due runs there is room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The jobs that may begin.
    pub jobs: Vec<JobKind>,
    /// Batches that are not read now.
    pub unread: Vec<BatchName>,
}

impl Room {
    /// Room for everything.
    pub fn unlimited() -> Self {
        Self { jobs: JobKind::ALL.to_vec(), unread: Vec::new() }
    }
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What went wrong and what caused it, in one line.
    pub error_chain: String,
    /// When to try again; `None` gives the run up.
    pub retry_at: Option<Timestamp>,
}

/// What became of runs whose worker was gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Voided {
    /// Runs that are due again.
    pub requeued: u64,
    /// Runs that lost their worker too often and were given up.
    pub dead: u64,
}

/// Claims the run that has been due longest, that there is room for, and whose batch has no other
/// running run. Of a paused batch only what was asked for by hand.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn claim(
    conn: &mut Connection,
    now: Timestamp,
    lease: Lease<'_>,
    room: &Room,
) -> Result<Option<Claim>, CatalogError> {
    let jobs: Vec<&str> = room.jobs.iter().map(|job| job.as_str()).collect();
    let jobs = serde_json::to_string(&jobs).doing("name the jobs there is room for")?;
    let unread: Vec<&str> = room.unread.iter().map(BatchName::as_str).collect();
    let unread = serde_json::to_string(&unread).doing("name the batches that are not read")?;
    let next: Option<RunId> = sqlx::query_scalar(
        "SELECT id FROM runs
         WHERE state IN ('pending', 'retry_wait') AND due <= ?1
           AND NOT EXISTS (SELECT 1 FROM runs AS busy
                           WHERE busy.batch = runs.batch AND busy.state = 'running')
           AND job IN (SELECT value FROM json_each(?2))
           AND NOT (job = 'ingest' AND batch IN (SELECT value FROM json_each(?3)))
           AND (cause = 'manual'
                OR NOT EXISTS (SELECT 1 FROM pauses WHERE pauses.batch = runs.batch))
         ORDER BY due, id LIMIT 1",
    )
    .bind(now)
    .bind(jobs)
    .bind(unread)
    .fetch_optional(&mut *conn)
    .await
    .doing("look for a due run")?;
    match next {
        Some(run) => claim_one(conn, run, now, lease).await,
        None => Ok(None),
    }
}

/// Claims one run, due or not; `None` when it is not waiting or its batch is busy.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn claim_one(
    conn: &mut Connection,
    run: RunId,
    now: Timestamp,
    lease: Lease<'_>,
) -> Result<Option<Claim>, CatalogError> {
    let epoch: i64 = sqlx::query_scalar("UPDATE epochs SET last = last + 1 RETURNING last")
        .fetch_one(&mut *conn)
        .await
        .doing("take the next epoch")?;
    sqlx::query_as(
        "UPDATE runs SET state = 'running', attempt = attempt + 1, epoch = ?2, worker = ?3,
                lease_until = ?4, changed_at = ?5, started_at = ?5, stage = NULL
         WHERE id = ?1 AND state IN ('pending', 'retry_wait')
           AND NOT EXISTS (SELECT 1 FROM runs AS busy
                           WHERE busy.batch = runs.batch AND busy.state = 'running')
         RETURNING id, batch, job, slot, cause, attempt, epoch, config_hash",
    )
    .bind(run)
    .bind(epoch)
    .bind(lease.worker)
    .bind(now + lease.length)
    .bind(now)
    .fetch_optional(conn)
    .await
    .doing("claim a run")
}

/// Notes which configuration a run is worked on with, when it was made under an earlier one.
///
/// # Errors
/// [`CatalogError::Fenced`] when the run is no longer this claim's.
pub async fn note_config(
    conn: &mut Connection,
    claim: &Claim,
    config_hash: &str,
) -> Result<(), CatalogError> {
    let noted = sqlx::query(
        "UPDATE runs SET config_hash = ?3 WHERE id = ?1 AND epoch = ?2 AND state = 'running'",
    )
    .bind(claim.run)
    .bind(claim.epoch)
    .bind(config_hash)
    .execute(conn)
    .await
    .doing("note a run's configuration")?;
    fence(claim, noted.rows_affected())
}

/// Notes which stage is being committed, in the transaction of that stage and before anything else
/// in it.
///
/// # Errors
/// [`CatalogError::Fenced`] when the run has a new owner or was stopped: roll back and end.
pub async fn guard(conn: &mut Connection, claim: &Claim, stage: &str) -> Result<(), CatalogError> {
    let guarded = sqlx::query(
        "UPDATE runs SET stage = ?3 WHERE id = ?1 AND epoch = ?2 AND state = 'running'",
    )
    .bind(claim.run)
    .bind(claim.epoch)
    .bind(stage)
    .execute(conn)
    .await
    .doing("guard a stage of a run")?;
    fence(claim, guarded.rows_affected())
}

/// Ends a run well.
///
/// # Errors
/// [`CatalogError::Fenced`] when the run is no longer this claim's.
pub async fn succeed(
    conn: &mut Connection,
    claim: &Claim,
    report: &RunReport,
    now: Timestamp,
) -> Result<(), CatalogError> {
    let report = serde_json::to_string(report).doing("write a run's report")?;
    let ended = sqlx::query(
        "UPDATE runs SET state = 'succeeded', report = ?3, error = NULL, lease_until = NULL,
                changed_at = ?4, ended_at = ?4
         WHERE id = ?1 AND epoch = ?2 AND state = 'running'",
    )
    .bind(claim.run)
    .bind(claim.epoch)
    .bind(report)
    .bind(now)
    .execute(conn)
    .await
    .doing("end a run")?;
    fence(claim, ended.rows_affected())
}

/// Ends an attempt badly: the run waits for its retry, or is given up.
///
/// # Errors
/// [`CatalogError::Fenced`] when the run is no longer this claim's.
pub async fn fail(
    conn: &mut Connection,
    claim: &Claim,
    failure: &Failure,
    now: Timestamp,
) -> Result<(), CatalogError> {
    let failed = sqlx::query(
        "UPDATE runs SET state = CASE WHEN ?4 IS NULL THEN 'dead' ELSE 'retry_wait' END,
                error = ?3, due = COALESCE(?4, due), lease_until = NULL, changed_at = ?5,
                ended_at = CASE WHEN ?4 IS NULL THEN ?5 END
         WHERE id = ?1 AND epoch = ?2 AND state = 'running'",
    )
    .bind(claim.run)
    .bind(claim.epoch)
    .bind(&failure.error_chain)
    .bind(failure.retry_at)
    .bind(now)
    .execute(conn)
    .await
    .doing("record a failed attempt")?;
    fence(claim, failed.rows_affected())
}

/// Gives a run back unfinished, due at once; the attempt does not count.
///
/// # Errors
/// [`CatalogError::Fenced`] when the run is no longer this claim's.
pub async fn hand_back(
    conn: &mut Connection,
    claim: &Claim,
    now: Timestamp,
) -> Result<(), CatalogError> {
    let returned = sqlx::query(
        "UPDATE runs SET state = 'retry_wait', attempt = attempt - 1, due = ?3,
                lease_until = NULL, changed_at = ?3
         WHERE id = ?1 AND epoch = ?2 AND state = 'running'",
    )
    .bind(claim.run)
    .bind(claim.epoch)
    .bind(now)
    .execute(conn)
    .await
    .doing("hand a run back")?;
    fence(claim, returned.rows_affected())
}

/// Prolongs a lease.
///
/// # Errors
/// [`CatalogError::Fenced`] when the run is no longer this claim's: stop working on it.
pub async fn renew(
    conn: &mut Connection,
    claim: &Claim,
    until: Timestamp,
) -> Result<(), CatalogError> {
    let renewed = sqlx::query(
        "UPDATE runs SET lease_until = ?3 WHERE id = ?1 AND epoch = ?2 AND state = 'running'",
    )
    .bind(claim.run)
    .bind(claim.epoch)
    .bind(until)
    .execute(conn)
    .await
    .doing("renew a lease")?;
    fence(claim, renewed.rows_affected())
}

/// Takes every running run from its worker. At start-up only, by the one owner of the data folder:
/// whoever had them is gone.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn void_leases(conn: &mut Connection, now: Timestamp) -> Result<Voided, CatalogError> {
    void(conn, now, Timestamp::MAX).await
}

/// Takes the running runs whose lease ran out from their workers.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn void_lapsed(conn: &mut Connection, now: Timestamp) -> Result<Voided, CatalogError> {
    void(conn, now, now).await
}

async fn void(
    conn: &mut Connection,
    now: Timestamp,
    lease_before: Timestamp,
) -> Result<Voided, CatalogError> {
    let dead = sqlx::query(
        "UPDATE runs SET state = 'dead', crash_count = crash_count + 1, lease_until = NULL,
                changed_at = ?1, ended_at = ?1,
                error = 'the process ended while it ran, ' || (crash_count + 1) || ' times'
         WHERE state = 'running' AND lease_until <= ?2 AND ?3 <= crash_count + 1",
    )
    .bind(now)
    .bind(lease_before)
    .bind(MAX_CRASHES)
    .execute(&mut *conn)
    .await
    .doing("give up runs that lost their worker too often")?;
    let requeued = sqlx::query(
        "UPDATE runs SET state = 'retry_wait', crash_count = crash_count + 1, lease_until = NULL,
                changed_at = ?1, due = ?1, error = 'the process ended while it ran'
         WHERE state = 'running' AND lease_until <= ?2",
    )
    .bind(now)
    .bind(lease_before)
    .execute(conn)
    .await
    .doing("take runs back from workers that are gone")?;
    Ok(Voided { requeued: requeued.rows_affected(), dead: dead.rows_affected() })
}

fn fence(claim: &Claim, n_rows: u64) -> Result<(), CatalogError> {
    if n_rows == 1 { Ok(()) } else { Err(CatalogError::Fenced { run: claim.run }) }
}
