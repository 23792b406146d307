//! One metric's observations, and the objects a batch's history is kept in.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    BatchName, MetricName, Timestamp,
    run::{UnknownText, text_enum},
};

/// One observation of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Whose it is.
    pub metric: MetricName,
    /// When it was observed.
    pub at: Timestamp,
    /// Finite; in the metric's own unit.
    pub value: f64,
}

/// One metric's observations in columns.
///
/// # Shape
/// `at` and `value` have one length; `at` is strictly increasing; every value is finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Whose they are.
    pub metric: MetricName,
    /// When each was observed.
    pub at: Vec<Timestamp>,
    /// What was observed, in the metric's own unit.
    pub value: Vec<f64>,
}

impl Series {
    /// An empty series of a metric.
    pub fn empty(metric: MetricName) -> Self {
        Self { metric, at: Vec::new(), value: Vec::new() }
    }

    /// Number of observations.
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether there is no observation.
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// The newest `n` observations (all of them when there are fewer).
    pub fn newest(&self, n: usize) -> Self {
        let from = self.len().saturating_sub(n);
        Self {
            metric: self.metric.clone(),
            at: self.at[from..].to_vec(),
            value: self.value[from..].to_vec(),
        }
    }
}

text_enum! {
    /// What a history segment holds.
    SegmentKind {
        /// Observations.
        Points = "points",
        /// Scores.
        Scores = "scores",
        /// Scores of challengers, which alert nobody.
        Challengers = "challengers",
    }
}

/// One immutable Parquet object of a batch's history, as the catalog lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Order of arrival, given by the catalog; a newer segment's rows win. 0 before it is listed.
    pub id: i64,
    /// Whose history.
    pub batch: BatchName,
    /// What it holds.
    pub kind: SegmentKind,
    /// Key of the object in the store.
    pub key: String,
    /// Oldest row.
    pub min_at: Timestamp,
    /// Newest row.
    pub max_at: Timestamp,
    /// Rows.
    pub n_rows: u64,
    /// Bytes of the object.
    pub size: u64,
    /// Hex SHA-256 of the object.
    pub sha256: String,
}
