//! `anomstack source test`: a look at a batch's source, shown and thrown away. Neither the store nor
//! the catalog is opened, so it works beside a daemon and before the first run.

mod cost;
mod ideas;
mod print;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use polars::prelude::DataFrame;
use serde::Serialize;

use crate::{
    config::Project,
    domain::{BatchSpec, IngestReport, MetricName, SourceKind, Timestamp},
    runtime::clock,
    sources::{Intake, IntakeRules, SourceError},
};

use self::cost::Cost;
use super::{
    Global, Outcome, chain,
    look::{self, Done, Looker, Wish},
    open, pushed,
};

/// What `source` can do.
#[derive(Debug, Subcommand)]
pub(super) enum Source {
    /// Read a batch's source now: first rows, types, metrics, what would be rejected and why, what
    /// reading costs. Nothing is stored
    Test(Test),
}

/// What `source test` takes.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// The batch
    batch: String,
    /// How many rows to show
    #[arg(long, value_name = "N", default_value_t = 5)]
    rows: usize,
    /// As if the newest stored point were of then (RFC 3339); without it, as in the first read
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
}

/// How to look, and how much to show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Showing {
    n_rows: usize,
    since: Option<Timestamp>,
    now: Timestamp,
}

impl Showing {
    /// The first read, in short.
    pub(super) const fn first(now: Timestamp) -> Self {
        Self { n_rows: 5, since: None, now }
    }
}

/// What looking found.
#[derive(Debug, Serialize)]
struct Found {
    batch: String,
    kind: &'static str,
    seconds: f64,
    rows: usize,
    bytes: usize,
    /// `long` or `wide`.
    shape: Option<&'static str>,
    columns: Vec<Column>,
    first_rows: Vec<Vec<Option<String>>>,
    n_points: usize,
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
    metrics: Vec<Metric>,
    report: Option<IngestReport>,
    /// Why the rows as a whole make no points.
    error: Option<String>,
    cost: Cost,
    /// What may be wrong, and what to do about it.
    ideas: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    dtype: String,
}

/// One metric of the rows.
#[derive(Debug, Serialize)]
struct Metric {
    name: String,
    points: usize,
    newest: Timestamp,
    newest_value: f64,
}

/// Reads and shows; a source that fails, or gives rows that make no points, is a problem found.
pub(super) async fn source(global: &Global, command: Source) -> anyhow::Result<Outcome> {
    let Source::Test(test) = command;
    let project = match open::project(global) {
        Ok(project) => project,
        Err(outcome) => return Ok(outcome),
    };
    open::logging_for_foreground(global, &project.system.log)?;
    let Some(batch) = project.batches.iter().find(|batch| batch.name.as_str() == test.batch) else {
        eprintln!("error: no batch `{}`; there are: {}", test.batch, names(&project));
        return Ok(Outcome::NotStarted);
    };
    if let SourceKind::Push(_) = &batch.source.kind {
        return pushed::show(global, &project, batch).await;
    }
    let showing = Showing { n_rows: test.rows, since: test.since, now: clock::now() };
    show(global, batch, &Looker::new()?, showing).await
}

/// Looks at a batch's source and prints what is there.
pub(super) async fn show(
    global: &Global,
    batch: &BatchSpec,
    looker: &Looker,
    showing: Showing,
) -> anyhow::Result<Outcome> {
    match look(batch, looker, showing).await {
        Ok(found) => {
            print::print(global, &found)?;
            Ok(if found.error.is_none() { Outcome::Done } else { Outcome::Problems })
        }
        Err(error) => {
            let error = chain(&error.into());
            if global.json {
                let failed = serde_json::json!({ "batch": batch.name.as_str(), "error": error });
                println!("{failed:#}");
            } else {
                eprintln!("error: {error}");
            }
            Ok(Outcome::Problems)
        }
    }
}

fn names(project: &Project) -> String {
    project.batches.iter().map(|batch| batch.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Reads the whole source, and keeps only what is to be shown.
async fn look(batch: &BatchSpec, looker: &Looker, showing: Showing) -> Result<Found, SourceError> {
    let mut look = Look {
        columns: Vec::new(),
        first_rows: Vec::new(),
        metrics: BTreeMap::new(),
        oldest: None,
        intake: Intake::new(&IntakeRules::of(batch, showing.now)),
    };
    let take = |frame: DataFrame| {
        look.take(&frame, showing.n_rows);
        Wish::More
    };
    let done = looker.read(batch, (showing.now, showing.since), take).await?;
    let mut found = look.found(batch, done);
    found.cost = cost::of(batch, looker, showing, &found).await;
    found.ideas = ideas::of(batch, &found, showing.now);
    Ok(found)
}

/// What is kept of a read.
struct Look {
    columns: Vec<Column>,
    first_rows: Vec<Vec<Option<String>>>,
    metrics: BTreeMap<MetricName, Metric>,
    oldest: Option<Timestamp>,
    intake: Result<Intake, SourceError>,
}

impl Look {
    fn take(&mut self, frame: &DataFrame, n_rows: usize) {
        if self.columns.is_empty() {
            let columns = frame.columns().iter();
            self.columns = columns
                .map(|c| Column { name: c.name().to_string(), dtype: c.dtype().to_string() })
                .collect();
            self.first_rows = look::texts(&frame.head(Some(n_rows)));
        }
        let Ok(intake) = &mut self.intake else { return };
        if let Err(error) = intake.take(frame) {
            self.intake = Err(error);
            return;
        }
        for series in intake.drain() {
            let (Some(first), Some(last)) = (series.at.first(), series.at.last()) else { continue };
            self.oldest = Some(self.oldest.map_or(*first, |oldest| oldest.min(*first)));
            let name = series.metric.as_str().to_owned();
            let newest_value = series.value.last().copied().unwrap_or_default();
            let fresh = Metric { name, points: 0, newest: *last, newest_value };
            let metric = self.metrics.entry(series.metric.clone()).or_insert(fresh);
            metric.points += series.len();
            if metric.newest <= *last {
                (metric.newest, metric.newest_value) = (*last, newest_value);
            }
        }
    }

    fn found(self, batch: &BatchSpec, done: Done) -> Found {
        let (report, error) = match self.intake {
            Ok(intake) => (Some(IngestReport { notes: done.notes, ..intake.report() }), None),
            Err(error) => (None, Some(chain(&error.into()))),
        };
        let is_long = self.columns.iter().any(|column| is_name(&column.name));
        let metrics: Vec<Metric> = self.metrics.into_values().collect();
        Found {
            batch: batch.name.to_string(),
            kind: batch.source.kind.as_str(),
            seconds: done.seconds,
            rows: done.rows,
            bytes: done.bytes,
            shape: report.is_some().then_some(if is_long { "long" } else { "wide" }),
            columns: self.columns,
            first_rows: self.first_rows,
            n_points: metrics.iter().map(|metric| metric.points).sum(),
            oldest: self.oldest,
            newest: metrics.iter().map(|metric| metric.newest).max(),
            metrics,
            report,
            error,
            cost: Cost::default(),
            ideas: Vec::new(),
        }
    }
}

fn is_name(column: &str) -> bool {
    ["name", "metric", "metric_name"].contains(&column.trim().to_ascii_lowercase().as_str())
}
