//! An alert: something a person should look at, and everything known about it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::run::UnknownText;
use super::{Band, BatchName, MetricName, ModelVersion, Timestamp, run::text_enum};

/// An alert's identity: the same batch, metric, kind and time give the same id on every run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertId(pub String);

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_enum! {
    /// What was noticed.
    AlertKind {
        /// A value unlike the metric's own past.
        Anomaly = "anomaly",
        /// A value beyond a limit that was set.
        Threshold = "threshold",
        /// The level is another one than before.
        Change = "change",
        /// The metric stopped coming.
        Absence = "absence",
        /// The metric comes, but its value does not move any more.
        Frozen = "frozen",
        /// The metric comes, but only as zero.
        Zeros = "zeros",
        /// Far fewer rows come than usual.
        Rows = "rows",
        /// The pipeline itself does not do its work; the metric names the part of it.
        Pipeline = "pipeline",
    }
}

text_enum! {
    /// Whether what was noticed goes on.
    AlertState {
        /// It does.
        Firing = "firing",
        /// It is over.
        Resolved = "resolved",
    }
}

text_enum! {
    /// Why an alert is over.
    Resolution {
        /// The metric is as usual again.
        Recovered = "recovered",
        /// Rows that came late show that there was nothing.
        LateData = "late-data",
        /// Nobody looks at it any more: its batch or metric is gone or switched off.
        Closed = "closed",
    }
}

/// What became of an alert since it fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// The newest observation that belongs to it; not before the alert's `at`.
    pub until: Timestamp,
    /// The highest score in it, in [0, 1].
    pub peak_score: Option<f64>,
    /// Whether it goes on.
    pub state: AlertState,
    /// When it was seen to be over.
    pub resolved_at: Option<Timestamp>,
    /// Why it is over.
    pub resolution: Option<Resolution>,
}

impl Episode {
    /// An alert that has just fired.
    pub const fn begun(alert: &Alert) -> Self {
        Self {
            until: alert.at,
            peak_score: alert.score,
            state: AlertState::Firing,
            resolved_at: None,
            resolution: None,
        }
    }
}

text_enum! {
    /// How loud to say it.
    Severity {
        /// Worth a look.
        Warning = "warning",
        /// Far beyond anything seen.
        Critical = "critical",
    }
}

text_enum! {
    /// Which side of the expected value counts.
    Direction {
        /// Only values above what was expected.
        Up = "up",
        /// Only values below.
        Down = "down",
        /// Either.
        Both = "both",
    }
}

/// A raised alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Stable over runs, repeats and restarts.
    pub id: AlertId,
    /// Whose metric.
    pub batch: BatchName,
    /// Which metric.
    pub metric: MetricName,
    /// What was noticed.
    pub kind: AlertKind,
    /// How loud.
    pub severity: Severity,
    /// The observation that fired it (for an absence, the last instant anything was heard).
    pub at: Timestamp,
    /// Since when the metric had been unusual; not after `at`.
    pub since: Timestamp,
    /// The observed value; `None` for an absence.
    pub value: Option<f64>,
    /// What was expected, where known.
    pub band: Option<Band>,
    /// The (smoothed) score that crossed the threshold, in [0, 1].
    pub score: Option<f64>,
    /// The threshold it crossed.
    pub threshold: Option<f64>,
    /// The model that made the score.
    pub model: Option<ModelVersion>,
    /// One line in words.
    pub reason: String,
}
