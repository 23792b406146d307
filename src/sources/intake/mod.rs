//! Frames into points: keeps every good observation, leaves out every bad one and says why. The
//! order of the rows does not matter, except that of two rows with the same metric and instant the
//! later one holds.

mod cells;
mod names;
mod rejects;
mod shape;
mod times;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono_tz::Tz;
use polars::prelude::{Column, DataFrame, PlHashMap};

pub use shape::time_and_value;
pub(super) use shape::{newest, time_and_name};
pub use times::instant;
pub(super) use times::plain_time;

use self::{names::Entry, rejects::Rejects, shape::Shape, times::UNREADABLE, values::Values};
use super::{SourceError, error::printable};
use crate::domain::{
    BatchSpec, IngestReport, MetricName, Naming, RejectReason, Series, SourceKind, Span, Timestamp,
};

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
    /// What columns and metrics are called, and which are left out.
    pub naming: Naming,
}

impl IntakeRules {
    /// The rules of a batch for one read of the present.
    pub fn of(batch: &BatchSpec, now: Timestamp) -> Self {
        // A pushed row comes once: left out now, it would never come again.
        let comes_again = !matches!(batch.source.kind, SourceKind::Push(_));
        let may_drop = batch.source.drop_incomplete && comes_again;
        let bucket = batch.features.resample.filter(|_| may_drop);
        Self {
            now,
            newest: now + MAX_AHEAD,
            timezone: batch.timezone,
            drop_incomplete_bucket: bucket,
            naming: batch.source.naming.clone(),
        }
    }
}

/// Takes the good observations out of frames, long or wide, one after the other.
pub struct Intake {
    columns: BTreeMap<String, String>,
    naming: names::Naming,
    timezone: Tz,
    newest_allowed: i64,
    first_incomplete: i64,
    metrics: Vec<Gathered>,
    /// Places in `metrics`.
    places: PlHashMap<MetricName, usize>,
    /// Of the text columns of wide frames: whether they are meant as numbers.
    is_numeric: PlHashMap<String, bool>,
    n_rows: u64,
    n_waiting: usize,
    rejects: Rejects,
    report: IngestReport,
}

/// Observations of one metric.
struct Gathered {
    metric: MetricName,
    /// Microseconds and value, in the order they came.
    rows: Vec<(i64, f64)>,
    is_counted: bool,
}

struct Times<'a> {
    micros: Vec<i64>,
    column: &'a Column,
    /// Rows of the frames before this one.
    n_before: u64,
}

impl Intake {
    /// Nothing taken in yet.
    ///
    /// # Errors
    /// [`SourceError::Glob`] for a bad exclusion.
    pub fn new(rules: &IntakeRules) -> Result<Self, SourceError> {
        let bucket = rules.drop_incomplete_bucket;
        Ok(Self {
            columns: rules.naming.columns.clone(),
            naming: names::Naming::of(&rules.naming)?,
            timezone: rules.timezone,
            newest_allowed: rules.newest.micros(),
            first_incomplete: bucket.map_or(i64::MAX, |bucket| rules.now.floor(bucket).micros()),
            metrics: Vec::new(),
            places: PlHashMap::default(),
            is_numeric: PlHashMap::default(),
            n_rows: 0,
            n_waiting: 0,
            rejects: Rejects::default(),
            report: IngestReport::default(),
        })
    }

    /// Takes a frame in.
    ///
    /// # Errors
    /// [`SourceError::MissingColumn`], [`SourceError::NoColumn`] or [`SourceError::ColumnType`]
    /// when the frame as a whole is not what it should be, also when it has no rows.
    pub fn take(&mut self, frame: &DataFrame) -> Result<(), SourceError> {
        if frame.width() == 0 {
            return Ok(());
        }
        if self.columns.is_empty() {
            return self.take_named(frame);
        }
        let renamed = shape::renamed(frame, &self.columns)?;
        self.take_named(&renamed)
    }

    fn take_named(&mut self, frame: &DataFrame) -> Result<(), SourceError> {
        let n_before = self.n_rows;
        self.n_rows += frame.height() as u64;
        let ignored = match shape::recognise(frame, &mut self.is_numeric)? {
            Shape::Long { time, name, value, ignored } => {
                let micros = times::read(time, self.timezone)?;
                self.report.rows_read += frame.height() as u64;
                self.long(name, &Times { micros, column: time, n_before }, &value)?;
                ignored
            }
            Shape::Wide { time, metrics, ignored } => {
                let micros = times::read(time, self.timezone)?;
                self.report.rows_read += frame.height() as u64 * metrics.len() as u64;
                let times = Times { micros, column: time, n_before };
                metrics.iter().for_each(|(name, values)| self.column(&times, name, values));
                ignored
            }
        };
        for column in ignored {
            if !self.report.ignored_columns.contains(&column) {
                self.report.ignored_columns.push(column);
            }
        }
        Ok(())
    }

    /// How many observations wait to be drained.
    pub fn n_waiting(&self) -> usize {
        self.n_waiting
    }

    /// The good observations since the last call.
    ///
    /// # Shape
    /// Sorted by metric; at most one series a metric, none empty.
    pub fn drain(&mut self) -> Vec<Series> {
        self.n_waiting = 0;
        let filled = self.metrics.iter_mut().filter(|metric| !metric.rows.is_empty());
        let mut drained: Vec<Series> = filled
            .map(|metric| {
                self.report.n_metrics += u64::from(!metric.is_counted);
                metric.is_counted = true;
                let rows = std::mem::take(&mut metric.rows);
                let series = upserted(metric.metric.clone(), rows, &mut self.rejects);
                self.report.newest = self.report.newest.max(series.at.last().copied());
                series
            })
            .collect();
        drained.sort_unstable_by(|a, b| a.metric.cmp(&b.metric));
        drained
    }

    /// What was read and left out so far. Of what is drained nothing is stored yet, so
    /// `rows_stored` is 0.
    pub fn report(&self) -> IngestReport {
        let mut report = self.report.clone();
        self.rejects.report(&mut report);
        report
    }

    fn long(
        &mut self,
        name: &Column,
        times: &Times<'_>,
        values: &Values,
    ) -> Result<(), SourceError> {
        let names = names::read(name, &self.naming)?;
        let places: Vec<usize> = names.entries.iter().map(|entry| self.place(entry)).collect();
        for (row, id) in names.rows.iter().enumerate() {
            let id = *id as usize;
            if let Some(kept) = self.check(row, &names.entries[id], times, values) {
                self.metrics[places[id]].rows.push(kept);
                self.n_waiting += 1;
            }
        }
        Ok(())
    }

    fn column(&mut self, times: &Times<'_>, name: &str, values: &Values) {
        let entry = self.naming.entry(name);
        let place = self.place(&entry);
        for row in 0..times.micros.len() {
            if let Some(kept) = self.check(row, &entry, times, values) {
                self.metrics[place].rows.push(kept);
                self.n_waiting += 1;
            }
        }
    }

    /// Where the metric's observations are gathered; nowhere for a name that is left out, whose
    /// rows never pass [`Self::check`].
    fn place(&mut self, entry: &Entry) -> usize {
        let Ok(metric) = &entry.name else { return usize::MAX };
        *self.places.entry(metric.clone()).or_insert_with(|| {
            let (metric, rows) = (metric.clone(), Vec::new());
            self.metrics.push(Gathered { metric, rows, is_counted: false });
            self.metrics.len() - 1
        })
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
}

/// The rows of a metric in time order, of those of one instant the last.
fn upserted(metric: MetricName, mut rows: Vec<(i64, f64)>, rejects: &mut Rejects) -> Series {
    if !rows.is_sorted_by_key(|(at, _)| *at) {
        // Stable, so that equal instants keep the order they came in.
        rows.sort_by_key(|(at, _)| *at);
    }
    let mut series = Series::empty(metric);
    series.at.reserve_exact(rows.len());
    series.value.reserve_exact(rows.len());
    for (i, (at, value)) in rows.iter().enumerate() {
        let Some(instant) = Timestamp::from_micros(*at) else { continue };
        if rows.get(i + 1).is_some_and(|(next, _)| next == at) {
            let shown = || format!("`{}` at {instant}", printable(series.metric.as_str()));
            rejects.add(RejectReason::Duplicate, shown);
            continue;
        }
        series.at.push(instant);
        series.value.push(*value);
    }
    series
}

fn words(row: usize, entry: &Entry, times: &Times<'_>, values: &Values) -> String {
    let cell = times.column.get(row).map(|cell| printable(&cell.str_value())).unwrap_or_default();
    let n_row = times.n_before + row as u64 + 1;
    format!("row {n_row}, `{}` at `{cell}`: {}", entry.shown(), values.shown(row))
}

/// What came of one frame.
#[cfg(test)]
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Taken {
    pub(crate) points: Vec<crate::domain::Point>,
    pub(crate) report: IngestReport,
}

/// Takes one frame in.
#[cfg(test)]
pub(crate) fn intake(frame: &DataFrame, rules: &IntakeRules) -> Result<Taken, SourceError> {
    use crate::domain::Point;
    let mut intake = Intake::new(rules)?;
    intake.take(frame)?;
    let points = intake.drain().into_iter().flat_map(|series| {
        let Series { metric, at, value } = series;
        let rows = at.into_iter().zip(value);
        rows.map(move |(at, value)| Point { metric: metric.clone(), at, value })
    });
    Ok(Taken { points: points.collect(), report: intake.report() })
}
