//! `anomstack runs`: what ran, why, and what it did; and what people may do about it.

use clap::Subcommand;

use crate::{
    catalog::{
        run_log::{self, LogLevel},
        runs::{self, NewRun, RunCause, RunFilter, RunRow},
    },
    domain::{BatchName, JobKind, RunId, RunState, Timestamp},
    runtime::lines,
};

use super::{
    Global, Outcome,
    listing::{self, ago, or_dash},
    open::Opened,
    show::{missing, open_quietly},
};

/// What can be asked of runs.
#[derive(Debug, Subcommand)]
pub(super) enum Runs {
    /// Newest first
    List {
        /// Only of this batch
        #[arg(long)]
        batch: Option<String>,
        /// Only this job
        #[arg(long)]
        job: Option<JobKind>,
        /// Only in this state
        #[arg(long)]
        state: Option<RunState>,
        /// At most so many
        #[arg(long, default_value_t = 30)]
        limit: u32,
    },
    /// One run with its report and log
    Show {
        /// Its number
        run: i64,
    },
    /// The lines a run logged
    Logs {
        /// Its number
        run: i64,
    },
    /// Let a run begin again, with the configuration of now; a running `serve` takes it up
    Retry {
        /// Its number
        run: i64,
    },
    /// Stop a run: what waits never begins, what is worked on writes nothing more
    Cancel {
        /// Its number
        run: i64,
    },
}

/// Lists, shows, retries or cancels runs.
pub(super) async fn runs(global: &Global, command: Runs) -> anyhow::Result<Outcome> {
    let (opened, now) = match open_quietly(global).await? {
        Ok(opened) => opened,
        Err(outcome) => return Ok(outcome),
    };
    let mut reader = opened.ctx.catalog.reader().await?;
    match command {
        Runs::List { batch, job, state, limit } => {
            let batch = batch.as_deref().map(BatchName::parse).transpose()?;
            let filter = RunFilter { batch, job, state, limit, offset: 0 };
            let rows = runs::list(&mut reader, &filter).await?;
            let header = ["RUN", "BATCH", "JOB", "SLOT", "STATE", "WHAT IT DID"];
            listing::print(global, &rows, &header, run_cells)
        }
        Runs::Show { run } => match runs::get(&mut reader, RunId(run)).await? {
            Some(row) => {
                let log = run_log::lines(&mut reader, row.id).await?;
                let mut fields = run_fields(&row, now);
                fields.extend(
                    log.iter().map(|line| ("log", format!("{} {}", line.at, line.message))),
                );
                listing::print_one(global, &row, &fields)
            }
            None => missing(&format!("no run {run}")),
        },
        Runs::Logs { run } => match runs::get(&mut reader, RunId(run)).await? {
            Some(row) => {
                let log = run_log::lines(&mut reader, row.id).await?;
                let header = ["AT", "LEVEL", "MESSAGE"];
                listing::print(global, &log, &header, |line| {
                    vec![line.at.to_string(), line.level.to_string(), line.message.clone()]
                })
            }
            None => missing(&format!("no run {run}")),
        },
        Runs::Retry { run } => retry(&opened, RunId(run), now).await,
        Runs::Cancel { run } => cancel(&opened, RunId(run), now).await,
    }
}

/// A run that ended begins again with its first attempt; one that waits is due at once.
async fn retry(opened: &Opened, run: RunId, now: Timestamp) -> anyhow::Result<Outcome> {
    let mut tx = opened.ctx.catalog.begin().await?;
    let Some(row) = runs::get(&mut tx, run).await? else {
        return missing(&format!("no run {run}"));
    };
    if row.state == RunState::Running {
        eprintln!("error: run {run} is being worked on; cancel it first");
        return Ok(Outcome::Problems);
    }
    let Some(batch) = opened.project.batches.iter().find(|batch| batch.name == row.batch) else {
        return missing(&format!("batch `{}` in the configuration", row.batch));
    };
    let again = NewRun {
        batch: row.batch,
        job: row.job,
        slot: row.slot,
        cause: RunCause::Manual,
        due: now,
        config_hash: batch.config_hash.clone(),
    };
    runs::materialise_again(&mut tx, &again, now).await?;
    let told = format!("asked for again by hand; it was {}", row.state);
    lines::add(&mut tx, run, now, vec![(LogLevel::Info, told)]).await?;
    tx.commit().await?;
    println!("run {run} ({} of `{}` for {}) is due now", again.job, again.batch, again.slot);
    Ok(Outcome::Done)
}

async fn cancel(opened: &Opened, run: RunId, now: Timestamp) -> anyhow::Result<Outcome> {
    let mut tx = opened.ctx.catalog.begin().await?;
    let Some(row) = runs::get(&mut tx, run).await? else {
        return missing(&format!("no run {run}"));
    };
    if !runs::cancel(&mut tx, run, now).await? {
        eprintln!("error: run {run} has ended already: {}", row.state);
        return Ok(Outcome::Problems);
    }
    lines::add(&mut tx, run, now, vec![(LogLevel::Warn, "cancelled by hand".to_owned())]).await?;
    tx.commit().await?;
    println!("run {run} ({} of `{}` for {}) is cancelled", row.job, row.batch, row.slot);
    Ok(Outcome::Done)
}

fn run_cells(row: &RunRow) -> Vec<String> {
    let report = row.report.as_ref().map(|report| report.summary());
    vec![
        row.id.to_string(),
        row.batch.to_string(),
        row.job.to_string(),
        row.slot.to_string(),
        row.state.to_string(),
        report.or_else(|| row.error.clone()).unwrap_or_default(),
    ]
}

fn run_fields(row: &RunRow, now: Timestamp) -> Vec<(&'static str, String)> {
    let report = row.report.as_ref().and_then(|report| serde_json::to_string_pretty(report).ok());
    vec![
        ("run", row.id.to_string()),
        ("batch", row.batch.to_string()),
        ("job", row.job.to_string()),
        ("slot", row.slot.to_string()),
        ("cause", row.cause.to_string()),
        ("state", row.state.to_string()),
        ("attempt", row.attempt.to_string()),
        ("started", or_dash(row.started_at, |at| format!("{at} ({})", ago(now, at)))),
        ("ended", or_dash(row.ended_at, |at| at.to_string())),
        ("configuration", row.config_hash.clone()),
        ("error", or_dash(row.error.as_ref(), Clone::clone)),
        ("report", or_dash(report, |text| text)),
    ]
}
