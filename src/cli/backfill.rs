//! `anomstack backfill`: the runs a stretch of the past would have had, in order, each as of its own
//! slot.

use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::{
    catalog::{Reader, runs},
    domain::{BatchSpec, JobKind, RunReport, RunState, Timestamp},
    jobs::{self, Notify},
    runtime::{
        clock,
        replay::{self, Replay},
    },
};

use super::{
    Global, Outcome,
    foreground::{self, When},
    listing,
    open::{self, Opened},
    run,
};

/// Many small segments make every later read slower.
const COMPACT_EVERY: usize = 32;

/// What `backfill` takes.
#[derive(Debug, Args)]
pub(super) struct Backfill {
    /// The batch
    batch: String,
    /// The first slot may lie here (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Timestamp,
    /// All slots lie before it
    #[arg(long, value_name = "TIME")]
    to: Timestamp,
    /// Only these jobs; may be repeated or separated by commas
    #[arg(long = "job", value_name = "JOB", value_delimiter = ',')]
    jobs: Vec<JobKind>,
    /// Which slots that ran already are run again
    #[arg(long, value_enum, default_value_t = Reprocess::None)]
    reprocess: Reprocess,
    /// Only list what would be run
    #[arg(long)]
    dry_run: bool,
    /// Tell the channels of what is found; otherwise alerts are only stored
    #[arg(long)]
    notify: bool,
}

/// Which slots that ran already are run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Reprocess {
    /// None: only slots that were never run, or were left out
    None,
    /// Also those whose run failed or was cancelled
    Failed,
    /// All
    All,
}

impl Reprocess {
    fn covers(self, state: Option<RunState>) -> bool {
        match state {
            None | Some(RunState::Skipped) => true,
            Some(RunState::Dead | RunState::Cancelled) => self != Self::None,
            Some(RunState::Succeeded) => self == Self::All,
            // They run by themselves.
            Some(RunState::Pending | RunState::Running | RunState::RetryWait) => false,
        }
    }
}

/// A run to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Due {
    slot: Timestamp,
    job: JobKind,
    #[serde(skip)]
    before: Option<Timestamp>,
}

/// What was done.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Totals {
    runs: u64,
    rows_stored: u64,
    models_trained: u64,
    points_scored: u64,
    alerts_raised: u64,
    messages_queued: u64,
}

impl Totals {
    fn add(&mut self, report: &RunReport) {
        self.runs += 1;
        match report {
            RunReport::Ingest(report) => self.rows_stored += report.rows_stored,
            RunReport::Train(report) => self.models_trained += report.trained,
            RunReport::Score(report) => self.points_scored += report.scored,
            RunReport::Alert(report) => {
                self.alerts_raised += report.raised;
                self.messages_queued += report.queued;
            }
            RunReport::Change(report) => self.alerts_raised += report.raised,
        }
    }
}

/// Runs what is due; the first failure ends it, and the same command goes on from there.
pub(super) async fn backfill(global: &Global, command: Backfill) -> anyhow::Result<Outcome> {
    let project = match open::project(global) {
        Ok(project) => project,
        Err(outcome) => return Ok(outcome),
    };
    open::logging_for_foreground(global, &project.system.log)?;
    let to = command.to.min(clock::now());
    let found = project.batches.iter().find(|batch| batch.name.as_str() == command.batch);
    let Some(batch) = found.cloned() else {
        eprintln!("error: no batch `{}`", command.batch);
        return Ok(Outcome::NotStarted);
    };
    let plan = replay::plan(&batch, command.from, to)?;
    let mut opened = open::open(project).await?;
    let due = due(&mut opened.ctx.catalog.reader().await?, &batch, &plan, &command).await?;
    if command.dry_run {
        return listing::print(global, &due, &["SLOT", "JOB"], |due| {
            vec![due.slot.to_string(), due.job.to_string()]
        });
    }
    opened.ctx.notify = if command.notify { Notify::Queue } else { Notify::Keep };
    let since = (opened.ctx.clock)();
    let lock = run::take_over(&opened).await?;
    let (totals, failed) = replay_all(&opened, &batch, &due).await?;
    jobs::compact(&opened.ctx, &batch.name, Timestamp::MIN).await?;
    if command.notify {
        run::deliver(&opened, since).await?;
    }
    opened.ctx.catalog.close().await?;
    drop(lock);
    if let Some((due, error)) = &failed {
        eprintln!("error: {} for {} failed: {error}", due.job, due.slot);
        eprintln!("what came before it is done; --reprocess failed goes on with it");
    }
    let outcome = print(global, &totals)?;
    Ok(if failed.is_some() { Outcome::Problems } else { outcome })
}

/// The runs of a plan that are wanted and not done yet, in order.
async fn due(
    reader: &mut Reader,
    batch: &BatchSpec,
    plan: &[Replay],
    command: &Backfill,
) -> anyhow::Result<Vec<Due>> {
    let is_wanted = |job: &JobKind| command.jobs.is_empty() || command.jobs.contains(job);
    let mut due = Vec::new();
    for Replay { slot, before, jobs } in plan {
        for job in jobs.iter().filter(|job| is_wanted(job)) {
            let state = runs::state_of(reader, &batch.name, *job, *slot).await?;
            if command.reprocess.covers(state) {
                due.push(Due { slot: *slot, job: *job, before: *before });
            }
        }
    }
    Ok(due)
}

async fn replay_all(
    opened: &Opened,
    batch: &BatchSpec,
    due: &[Due],
) -> anyhow::Result<(Totals, Option<(Due, String)>)> {
    let bar = ProgressBar::new(due.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("  {bar:32} {pos}/{len} {msg} {eta}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    let mut totals = Totals::default();
    for (n, one) in due.iter().enumerate() {
        bar.set_message(format!("{} {}", one.slot, one.job));
        let when = When::After(one.slot, one.before);
        match foreground::record(&opened.ctx, batch, one.job, when).await? {
            Ok(report) => totals.add(&report),
            Err(error) => {
                bar.abandon();
                return Ok((totals, Some((*one, error))));
            }
        }
        if n % COMPACT_EVERY == COMPACT_EVERY - 1 {
            jobs::compact(&opened.ctx, &batch.name, Timestamp::MIN).await?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((totals, None))
}

fn print(global: &Global, totals: &Totals) -> anyhow::Result<Outcome> {
    let fields = [
        ("runs", totals.runs.to_string()),
        ("rows stored", totals.rows_stored.to_string()),
        ("models trained", totals.models_trained.to_string()),
        ("points scored", totals.points_scored.to_string()),
        ("alerts raised", totals.alerts_raised.to_string()),
        ("messages queued", totals.messages_queued.to_string()),
    ];
    listing::print_one(global, totals, &fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_by_itself_is_never_replayed_and_what_succeeded_only_when_asked() {
        let covered = |reprocess: Reprocess| -> Vec<RunState> {
            let states = RunState::ALL.iter().copied();
            states.filter(|state| reprocess.covers(Some(*state))).collect()
        };
        let (skipped, dead, cancelled) = (RunState::Skipped, RunState::Dead, RunState::Cancelled);
        assert_eq!(covered(Reprocess::None), [skipped]);
        assert_eq!(covered(Reprocess::Failed), [dead, skipped, cancelled]);
        let all = [RunState::Succeeded, dead, skipped, cancelled];
        assert_eq!(covered(Reprocess::All), all);
        assert!(Reprocess::None.covers(None));
    }
}
