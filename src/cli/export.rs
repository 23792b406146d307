//! `anomstack metrics export`: stored points or scores as CSV or Parquet, for other programs.

use std::{fs, io::Write, path::PathBuf};

use anyhow::Context;
use clap::Args;
use polars::prelude::DataFrame;

use crate::{
    catalog::segments,
    domain::{BatchName, MetricName, SegmentKind, Timestamp},
    io::{csv, parquet},
    series::Range,
};

use super::{Global, Outcome, open};

/// What `metrics export` takes.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The batch
    batch: String,
    /// Only this metric
    metric: Option<String>,
    /// The first instant (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// The first instant no longer wanted (RFC 3339)
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Scores with their expected range instead of points
    #[arg(long)]
    scores: bool,
    /// Names as they are in CSV, also where a spreadsheet would take them for formulas
    #[arg(long)]
    raw: bool,
    /// A file to write, .csv or .parquet; CSV on standard output without it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes what is stored.
pub(super) async fn export(global: &Global, command: Export) -> anyhow::Result<Outcome> {
    let project = match open::project(global) {
        Ok(project) => project,
        Err(outcome) => return Ok(outcome),
    };
    let opened = open::open(project).await?;
    let batch = BatchName::parse(&command.batch)?;
    let range = Range {
        metric: command.metric.as_deref().map(MetricName::parse).transpose()?,
        ..Range::between(
            command.from.unwrap_or(Timestamp::MIN),
            command.to.unwrap_or(Timestamp::MAX),
        )
    };
    let kind = if command.scores { SegmentKind::Scores } else { SegmentKind::Points };
    let mut reader = opened.ctx.catalog.reader().await?;
    let live = segments::live(&mut reader, &batch, kind, range.from, range.to).await?;
    drop(reader);
    let history = &opened.ctx.history;
    let Some(rows) = history.scan(&live, &range).await? else {
        eprintln!("error: batch `{batch}` has no {kind} there");
        return Ok(Outcome::Problems);
    };
    let mut frame = history.collect(rows).await??;
    let is_parquet =
        command.out.as_ref().is_some_and(|path| path.extension() == Some("parquet".as_ref()));
    if !command.raw && !is_parquet {
        csv::defuse(&mut frame)?;
    }
    write(&mut frame, command.out.as_deref())
}

fn write(frame: &mut DataFrame, out: Option<&std::path::Path>) -> anyhow::Result<Outcome> {
    let Some(path) = out else {
        std::io::stdout().lock().write_all(&csv::encode(frame)?)?;
        return Ok(Outcome::Done);
    };
    let bytes = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => csv::encode(frame)?,
        Some("parquet") => parquet::encode(frame, parquet::Compression::Zstd)?,
        _ => anyhow::bail!("{} ends neither in .csv nor in .parquet", path.display()),
    };
    fs::write(path, bytes).with_context(|| format!("write {}", path.display()))?;
    eprintln!("wrote {} rows to {}", frame.height(), path.display());
    Ok(Outcome::Done)
}
