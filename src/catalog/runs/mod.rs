//! Table `runs`: one row per (batch, job, slot). A run comes to be here, is worked on in `claim`
//! and is looked at in `list`. The schema's triggers refuse every edge that is not in the life of
//! a run.

mod claim;
mod list;

pub use claim::{
    Claim, Failure, Lease, Room, Voided, claim, claim_one, fail, guard, hand_back, note_config,
    renew, succeed, void_lapsed, void_leases,
};
pub use list::{
    RunFilter, RunRow, busy_batches, get, has_any, latest_slot, list, n_waiting, next_due, state_of,
};

use super::{
    Connection,
    codec::stored_words,
    error::{CatalogError, Doing as _},
};
use crate::domain::{BatchName, JobKind, RunId, Timestamp};

stored_words! {
    /// What made a run.
    RunCause {
        /// Its trigger's time came.
        Schedule = "schedule",
        /// A person asked for it.
        Manual = "manual",
        /// The job it follows succeeded.
        After = "after",
        /// The batch is new and should not wait for its first time.
        First = "first",
    }
}

/// A run that does not exist yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Whose.
    pub batch: BatchName,
    /// What it does.
    pub job: JobKind,
    /// The instant it was due; with batch and job its identity.
    pub slot: Timestamp,
    /// What made it.
    pub cause: RunCause,
    /// When it may start; not before the slot, except by hand.
    pub due: Timestamp,
    /// The batch's configuration at this moment.
    pub config_hash: String,
}

/// Makes a pending run; `None` when its slot has one already, whatever became of that.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn materialise(
    conn: &mut Connection,
    new: &NewRun,
    now: Timestamp,
) -> Result<Option<RunId>, CatalogError> {
    sqlx::query_scalar(
        "INSERT INTO runs (batch, job, slot, cause, state, due, config_hash, created_at, changed_at)
         VALUES (?1, ?2, ?3, ?4, 'pending', ?5, ?6, ?7, ?7)
         ON CONFLICT (batch, job, slot) DO NOTHING
         RETURNING id",
    )
    .bind(&new.batch)
    .bind(new.job)
    .bind(new.slot)
    .bind(new.cause)
    .bind(new.due)
    .bind(&new.config_hash)
    .bind(now)
    .fetch_optional(conn)
    .await
    .doing("materialise a run")
}

/// Makes a run pending for a slot that may have been run before: what ended begins again with its
/// first attempt (and a higher epoch once claimed), what waits for a retry is due now. A run that
/// is being worked on is left alone. For people, who may ask twice.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn materialise_again(
    conn: &mut Connection,
    new: &NewRun,
    now: Timestamp,
) -> Result<RunId, CatalogError> {
    if let Some(run) = materialise(conn, new, now).await? {
        return Ok(run);
    }
    sqlx::query(
        "UPDATE runs SET due = MIN(due, ?4), cause = ?5, config_hash = ?6
         WHERE batch = ?1 AND job = ?2 AND slot = ?3 AND state IN ('pending', 'retry_wait')",
    )
    .bind(&new.batch)
    .bind(new.job)
    .bind(new.slot)
    .bind(new.due)
    .bind(new.cause)
    .bind(&new.config_hash)
    .execute(&mut *conn)
    .await
    .doing("hurry a run")?;
    sqlx::query(
        "UPDATE runs SET state = 'pending', due = ?4, cause = ?5, config_hash = ?6, changed_at = ?7,
                attempt = 0, crash_count = 0, stage = NULL, worker = NULL, started_at = NULL,
                ended_at = NULL, report = NULL, error = NULL
         WHERE batch = ?1 AND job = ?2 AND slot = ?3
           AND state IN ('succeeded', 'dead', 'skipped', 'cancelled')",
    )
    .bind(&new.batch)
    .bind(new.job)
    .bind(new.slot)
    .bind(new.due)
    .bind(new.cause)
    .bind(&new.config_hash)
    .bind(now)
    .execute(&mut *conn)
    .await
    .doing("begin a run again")?;
    sqlx::query_scalar("SELECT id FROM runs WHERE batch = ?1 AND job = ?2 AND slot = ?3")
        .bind(&new.batch)
        .bind(new.job)
        .bind(new.slot)
        .fetch_one(conn)
        .await
        .doing("find a run by its slot")
}

/// Records a slot that is left out on purpose; `false` when the slot has a run.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn skip(
    conn: &mut Connection,
    new: &NewRun,
    reason: &str,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let skipped = sqlx::query(
        "INSERT INTO runs (batch, job, slot, cause, state, due, config_hash, created_at, changed_at,
                           ended_at, error)
         VALUES (?1, ?2, ?3, ?4, 'skipped', ?5, ?6, ?7, ?7, ?7, ?8)
         ON CONFLICT (batch, job, slot) DO NOTHING",
    )
    .bind(&new.batch)
    .bind(new.job)
    .bind(new.slot)
    .bind(new.cause)
    .bind(new.due)
    .bind(&new.config_hash)
    .bind(now)
    .bind(reason)
    .execute(conn)
    .await
    .doing("record a skipped slot")?;
    Ok(skipped.rows_affected() == 1)
}

/// Skips the runs of the same batch and job that nobody has started and that a newer slot makes
/// pointless; gives their number. Runs asked for by hand are kept.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn supersede(
    conn: &mut Connection,
    new: &NewRun,
    now: Timestamp,
) -> Result<u64, CatalogError> {
    let skipped = sqlx::query(
        "UPDATE runs SET state = 'skipped', error = 'a newer slot came before it could start',
                changed_at = ?4, ended_at = ?4
         WHERE batch = ?1 AND job = ?2 AND slot < ?3 AND state = 'pending'
           AND cause IN ('schedule', 'after')",
    )
    .bind(&new.batch)
    .bind(new.job)
    .bind(new.slot)
    .bind(now)
    .execute(conn)
    .await
    .doing("skip overtaken runs")?;
    Ok(skipped.rows_affected())
}

/// Stops a run for good: what waits never begins, what is worked on can commit nothing more. Gives
/// whether there was anything to stop.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn cancel(
    conn: &mut Connection,
    run: RunId,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let cancelled = sqlx::query(
        "UPDATE runs SET state = 'cancelled', error = 'cancelled by hand', lease_until = NULL,
                changed_at = ?2, ended_at = ?2
         WHERE id = ?1 AND state IN ('pending', 'running', 'retry_wait')",
    )
    .bind(run)
    .bind(now)
    .execute(conn)
    .await
    .doing("cancel a run")?;
    Ok(cancelled.rows_affected() == 1)
}

/// Lets go of the waiting runs of batches that are not configured any more: those that never began
/// are skipped, those that wait for a retry cancelled, each with the reason. Gives their number.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn release_unconfigured(
    conn: &mut Connection,
    configured: &[&BatchName],
    now: Timestamp,
) -> Result<u64, CatalogError> {
    let names = serde_json::to_string(configured).doing("list the configured batches")?;
    let released = sqlx::query(
        "UPDATE runs SET state = CASE state WHEN 'pending' THEN 'skipped' ELSE 'cancelled' END,
                error = 'its batch is not configured any more', changed_at = ?2, ended_at = ?2
         WHERE state IN ('pending', 'retry_wait')
           AND batch NOT IN (SELECT value FROM json_each(?1))",
    )
    .bind(names)
    .bind(now)
    .execute(conn)
    .await
    .doing("let go of runs of removed batches")?;
    Ok(released.rows_affected())
}

/// Removes a batch's ended runs that changed last before an instant, with their logs; gives their
/// number. The newest slot of each job stays, and the newest its schedule made, from which that goes
/// on.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn forget_before(
    conn: &mut Connection,
    batch: &BatchName,
    before: Timestamp,
    most: u32,
) -> Result<u64, CatalogError> {
    let forgotten = sqlx::query(
        "DELETE FROM runs WHERE id IN (
             SELECT old.id FROM runs AS old
             WHERE old.batch = ?1 AND old.changed_at < ?2
               AND old.state IN ('succeeded', 'dead', 'skipped', 'cancelled')
               AND old.slot < (SELECT MAX(newer.slot) FROM runs AS newer
                               WHERE newer.batch = old.batch AND newer.job = old.job)
               AND old.slot IS NOT (SELECT MAX(planned.slot) FROM runs AS planned
                                    WHERE planned.batch = old.batch AND planned.job = old.job
                                      AND planned.cause = 'schedule')
             LIMIT ?3)",
    )
    .bind(batch)
    .bind(before)
    .bind(most)
    .execute(conn)
    .await
    .doing("forget old runs")?;
    Ok(forgotten.rows_affected())
}
