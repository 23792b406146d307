//! One job of one batch, run in this process with a progress bar: what `run` and `demo` share.

use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::{
    catalog::{
        CatalogError,
        runs::{self, Claim, Failure, Lease, NewRun, RunCause},
    },
    domain::{BatchSpec, JobKind, RunReport, Span, Timestamp},
    jobs::{self, AsOf, JobContext},
    runtime::{lines, signals},
};

use super::chain;

/// How long a claim is good without being renewed: a daemon takes the run of a killed process up
/// this much later.
const LEASE: Span = Span::secs(30);
/// A third of a lease, so that two renewals may fail.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A person ended the run.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; what was not committed begins again with the next run")]
pub(super) struct Interrupted;

/// When a foreground run acts.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    /// Now.
    Now,
    /// As if it were then.
    At(Timestamp),
    /// As if it were then, after a run at the other instant.
    After(Timestamp, Option<Timestamp>),
}

/// Runs one job and records it; prints one line of outcome. `None` when it failed.
pub(super) async fn run_job(
    ctx: &JobContext,
    batch: &BatchSpec,
    job: JobKind,
    when: When,
) -> anyhow::Result<Option<RunReport>> {
    let bar = progress_bar(batch, job);
    let outcome = {
        let work = record(ctx, batch, job, when);
        tokio::pin!(work);
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        loop {
            tokio::select! {
                done = &mut work => break done?,
                _ = ticks.tick() => show_progress(ctx, &bar),
            }
        }
    };
    bar.finish_and_clear();
    let label = format!("{:<12} {:<7}", batch.name.as_str(), job.as_str());
    Ok(match outcome {
        Ok(report) => {
            eprintln!("  \u{2713} {label} {}", report.summary());
            Some(report)
        }
        Err(error_chain) => {
            eprintln!("  \u{2717} {label} {error_chain}");
            None
        }
    })
}

/// Runs one job and records it; the inner error is a failed job's.
pub(super) async fn record(
    ctx: &JobContext,
    batch: &BatchSpec,
    job: JobKind,
    when: When,
) -> anyhow::Result<Result<RunReport, String>> {
    let now = (ctx.clock)();
    let (slot, as_of) = match when {
        When::Now => (now, AsOf::live(now)),
        When::At(at) => (at, AsOf::exactly(at)),
        When::After(at, before) => (at, AsOf::replaying(at, before)),
    };
    let claim = claim(ctx, batch, job, slot).await?;
    let report = held(ctx, &claim, jobs::run(ctx, &claim, batch, as_of)).await?;
    let mut tx = ctx.catalog.begin().await?;
    let now = (ctx.clock)();
    match report {
        Ok(report) => {
            runs::succeed(&mut tx, &claim, &report, now).await?;
            lines::add(&mut tx, claim.run, now, lines::of_report(&report)).await?;
            tx.commit().await?;
            Ok(Ok(report))
        }
        Err(error) => {
            let error_chain = chain(&error.into());
            let told = lines::failed(&error_chain, None);
            let failure = Failure { error_chain: error_chain.clone(), retry_at: None };
            runs::fail(&mut tx, &claim, &failure, now).await?;
            lines::add(&mut tx, claim.run, now, told).await?;
            tx.commit().await?;
            Ok(Err(error_chain))
        }
    }
}

/// Does the work while its claim is renewed; at SIGINT or SIGTERM the run is handed back at once.
async fn held<T>(
    ctx: &JobContext,
    claim: &Claim,
    work: impl Future<Output = T>,
) -> anyhow::Result<T> {
    let stop = CancellationToken::new();
    let signals = signals::stop_on_signals(stop.clone())?;
    // Side by side, as the work may hold the catalog's one writer while a renewal waits for it.
    let done = tokio::select! {
        done = work => Some(done),
        error = renewals(ctx, claim) => return Err(error.into()),
        () = signals => None,
        () = stop.cancelled() => None,
    };
    if done.is_none() {
        let mut tx = ctx.catalog.begin().await?;
        runs::hand_back(&mut tx, claim, (ctx.clock)()).await?;
        tx.commit().await?;
    }
    done.ok_or_else(|| Interrupted.into())
}

/// Renews a claim until that fails.
async fn renewals(ctx: &JobContext, claim: &Claim) -> CatalogError {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        if let Err(error) = renew(ctx, claim).await {
            return error;
        }
    }
}

async fn renew(ctx: &JobContext, claim: &Claim) -> Result<(), CatalogError> {
    let mut tx = ctx.catalog.begin().await?;
    runs::renew(&mut tx, claim, (ctx.clock)() + LEASE).await?;
    tx.commit().await
}

async fn claim(
    ctx: &JobContext,
    batch: &BatchSpec,
    job: JobKind,
    slot: Timestamp,
) -> anyhow::Result<Claim> {
    let now = (ctx.clock)();
    let new = NewRun {
        batch: batch.name.clone(),
        job,
        slot,
        cause: RunCause::Manual,
        due: now,
        config_hash: batch.config_hash.clone(),
    };
    let mut tx = ctx.catalog.begin().await?;
    let run = match runs::materialise(&mut tx, &new, now).await? {
        Some(run) => run,
        None => runs::materialise_again(&mut tx, &new, now).await?,
    };
    let lease = Lease { worker: "foreground", length: LEASE };
    let claim = runs::claim_one(&mut tx, run, now, lease).await?;
    if let Some(claim) = &claim {
        lines::add(&mut tx, run, now, lines::begun(claim, lease.worker)).await?;
    }
    tx.commit().await?;
    claim.with_context(|| {
        format!("batch `{}` is being run by another process; try again when it is done", batch.name)
    })
}

fn progress_bar(batch: &BatchSpec, job: JobKind) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let template = "  {spinner} {prefix:<20} {bar:24} {pos}/{len} {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(format!("{} {job}", batch.name));
    bar
}

fn show_progress(ctx: &JobContext, bar: &ProgressBar) {
    let (done, total) = ctx.progress.position();
    bar.set_length(total);
    bar.set_position(done);
    bar.tick();
}
