//! What was left out: counts by reason, and a few rows in words.

use std::collections::BTreeMap;

use crate::domain::{IngestReport, RejectReason};

const MAX_EXAMPLES: usize = 10;
/// One reason must not crowd out the others.
const MAX_EXAMPLES_A_REASON: u64 = 3;

/// The rows left out so far.
#[derive(Default)]
pub(super) struct Rejects {
    counts: BTreeMap<RejectReason, u64>,
    examples: Vec<String>,
}

impl Rejects {
    /// Counts a row; its words are asked for only while examples are still wanted.
    pub(super) fn add(&mut self, reason: RejectReason, words: impl FnOnce() -> String) {
        let count = self.counts.entry(reason).or_default();
        *count += 1;
        if *count <= MAX_EXAMPLES_A_REASON && self.examples.len() < MAX_EXAMPLES {
            self.examples.push(format!("{}: {}", explained(reason), words()));
        }
    }

    /// Puts what was counted into a report.
    pub(super) fn report(&self, report: &mut IngestReport) {
        report.rejected = self.counts.clone();
        report.rejected_examples = self.examples.clone();
    }
}

const fn explained(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::NotANumber => "no value",
        RejectReason::Infinite => "infinite value",
        RejectReason::NotNumeric => "value is no number",
        RejectReason::BadTimestamp => "unreadable timestamp",
        RejectReason::Future => "timestamp ahead of now",
        RejectReason::BadName => "unusable metric name",
        RejectReason::Duplicate => "same metric and timestamp again",
        RejectReason::Incomplete => "bucket still filling",
        RejectReason::Excluded => "excluded metric",
    }
}
