//! What a store did, counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts of one store; shared by its clones.
#[derive(Debug, Default)]
pub struct Counters {
    n_requests: AtomicU64,
    n_bytes_sent: AtomicU64,
    n_bytes_read: AtomicU64,
    n_retries: AtomicU64,
    n_hits: AtomicU64,
    n_misses: AtomicU64,
    n_damaged: AtomicU64,
}

/// [`Counters`] at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
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

impl Counters {
    pub(super) fn asked(&self, n_bytes: usize) {
        self.n_requests.fetch_add(1, Relaxed);
        self.n_bytes_sent.fetch_add(n_bytes as u64, Relaxed);
    }

    pub(super) fn read(&self, n_bytes: u64) {
        self.n_bytes_read.fetch_add(n_bytes, Relaxed);
    }

    pub(super) fn retried(&self) {
        self.n_retries.fetch_add(1, Relaxed);
    }

    pub(super) fn looked_up(&self, is_hit: bool) {
        let counter = if is_hit { &self.n_hits } else { &self.n_misses };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn damaged(&self) {
        self.n_damaged.fetch_add(1, Relaxed);
    }

    /// The counts as they are.
    pub fn now(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        Counts {
            requests: of(&self.n_requests),
            bytes_sent: of(&self.n_bytes_sent),
            bytes_read: of(&self.n_bytes_read),
            retries: of(&self.n_retries),
            cache_hits: of(&self.n_hits),
            cache_misses: of(&self.n_misses),
            damaged: of(&self.n_damaged),
        }
    }
}
