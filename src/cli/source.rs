//! `anomstack source test`: one read of a batch's source, shown and thrown away. Neither the store
//! nor the catalog is opened, so it works beside a daemon and before the first run.

use std::{io::Write, time::Instant};

use anyhow::Context;
use clap::{Args, Subcommand};
use polars::prelude::DataFrame;
use serde::Serialize;

use crate::{
    compute::Compute,
    config::{self, Environment, Project},
    domain::{BatchSpec, IngestReport, Remembered, Series, SourceKind, Timestamp},
    net::Client,
    runtime::clock,
    sources::{self, Intake, IntakeRules, Notes, ReadContext, SourceError},
};

use super::{Global, Outcome, chain, listing, open, pushed};

/// What `source` can do.
#[derive(Debug, Subcommand)]
pub(super) enum Source {
    /// Read a batch's source now: first rows, types, what would be rejected and why
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

/// What one read gave.
#[derive(Debug, Serialize)]
struct Found {
    batch: String,
    kind: &'static str,
    seconds: f64,
    columns: Vec<Column>,
    first_rows: Vec<Vec<Option<String>>>,
    n_points: usize,
    report: Option<IngestReport>,
    /// Why the rows as a whole make no points.
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    dtype: String,
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
    let compute = Compute::new(0)?;
    let (found, outcome) = match look(batch, &test, clock::now(), &compute).await? {
        Ok(look) => look.found(batch),
        Err(error) => {
            eprintln!("error: {}", chain(&error.into()));
            return Ok(Outcome::Problems);
        }
    };
    print(global, &found)?;
    Ok(outcome)
}

fn names(project: &Project) -> String {
    project.batches.iter().map(|batch| batch.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Reads the whole source, and keeps only what is to be shown.
async fn look(
    batch: &BatchSpec,
    test: &Test,
    now: Timestamp,
    compute: &Compute,
) -> anyhow::Result<Result<Look, SourceError>> {
    let environment = Environment::from_process().into_inner();
    let program = config::program().context("find this program's own file")?;
    let (client, notes) = (Client::new(), Notes::default());
    let ctx = ReadContext {
        batch,
        now,
        last_timestamp: test.since,
        remembered: &Remembered::default(),
        client: &client,
        program: &program,
        environment: &environment,
        notes: &notes,
    };
    let started = Instant::now();
    let (outlet, mut chunks) = sources::channel(&batch.source);
    let mut look = Look {
        columns: Vec::new(),
        first_rows: Vec::new(),
        n_points: 0,
        intake: Intake::new(&IntakeRules::of(batch, now)),
        seconds: 0.0,
        notes: Vec::new(),
    };
    let take = async {
        while let Some(frame) = chunks.next().await {
            look.take(&frame, test.rows);
        }
        Ok(())
    };
    let read = tokio::try_join!(sources::read(&batch.source, &ctx, compute, outlet), take);
    look.seconds = started.elapsed().as_secs_f64();
    look.notes = notes.take();
    Ok(read.map(|_| look))
}

/// What is kept of a read.
struct Look {
    columns: Vec<Column>,
    first_rows: Vec<Vec<Option<String>>>,
    n_points: usize,
    intake: Result<Intake, SourceError>,
    seconds: f64,
    notes: Vec<String>,
}

impl Look {
    fn take(&mut self, frame: &DataFrame, n_rows: usize) {
        if self.columns.is_empty() {
            self.columns = frame
                .columns()
                .iter()
                .map(|c| Column { name: c.name().to_string(), dtype: c.dtype().to_string() })
                .collect();
            self.first_rows =
                (0..frame.height().min(n_rows)).map(|row| cells(frame, row)).collect();
        }
        if let Ok(intake) = &mut self.intake {
            match intake.take(frame) {
                Ok(()) => self.n_points += intake.drain().iter().map(Series::len).sum::<usize>(),
                Err(error) => self.intake = Err(error),
            }
        }
    }

    fn found(self, batch: &BatchSpec) -> (Found, Outcome) {
        let (report, error) = match self.intake {
            Ok(intake) => (Some(IngestReport { notes: self.notes, ..intake.report() }), None),
            Err(error) => (None, Some(chain(&error.into()))),
        };
        let outcome = if error.is_none() { Outcome::Done } else { Outcome::Problems };
        let found = Found {
            batch: batch.name.to_string(),
            kind: batch.source.kind.as_str(),
            seconds: self.seconds,
            columns: self.columns,
            first_rows: self.first_rows,
            n_points: self.n_points,
            report,
            error,
        };
        (found, outcome)
    }
}

fn cells(frame: &DataFrame, row: usize) -> Vec<Option<String>> {
    let cell = |column: &polars::prelude::Column| {
        let value = column.get(row).ok().filter(|value| !value.is_null())?;
        Some(value.str_value().into_owned())
    };
    frame.columns().iter().map(cell).collect()
}

fn print(global: &Global, found: &Found) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if global.json {
        serde_json::to_writer_pretty(&mut out, found)?;
        writeln!(out)?;
        return Ok(());
    }
    let header: Vec<String> =
        found.columns.iter().map(|c| format!("{} ({})", c.name, c.dtype)).collect();
    let header: Vec<String> = header.iter().map(|name| crate::domain::words::shown(name)).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let row = |row: &Vec<Option<String>>| {
        row.iter().map(|cell| listing::or_dash(cell.clone(), |text| text)).collect()
    };
    writeln!(out, "{}\n", listing::table(&header, found.first_rows.iter().map(row).collect()))?;
    if let Some(error) = &found.error {
        writeln!(out, "these rows make no points: {error}")?;
        return Ok(());
    }
    let Some(report) = &found.report else { return Ok(()) };
    writeln!(
        out,
        "{} values read in {:.2} s: {} points of {} metrics; nothing was stored",
        report.rows_read, found.seconds, found.n_points, report.n_metrics
    )?;
    for (reason, n_rows) in &report.rejected {
        writeln!(out, "would reject {n_rows}: {reason}")?;
    }
    for example in &report.rejected_examples {
        writeln!(out, "  {}", crate::domain::words::shown(example))?;
    }
    for note in &report.notes {
        writeln!(out, "the source said: {note}")?;
    }
    if !report.ignored_columns.is_empty() {
        let ignored = report.ignored_columns.join(", ");
        writeln!(out, "ignored columns: {}", crate::domain::words::shown(&ignored))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[tokio::test]
    async fn a_read_is_shown_with_what_would_be_rejected_and_nothing_is_stored() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("metric_batches")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("metric_batches/shop.toml", "[source]\nkind = \"file\"\npath = \"a.csv\"\n");
        write("a.csv", "ts,metric,value,note\n2026-01-01,a,1,x\n2026-01-01,b,,y\n");
        let project = config::load(dir.path(), &Environment::default()).unwrap();
        let batch = &project.batches[0];
        let now = Timestamp::parse("2026-01-02T00:00:00Z").unwrap();
        let test = Test { batch: "shop".into(), rows: 1, since: None };
        let look = look(batch, &test, now, &Compute::new(1).unwrap()).await.unwrap().unwrap();
        let (found, _) = look.found(batch);
        let columns: Vec<String> =
            found.columns.iter().map(|c| format!("{} {}", c.name, c.dtype)).collect();
        assert_eq!(columns, ["ts str", "metric str", "value str", "note str"]);
        let row = ["2026-01-01", "a", "1", "x"].map(|cell| Some(cell.to_owned()));
        assert_eq!((found.first_rows, found.n_points), (vec![row.to_vec()], 1));
        let report = found.report.unwrap();
        assert_eq!((report.rows_read, report.rejected.values().sum::<u64>()), (2, 1));
        assert_eq!(report.ignored_columns, ["note"]);
        assert!(!dir.path().join(".anomstack").exists());
    }
}
