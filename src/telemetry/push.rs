//! What is counted of pushed rows.

use prometheus::{IntCounterVec, IntGaugeVec};

use super::metrics::Own;
use crate::domain::BatchName;

const REQUESTS: &str = "Requests that pushed rows, by their answer.";
const DEPTH: &str = "Pushed rows that wait to be ingested, when last looked at.";

/// The metrics of pushed rows; clones share them.
#[derive(Debug, Clone)]
pub struct PushMetrics {
    requests: IntCounterVec,
    rows: IntCounterVec,
    bytes: IntCounterVec,
    depth: IntGaugeVec,
}

impl PushMetrics {
    pub(super) fn register(own: &Own) -> prometheus::Result<Self> {
        let of_batch = &["batch"];
        Ok(Self {
            requests: own.counters("push_requests_total", REQUESTS, &["batch", "code"])?,
            rows: own.counters("push_rows_total", "Pushed rows acknowledged.", of_batch)?,
            bytes: own.counters("push_bytes_total", "Bytes of pushed bodies as sent.", of_batch)?,
            depth: own.levels("push_inbox_rows", DEPTH, of_batch)?,
        })
    }

    /// A request was answered with a status.
    pub fn answered(&self, batch: &BatchName, status: u16) {
        self.requests.with_label_values(&[batch.as_str(), &status.to_string()]).inc();
    }

    /// A body came of so many bytes.
    pub fn received(&self, batch: &BatchName, n_bytes: u64) {
        self.bytes.with_label_values(&[batch.as_str()]).inc_by(n_bytes);
    }

    /// So many rows were acknowledged.
    pub fn accepted(&self, batch: &BatchName, n_rows: u64) {
        self.rows.with_label_values(&[batch.as_str()]).inc_by(n_rows);
    }

    /// So many rows of a batch wait.
    pub fn set_depth(&self, batch: &BatchName, n_rows: u64) {
        let n_rows = i64::try_from(n_rows).unwrap_or(i64::MAX);
        self.depth.with_label_values(&[batch.as_str()]).set(n_rows);
    }
}
