//! A run: one job of one batch for one slot, and what it reports.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{MetricName, NoScore, Timestamp};

/// Identifies a run in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)+
        }
        impl $name {
            /// Every variant, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            /// The text stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl FromStr for $name {
            type Err = UnknownText;
            fn from_str(text: &str) -> Result<Self, UnknownText> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text).ok_or_else(|| UnknownText {
                    text: text.chars().take(64).collect(),
                    expected: Self::ALL.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}
pub(super) use text_enum;

/// A text that names no variant of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not one of {expected}")]
pub struct UnknownText {
    /// What was given.
    pub text: String,
    /// What would have been right.
    pub expected: String,
}

text_enum! {
    /// What a run does.
    JobKind {
        /// Reads the source and stores points.
        Ingest = "ingest",
        /// Fits a model for each metric.
        Train = "train",
        /// Scores the points that have no score yet.
        Score = "score",
        /// Turns scores into alerts and outbox rows.
        Alert = "alert",
        /// Looks for levels that moved.
        Change = "change",
    }
}

text_enum! {
    /// Where a run is in its life.
    RunState {
        /// Due or waiting for its time; nobody has it.
        Pending = "pending",
        /// Claimed by a worker, under a lease and an epoch.
        Running = "running",
        /// Waits to be tried again.
        RetryWait = "retry_wait",
        /// Every stage committed.
        Succeeded = "succeeded",
        /// Attempts exhausted, or an error no retry would mend.
        Dead = "dead",
        /// Left out on purpose, with a reason.
        Skipped = "skipped",
        /// Stopped by a person.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// Why a row was not stored.
    RejectReason {
        /// No value, or NaN.
        NotANumber = "not_a_number",
        /// Infinite, also after reading a text such as `1e999`.
        Infinite = "infinite",
        /// The value is a text that is no number.
        NotNumeric = "not_numeric",
        /// The timestamp cannot be read.
        BadTimestamp = "bad_timestamp",
        /// The timestamp lies more than a day ahead, or after the instant the run stands for.
        Future = "future",
        /// The metric's name is empty, too long or holds a NUL.
        BadName = "bad_name",
        /// A later row of the same read has the same metric and timestamp.
        Duplicate = "duplicate",
        /// The bucket is still filling (`drop_incomplete`).
        Incomplete = "incomplete",
        /// The metric is excluded by the batch.
        Excluded = "excluded",
    }
}

/// A metric a job passed over, and why. Never a failed batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// Which one.
    pub metric: MetricName,
    /// Why.
    #[serde(flatten)]
    pub reason: NoScore,
}

/// What an ingest did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IngestReport {
    /// Observations the source gave (a wide row counts once per metric).
    pub rows_read: u64,
    /// Observations stored: new, or with another value than before.
    pub rows_stored: u64,
    /// Observations that were stored already with the same value.
    pub rows_unchanged: u64,
    /// Observations left out, by reason.
    pub rejected: BTreeMap<RejectReason, u64>,
    /// Up to ten rejected rows in words, for the reader.
    pub rejected_examples: Vec<String>,
    /// Distinct metrics among the stored.
    pub n_metrics: u64,
    /// Columns the source gave that were not understood, by name.
    pub ignored_columns: Vec<String>,
    /// What the source said beside its rows.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The newest stored observation.
    pub newest: Option<Timestamp>,
}

/// What a training did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// Metrics with a new model version.
    pub trained: u64,
    /// Metrics without, and why.
    pub skipped: Vec<Skipped>,
    /// Training rows over all metrics.
    pub rows: u64,
    /// Detectors left out of models that others of the same metric are in: by tag and reason in
    /// words, of how many metrics.
    #[serde(default)]
    pub left_out: BTreeMap<String, u64>,
}

/// What a scoring did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreReport {
    /// Scores written.
    pub scored: u64,
    /// Points that got none, by reason in words.
    pub unscored: BTreeMap<String, u64>,
    /// Metrics passed over, and why.
    pub skipped: Vec<Skipped>,
    /// Metrics scored by an older version because the current one was damaged.
    pub fallbacks: Vec<MetricName>,
}

/// What an alerting did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertReport {
    /// Alerts raised that were not known before.
    pub raised: u64,
    /// Alerts that are over.
    #[serde(default)]
    pub resolved: u64,
    /// Messages put in the outbox.
    pub queued: u64,
    /// Points over the threshold that raised nothing, by reason (`snooze`, `direction`, …).
    pub suppressed: BTreeMap<String, u64>,
}

/// What a look for moved levels did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChangeReport {
    /// Metrics whose newest points were held against the level before.
    pub tested: u64,
    /// Metrics with too few points for that.
    pub too_short: u64,
    /// Alerts raised.
    pub raised: u64,
    /// Alerts that are over: the level came back, or has become the usual one.
    pub resolved: u64,
    /// Moves that raised nothing, by reason.
    pub suppressed: BTreeMap<String, u64>,
}

/// The typed report of a finished run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum RunReport {
    /// Of an ingest.
    Ingest(IngestReport),
    /// Of a training.
    Train(TrainReport),
    /// Of a scoring.
    Score(ScoreReport),
    /// Of an alerting.
    Alert(AlertReport),
    /// Of a look for moved levels.
    Change(ChangeReport),
}

impl RunReport {
    /// The report in one line, for lists and progress bars.
    pub fn summary(&self) -> String {
        match self {
            Self::Ingest(report) => {
                let n_rejected: u64 = report.rejected.values().sum();
                format!(
                    "{} rows read, {} stored, {n_rejected} rejected",
                    report.rows_read, report.rows_stored
                )
            }
            Self::Train(report) => {
                format!("{} metrics trained, {} skipped", report.trained, report.skipped.len())
            }
            Self::Score(report) => {
                format!("{} points scored, {} metrics skipped", report.scored, report.skipped.len())
            }
            Self::Alert(report) => {
                let n_suppressed: u64 = report.suppressed.values().sum();
                format!("{} alerts raised, {n_suppressed} suppressed", report.raised)
            }
            Self::Change(report) => format!(
                "{} metrics looked at, {} levels moved, {} over",
                report.tested, report.raised, report.resolved
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_job_and_reason_is_read_back_from_its_text() {
        for state in RunState::ALL {
            assert_eq!(state.as_str().parse::<RunState>().unwrap(), *state);
        }
        for job in JobKind::ALL {
            assert_eq!(job.as_str().parse::<JobKind>().unwrap(), *job);
        }
        for reason in RejectReason::ALL {
            assert_eq!(reason.as_str().parse::<RejectReason>().unwrap(), *reason);
        }
        assert!("".parse::<JobKind>().is_err());
    }

    #[test]
    fn a_report_survives_json() {
        let report = RunReport::Train(TrainReport {
            trained: 2,
            skipped: vec![Skipped {
                metric: MetricName::parse("a").unwrap(),
                reason: NoScore::TooFewPoints { need: 30, have: 4 },
            }],
            rows: 10,
            left_out: BTreeMap::from([("detector `knn`: constant".into(), 3)]),
        });
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<RunReport>(&text).unwrap(), report, "{text}");
    }
}
