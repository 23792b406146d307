//! `anomstack detect`: one metric in a CSV file, scored row by row, each row by the rows up to it.
//! Rows come out in the order they came in, none is left out, and memory stays bounded.

mod line;
mod out;
mod sketch;

use std::{
    fs::{self, File},
    io::{self, BufReader, IsTerminal, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, anyhow};
use chrono_tz::Tz;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    config,
    detect::PERIODS,
    domain::{Budget, DetectorKind, DetectorSpec, Judged, MetricName, RowScore, Span, TimeError},
    evaluate::{Setup, Walk},
};

use line::Line;
use out::Out;
use sketch::{Seen, Sketch};

use super::{
    Outcome,
    rows::{Layout, Lines, Row},
};

/// Scores from here on are alerts.
pub(super) const ALERT_LINE: f64 = 0.8;
/// Rows between two moves of the progress bar.
const STEP: u64 = 4096;
/// Unreadable rows shown.
const SHOWN: u64 = 5;

/// What `detect` takes.
#[derive(Debug, Args)]
pub(super) struct Detect {
    /// CSV with a header and the columns timestamp and value; `-` reads standard input
    file: PathBuf,
    /// What scores: auto, or one that is trained again as the past grows (seasonal, pca, knn, …)
    #[arg(long, value_name = "KIND", default_value = "auto")]
    detector: DetectorKind,
    /// Length of the pattern, for auto and seasonal: a duration, or what the data say
    #[arg(long, value_name = "auto|DURATION", default_value = "auto")]
    period: Pattern,
    #[command(flatten)]
    days: Days,
    /// Scores from here on are alerts
    #[arg(long, value_name = "SCORE", default_value_t = ALERT_LINE, conflicts_with = "budget")]
    threshold: f64,
    /// Alerts to see on an ordinary day, week, month or year, as in 1/week: the threshold is taken
    /// from the scores so far
    #[arg(long, value_name = "BUDGET")]
    budget: Option<Budget>,
    /// Draw value, band, scores and alerts into this file as well (.svg)
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Say in words, in a last column, why each score is what it is
    #[arg(long)]
    reasons: bool,
    /// Write here instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What the metric's days follow.
#[derive(Debug, Default, Args)]
pub(super) struct Days {
    /// Zone of the day and week, and of times that name none [default: UTC]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<Tz>,
    /// Countries whose public holidays are like Sundays, for auto and seasonal: IE, or IE,GB
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    holidays: Vec<String>,
}

impl Days {
    pub(super) fn are_given(&self) -> bool {
        self.timezone.is_some() || !self.holidays.is_empty()
    }

    /// The same detector on these days.
    pub(super) fn of(&self, setup: Setup) -> anyhow::Result<Setup> {
        let knows_days = |detector: &DetectorSpec| follows_days(detector.kind);
        let is_meant = self.holidays.is_empty() || setup.detectors.iter().any(knows_days);
        anyhow::ensure!(is_meant, "`--holidays` is for the detectors auto and seasonal only");
        let mut holidays = Vec::new();
        for code in &self.holidays {
            let days = config::country_holidays(code).map_err(|near| {
                let help = match near.as_slice() {
                    [] => "write an ISO 3166 code, as in IE".to_owned(),
                    near => format!("did you mean {}?", near.join(", ")),
                };
                anyhow!("`--holidays {code}`: holidays of no such country are known; {help}")
            })?;
            holidays.extend(days);
        }
        Ok(Setup { timezone: self.timezone.unwrap_or(setup.timezone), holidays, ..setup })
    }
}

/// How long a pattern is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Looked for in the rows.
    Auto,
    Of(Span),
}

impl FromStr for Pattern {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        if text == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Of) }
    }
}

/// Scores the file.
pub(super) fn detect(command: &Detect) -> anyhow::Result<Outcome> {
    let setup = command.days.of(setup_of(command.detector, command.period)?)?;
    let walk = Walk::new(&setup, MetricName::parse("value")?);
    let line = line_of(command.threshold, command.budget)?;
    if let Some(plot) = &command.plot {
        let is_svg = plot.extension().is_some_and(|name| name.eq_ignore_ascii_case("svg"));
        anyhow::ensure!(is_svg, "`--plot` writes SVG; end the name in .svg");
        refuse_same_file(&command.file, plot)?;
    }
    if let Some(out) = &command.out {
        refuse_same_file(&command.file, out)?;
        let is_same = command.plot.as_ref().is_some_and(|plot| is_same_file(plot, out));
        anyhow::ensure!(!is_same, "`--out` and `--plot` are the same file; give them two");
    }
    let is_stdin = command.file.as_os_str() == "-";
    let name = if is_stdin { "standard input".into() } else { command.file.display().to_string() };
    let (input, size): (Box<dyn io::Read>, u64) = if is_stdin {
        (Box::new(io::stdin().lock()), 0)
    } else {
        let file = File::open(&command.file).with_context(|| format!("open `{name}`"))?;
        let size = file.metadata().with_context(|| format!("open `{name}`"))?.len();
        (Box::new(file), size)
    };
    let mut input = BufReader::with_capacity(1 << 16, input);
    let bar = progress_bar(size, command.out.is_some());
    let layout =
        Layout::read(&mut input, setup.timezone).with_context(|| format!("read `{name}`"))?;
    let sketch = command.plot.as_ref().map(|_| Sketch::default());
    let has_reasons = command.reasons;
    let mut pass = Pass { walk, bar, line, sketch, has_reasons, tally: Tally::default() };
    let mut out = Out::open(command.out.as_deref())?;
    pass.run(input, layout, &mut out).with_context(|| format!("score `{name}`"))?;
    out.finish()?;
    pass.bar.finish_and_clear();
    if let (Some(path), Some(sketch)) = (&command.plot, &pass.sketch) {
        let title = format!("{name}, {}", command.detector);
        fs::write(path, sketch.document(&title)?)
            .with_context(|| format!("write `{}`", path.display()))?;
    }
    if command.budget.is_some() {
        eprintln!("note: {}", pass.line.said());
    }
    Ok(pass.tally.report())
}

/// The line of a threshold or a budget.
pub(super) fn line_of(threshold: f64, budget: Option<Budget>) -> anyhow::Result<Line> {
    let is_score = (0.0..=1.0).contains(&threshold);
    anyhow::ensure!(is_score, "`--threshold` is {threshold}; a score is from 0 to 1");
    Ok(Line::new(threshold, budget))
}

/// Whether it has a pattern of days and weeks.
fn follows_days(kind: DetectorKind) -> bool {
    matches!(kind, DetectorKind::Auto | DetectorKind::Seasonal)
}

/// A detector with its default parameters, but for the length of the pattern.
pub(super) fn setup_of(kind: DetectorKind, period: Pattern) -> anyhow::Result<Setup> {
    let period = match period {
        Pattern::Auto => None,
        Pattern::Of(period) => Some(period),
    };
    let is_meant = follows_days(kind) || period.is_none();
    anyhow::ensure!(is_meant, "`--period` is for the detectors auto and seasonal only");
    let is_possible = period.is_none_or(|period| PERIODS.contains(&period));
    anyhow::ensure!(is_possible, "`--period` must be between one minute and 366 days");
    Ok(Setup::of_kind(kind, period))
}

/// None where nobody looks, or where it would run into the rows.
fn progress_bar(size: u64, has_out: bool) -> ProgressBar {
    let is_free = has_out || !io::stdout().is_terminal();
    let bar = match size {
        0 => ProgressBar::no_length(),
        size => ProgressBar::new(size),
    };
    bar.set_draw_target(match is_free && io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    });
    let template = match size {
        0 => "  {spinner} {bytes} {msg} {elapsed}",
        _ => "  {bar:24} {percent}% {msg} {elapsed}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn refuse_same_file(input: &Path, out: &Path) -> anyhow::Result<()> {
    // What does not exist yet is nobody's input.
    let is_same = input.exists() && is_same_file(input, out);
    anyhow::ensure!(!is_same, "`{}` is read; write to another file", out.display());
    Ok(())
}

/// Also of files that do not exist yet, by their folders.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")));
        let of_folder = || Some(folder.ok()?.join(path.file_name()?));
        fs::canonicalize(path).ok().or_else(of_folder)
    };
    whole(one).is_some_and(|one| whole(other) == Some(one))
}

/// One walk over the file.
struct Pass {
    walk: Walk,
    line: Line,
    sketch: Option<Sketch>,
    has_reasons: bool,
    bar: ProgressBar,
    tally: Tally,
}

impl Pass {
    fn run(
        &mut self,
        input: BufReader<impl io::Read>,
        layout: Layout,
        mut out: impl Write,
    ) -> anyhow::Result<()> {
        let last = if self.has_reasons { ",reason" } else { "" };
        writeln!(out, "timestamp,value,score,expected,lower,upper,alert{last}")?;
        let mut lines = Lines::new(input, layout);
        let mut chunk: Vec<Row> = Vec::new();
        while let Some(row) = lines.next_row()? {
            self.tally.note(&row);
            chunk.push(row);
            if self.walk.chunk() <= chunk.len() {
                self.write(&mut chunk, &mut out)?;
            }
            if self.tally.n_rows.is_multiple_of(STEP) {
                self.bar.set_position(lines.n_bytes());
                self.bar.set_message(format!("{} rows", self.tally.n_rows));
            }
            // Whoever waits at the other end of a slow pipe sees rows as they come.
            if lines.is_drained() {
                out.flush()?;
            }
        }
        self.write(&mut chunk, &mut out)?;
        Ok(out.flush()?)
    }

    fn write(&mut self, chunk: &mut Vec<Row>, out: &mut impl Write) -> io::Result<()> {
        let points: Vec<_> = chunk.iter().map(Row::point).collect();
        let verdicts = self.walk.score(&points);
        for (row, verdict) in chunk.drain(..).zip(verdicts) {
            self.write_row(&row, verdict.as_ref(), out)?;
        }
        Ok(())
    }

    fn write_row(
        &mut self,
        row: &Row,
        verdict: Option<&RowScore>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        write!(out, "{},{},", row.shown_time, row.shown_value)?;
        let score = verdict.and_then(|verdict| verdict.score.as_ref().ok().copied());
        if let Some(score) = score {
            write!(out, "{score}")?;
        }
        let band = verdict.and_then(|verdict| verdict.band);
        match band {
            Some(band) => write!(out, ",{},{},{},", band.expected, band.lower, band.upper)?,
            None => write!(out, ",,,,")?,
        }
        let threshold = self.line.threshold();
        let is_alert = score.is_some_and(|score| threshold <= score);
        if let Some((at, value)) = row.point() {
            if let Some(sketch) = &mut self.sketch {
                sketch.add(Seen { at, value, score, band, is_alert }, threshold);
            }
            if let Some(score) = score {
                self.line.learn(at, value, score);
            }
        }
        write!(out, "{}", score.map_or("", |_| if is_alert { "true" } else { "false" }))?;
        if self.has_reasons {
            write!(out, ",\"{}\"", reason(row, verdict))?;
        }
        writeln!(out)
    }
}

/// Why a row has its score, or none. Nothing foreign is in it, and no quote.
fn reason(row: &Row, verdict: Option<&RowScore>) -> String {
    match (row.point(), verdict) {
        (Some((_, value)), Some(RowScore { score: Ok(score), band, aspect, .. })) => {
            Judged { value, score: *score, band: *band, aspect: *aspect }.reason()
        }
        (Some(_), Some(RowScore { score: Err(reason), .. })) => reason.to_string(),
        (Some(_), None) => "no model yet, or a time that is not later than one before".to_owned(),
        (None, _) => "no value".to_owned(),
    }
}

/// What the rows were like.
#[derive(Debug, Default)]
struct Tally {
    n_rows: u64,
    n_unreadable: u64,
    n_not_later: u64,
    newest: Option<crate::domain::Timestamp>,
    examples: Vec<String>,
}

impl Tally {
    fn note(&mut self, row: &Row) {
        self.n_rows += 1;
        if let Some(problem) = &row.problem {
            self.n_unreadable += 1;
            if self.n_unreadable <= SHOWN {
                self.examples.push(format!("line {}: {problem}", row.line));
            }
        }
        if let Some(at) = row.at {
            if self.newest.is_some_and(|newest| at <= newest) {
                self.n_not_later += 1;
            }
            self.newest = self.newest.max(Some(at));
        }
    }

    fn report(&self) -> Outcome {
        if 0 < self.n_not_later {
            let n = self.n_not_later;
            eprintln!("note: {n} rows are not later than one before them; the file is not sorted");
        }
        if self.n_unreadable == 0 {
            return Outcome::Done;
        }
        let n = self.n_unreadable;
        eprintln!("error: {n} of {} rows have no score: they cannot be read", self.n_rows);
        for example in &self.examples {
            eprintln!("  {example}");
        }
        Outcome::Problems
    }
}

#[cfg(test)]
mod tests;
