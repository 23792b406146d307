//! What happened over a day or so, batch by batch: kept with its message, so that each channel says
//! it in its own form.

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{AlertKind, BatchName, JobKind, MetricName, Severity, Span, Timestamp};

/// What happened in a stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
    /// Zone in which times are told.
    #[serde(serialize_with = "write_zone", deserialize_with = "read_zone")]
    pub timezone: Tz,
    /// Every batch, in order.
    pub batches: Vec<BatchDigest>,
}

/// What happened in a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchDigest {
    /// Which.
    pub batch: BatchName,
    /// Alerts raised.
    pub n_raised: u64,
    /// Alerts that are not over, whenever they were raised.
    pub n_firing: u64,
    /// The first of those raised.
    pub alerts: Vec<AlertDigest>,
    /// The metrics with the most alerts and how many, those with more than one.
    pub noisiest: Vec<(MetricName, u64)>,
    /// Metrics that are silent.
    pub silent: Vec<MetricName>,
    /// How many runs failed for good, by job.
    pub failed: Vec<(JobKind, u64)>,
    /// Rows rejected.
    pub n_rejected: u64,
    /// The share of useful alerts among those of the last 90 days that people have a word on.
    pub precision: Option<f64>,
    /// The share of alerts of the last 90 days that somebody answered.
    pub response_rate: Option<f64>,
    /// How old the newest model is.
    pub model_age: Option<Span>,
}

/// An alert in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertDigest {
    /// How loud.
    pub severity: Severity,
    /// What was noticed.
    pub kind: AlertKind,
    /// Of which metric.
    pub metric: MetricName,
    /// Since when the metric was unusual.
    pub since: Timestamp,
    /// How long it lasted, up to the digest.
    pub lasted: Span,
    /// Whether it goes on no more.
    pub is_over: bool,
    /// Why it was raised.
    pub reason: String,
}

impl Digest {
    /// Alerts raised, in all batches.
    pub fn n_raised(&self) -> u64 {
        self.batches.iter().map(|batch| batch.n_raised).sum()
    }

    /// Alerts that are not over, in all batches.
    pub fn n_firing(&self) -> u64 {
        self.batches.iter().map(|batch| batch.n_firing).sum()
    }
}

fn write_zone<S: Serializer>(zone: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(zone.name())
}

/// A zone that is not known any more is told in UTC.
fn read_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    Ok(String::deserialize(deserializer)?.parse().unwrap_or(Tz::UTC))
}
