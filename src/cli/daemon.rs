//! What the daemon is given: the jobs as its work, the outbox and the sweep as its chores, the
//! Prometheus metrics as its observer.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::{
    catalog::{CatalogError, Reader, channel_states, metrics, models, outbox, runs, runs::Claim},
    compute::ComputeError,
    config::Project,
    domain::{BatchSpec, JobKind, RunReport, Span, Timestamp},
    jobs::{self, AsOf, JobContext, JobError},
    net::Client,
    runtime::{BoxFuture, Chore, Event, FailureKind, JobFailure, Observer, RunClaim},
    sources::SourceError,
    telemetry::{Metrics, Readiness},
};

use super::{chain, run};

/// What the daemon's work shares. The project may change at any time; whoever takes it keeps it.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) ctx: JobContext,
    pub(super) client: Client,
    pub(super) project: watch::Receiver<Arc<Project>>,
    pub(super) ready: watch::Sender<Readiness>,
}

impl Live {
    /// The configuration in use now.
    pub(super) fn project(&self) -> Arc<Project> {
        Arc::clone(&self.project.borrow())
    }
}

/// The jobs, for a worker. A run keeps to the end the configuration it began with.
pub(super) fn run_claim(live: &Live) -> RunClaim {
    let live = live.clone();
    Arc::new(move |claim: Claim| -> BoxFuture<Result<RunReport, JobFailure>> {
        let (ctx, project) = (live.ctx.clone(), live.project());
        Box::pin(async move {
            let found = project.batches.iter().find(|batch| batch.name == claim.batch);
            let Some(batch) = found else {
                let error_chain = format!("batch `{}` is not configured any more", claim.batch);
                let kind = FailureKind::Permanent;
                return Err(JobFailure { error_chain, kind, not_before: None });
            };
            let as_of = AsOf::live((ctx.clock)());
            let outcome = jobs::run(&ctx, &claim, batch, as_of).await;
            if outcome.is_ok() && claim.job == JobKind::Ingest {
                compact(&ctx, batch).await;
            }
            outcome.map_err(|error| {
                let (kind, not_before) = (kind_of(&error), not_before(&error));
                JobFailure { error_chain: chain(&error.into()), kind, not_before }
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

fn not_before(error: &JobError) -> Option<Span> {
    match error {
        JobError::Source(SourceError::Throttled { after, .. }) => *after,
        _ => None,
    }
}

/// The outbox, every second and whenever a run has ended.
pub(super) fn deliver(live: &Live) -> Chore {
    let live = live.clone();
    let known = Arc::new(Mutex::new(None));
    Arc::new(move || {
        let (live, known) = (live.clone(), Arc::clone(&known));
        Box::pin(async move {
            let outcome = match reopen_changed(&live, &known).await {
                Ok(()) => drain(&live).await,
                Err(error) => Err(error.into()),
            };
            tell_readiness(&live.ready, &outcome);
            if let Err(error) = outcome {
                tracing::error!("messages wait in the outbox: {}", chain(&error.into()));
            }
        })
    })
}

/// Plain words about alerts, every second and whenever a run has ended.
pub(super) fn read(live: &Live) -> Chore {
    let live = live.clone();
    Arc::new(move || {
        let live = live.clone();
        Box::pin(async move {
            if let Err(error) = run::read_for(&live.project(), &live.ctx, &live.client).await {
                tracing::error!("alerts are told without plain words: {}", chain(&error.into()));
            }
        })
    })
}

/// Lets the outbox know of channels that are configured otherwise than when it was last told.
async fn reopen_changed(
    live: &Live,
    known: &Mutex<Option<Arc<Project>>>,
) -> Result<(), CatalogError> {
    let project = live.project();
    let before = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let channels = before.as_ref().map(|before| &before.system.channels);
    if channels != Some(&project.system.channels) {
        jobs::reopen_changed(&live.ctx.catalog, channels, &project.system.channels).await?;
    }
    // Only now, so that a catalog out of reach is asked again.
    *known.lock().unwrap_or_else(PoisonError::into_inner) = Some(project);
    Ok(())
}

/// Every second the outbox is looked at, so that is when a catalog out of reach is noticed.
fn tell_readiness(ready: &watch::Sender<Readiness>, outcome: &Result<(), JobError>) {
    const REASON: &str = "the catalog cannot be used";
    ready.send_if_modified(|now| match outcome {
        Err(JobError::Catalog(_)) => now.miss(REASON),
        Ok(()) | Err(_) => now.regain(REASON),
    });
}

async fn drain(live: &Live) -> Result<(), JobError> {
    let ctx = &live.ctx;
    let mut reader = ctx.catalog.reader().await?;
    ctx.metrics.set_queue_depth(runs::n_waiting(&mut reader).await?);
    let now = (ctx.clock)();
    let has_due = outbox::has_due(&mut reader, now).await?;
    show_outbox(ctx, &mut reader, &live.project(), now).await?;
    drop(reader);
    if has_due { run::deliver_for(&live.project(), ctx, &live.client).await } else { Ok(()) }
}

/// Sets the gauges of every channel: what waits for it, and whether it is closed.
async fn show_outbox(
    ctx: &JobContext,
    reader: &mut Reader,
    project: &Project,
    now: Timestamp,
) -> Result<(), CatalogError> {
    let backlog = outbox::backlog(reader).await?;
    let states = channel_states::all(reader).await?;
    for channel in project.system.channels.keys() {
        let waiting = backlog.iter().find(|waiting| waiting.channel == *channel);
        let (n_waiting, oldest) =
            waiting.map_or((0, Span::ZERO), |waiting| (waiting.n_waiting, now - waiting.oldest));
        ctx.metrics.delivery.set_backlog(channel, n_waiting, oldest);
        let state = states.iter().find(|state| state.channel == *channel);
        let is_disabled = state.is_some_and(|state| state.disabled_at.is_some());
        ctx.metrics.delivery.set_disabled(channel, is_disabled);
    }
    Ok(())
}

/// A batch whose segments cannot be merged now works on, only slower.
async fn compact(ctx: &JobContext, batch: &BatchSpec) {
    let from = (ctx.clock)() - batch.history.retention;
    if let Err(error) = jobs::compact(ctx, &batch.name, from).await {
        let error = chain(&error.into());
        tracing::error!(batch = %batch.name, "could not merge small segments: {error}");
    }
}

/// Compaction, retention and sweep, at the start and every hour.
pub(super) fn maintain(live: &Live) -> Chore {
    let live = live.clone();
    Arc::new(move || {
        let (ctx, project) = (live.ctx.clone(), live.project());
        Box::pin(async move {
            for batch in &project.batches {
                let name = &batch.name;
                compact(&ctx, batch).await;
                match jobs::retire(&ctx, batch).await {
                    Ok(retired) if retired == jobs::Retired::default() => {}
                    Ok(retired) => tracing::info!(batch = %name, "let go of {retired}"),
                    Err(error) => {
                        let error = chain(&error.into());
                        tracing::error!(batch = %name, "could not let go of the old: {error}");
                    }
                }
            }
            close_abandoned(&ctx, &project.batches).await;
            match jobs::forget_told(&ctx, &project.batches).await {
                Ok(forgotten) if forgotten == jobs::Forgotten::default() => {}
                Ok(forgotten) => tracing::info!("let go of {forgotten}"),
                Err(error) => {
                    tracing::error!("could not let go of old alerts: {}", chain(&error.into()));
                }
            }
            match jobs::sweep(&ctx).await {
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

/// Alerts of batches that are gone or switched off are nobody's any more.
async fn close_abandoned(ctx: &JobContext, batches: &[BatchSpec]) {
    let kept = batches.iter().filter(|batch| batch.enabled).map(|batch| batch.name.clone());
    match jobs::close_abandoned(&ctx.catalog, &kept.collect(), (ctx.clock)()).await {
        Ok(0) => {}
        Ok(n_alerts) => tracing::info!("closed {n_alerts} alerts of batches that are gone"),
        Err(error) => tracing::error!("could not close old alerts: {}", chain(&error.into())),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_not_ready_while_the_catalog_cannot_be_used() {
        let (give_ready, ready) = watch::channel(Readiness::ready());
        tell_readiness(&give_ready, &Err(CatalogError::SegmentsChanged.into()));
        assert!(!ready.borrow().is_ready());
        tell_readiness(&give_ready, &Ok(()));
        assert!(ready.borrow().is_ready());
        give_ready.send_if_modified(|now| now.miss("ending"));
        tell_readiness(&give_ready, &Ok(()));
        assert!(!ready.borrow().is_ready());
    }
}
