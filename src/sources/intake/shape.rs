//! Which column is what. Names are compared without regard to case; an exact spelling wins over
//! another case, and an earlier entry of a list over a later one.

use chrono_tz::Tz;
use std::collections::BTreeMap;

use polars::prelude::{Column, DataFrame, PlHashMap};

use super::{times, values::Values};
use crate::sources::{SourceError, error::printable};

const TIME: &[&str] = &["timestamp", "metric_timestamp", "time", "ts", "date", "datetime"];
const TIME_NAMES: &str = "timestamp, metric_timestamp, time, ts, date or datetime";
const NAME: &[&str] = &["name", "metric", "metric_name"];
const VALUE: &[&str] = &["value", "metric_value"];

/// A frame's columns by their part.
pub(super) enum Shape<'a> {
    /// One observation a row.
    Long {
        time: &'a Column,
        name: &'a Column,
        value: Values,
        /// Columns that are neither.
        ignored: Vec<String>,
    },
    /// One instant a row, one metric a column.
    Wide {
        time: &'a Column,
        metrics: Vec<(String, Values)>,
        /// Columns that hold no numbers.
        ignored: Vec<String>,
    },
}

/// Finds the parts of a frame with at least one column. Whether a text column is a metric is settled
/// by the first frame that tells, and kept in `is_numeric`.
pub(super) fn recognise<'a>(
    frame: &'a DataFrame,
    is_numeric: &mut PlHashMap<String, bool>,
) -> Result<Shape<'a>, SourceError> {
    let missing = |role, expected| SourceError::MissingColumn {
        role,
        expected,
        found: frame.get_column_names().into_iter().map(|name| name.to_string()).collect(),
    };
    let time = find(frame, TIME).ok_or_else(|| missing("timestamp", TIME_NAMES))?;
    let others = |known: &[&Column]| -> Vec<&Column> {
        let is_known = |c: &&Column| known.iter().any(|k| k.name() == c.name());
        frame.columns().iter().filter(|c| !is_known(c)).collect()
    };
    let Some(name) = find(frame, NAME) else {
        let (metrics, ignored) = split(&others(&[time]), is_numeric);
        if metrics.is_empty() {
            return Err(missing("value", "a column of numbers for each metric"));
        }
        return Ok(Shape::Wide { time, metrics, ignored });
    };
    let value = find(frame, VALUE).ok_or_else(|| missing("value", "value or metric_value"))?;
    let ignored = others(&[time, name, value]).iter().map(|c| c.name().to_string()).collect();
    let values = Values::read(value).ok_or_else(|| SourceError::ColumnType {
        column: value.name().to_string(),
        expected: "numbers",
        found: value.dtype().to_string(),
    })?;
    Ok(Shape::Long { time, name, value: values, ignored })
}

/// The frame with our names of its columns. Columns without one of ours keep theirs.
pub(super) fn renamed(
    frame: &DataFrame,
    columns: &BTreeMap<String, String>,
) -> Result<DataFrame, SourceError> {
    let mut renamed = frame.clone();
    for (ours, theirs) in columns {
        let is_known = renamed.rename(theirs, ours.as_str().into()).is_ok();
        if !is_known {
            let found = frame.get_column_names().into_iter().map(|name| name.to_string());
            return Err(SourceError::NoColumn {
                column: theirs.clone(),
                ours: ours.clone(),
                found: found.collect(),
            });
        }
    }
    Ok(renamed)
}

/// The places of the timestamp and the value in a header. Beside a timestamp one other column is the
/// value whatever its name.
///
/// # Errors
/// [`SourceError::MissingColumn`].
pub fn time_and_value(header: &[&str]) -> Result<(usize, usize), SourceError> {
    let missing = |role, expected| SourceError::MissingColumn {
        role,
        expected,
        found: header.iter().map(|name| printable(name)).collect(),
    };
    let time = place(header, TIME).ok_or_else(|| missing("timestamp", TIME_NAMES))?;
    let only_other = (header.len() == 2).then_some(1 - time.min(1));
    let value = place(header, VALUE).or(only_other);
    Ok((time, value.ok_or_else(|| missing("value", "value or metric_value"))?))
}

/// The places of the timestamp and of the series' names in a header, where it has them.
pub(in crate::sources) fn time_and_name(header: &[&str]) -> (Option<usize>, Option<usize>) {
    (place(header, TIME), place(header, NAME))
}

/// The newest instant of a frame, in microseconds, when its columns get our names.
pub(in crate::sources) fn newest(
    frame: &DataFrame,
    columns: &BTreeMap<String, String>,
    timezone: Tz,
) -> Option<i64> {
    let frame = renamed(frame, columns).ok()?;
    times::newest_of(find(&frame, TIME)?, timezone)
}

fn place(header: &[&str], known: &[&str]) -> Option<usize> {
    known.iter().find_map(|wanted| {
        let exact = header.iter().position(|name| name == wanted);
        let is_same = |name: &&str| name.trim().eq_ignore_ascii_case(wanted);
        exact.or_else(|| header.iter().position(is_same))
    })
}

fn find<'a>(frame: &'a DataFrame, known: &[&str]) -> Option<&'a Column> {
    let columns = frame.columns();
    known.iter().find_map(|wanted| {
        let exact = columns.iter().find(|c| c.name() == wanted);
        exact.or_else(|| columns.iter().find(|c| c.name().trim().eq_ignore_ascii_case(wanted)))
    })
}

/// The metrics among a wide frame's columns, and the rest. A text column is a metric when any of
/// its cells reads as a number, or when all are empty: then the metric is there but has no value.
fn split(
    columns: &[&Column],
    is_numeric: &mut PlHashMap<String, bool>,
) -> (Vec<(String, Values)>, Vec<String>) {
    let (mut metrics, mut ignored) = (Vec::new(), Vec::new());
    for column in columns {
        let name = column.name().as_str();
        let Some(values) = Values::read(column) else {
            ignored.push(name.to_owned());
            continue;
        };
        let told = match is_numeric.get(name) {
            Some(known) => Some(*known),
            None => values.looks_numeric(),
        };
        if let Some(told) = told {
            is_numeric.insert(name.to_owned(), told);
        }
        match told {
            Some(false) => ignored.push(name.to_owned()),
            Some(true) | None => metrics.push((name.to_owned(), values)),
        }
    }
    (metrics, ignored)
}
