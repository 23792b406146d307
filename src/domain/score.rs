//! What a detector says of one observation.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Aspect, MetricName, ModelVersion, Span, Timestamp, words};

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
    /// There are fewer points than the detector can learn from.
    TooFewPoints {
        /// Points a model needs.
        need: usize,
        /// Points there are.
        have: usize,
    },
    /// The metric has fewer points than its batch trains a model on.
    WarmingUp {
        /// Points a model needs.
        need: usize,
        /// Points there were at the last training.
        have: usize,
        /// The usual time between two of them, where there are two.
        every: Option<Span>,
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
            Self::WarmingUp { need, have, every } => {
                write!(f, "warming up: {have} of {need} points")?;
                let n_missing = i64::try_from(need.saturating_sub(*have)).unwrap_or(i64::MAX);
                match every {
                    Some(every) => {
                        let left = Span::from_micros(every.micros().saturating_mul(n_missing));
                        write!(f, ", about {} more", words::rough(left))
                    }
                    None => Ok(()),
                }
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
    /// What the score is mostly about, where the detector can say.
    pub aspect: Option<Aspect>,
}

impl RowScore {
    /// A row without a score.
    pub const fn without(at: Timestamp, reason: NoScore) -> Self {
        Self { at, score: Err(reason), band: None, aspect: None }
    }
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
    /// What the score is mostly about, where known.
    pub aspect: Option<Aspect>,
    /// The model that made it.
    pub model: ModelVersion,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(have: usize, every: Option<Span>, expected: &str) {
        assert_eq!(NoScore::WarmingUp { need: 30, have, every }.to_string(), expected);
    }

    #[test]
    fn warming_up_says_how_long_it_will_take() {
        check(12, Some(Span::hours(1)), "warming up: 12 of 30 points, about 18 h more");
        check(29, Some(Span::secs(300)), "warming up: 29 of 30 points, about 5 min more");
        check(2, Some(Span::days(1)), "warming up: 2 of 30 points, about 28 d more");
        check(1, None, "warming up: 1 of 30 points");
    }

    #[test]
    fn reasons_are_stored_by_name() {
        let reason = NoScore::WarmingUp { need: 30, have: 2, every: Some(Span::hours(1)) };
        let text = serde_json::to_string(&reason).unwrap();
        assert_eq!(text, r#"{"reason":"warming_up","need":30,"have":2,"every":"1h"}"#);
        assert_eq!(serde_json::from_str::<NoScore>(&text).unwrap(), reason);
    }
}
