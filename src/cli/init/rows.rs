//! Looks at rows that come as they are: files, and web addresses that answer with rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use polars::prelude::DataFrame;

use crate::{
    config::{self, Environment},
    domain::{BatchSpec, MetricName, Span, Timestamp},
    sources::{self, Intake, IntakeRules, SourceError},
};

use super::{
    super::look::Looker,
    draft::{Draft, batch_name, quoted, quoted_plain},
    profile,
    web::{Web, access},
};

/// Where the rows of a JSON answer usually are.
const POINTERS: &[&str] =
    &["", "/data", "/rows", "/results", "/result", "/items", "/records", "/values"];

/// Rows that are looked at.
const N_SAMPLE: usize = 100_000;

/// A batch before its rows are known.
struct Origin {
    name: String,
    description: String,
    /// Lines of `[source]`.
    source: String,
    secrets: Vec<(String, String)>,
}

/// What rows are read with, before anything of them is known.
pub(super) struct Rows<'a> {
    pub(super) dir: &'a Path,
    pub(super) looker: &'a Looker,
    pub(super) now: Timestamp,
    pub(super) name: Option<&'a str>,
}

impl Rows<'_> {
    /// The batch for a file, a glob, or an address in object storage.
    pub(super) async fn file(&self, path: &str) -> anyhow::Result<Draft> {
        let stem = Path::new(path).file_stem().unwrap_or_default().to_string_lossy();
        let name = self.name.map_or_else(|| batch_name(stem.trim_matches('*')), str::to_owned);
        let path = if path.contains("://") { path.to_owned() } else { self.below(path)? };
        let source = format!("kind = \"file\"\npath = {}\n", quoted_plain(&path));
        let batch = self.batch(&name, &source, &[])?;
        let frames = self.looker.sample(&batch, self.now, N_SAMPLE).await;
        let frames = frames.context("read the rows")?;
        let description = format!("Rows of {path}");
        self.draft(Origin { name, description, source, secrets: Vec::new() }, &batch, frames)
    }

    /// The batch for a web address.
    pub(super) async fn web(&self, web: &Web) -> anyhow::Result<Draft> {
        let name = self.name.map_or_else(|| batch_name(&web.host), str::to_owned);
        let (access, secrets) = access(web, &name);
        let mut first_error = None;
        for pointer in POINTERS {
            let mut source = format!("kind = \"http\"\n{access}");
            if !pointer.is_empty() {
                source += &format!("pointer = {}\n", quoted(pointer));
            }
            let batch = self.batch(&name, &source, &secrets)?;
            match self.looker.sample(&batch, self.now, N_SAMPLE).await {
                Ok(frames) if pointer.is_empty() && is_wrapping(&frames) => (),
                Ok(frames) => {
                    let description = format!("Rows of {}", web.host);
                    return self.draft(
                        Origin { name, description, source, secrets },
                        &batch,
                        frames,
                    );
                }
                Err(error @ (SourceError::Decode { .. } | SourceError::NothingThere { .. })) => {
                    first_error.get_or_insert(error);
                }
                Err(error) => return Err(error).context("read the address"),
            }
        }
        match first_error {
            Some(error) => Err(error).context("read the address"),
            None => bail!("find rows in the answer: `pointer` has to say where they are"),
        }
    }

    /// A local path as the project would write it: it counts from the project's folder.
    fn below(&self, path: &str) -> anyhow::Result<String> {
        let (path, dir) = (std::path::absolute(path)?, std::path::absolute(self.dir)?);
        let relative = path.strip_prefix(&dir).map_or_else(|_| path.clone(), PathBuf::from);
        Ok(relative.to_string_lossy().into_owned())
    }

    fn batch(
        &self,
        name: &str,
        source: &str,
        secrets: &[(String, String)],
    ) -> anyhow::Result<BatchSpec> {
        let env = Environment::from_pairs(secrets.iter().map(|(a, b)| (a.as_str(), b.as_str())));
        Ok(config::read_batch(self.dir, name, &format!("[source]\n{source}"), &env)?)
    }

    /// Finds out what the rows are, renaming the column of times when it has another name.
    fn draft(
        &self,
        origin: Origin,
        batch: &BatchSpec,
        mut frames: Vec<DataFrame>,
    ) -> anyhow::Result<Draft> {
        let Origin { name, description, mut source, secrets } = origin;
        let mut notes = Vec::new();
        let first = frames.first().filter(|frame| !has_time(frame));
        if let Some((first, column)) = first.and_then(|first| Some((first, time_column(first)?))) {
            source += &rename(batch, first, &column);
            notes.push(format!("`{column}` says when"));
            for frame in &mut frames {
                frame.rename(&column, "timestamp".into()).context("rename the column of times")?;
            }
        }
        let mut intake = Intake::new(&IntakeRules::of(batch, self.now))?;
        let mut times: BTreeMap<MetricName, BTreeSet<Timestamp>> = BTreeMap::new();
        for frame in &frames {
            intake.take(frame).context("make points of the rows")?;
            for series in intake.drain() {
                times.entry(series.metric).or_default().extend(series.at);
            }
        }
        let n_points: usize = times.values().map(BTreeSet::len).sum();
        let step = times.values().max_by_key(|times| times.len()).and_then(profile::cadence);
        let n_rejected: u64 = intake.report().rejected.values().sum();
        notes.insert(0, format!("{n_points} points of {} metrics in the first rows", times.len()));
        if 0 < n_rejected {
            notes.push(format!("{n_rejected} values would be rejected; see below"));
        }
        match step {
            Some(step) => notes.push(format!("values come every {step} or so")),
            None => notes.push("values come at no fixed distance".into()),
        }
        let step = step.filter(|step| Span::secs(1) <= *step);
        let query = None;
        Ok(Draft { name, description, source, query, step, is_bucketed: false, secrets, notes })
    }
}

/// Whether one row without a time is all there is, as a JSON object around the rows makes it.
fn is_wrapping(frames: &[DataFrame]) -> bool {
    let n_rows: usize = frames.iter().map(DataFrame::height).sum();
    n_rows <= 1 && frames.first().is_none_or(|frame| !has_time(frame))
}

fn has_time(frame: &DataFrame) -> bool {
    let names: Vec<String> = frame.get_column_names().iter().map(ToString::to_string).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["", "value"]).collect();
    sources::time_and_value(&names).is_ok()
}

/// The first column whose first cells all read as times of this century.
fn time_column(frame: &DataFrame) -> Option<String> {
    let first = frame.head(Some(20));
    let since = Timestamp::from_secs(946_684_800)?;
    let is_time =
        |text: &str| sources::instant(text, chrono_tz::Tz::UTC).is_some_and(|at| since < at);
    let columns = first.columns().iter();
    let found = columns.filter(|column| {
        let cells = (0..column.len()).filter_map(|row| column.get(row).ok());
        !column.is_empty() && cells.into_iter().all(|cell| is_time(&cell.str_value()))
    });
    found.map(|column| column.name().to_string()).next()
}

/// The line that gives the column of times its name.
fn rename(batch: &BatchSpec, frame: &DataFrame, column: &str) -> String {
    if batch.source.kind.as_str() == "http" {
        return format!("columns = {{ timestamp = {} }}\n", quoted_plain(column));
    }
    let name = |column: &str| format!("\"{}\"", column.replace('"', "\"\""));
    let others = frame.get_column_names().into_iter().filter(|other| other.as_str() != column);
    let others: String = others.map(|other| format!(", {}", name(other))).collect();
    let sql = format!("SELECT {} AS timestamp{others} FROM files", name(column));
    format!("sql = {}\n", quoted_plain(&sql))
}
