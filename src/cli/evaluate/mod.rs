//! `anomstack evaluate`: a detector judged on series whose anomalies are known, by NAB's score and
//! by counts of events, at the threshold it ships with and at the one that suits NAB best.

mod dataset;
mod report;

use std::{path::PathBuf, time::Instant};

use anyhow::bail;
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    compute::Compute,
    domain::{DetectorKind, MetricName, Span},
    evaluate::{Labelled, Setup, Walk},
};

use super::{
    Global, Outcome,
    detect::{self, ALERT_LINE},
    open,
};
use dataset::{Read, Source};
use report::Report;

/// What `evaluate` takes.
#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// Folders (NAB's layout, or CSV files with a windows.json) and CSV files with a column `label`
    #[arg(required = true, value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    /// Windows by file: {"name.csv": [["FROM", "TO"], …]}, or single times instead of pairs
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// What scores, with its default parameters
    #[arg(long, value_name = "KIND", default_value = "auto", conflicts_with = "batch")]
    detector: DetectorKind,
    /// Take detectors, features, combination and threshold from this batch of the project
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
    /// Length of the season, for auto
    #[arg(long, value_name = "DURATION", default_value = "1d")]
    period: Span,
    /// Scores from here on are alerts; otherwise the batch's threshold, or 0.8
    #[arg(long, value_name = "SCORE")]
    threshold: Option<f64>,
    /// Show every file
    #[arg(long)]
    per_file: bool,
}

/// Scores every series and says how good that was.
pub(super) async fn evaluate(global: &Global, command: Evaluate) -> anyhow::Result<Outcome> {
    let (setup, threshold) = match configuration(global, &command)? {
        Ok(found) => found,
        Err(outcome) => return Ok(outcome),
    };
    if !(0.0..=1.0).contains(&threshold) {
        bail!("`--threshold` is {threshold}; a score is from 0 to 1");
    }
    let sources = dataset::find(&command.paths, command.labels.as_deref())?;
    let started = Instant::now();
    let corpus = score_all(&setup, sources).await?;
    let report = Report::of(&corpus, threshold, started.elapsed().as_secs_f64());
    report.print(global, command.per_file)
}

/// What scores, and from which score on it alerts.
fn configuration(
    global: &Global,
    command: &Evaluate,
) -> anyhow::Result<Result<(Setup, f64), Outcome>> {
    let setup = detect::setup_of(command.detector, command.period)?;
    let Some(name) = &command.batch else {
        return Ok(Ok((setup, command.threshold.unwrap_or(ALERT_LINE))));
    };
    let project = match open::project(global) {
        Ok(project) => project,
        Err(outcome) => return Ok(Err(outcome)),
    };
    let Some(batch) = project.batches.iter().find(|batch| batch.name.as_str() == name) else {
        bail!("no batch `{name}` in {}", project.dir.display());
    };
    let setup = Setup { period: command.period, ..Setup::of_batch(batch) };
    Ok(Ok((setup, command.threshold.unwrap_or(batch.alert.threshold))))
}

/// Large files first, so that none is begun when all others are done.
async fn score_all(setup: &Setup, mut sources: Vec<Source>) -> anyhow::Result<Vec<Labelled>> {
    sources.sort_by_key(|source| std::cmp::Reverse(source.size()));
    let compute = Compute::new(0)?;
    let bar = ProgressBar::new(sources.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("  {bar:32} {pos}/{len} {msg} {elapsed}") {
        bar.set_style(style);
    }
    let scored = sources.into_iter().map(|source| {
        let (compute, setup, bar) = (compute.clone(), setup.clone(), bar.clone());
        async move {
            let name = source.name().to_owned();
            let labelled = compute.run(move || score(&setup, &source)).await??;
            bar.set_message(name);
            bar.inc(1);
            anyhow::Ok(labelled)
        }
    });
    let corpus = stream::iter(scored).buffer_unordered(compute.n_threads()).try_collect().await;
    bar.finish_and_clear();
    let mut corpus: Vec<Labelled> = corpus?;
    corpus.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(corpus)
}

fn score(setup: &Setup, source: &Source) -> anyhow::Result<Labelled> {
    let Read { points, mut labelled } = source.read()?;
    let mut walk = Walk::new(setup, MetricName::parse("value")?);
    let score = |row: Option<crate::domain::RowScore>| row.and_then(|row| row.score.ok());
    labelled.scores =
        walk.score_all(&points).into_iter().map(|row| score(row).unwrap_or(0.0)).collect();
    Ok(labelled)
}

#[cfg(test)]
mod tests;
