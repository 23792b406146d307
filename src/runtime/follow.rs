//! Which runs a finished run calls for. They are made in the transaction that ends it, so no crash
//! can come between.

use crate::{
    catalog::{
        CatalogError, Connection, models, runs,
        runs::{Claim, NewRun, RunCause},
    },
    domain::{BatchSpec, JobKind, Span, Timestamp, Trigger},
};

/// While a batch has no model, an ingest calls for a training no more often than this: the first
/// points may be too few.
const FIRST_MODEL_SPACING: Span = Span::hours(1);

/// The jobs of a batch that run after another, in order.
pub fn followers(batch: &BatchSpec, job: JobKind) -> impl Iterator<Item = JobKind> {
    let triggers = batch.schedule.triggers.iter();
    triggers.filter(move |(_, trigger)| **trigger == Trigger::After(job)).map(|(next, _)| *next)
}

/// Makes the runs that follow a run that has just succeeded, for the same slot; gives their number.
/// A batch without models gets a training after its ingest, before all that follows by itself, so
/// that it does not wait for the training's own time.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn materialise(
    conn: &mut Connection,
    batch: &BatchSpec,
    claim: &Claim,
    now: Timestamp,
) -> Result<usize, CatalogError> {
    let mut next = Vec::new();
    if claim.job == JobKind::Ingest && wants_first_model(conn, batch, now).await? {
        next.push((JobKind::Train, RunCause::First));
    }
    next.extend(followers(batch, claim.job).map(|job| (job, RunCause::After)));
    for (job, cause) in &next {
        let new = NewRun {
            batch: batch.name.clone(),
            job: *job,
            slot: claim.slot,
            cause: *cause,
            due: now,
            config_hash: batch.config_hash.clone(),
        };
        if claim.cause == RunCause::Manual {
            runs::materialise_again(conn, &new, now).await?;
        } else {
            runs::supersede(conn, &new, now).await?;
            runs::materialise(conn, &new, now).await?;
        }
    }
    Ok(next.len())
}

async fn wants_first_model(
    conn: &mut Connection,
    batch: &BatchSpec,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let trains = batch.schedule.triggers.get(&JobKind::Train).is_some_and(|t| *t != Trigger::Never);
    if !trains || models::has_any(conn, &batch.name).await? {
        return Ok(false);
    }
    let since = now - FIRST_MODEL_SPACING;
    Ok(!runs::has_any(conn, &batch.name, Some(JobKind::Train), since).await?)
}
