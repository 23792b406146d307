//! What a training found out about a metric's repetitions, and how far it stands on its own.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Span;

/// The repetition a model follows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Period {
    /// How long until it begins anew.
    pub length: Span,
    /// Whether the days of the week differ on top of it.
    #[serde(default)]
    pub weekly: bool,
    /// How surely it repeats, 0 to 1: the share of held-out repetitions that it foretells better
    /// than no pattern does, less the share of the others, fewer repetitions counting less.
    pub confidence: f64,
}

/// As a person is told, as in `1d and weekdays, confidence 0.97`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weekdays = if self.weekly { " and weekdays" } else { "" };
        write!(f, "{}{weekdays}, confidence {:.2}", self.length, self.confidence)
    }
}

/// A model that leans on the batch's other metrics, having too few points of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmingUp {
    /// Points of its own.
    pub have: u64,
    /// Points with which it stands alone.
    pub need: u64,
}

/// As a person is told, as in `24 of 336 points`.
impl fmt::Display for WarmingUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} points", self.have, self.need)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ModelQuality;

    #[test]
    fn a_card_without_a_period_reads_and_is_written_as_before() {
        let old = r#"{"in_sample_alert_rate":0.0,"self_test_score":1.0,"median_score":0.1}"#;
        let quality: ModelQuality = serde_json::from_str(old).unwrap();
        assert_eq!((quality.period, quality.seasonality_strength), (None, None));
        let written = serde_json::to_string(&quality).unwrap();
        assert!(!written.contains("period") && !written.contains("warming"), "{written}");
    }

    #[test]
    fn a_period_comes_back_from_a_card() {
        let period = Period { length: Span::hours(12), weekly: false, confidence: 0.5 };
        let written = serde_json::to_string(&period).unwrap();
        assert_eq!(written, r#"{"length":"12h","weekly":false,"confidence":0.5}"#);
        assert_eq!(serde_json::from_str::<Period>(&written).unwrap(), period);
        assert_eq!(period.to_string(), "12h, confidence 0.50");
    }
}
