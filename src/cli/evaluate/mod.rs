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
    domain::{Budget, DetectorKind, MetricName},
    evaluate::{Labelled, Setup, Walk},
};

use super::{
    Global, Outcome,
    detect::{self, ALERT_LINE, Days, Pattern},
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
    /// Take detectors, features, combination and threshold from this batch of the project; its auto
    /// is judged row by row, as in detect, not by a model trained on schedule
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
    /// Length of the pattern, for auto and seasonal: a duration, or what the data say
    #[arg(long, value_name = "auto|DURATION", default_value = "auto", conflicts_with = "batch")]
    period: Pattern,
    #[command(flatten)]
    days: Days,
    /// Scores from here on are alerts; otherwise the batch's threshold, or 0.8
    #[arg(long, value_name = "SCORE")]
    threshold: Option<f64>,
    /// Alerts to see on an ordinary day, week, month or year, as in 1/week: scores are rescaled so
    /// that 0.8 is each series' own line
    #[arg(long, value_name = "BUDGET", conflicts_with = "threshold")]
    budget: Option<Budget>,
    /// Show every file
    #[arg(long)]
    per_file: bool,
}

/// What scores, and what the scores are measured by.
#[derive(Debug, Clone)]
struct Judge {
    setup: Setup,
    budget: Option<Budget>,
}

/// Scores every series and says how good that was.
pub(super) async fn evaluate(global: &Global, command: Evaluate) -> anyhow::Result<Outcome> {
    let (setup, threshold) = match configuration(global, &command)? {
        Ok(found) => found,
        Err(outcome) => return Ok(outcome),
    };
    detect::line_of(threshold, None)?;
    let sources = dataset::find(&command.paths, command.labels.as_deref(), setup.timezone)?;
    let started = Instant::now();
    let judge = Judge { setup, budget: command.budget };
    let corpus = score_all(&judge, sources).await?;
    let report = Report::of(&corpus, threshold, started.elapsed().as_secs_f64());
    report.print(global, command.per_file)
}

/// What scores, and from which score on it alerts.
fn configuration(
    global: &Global,
    command: &Evaluate,
) -> anyhow::Result<Result<(Setup, f64), Outcome>> {
    let setup = command.days.of(detect::setup_of(command.detector, command.period)?)?;
    let usual = command.threshold.unwrap_or(ALERT_LINE);
    let Some(name) = &command.batch else {
        return Ok(Ok((setup, usual)));
    };
    let is_clear = !command.days.are_given();
    anyhow::ensure!(is_clear, "`--timezone` and `--holidays` are the batch's own with `--batch`");
    let project = match open::project(global) {
        Ok(project) => project,
        Err(outcome) => return Ok(Err(outcome)),
    };
    let Some(batch) = project.batches.iter().find(|batch| batch.name.as_str() == name) else {
        bail!("no batch `{name}` in {}", project.dir.display());
    };
    let setup = Setup::of_batch(batch);
    let own = if command.budget.is_some() { usual } else { batch.alert.threshold };
    Ok(Ok((setup, command.threshold.unwrap_or(own))))
}

/// Large files first, so that none is begun when all others are done.
async fn score_all(judge: &Judge, mut sources: Vec<Source>) -> anyhow::Result<Vec<Labelled>> {
    sources.sort_by_key(|source| std::cmp::Reverse(source.size()));
    let compute = Compute::new(0)?;
    let bar = ProgressBar::new(sources.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("  {bar:32} {pos}/{len} {msg} {elapsed}") {
        bar.set_style(style);
    }
    let scored = sources.into_iter().map(|source| {
        let (compute, judge, bar) = (compute.clone(), judge.clone(), bar.clone());
        async move {
            let name = source.name().to_owned();
            let labelled = compute.run(move || score(&judge, &source)).await??;
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

fn score(judge: &Judge, source: &Source) -> anyhow::Result<Labelled> {
    let Read { points, mut labelled } = source.read(judge.setup.timezone)?;
    let mut walk = Walk::new(&judge.setup, MetricName::parse("value")?);
    let mut line = detect::line_of(ALERT_LINE, judge.budget)?;
    let scored = walk.score_all(&points).into_iter().zip(&points).map(|(row, point)| {
        let Some(Ok(score)) = row.map(|row| row.score) else { return 0.0 };
        let rescaled = match judge.budget {
            Some(_) => rescaled(score, line.threshold()),
            None => score,
        };
        if let Some((at, value)) = point {
            line.learn(*at, *value, score);
        }
        rescaled
    });
    labelled.scores = scored.collect();
    Ok(labelled)
}

/// A score on the scale on which a threshold is the usual one: `1 - 0.2^(ln(1 - s) / ln(1 - t))`.
fn rescaled(score: f64, threshold: f64) -> f64 {
    let quotient = (-score).ln_1p() / (-threshold).ln_1p();
    match quotient.is_nan() {
        // Both are 1.
        true => ALERT_LINE,
        false => 1.0 - (1.0 - ALERT_LINE).powf(quotient),
    }
}

#[cfg(test)]
mod tests;
