//! What the daemon is given: the jobs as its work, the outbox and the sweep as its chores, the
//! Prometheus metrics as its observer.

use std::sync::Arc;

use crate::{
    catalog::{CatalogError, metrics, models, runs, runs::Claim},
    compute::ComputeError,
    domain::{BatchSpec, RunReport},
    jobs::{self, AsOf, JobContext, JobError},
    runtime::{BoxFuture, Chore, Event, FailureKind, JobFailure, Observer, RunClaim},
    telemetry::Metrics,
};

use super::{chain, open::Opened, run};

/// The jobs, for a worker.
pub(super) fn run_claim(opened: &Arc<Opened>) -> RunClaim {
    let opened = Arc::clone(opened);
    Arc::new(move |claim: Claim| -> BoxFuture<Result<RunReport, JobFailure>> {
        let opened = Arc::clone(&opened);
        Box::pin(async move {
            let found = opened.project.batches.iter().find(|batch| batch.name == claim.batch);
            let Some(batch) = found else {
                let error_chain = format!("batch `{}` is not configured any more", claim.batch);
                return Err(JobFailure { error_chain, kind: FailureKind::Permanent });
            };
            let as_of = AsOf::live((opened.ctx.clock)());
            let outcome = jobs::run(&opened.ctx, &claim, batch, as_of).await;
            outcome.map_err(|error| {
                let kind = kind_of(&error);
                JobFailure { error_chain: chain(&error.into()), kind }
            })
        })
    })
}

fn kind_of(error: &JobError) -> FailureKind {
    match error {
        JobError::Catalog(CatalogError::Fenced { .. }) => FailureKind::Fenced,
        JobError::Compute(ComputeError::Panicked { .. }) => FailureKind::Panic,
        JobError::Policy(_) | JobError::Key(_) => FailureKind::Permanent,
        JobError::Source(error) if error.is_permanent() => FailureKind::Permanent,
        JobError::Source(_)
        | JobError::Series(_)
        | JobError::Store(_)
        | JobError::Catalog(_)
        | JobError::Compute(_)
        | JobError::Unverified { .. }
        | JobError::Encode { .. } => FailureKind::Transient,
    }
}

/// The outbox, every second.
pub(super) fn deliver(opened: &Arc<Opened>) -> Chore {
    let opened = Arc::clone(opened);
    Arc::new(move || {
        let opened = Arc::clone(&opened);
        Box::pin(async move {
            if let Err(error) = drain(&opened).await {
                tracing::error!("messages wait in the outbox: {}", chain(&error.into()));
            }
        })
    })
}

async fn drain(opened: &Opened) -> Result<(), JobError> {
    let ctx = &opened.ctx;
    let mut reader = ctx.catalog.reader().await?;
    ctx.metrics.set_queue_depth(runs::n_waiting(&mut reader).await?);
    let has_due = crate::catalog::outbox::has_due(&mut reader, (ctx.clock)()).await?;
    drop(reader);
    if has_due { run::deliver(opened).await } else { Ok(()) }
}

/// Compaction, retention and sweep, every hour.
pub(super) fn maintain(opened: &Arc<Opened>) -> Chore {
    let opened = Arc::clone(opened);
    Arc::new(move || {
        let opened = Arc::clone(&opened);
        Box::pin(async move {
            for batch in &opened.project.batches {
                let name = &batch.name;
                if let Err(error) = jobs::compact(&opened.ctx, name).await {
                    let error = chain(&error.into());
                    tracing::error!(batch = %name, "could not merge small segments: {error}");
                }
                match jobs::retire(&opened.ctx, batch).await {
                    Ok(retired) if retired == jobs::Retired::default() => {}
                    Ok(retired) => tracing::info!(batch = %name, "let go of {retired}"),
                    Err(error) => {
                        let error = chain(&error.into());
                        tracing::error!(batch = %name, "could not let go of the old: {error}");
                    }
                }
            }
            match jobs::sweep(&opened.ctx).await {
                Ok(swept) if swept == jobs::Swept::default() => {}
                Ok(swept) => {
                    let jobs::Swept { replaced, orphans } = swept;
                    tracing::info!("removed {replaced} merged segments and {orphans} orphans");
                }
                Err(error) => tracing::error!("could not sweep: {}", chain(&error.into())),
            }
        })
    })
}

/// Counts what the daemon does.
pub(super) fn observe(metrics: &Metrics) -> Observer {
    let metrics = metrics.clone();
    Arc::new(move |event| match event {
        Event::Started { late, .. } => {
            metrics.set_scheduler_lag(late);
            metrics.queue_waited(late);
        }
        Event::Ended { claim, state, took } => {
            metrics.run_finished(&claim.batch, claim.job, state, took.to_std());
        }
        Event::Fenced { .. } => metrics.commit_fenced(),
        Event::SlotsSkipped { batch, job, n } => {
            tracing::warn!(%batch, %job, "left out {n} slots missed while down");
        }
        Event::ClockJumped { by } => tracing::warn!("the clock jumped by {by}"),
    })
}

/// Sets the gauges that would otherwise be empty until the next run.
pub(super) async fn show_state(
    ctx: &JobContext,
    batches: &[BatchSpec],
) -> Result<(), CatalogError> {
    let mut reader = ctx.catalog.reader().await?;
    for batch in batches {
        let seen = metrics::list(&mut reader, &batch.name).await?;
        if let Some(newest) = seen.iter().map(|metric| metric.newest_at).max() {
            ctx.metrics.set_newest_point(&batch.name, newest);
        }
        let current = models::currents(&mut reader, &batch.name).await?;
        if let Some(newest) = current.iter().map(|model| model.trained_at).max() {
            ctx.metrics.set_newest_model(&batch.name, newest);
        }
    }
    Ok(())
}
