//! What is known of alerts that are not over, and of what people make of alerts.

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};

use super::metrics::Own;
use crate::domain::{BatchName, Severity, Verdict};

const FIRING: &str = "Alerts that are not over.";
const PRECISION: &str = "Share of useful alerts among those of 90 days with a word on them.";
const RESPONSE: &str = "Share of the alerts of 90 days that somebody answered.";
const FEEDBACK: &str = "Words on alerts.";

const EXPLAINED: &str = "Alerts a language model was asked about.";

/// What came of asking a language model about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadingOutcome {
    /// It gave words.
    Given,
    /// It gave none.
    Failed,
    /// It was not asked, or did not answer, in time.
    Late,
}

impl ReadingOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Failed => "failed",
            Self::Late => "late",
        }
    }
}

/// The metrics of alerts and people; clones share them.
#[derive(Debug, Clone)]
pub struct PeopleMetrics {
    firing: IntGaugeVec,
    precision: GaugeVec,
    response_rate: GaugeVec,
    feedback: IntCounterVec,
    explained: IntCounterVec,
}

impl PeopleMetrics {
    pub(super) fn register(own: &Own) -> prometheus::Result<Self> {
        Ok(Self {
            firing: own.levels("alerts_firing", FIRING, &["batch", "severity"])?,
            precision: own.gauges("alert_precision", PRECISION, &["batch"])?,
            response_rate: own.gauges("alert_response_rate", RESPONSE, &["batch"])?,
            feedback: own.counters("feedback_total", FEEDBACK, &["batch", "verdict"])?,
            explained: own.counters("explanations_total", EXPLAINED, &["outcome"])?,
        })
    }

    /// So many alerts of a severity are not over.
    pub fn set_firing(&self, batch: &BatchName, severity: Severity, n_alerts: u64) {
        let n_alerts = i64::try_from(n_alerts).unwrap_or(i64::MAX);
        self.firing.with_label_values(&[batch.as_str(), severity.as_str()]).set(n_alerts);
    }

    /// What people made of a batch's alerts; a share of nothing is not shown.
    pub fn set_answers(&self, batch: &BatchName, precision: Option<f64>, response: Option<f64>) {
        for (gauge, share) in [(&self.precision, precision), (&self.response_rate, response)] {
            match share {
                Some(share) => gauge.with_label_values(&[batch.as_str()]).set(share),
                // There may be none to take away.
                None => drop(gauge.remove_label_values(&[batch.as_str()])),
            }
        }
    }

    /// So many questions to a language model ended so.
    pub fn readings(&self, outcome: ReadingOutcome, n_alerts: u64) {
        if 0 < n_alerts {
            self.explained.with_label_values(&[outcome.as_str()]).inc_by(n_alerts);
        }
    }

    /// Somebody had a word on an alert.
    pub fn feedback(&self, batch: &BatchName, verdict: Verdict) {
        self.feedback.with_label_values(&[batch.as_str(), verdict.as_str()]).inc();
    }
}
