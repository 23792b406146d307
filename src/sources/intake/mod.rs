//! Frames into points: a pure function that keeps every good observation, leaves out every bad one
//! and says why. The order of the rows does not matter, except that of two rows with the same
//! metric and instant the later one holds.

mod cells;
mod names;
mod rejects;
mod shape;
mod times;
mod values;

#[cfg(test)]
mod tests;

use chrono_tz::Tz;
use globset::GlobSet;
use polars::prelude::{Column, DataFrame};

pub use shape::time_and_value;
pub use times::instant;

use self::{names::Entry, rejects::Rejects, shape::Shape, times::UNREADABLE, values::Values};
use super::{SourceError, error::printable};
use crate::domain::{BatchSpec, IngestReport, MetricName, Point, RejectReason, Span, Timestamp};

/// How far ahead of `now` an observation may lie: clocks differ, and so do ideas of local time.
const MAX_AHEAD: Span = Span::days(1);

/// What is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct IntakeRules {
    /// The instant the read stands for.
    pub now: Timestamp,
    /// Later observations are left out.
    pub newest: Timestamp,
    /// Zone of times that name none.
    pub timezone: Tz,
    /// Length of a bucket; the one that holds `now` and later ones are left out. `None` keeps all.
    pub drop_incomplete_bucket: Option<Span>,
    /// Globs over metric names that are left out.
    pub exclude: Vec<String>,
}

impl IntakeRules {
    /// The rules of a batch for one read of the present.
    pub fn of(batch: &BatchSpec, now: Timestamp) -> Self {
        let bucket = batch.features.resample.filter(|_| batch.source.drop_incomplete);
        Self {
            now,
            newest: now + MAX_AHEAD,
            timezone: batch.timezone,
            drop_incomplete_bucket: bucket,
            exclude: Vec::new(),
        }
    }
}

/// What came of a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Intake {
    /// The good observations, sorted by metric, then time; no two share both.
    pub points: Vec<Point>,
    /// What was read and left out. Nothing is stored yet, so `rows_stored` is 0.
    pub report: IngestReport,
}

/// Takes the good observations out of a long or wide frame.
///
/// # Errors
/// [`SourceError::MissingColumn`] or [`SourceError::ColumnType`] when the frame as a whole is not
/// what it should be, also when it has no rows; [`SourceError::Glob`] for a bad exclusion.
pub fn intake(frame: &DataFrame, rules: &IntakeRules) -> Result<Intake, SourceError> {
    let exclude = names::globs(&rules.exclude)?;
    let mut sorter = Sorter::new(rules, exclude);
    let mut report = IngestReport::default();
    if frame.width() == 0 {
        return Ok(Intake { points: Vec::new(), report });
    }
    match shape::recognise(frame)? {
        Shape::Long { time, name, value, ignored } => {
            report.rows_read = frame.height() as u64;
            report.ignored_columns = ignored;
            sorter.long(time, name, &value)?;
        }
        Shape::Wide { time, metrics, ignored } => {
            report.rows_read = frame.height() as u64 * metrics.len() as u64;
            report.ignored_columns = ignored;
            let at = Times { micros: times::read(time, sorter.timezone)?, column: time };
            for (name, values) in &metrics {
                sorter.column(&at, name, values);
            }
        }
    }
    let points = sorter.finish(&mut report);
    Ok(Intake { points, report })
}

struct Times<'a> {
    micros: Vec<i64>,
    column: &'a Column,
}

/// Observations of one metric in the order they came: microseconds and value.
type Run = Vec<(i64, f64)>;

struct Sorter {
    exclude: GlobSet,
    timezone: Tz,
    newest_allowed: i64,
    first_incomplete: i64,
    runs: Vec<(MetricName, Run)>,
    rejects: Rejects,
}

impl Sorter {
    fn new(rules: &IntakeRules, exclude: GlobSet) -> Self {
        let bucket = rules.drop_incomplete_bucket;
        Self {
            exclude,
            timezone: rules.timezone,
            newest_allowed: rules.newest.micros(),
            first_incomplete: bucket.map_or(i64::MAX, |bucket| rules.now.floor(bucket).micros()),
            runs: Vec::new(),
            rejects: Rejects::default(),
        }
    }

    fn long(&mut self, time: &Column, name: &Column, values: &Values) -> Result<(), SourceError> {
        let names = names::read(name, &self.exclude)?;
        let mut n_rows = vec![0_usize; names.entries.len()];
        for id in &names.rows {
            n_rows[*id as usize] += 1;
        }
        let mut runs: Vec<Run> = (names.entries.iter().zip(n_rows))
            .map(|(entry, n_rows)| Vec::with_capacity(if entry.name.is_ok() { n_rows } else { 0 }))
            .collect();
        let times = Times { micros: times::read(time, self.timezone)?, column: time };
        for (row, id) in names.rows.iter().enumerate() {
            let entry = &names.entries[*id as usize];
            if let Some(kept) = self.check(row, entry, &times, values) {
                runs[*id as usize].push(kept);
            }
        }
        let named = names.entries.into_iter().zip(runs);
        self.runs.extend(named.filter_map(|(entry, run)| Some((entry.name.ok()?, run))));
        Ok(())
    }

    fn column(&mut self, times: &Times<'_>, name: &str, values: &Values) {
        let entry = names::entry(name, &self.exclude);
        let rows = 0..times.micros.len();
        let run = rows.filter_map(|row| self.check(row, &entry, times, values)).collect();
        if let Ok(metric) = entry.name {
            self.runs.push((metric, run));
        }
    }

    /// The row's observation, or a count of why there is none. Of several reasons the first of
    /// name, time, value and place in time counts.
    fn check(
        &mut self,
        row: usize,
        entry: &Entry,
        times: &Times<'_>,
        values: &Values,
    ) -> Option<(i64, f64)> {
        let (at, value) = (times.micros[row], values.numbers[row]);
        let is_timely = at != UNREADABLE && at <= self.newest_allowed && at < self.first_incomplete;
        if entry.name.is_ok() && is_timely && value.is_finite() {
            return Some((at, value));
        }
        let reason = match &entry.name {
            Err(reason) => *reason,
            Ok(_) if at == UNREADABLE => RejectReason::BadTimestamp,
            Ok(_) if !value.is_finite() => values.why_not(row),
            Ok(_) if self.newest_allowed < at => RejectReason::Future,
            Ok(_) => RejectReason::Incomplete,
        };
        self.rejects.add(reason, || words(row, entry, times, values));
        None
    }

    fn finish(mut self, report: &mut IngestReport) -> Vec<Point> {
        self.runs.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut points = Vec::with_capacity(self.runs.iter().map(|(_, run)| run.len()).sum());
        for (metric, mut run) in self.runs {
            if run.is_empty() {
                continue;
            }
            // Stable, so that equal instants keep the order they came in.
            run.sort_by_key(|(at, _)| *at);
            report.n_metrics += 1;
            for (i, (at, value)) in run.iter().enumerate() {
                let Some(instant) = Timestamp::from_micros(*at) else { continue };
                if run.get(i + 1).is_some_and(|(next, _)| next == at) {
                    let shown = || format!("`{}` at {instant}", printable(metric.as_str()));
                    self.rejects.add(RejectReason::Duplicate, shown);
                    continue;
                }
                report.newest = report.newest.max(Some(instant));
                points.push(Point { metric: metric.clone(), at: instant, value: *value });
            }
        }
        self.rejects.report(report);
        points
    }
}

fn words(row: usize, entry: &Entry, times: &Times<'_>, values: &Values) -> String {
    let cell = times.column.get(row).map(|cell| printable(&cell.str_value())).unwrap_or_default();
    format!("row {}, `{}` at `{cell}`: {}", row + 1, entry.shown, values.shown(row))
}
