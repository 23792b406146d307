//! `anomstack batches`.

use clap::Subcommand;
use serde::Serialize;

use crate::{
    catalog::{
        Reader,
        alerts::{self, AlertFilter},
        metrics, models,
        runs::{self, RunFilter},
    },
    domain::{BatchSpec, JobKind, RunState, Timestamp},
    jobs::JobContext,
};

use super::{
    Global, Outcome,
    listing::{self, ago, or_dash},
    open,
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
}

/// A batch as it is doing.
#[derive(Debug, Serialize)]
struct BatchRow {
    name: String,
    description: String,
    enabled: bool,
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
            let header = ["BATCH", "SOURCE", "METRICS", "MODELS", "NEWEST POINT", "LAST RUN"];
            listing::print(global, &rows, &header, |row| summary(row, now))
        }
        Batches::Show { batch } => match specs.iter().find(|spec| spec.name.as_str() == batch) {
            Some(spec) => show(global, &read(&opened.ctx, spec).await?, now),
            None => {
                eprintln!("error: no batch `{batch}`");
                Ok(Outcome::Problems)
            }
        },
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

fn summary(row: &BatchRow, now: Timestamp) -> Vec<String> {
    let last = row.jobs.iter().max_by_key(|job| job.slot);
    vec![
        row.name.clone(),
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
