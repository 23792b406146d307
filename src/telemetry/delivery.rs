//! What is counted of messages on their way.

use prometheus::{Histogram, IntCounterVec, IntGaugeVec};

use super::metrics::Own;
use crate::domain::Span;

const PENDING: &str = "Messages that wait for a channel, when last looked at.";
const OLDEST: &str = "Age of the message that has waited longest for a channel.";
const DISABLED: &str = "1 while a channel is closed by the other side.";
const MERGED: &str = "Messages said by another one that says many.";
const WAIT: &str = "Time from a message coming up to the channel having it.";

/// The metrics of messages; clones share them.
#[derive(Debug, Clone)]
pub struct DeliveryMetrics {
    pending: IntGaugeVec,
    oldest: IntGaugeVec,
    disabled: IntGaugeVec,
    merged: IntCounterVec,
    wait: Histogram,
}

impl DeliveryMetrics {
    pub(super) fn register(own: &Own) -> prometheus::Result<Self> {
        let of_channel = &["channel"];
        Ok(Self {
            pending: own.levels("outbox_pending", PENDING, of_channel)?,
            oldest: own.levels("outbox_oldest_seconds", OLDEST, of_channel)?,
            disabled: own.levels("channel_disabled", DISABLED, of_channel)?,
            merged: own.counters("messages_merged_total", MERGED, of_channel)?,
            wait: own.wait_times("delivery_wait_seconds", WAIT)?,
        })
    }

    /// So much waits for a channel.
    pub fn set_backlog(&self, channel: &str, n_waiting: u64, oldest: Span) {
        let n_waiting = i64::try_from(n_waiting).unwrap_or(i64::MAX);
        self.pending.with_label_values(&[channel]).set(n_waiting);
        self.oldest.with_label_values(&[channel]).set(oldest.micros().max(0) / 1_000_000);
    }

    /// Whether a channel is closed by the other side.
    pub fn set_disabled(&self, channel: &str, is_disabled: bool) {
        self.disabled.with_label_values(&[channel]).set(i64::from(is_disabled));
    }

    /// So many messages to a channel are said by another one.
    pub fn merged(&self, channel: &str, n_messages: u64) {
        self.merged.with_label_values(&[channel]).inc_by(n_messages);
    }

    /// A channel has a message, so long after it came up.
    pub fn waited(&self, wait: Span) {
        self.wait.observe(wait.as_secs_f64().max(0.0));
    }
}
