//! `anomstack backtest`: the alerts a batch would have raised over a stretch of its history. The jobs
//! themselves run, slot by slot and each as of its slot, but on a catalog and a store of their own,
//! which are gone at the end.

mod page;
mod rehearsal;
mod report;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context;
use clap::Args;

use crate::domain::{MetricName, ScorePoint, Timestamp, words};

use super::{Global, Outcome, open};
pub(super) use rehearsal::{Rehearsal, plan};
use report::Report;

/// What `backtest` takes.
#[derive(Debug, Args)]
pub(super) struct Backtest {
    /// The batch
    batch: String,
    /// The first slot may lie here (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Timestamp,
    /// All slots lie before it; now, without it
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Only count this metric
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Write every score as CSV
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// Write the report into this folder: `report.html` with charts, and `report.json`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// List every alert
    #[arg(long)]
    alerts: bool,
}

/// Runs what would have run, aside, and says what it would have raised.
pub(super) async fn backtest(global: &Global, command: Backtest) -> anyhow::Result<Outcome> {
    let project = match open::project(global) {
        Ok(project) => project,
        Err(outcome) => return Ok(outcome),
    };
    open::logging_for_foreground(global, &project.system.log)?;
    let found = project.batches.iter().find(|batch| batch.name.as_str() == command.batch);
    let Some(batch) = found.cloned() else {
        eprintln!("error: no batch `{}`", command.batch);
        return Ok(Outcome::NotStarted);
    };
    let opened = open::open(project).await?;
    let to = command.to.unwrap_or_else(|| (opened.ctx.clock)());
    let stretch = (command.from, to);
    let plan = plan(&batch, stretch)?;
    let rehearsal = Rehearsal::begin(&opened, &batch, stretch).await?;
    let work = rehearsal.run(&batch, &plan).await?;
    let metric = command.metric.as_deref().map(MetricName::parse).transpose()?;
    let scores = rehearsal.scores(&batch, stretch, metric.as_ref()).await?;
    let alerts = rehearsal.alerts(&batch, command.from, metric).await?;
    let report = Report::of((&batch.name, command.from, to), &work, alerts, &scores);
    if let Some(dir) = &command.out {
        page::write(dir, &batch, &report, &scores)?;
    }
    if let Some(path) = &command.scores {
        std::fs::write(path, csv(&scores))
            .with_context(|| format!("write `{}`", path.display()))?;
    }
    rehearsal.ctx.catalog.close().await?;
    opened.ctx.catalog.close().await?;
    report.print(global, command.alerts)
}

/// Every bit of value and score: `{}` of a double reads back as the same double.
fn csv(scores: &BTreeMap<MetricName, Vec<ScorePoint>>) -> String {
    let mut text = String::from("metric,timestamp,value,score\n");
    for (metric, points) in scores {
        let name = words::cell(metric.as_str()).replace('"', "\"\"");
        let name = format!("\"{name}\"");
        for point in points {
            text.push_str(&format!("{name},{},{},{}\n", point.at, point.value, point.score));
        }
    }
    text
}
