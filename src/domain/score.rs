//! What a detector says of one observation.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{MetricName, ModelVersion, Timestamp};

/// What was expected, in the metric's own unit; `lower <= expected <= upper`, all finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// The most likely value.
    pub expected: f64,
    /// Values below are unusual.
    pub lower: f64,
    /// Values above are unusual.
    pub upper: f64,
}

/// Why there is no score. Said instead of a NaN or a made-up number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum NoScore {
    /// The metric is still warming up.
    TooFewPoints {
        /// Points a model needs.
        need: usize,
        /// Points there are.
        have: usize,
    },
    /// Every training value is the same and the detector can learn nothing from that.
    Constant,
    /// The earlier observations the features need are missing.
    NotEnoughPast,
    /// Arithmetic on these values leaves the range of a double.
    OutOfRange,
    /// No model has been trained yet.
    NoModel,
    /// Every version of the model was found damaged.
    DamagedModel,
    /// A fresh model did not tell a known anomaly from the normal points.
    SelfTest,
    /// The model's parameters make no sense for this series.
    BadParameter {
        /// Which one and why.
        message: String,
    },
}

impl fmt::Display for NoScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewPoints { need, have } => {
                write!(f, "warming up: {have} of the {need} points a model needs")
            }
            Self::Constant => f.write_str("every training value is the same"),
            Self::NotEnoughPast => f.write_str("the points just before it are missing"),
            Self::OutOfRange => f.write_str("the values are too large to compute with"),
            Self::NoModel => f.write_str("no model trained yet"),
            Self::DamagedModel => {
                f.write_str("every model version is damaged; the next training makes a new one")
            }
            Self::SelfTest => f.write_str("a new model did not notice a known anomaly"),
            Self::BadParameter { message } => f.write_str(message),
        }
    }
}

/// One row scored by a detector or by several combined.
#[derive(Debug, Clone, PartialEq)]
pub struct RowScore {
    /// When the row was observed.
    pub at: Timestamp,
    /// In [0, 1], how unusual among the metric's own past; never NaN.
    pub score: Result<f64, NoScore>,
    /// What was expected, where the detector can say.
    pub band: Option<Band>,
}

/// A stored score.
#[derive(Debug, Clone, PartialEq)]
pub struct ScorePoint {
    /// Whose it is.
    pub metric: MetricName,
    /// When the scored point was observed.
    pub at: Timestamp,
    /// The value that was scored, after resampling.
    pub value: f64,
    /// In [0, 1].
    pub score: f64,
    /// What was expected, where known.
    pub band: Option<Band>,
    /// The model that made it.
    pub model: ModelVersion,
}
