//! What is counted of the stores objects lie in.

use prometheus::IntCounterVec;

use super::metrics::Own;

/// What a store did up to now, or all stores of one kind together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Requests to another machine, repeats included.
    pub requests: u64,
    /// Bytes sent with them.
    pub bytes_sent: u64,
    /// Bytes of objects read.
    pub bytes_read: u64,
    /// Requests that were repeats.
    pub retries: u64,
    /// Reads that the cache answered.
    pub cache_hits: u64,
    /// Reads that it could not.
    pub cache_misses: u64,
    /// Objects found damaged.
    pub damaged: u64,
}

/// The metrics of stores; clones share them.
#[derive(Debug, Clone)]
pub struct StoreMetrics {
    requests: IntCounterVec,
    bytes: IntCounterVec,
    retries: IntCounterVec,
    cache: IntCounterVec,
    damaged: IntCounterVec,
}

impl StoreMetrics {
    pub(super) fn register(own: &Own) -> prometheus::Result<Self> {
        let of = &["backend"];
        let bytes = "Bytes of objects read, and sent to other machines.";
        let cache = "Reads of remote objects, by whether the cache had them.";
        Ok(Self {
            requests: own.counters("store_requests_total", "Requests to object stores.", of)?,
            bytes: own.counters("store_bytes_total", bytes, &["backend", "direction"])?,
            retries: own.counters("store_retries_total", "Requests that were repeats.", of)?,
            cache: own.counters("store_cache_reads_total", cache, &["backend", "outcome"])?,
            damaged: own.counters("store_damaged_total", "Objects found damaged.", of)?,
        })
    }

    /// Brings the metrics of one kind of store up to what was counted.
    pub fn set(&self, backend: &str, counts: StoreCounts) {
        let up_to = |counters: &IntCounterVec, labels: &[&str], total: u64| {
            let counter = counters.with_label_values(labels);
            counter.inc_by(total.saturating_sub(counter.get()));
        };
        up_to(&self.requests, &[backend], counts.requests);
        up_to(&self.bytes, &[backend, "sent"], counts.bytes_sent);
        up_to(&self.bytes, &[backend, "read"], counts.bytes_read);
        up_to(&self.retries, &[backend], counts.retries);
        up_to(&self.cache, &[backend, "hit"], counts.cache_hits);
        up_to(&self.cache, &[backend, "miss"], counts.cache_misses);
        up_to(&self.damaged, &[backend], counts.damaged);
    }
}
