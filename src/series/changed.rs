//! Which of the observations a source gave are news.

use std::ops::Range;

use polars::prelude::DataFrame;

use super::columns::{self, ColumnError};
use crate::domain::{MetricName, Series, Timestamp};

/// Observations beside what is stored of them, learnt segment by segment.
pub(super) struct Comparison {
    incoming: Vec<Series>,
    /// For each of their rows the value stored last, NaN where there is none: stored ones are
    /// finite.
    stored: Vec<Vec<f64>>,
}

impl Comparison {
    /// Nothing is stored, as far as is known.
    ///
    /// # Shape
    /// `incoming` is sorted by metric; at most one series a metric.
    pub(super) fn new(incoming: Vec<Series>) -> Self {
        let stored = incoming.iter().map(|series| vec![f64::NAN; series.len()]).collect();
        Self { incoming, stored }
    }

    /// The oldest and the newest of the observations.
    pub(super) fn range(&self) -> Option<(Timestamp, Timestamp)> {
        let oldest = self.incoming.iter().filter_map(|series| series.at.first()).min()?;
        let newest = self.incoming.iter().filter_map(|series| series.at.last()).max()?;
        Some((*oldest, *newest))
    }

    /// Learns what rows of a segment say, over what older segments said.
    pub(super) fn learn(&mut self, frame: &DataFrame) -> Result<(), ColumnError> {
        columns::each_point(frame, |metric, rows, at, value| {
            self.learn_metric(&metric, rows, (at, value));
        })
    }

    /// Both sides are in time order: each is gone through once.
    fn learn_metric(
        &mut self,
        metric: &MetricName,
        rows: Range<usize>,
        (at, value): (&[i64], &[f64]),
    ) {
        let Ok(place) = self.incoming.binary_search_by(|series| series.metric.cmp(metric)) else {
            return;
        };
        let (series, stored) = (&self.incoming[place], &mut self.stored[place]);
        let Some(first) = rows.clone().next().map(|row| at[row]) else { return };
        let mut next = series.at.partition_point(|at| at.micros() < first);
        for row in rows {
            while series.at.get(next).is_some_and(|incoming| incoming.micros() < at[row]) {
                next += 1;
            }
            match series.at.get(next) {
                Some(incoming) if incoming.micros() == at[row] => stored[next] = value[row],
                Some(_) => {}
                None => return,
            }
        }
    }

    /// The observations that are not stored yet or have another value. Values are compared bit by
    /// bit, so a read that repeats itself stores nothing.
    pub(super) fn changed(self) -> Vec<Series> {
        let both = self.incoming.into_iter().zip(self.stored);
        let changed = both.map(|(series, stored)| keep_changed(series, &stored));
        changed.filter(|series| !series.is_empty()).collect()
    }
}

fn keep_changed(series: Series, stored: &[f64]) -> Series {
    let is_news = |row: usize| series.value[row].to_bits() != stored[row].to_bits();
    let n_news = (0..series.len()).filter(|row| is_news(*row)).count();
    if n_news == series.len() {
        return series;
    }
    let news = || (0..series.len()).filter(|row| is_news(*row));
    Series {
        at: news().map(|row| series.at[row]).collect(),
        value: news().map(|row| series.value[row]).collect(),
        metric: series.metric,
    }
}
