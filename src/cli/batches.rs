//! `anomstack batches`.

use clap::Subcommand;
use serde::Serialize;

use crate::{
    catalog::{
        Reader,
        alerts::{self, AlertFilter},
        metrics, models, pauses,
        runs::{self, RunFilter},
    },
    domain::{BatchSpec, JobKind, RunState, Timestamp},
    jobs::JobContext,
};

use super::{
    Global, Outcome,
    listing::{self, ago, or_dash},
    open,
    show::missing,
};

/// What can be asked of batches.
#[derive(Debug, Subcommand)]
pub(super) enum Batches {
    /// Every batch with its health
    List,
    /// One batch with its jobs
    Show {
        /// Its name
        batch: String,
    },
    /// Let nothing of a batch run by itself until it is resumed; by hand it still runs
    Pause {
        /// Its name
        batch: String,
    },
    /// End a pause: the schedule goes on from now, what lay in the pause is not made up for
    Resume {
        /// Its name
        batch: String,
    },
}

/// A batch as it is doing.
#[derive(Debug, Serialize)]
struct BatchRow {
    name: String,
    description: String,
    enabled: bool,
    paused_since: Option<Timestamp>,
    source: &'static str,
    metrics: usize,
    models: usize,
    newest_point: Option<Timestamp>,
    newest_alert: Option<Timestamp>,
    jobs: Vec<JobRow>,
}

/// The newest run of a job.
#[derive(Debug, Serialize)]
struct JobRow {
    job: JobKind,
    state: RunState,
    slot: Timestamp,
    summary: Option<String>,
    error: Option<String>,
}

/// Lists or shows batches.
pub(super) async fn batches(global: &Global, command: Batches) -> anyhow::Result<Outcome> {
    let project = match open::project(global) {
        Ok(project) => project,
        Err(outcome) => return Ok(outcome),
    };
    let specs = project.batches.clone();
    let opened = open::open(project).await?;
    let now = (opened.ctx.clock)();
    match command {
        Batches::List => {
            let mut rows = Vec::new();
            for spec in &specs {
                rows.push(read(&opened.ctx, spec).await?);
            }
            let header =
                ["BATCH", "STATE", "SOURCE", "METRICS", "MODELS", "NEWEST POINT", "LAST RUN"];
            listing::print(global, &rows, &header, |row| summary(row, now))
        }
        Batches::Show { batch } => match specs.iter().find(|spec| spec.name.as_str() == batch) {
            Some(spec) => show(global, &read(&opened.ctx, spec).await?, now),
            None => missing(&format!("no batch `{batch}`")),
        },
        Batches::Pause { batch } => set_pause(&opened.ctx, &specs, &batch, Pause::Begin).await,
        Batches::Resume { batch } => set_pause(&opened.ctx, &specs, &batch, Pause::End).await,
    }
}

async fn read(ctx: &JobContext, spec: &BatchSpec) -> anyhow::Result<BatchRow> {
    let mut reader = ctx.catalog.reader().await?;
    let metrics = metrics::list(&mut reader, &spec.name).await?;
    let models = models::currents(&mut reader, &spec.name).await?;
    let newest = AlertFilter { batch: Some(spec.name.clone()), limit: 1, ..AlertFilter::default() };
    let newest_alert = alerts::list(&mut reader, &newest).await?;
    Ok(BatchRow {
        name: spec.name.to_string(),
        description: spec.description.clone(),
        enabled: spec.enabled,
        paused_since: pauses::all(&mut reader).await?.remove(&spec.name),
        source: spec.source.kind.as_str(),
        metrics: metrics.len(),
        models: models.len(),
        newest_point: metrics.iter().map(|metric| metric.newest_at).max(),
        newest_alert: newest_alert.first().map(|row| row.alert.at),
        jobs: newest_runs(&mut reader, spec).await?,
    })
}

async fn newest_runs(reader: &mut Reader, spec: &BatchSpec) -> anyhow::Result<Vec<JobRow>> {
    let mut jobs = Vec::new();
    for job in JobKind::ALL {
        let filter = RunFilter {
            batch: Some(spec.name.clone()),
            job: Some(*job),
            limit: 1,
            ..RunFilter::default()
        };
        jobs.extend(runs::list(reader, &filter).await?.into_iter().map(|run| JobRow {
            job: run.job,
            state: run.state,
            slot: run.slot,
            summary: run.report.map(|report| report.summary()),
            error: run.error,
        }));
    }
    Ok(jobs)
}

/// Why nothing of the batch runs by itself, if so.
fn state(row: &BatchRow, now: Timestamp) -> Option<String> {
    match row.paused_since {
        _ if !row.enabled => Some("disabled".to_owned()),
        Some(since) => Some(format!("paused {}", ago(now, since))),
        None => None,
    }
}

/// What is asked of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    Begin,
    End,
}

async fn set_pause(
    ctx: &JobContext,
    specs: &[BatchSpec],
    name: &str,
    wish: Pause,
) -> anyhow::Result<Outcome> {
    let Some(spec) = specs.iter().find(|spec| spec.name.as_str() == name) else {
        return missing(&format!("no batch `{name}`"));
    };
    let mut tx = ctx.catalog.begin().await?;
    let is_changed = match wish {
        Pause::Begin => pauses::pause(&mut tx, &spec.name, (ctx.clock)()).await?,
        Pause::End => pauses::resume(&mut tx, &spec.name).await?,
    };
    tx.commit().await?;
    let done = match (wish, is_changed) {
        (Pause::Begin, true) => "is paused",
        (Pause::Begin, false) => "was paused already",
        (Pause::End, true) => "goes on",
        (Pause::End, false) => "was not paused",
    };
    println!("batch `{name}` {done}");
    Ok(Outcome::Done)
}

fn summary(row: &BatchRow, now: Timestamp) -> Vec<String> {
    let last = row.jobs.iter().max_by_key(|job| job.slot);
    vec![
        row.name.clone(),
        or_dash(state(row, now), |state| state),
        row.source.to_owned(),
        row.metrics.to_string(),
        row.models.to_string(),
        or_dash(row.newest_point, |at| ago(now, at)),
        or_dash(last, |job| format!("{} {}, {}", job.job, job.state, ago(now, job.slot))),
    ]
}

fn show(global: &Global, row: &BatchRow, now: Timestamp) -> anyhow::Result<Outcome> {
    let mut fields = vec![
        ("batch", row.name.clone()),
        ("description", row.description.clone()),
        ("state", state(row, now).unwrap_or_else(|| "on".into())),
        ("source", row.source.to_owned()),
        ("metrics", row.metrics.to_string()),
        ("models", row.models.to_string()),
        ("newest point", or_dash(row.newest_point, |at| format!("{at} ({})", ago(now, at)))),
        ("newest alert", or_dash(row.newest_alert, |at| format!("{at} ({})", ago(now, at)))),
    ];
    for job in &row.jobs {
        let outcome = job.summary.as_ref().or(job.error.as_ref());
        let outcome = outcome.map_or(String::new(), |text| format!(": {text}"));
        let text = format!("{} for {}{outcome}", job.state, job.slot);
        fields.push((job.job.as_str(), text));
    }
    listing::print_one(global, row, &fields)
}
