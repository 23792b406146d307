//! One job of one batch, run in this process with a progress bar: what `run` and `demo` share.

use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    catalog::runs::{self, Claim, Failure, Lease, NewRun, RunCause},
    domain::{BatchSpec, JobKind, RunReport, Span, Timestamp},
    jobs::{self, AsOf, JobContext},
    runtime::lines,
};

use super::chain;

/// A foreground run renews nothing; a later one takes over when its process is gone.
const LEASE: Span = Span::hours(6);

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
    let report = jobs::run(ctx, &claim, batch, as_of).await;
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
