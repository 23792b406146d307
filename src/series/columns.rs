//! Rows to columns and back: the schema of the segments. Points are `metric`, `at`, `value`;
//! scores add `score`, `expected`, `lower`, `upper`, `aspect`, `model`. Sorted by (metric, at).

use polars::prelude::{
    Column, DataFrame, DataType, Float64Chunked, Int64Chunked, IntoColumn, NamedFrom, PolarsError,
    Series as Values, StringChunked, TimeUnit, TimeZone,
};

use super::merge::{Rows, arrive};
use crate::domain::{
    Aspect, Band, MetricName, ModelVersion, NameError, ScorePoint, Series, Timestamp,
};

/// A segment whose columns are not those of its kind.
#[derive(Debug, thiserror::Error)]
pub enum ColumnError {
    /// A column is missing or has another type.
    #[error("read the columns of a segment")]
    Column {
        /// What is wrong with it.
        source: PolarsError,
    },
    /// A row without a metric, time or value, or with one out of range.
    #[error("read row {row} of a segment: `{column}` is empty or out of range")]
    Value {
        /// Which row of what was read.
        row: usize,
        /// Which column.
        column: &'static str,
    },
    /// A metric's name is none.
    #[error("read row {row} of a segment: the metric's name")]
    Name {
        /// Which row of what was read.
        row: usize,
        /// What is wrong with it.
        source: NameError,
    },
}

impl From<PolarsError> for ColumnError {
    fn from(source: PolarsError) -> Self {
        Self::Column { source }
    }
}

/// The type of `at`.
pub(super) fn instant_type() -> DataType {
    DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC))
}

/// The columns of points.
pub(super) fn points_frame(rows: &Rows<(Timestamp, f64)>) -> Result<DataFrame, PolarsError> {
    let all = || rows.values().flatten();
    DataFrame::new_infer_height(vec![
        metrics(rows),
        instants(all().map(|(at, _)| *at))?,
        Column::new("value".into(), all().map(|(_, value)| *value).collect::<Vec<_>>()),
    ])
}

/// The columns of points that are one series a metric.
pub(super) fn series_frame(all: &[Series]) -> Result<DataFrame, PolarsError> {
    let names = all
        .iter()
        .flat_map(|series| std::iter::repeat_n(series.metric.as_str(), series.len()))
        .collect::<Vec<_>>();
    DataFrame::new_infer_height(vec![
        Column::new("metric".into(), names),
        instants(all.iter().flat_map(|series| &series.at).copied())?,
        Column::new(
            "value".into(),
            all.iter().map(|s| s.value.as_slice()).collect::<Vec<_>>().concat(),
        ),
    ])
}

/// Calls for each stretch of points of one metric, with the instants and values of all rows.
pub(super) fn each_point(
    frame: &DataFrame,
    mut take: impl FnMut(MetricName, std::ops::Range<usize>, &[i64], &[f64]),
) -> Result<(), ColumnError> {
    let (at, value) = (micros(frame)?, numbers(frame, "value")?);
    let (at, value) = (whole(at.cont_slice(), "at")?, whole(value.cont_slice(), "value")?);
    for_each_metric(frame, |metric, rows| {
        take(metric, rows, at, value);
        Ok(())
    })
}

/// A column without an empty cell.
fn whole<'a, T>(
    cells: Result<&'a [T], PolarsError>,
    column: &'static str,
) -> Result<&'a [T], ColumnError> {
    cells.map_err(|_| ColumnError::Value { row: 0, column })
}

/// The columns of scores.
pub(super) fn scores_frame(rows: &Rows<ScorePoint>) -> Result<DataFrame, PolarsError> {
    let all = || rows.values().flatten();
    let numbers = |name: &str, of: fn(&ScorePoint) -> f64| {
        Column::new(name.into(), all().map(of).collect::<Vec<_>>())
    };
    let bounds = |name: &str, of: fn(&Band) -> f64| {
        Column::new(name.into(), all().map(|row| row.band.as_ref().map(of)).collect::<Vec<_>>())
    };
    DataFrame::new_infer_height(vec![
        metrics(rows),
        instants(all().map(|row| row.at))?,
        numbers("value", |row| row.value),
        numbers("score", |row| row.score),
        bounds("expected", |band| band.expected),
        bounds("lower", |band| band.lower),
        bounds("upper", |band| band.upper),
        Column::new(
            "aspect".into(),
            all().map(|row| row.aspect.map(Aspect::as_str)).collect::<Vec<_>>(),
        ),
        Column::new("model".into(), all().map(|row| row.model.as_str()).collect::<Vec<_>>()),
    ])
}

fn metrics<T>(rows: &Rows<T>) -> Column {
    let names: Vec<&str> = rows
        .iter()
        .flat_map(|(metric, of_metric)| std::iter::repeat_n(metric.as_str(), of_metric.len()))
        .collect();
    Column::new("metric".into(), names)
}

fn instants(at: impl Iterator<Item = Timestamp>) -> Result<Column, PolarsError> {
    let micros: Vec<i64> = at.map(Timestamp::micros).collect();
    Ok(Values::new("at".into(), micros).cast(&instant_type())?.into_column())
}

/// Which instants to take.
pub(super) type Wanted<'a> = &'a dyn Fn(Timestamp) -> bool;

/// Adds the wanted points of a frame to those that arrived before.
pub(super) fn add_points(
    rows: &mut Rows<(Timestamp, f64)>,
    frame: &DataFrame,
    is_wanted: Wanted<'_>,
) -> Result<(), ColumnError> {
    let at = micros(frame)?;
    let value = numbers(frame, "value")?;
    for_each_metric(frame, |metric, range| {
        let mut of_metric = Vec::with_capacity(range.len());
        for row in range {
            let point = (instant(&at, row)?, finite(&value, row, "value")?);
            if is_wanted(point.0) {
                of_metric.push(point);
            }
        }
        arrive(rows, metric, of_metric);
        Ok(())
    })
}

/// Adds the wanted scores of a frame to those that arrived before.
pub(super) fn add_scores(
    rows: &mut Rows<ScorePoint>,
    frame: &DataFrame,
    is_wanted: Wanted<'_>,
) -> Result<(), ColumnError> {
    let at = micros(frame)?;
    let [value, score, expected, lower, upper] =
        ["value", "score", "expected", "lower", "upper"].map(|name| numbers(frame, name));
    let (value, score) = (value?, score?);
    let (expected, lower, upper) = (expected?, lower?, upper?);
    let model = frame.column("model")?.str()?.rechunk();
    let aspect = aspects(frame)?;
    let mut versions = LastVersion(None);
    for_each_metric(frame, |metric, range| {
        let mut of_metric = Vec::new();
        for row in range {
            let at = instant(&at, row)?;
            if !is_wanted(at) {
                continue;
            }
            let band = match (expected.get(row), lower.get(row), upper.get(row)) {
                (Some(expected), Some(lower), Some(upper)) => Some(Band { expected, lower, upper }),
                _ => None,
            };
            let version = model.get(row).and_then(|text| versions.parse(text));
            of_metric.push(ScorePoint {
                metric: metric.clone(),
                at,
                value: finite(&value, row, "value")?,
                score: finite(&score, row, "score")?,
                band,
                aspect: aspect.as_ref().and_then(|names| names.get(row)?.parse().ok()),
                model: version.ok_or(ColumnError::Value { row, column: "model" })?,
            });
        }
        arrive(rows, metric, of_metric);
        Ok(())
    })
}

/// Reads versions; most rows have that of the row before them.
struct LastVersion(Option<ModelVersion>);

impl LastVersion {
    fn parse(&mut self, text: &str) -> Option<ModelVersion> {
        if self.0.as_ref().is_none_or(|last| last.as_str() != text) {
            self.0 = ModelVersion::parse(text).ok();
        }
        self.0.clone()
    }
}

/// Calls for each stretch of rows of one metric.
fn for_each_metric(
    frame: &DataFrame,
    mut take: impl FnMut(MetricName, std::ops::Range<usize>) -> Result<(), ColumnError>,
) -> Result<(), ColumnError> {
    let names = frame.column("metric")?.str()?.rechunk();
    let mut from = 0;
    let mut current: Option<&str> = None;
    for (row, name) in names.iter().enumerate() {
        let name = name.ok_or(ColumnError::Value { row, column: "metric" })?;
        match current {
            Some(same) if same == name => {}
            Some(other) => {
                take(parse_name(other, from)?, from..row)?;
                (from, current) = (row, Some(name));
            }
            None => current = Some(name),
        }
    }
    match current {
        Some(last) => take(parse_name(last, from)?, from..names.len()),
        None => Ok(()),
    }
}

/// The rows of the metrics asked for, which lie beside each other, among names in order.
pub(super) fn rows_of(
    names: &DataFrame,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<std::ops::Range<usize>, ColumnError> {
    let names = names.column("metric")?.str()?;
    let from = names.iter().position(|name| name.is_some_and(&is_wanted));
    let from = from.unwrap_or(names.len());
    let wanted = names.iter().skip(from).take_while(|name| name.is_some_and(&is_wanted));
    Ok(from..from + wanted.count())
}

fn parse_name(name: &str, row: usize) -> Result<MetricName, ColumnError> {
    MetricName::parse(name).map_err(|source| ColumnError::Name { row, source })
}

fn micros(frame: &DataFrame) -> Result<Int64Chunked, ColumnError> {
    let at = frame.column("at")?;
    if *at.dtype() != instant_type() {
        let found = format!("`at` is {}", at.dtype());
        return Err(PolarsError::SchemaMismatch(found.into()).into());
    }
    Ok(at.datetime()?.physical().rechunk().into_owned())
}

fn numbers(frame: &DataFrame, name: &str) -> Result<Float64Chunked, ColumnError> {
    Ok(frame.column(name)?.f64()?.rechunk().into_owned())
}

/// What scores are about. Segments of earlier versions of this program do not say; a name this one
/// does not know is a later one's.
fn aspects(frame: &DataFrame) -> Result<Option<StringChunked>, ColumnError> {
    match frame.column("aspect") {
        Ok(names) => Ok(Some(names.str()?.rechunk().into_owned())),
        Err(_) => Ok(None),
    }
}

fn instant(at: &Int64Chunked, row: usize) -> Result<Timestamp, ColumnError> {
    let instant = at.get(row).and_then(Timestamp::from_micros);
    instant.ok_or(ColumnError::Value { row, column: "at" })
}

fn finite(values: &Float64Chunked, row: usize, column: &'static str) -> Result<f64, ColumnError> {
    let value = values.get(row).filter(|value| value.is_finite());
    value.ok_or(ColumnError::Value { row, column })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_stored_before_they_said_what_they_are_about_are_read() {
        let at = Timestamp::from_secs(1).unwrap();
        let metric = MetricName::parse("orders").unwrap();
        let (aspect, model) = (Some(Aspect::Jump), ModelVersion::at(at));
        let row = ScorePoint { metric, at, value: 2.0, score: 0.5, band: None, aspect, model };
        let rows = Rows::from([(row.metric.clone(), vec![row.clone()])]);
        let frame = scores_frame(&rows).unwrap();
        let read = |frame: &DataFrame| {
            let mut rows = Rows::new();
            add_scores(&mut rows, frame, &|_| true).unwrap();
            rows
        };
        assert_eq!(read(&frame), rows);
        let earlier = ScorePoint { aspect: None, ..row.clone() };
        let earlier = Rows::from([(row.metric.clone(), vec![earlier])]);
        assert_eq!(read(&frame.drop("aspect").unwrap()), earlier);
        let later = Column::new("aspect".into(), ["of a later version"]);
        assert_eq!(read(&frame.clone().with_column(later).unwrap().clone()), earlier);
    }
}
