//! A model version and its card: what `metadata_{timestamp}.json` says.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::run::{UnknownText, text_enum};
use super::{BatchName, Calibration, MetricName, NoScore, Period, TimeError, Timestamp, WarmingUp};

/// A model's version: the UTC instant of its training as `YYYYMMDDTHHMMSSmmmZ`. Sorts by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelVersion(String);

impl ModelVersion {
    /// The version of a model trained at an instant (to the millisecond).
    pub fn at(instant: Timestamp) -> Self {
        Self(instant.compact())
    }

    /// Reads a version.
    ///
    /// # Errors
    /// [`TimeError::Instant`] when the text is not 19 characters of that form.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let format = "%Y%m%dT%H%M%S%3fZ";
        match chrono::NaiveDateTime::parse_from_str(text, format) {
            Ok(_) if text.len() == 19 => Ok(Self(text.to_owned())),
            _ => Err(TimeError::Instant { text: text.chars().take(64).collect() }),
        }
    }

    /// The version's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ModelVersion {
    type Error = TimeError;
    fn try_from(text: String) -> Result<Self, TimeError> {
        Self::parse(&text)
    }
}

impl From<ModelVersion> for String {
    fn from(version: ModelVersion) -> Self {
        version.0
    }
}

/// Everything people want to know of a model without opening it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Whose model it is.
    pub batch: BatchName,
    /// Whose model it is.
    pub metric: MetricName,
    /// Which training made it.
    pub version: ModelVersion,
    /// Hex SHA-256 of the model object.
    pub sha256: String,
    /// Bytes of the model object.
    pub size: u64,
    /// What is inside, in order.
    pub detectors: Vec<DetectorCard>,
    /// The challengers inside, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub challengers: Vec<DetectorCard>,
    /// Detectors of the batch that could not be trained on this metric.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// First and last observation it saw.
    pub trained_from: Timestamp,
    /// First and last observation it saw.
    pub trained_to: Timestamp,
    /// Observations, or buckets of them, that it was fitted on.
    pub rows: u64,
    /// Hex SHA-256 over the training timestamps and values.
    pub data_fingerprint: String,
    /// Figures measured at training.
    pub quality: ModelQuality,
    /// Hash of the batch configuration that trained it.
    pub config_hash: String,
    /// Version of this program.
    pub program: String,
}

/// One detector of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorCard {
    /// Its tag in the batch file.
    pub tag: String,
    /// Its kind.
    pub kind: String,
    /// Its parameters as used, defaults included.
    pub params: serde_json::Map<String, serde_json::Value>,
    /// The decision value above which PyOD's `predict` calls a row an outlier: what `contamination`
    /// sets; none where a detector has no such thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// A detector that is not in a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its tag in the batch file.
    pub tag: String,
    /// Why it could not be trained.
    #[serde(flatten)]
    pub reason: NoScore,
}

/// Figures measured on the training rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelQuality {
    /// Share of the newest training rows, at most 32, with a score at or over the metric's threshold:
    /// its own, or what its budget comes to.
    pub in_sample_alert_rate: f64,
    /// Highest score of a known anomaly put behind the training rows; the self-test asks for it to
    /// exceed the median training score.
    pub self_test_score: f64,
    /// Median score of the training rows.
    pub median_score: f64,
    /// Places among the training rows where observations are missing.
    #[serde(default)]
    pub gaps: u64,
    /// Rows left out because they lie in an excluded period or an incident.
    #[serde(default)]
    pub excluded_rows: u64,
    /// The threshold of a budget of alerts.
    #[serde(default)]
    pub calibration: Option<Calibration>,
    /// Which made-up anomalies are found.
    #[serde(default)]
    pub recall: Option<Recall>,
    /// The repetition the model follows; none where none foretells days it was not learnt from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Share of the variance around the level that it explains on days it was not learnt
    /// from, 0 to 1; none for detectors that know no pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seasonality_strength: Option<f64>,
    /// Set while the metric has too few points to stand alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warming_up: Option<WarmingUp>,
}

/// Which anomalies are found that were put into a copy of the metric's own history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// As of when; a training soon after does not measure again.
    pub measured_at: Timestamp,
    /// One a kind; none where the history is too short or does not vary.
    pub kinds: Vec<Injected>,
}

/// One kind of made-up anomaly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Injected {
    /// What was put in.
    pub kind: InjectedKind,
    /// How often.
    pub tried: u64,
    /// How often its score reached the threshold.
    pub found: u64,
    /// Rows from its first to the first alert; the median of those found.
    pub median_delay: Option<u64>,
}

text_enum! {
    /// Made-up anomalies.
    InjectedKind {
        /// One value far above.
        Spike = "spike",
        /// One value far below.
        Dip = "dip",
        /// A day of values above.
        Shift = "shift",
        /// A day of values that rise.
        Ramp = "ramp",
        /// A day of one value.
        Flat = "flat",
        /// A day of values above and below.
        Variance = "variance",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_their_instants_and_refuse_other_text() {
        let early = ModelVersion::at(Timestamp::parse("2026-01-02T03:04:05.678Z").unwrap());
        let late = ModelVersion::at(Timestamp::parse("2026-01-02T03:04:05.679Z").unwrap());
        assert!(early < late);
        assert_eq!(ModelVersion::parse(early.as_str()).unwrap(), early);
        assert!(ModelVersion::parse("../../etc/passwd").is_err());
    }
}
