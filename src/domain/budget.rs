//! A budget of alerts, and the threshold that was taken from it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Span;

/// Alerts per metric somebody is willing to see: so many in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Over 0.
    pub n_alerts: f64,
    /// How long the stretch is.
    pub per: Unit,
}

/// The stretches a budget speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 365.25 days over 12.
    Month,
    /// 365.25 days.
    Year,
}

impl Unit {
    const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    const fn days(self) -> f64 {
        match self {
            Self::Day => 1.0,
            Self::Week => 7.0,
            Self::Month => 365.25 / 12.0,
            Self::Year => 365.25,
        }
    }
}

/// A text that is no budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no budget; write a number and day, week, month or year, as in \"1/week\"")]
pub struct BudgetError {
    /// What was written.
    pub text: String,
}

impl Budget {
    /// More a day is no budget but a stream.
    const MOST_PER_DAY: f64 = 10_000.0;

    /// Alerts a day.
    pub fn per_day(&self) -> f64 {
        self.n_alerts / self.per.days()
    }

    /// Alerts expected in a stretch of time.
    pub fn within(&self, span: Span) -> f64 {
        self.per_day() * span.as_secs_f64() / 86_400.0
    }
}

impl FromStr for Budget {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        let wrong = || BudgetError { text: text.chars().take(64).collect() };
        let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
        let n_alerts: f64 = number.trim().parse().map_err(|_| wrong())?;
        let unit = unit.trim();
        let per = Unit::ALL.into_iter().find(|one| one.name() == unit).ok_or_else(wrong)?;
        let budget = Self { n_alerts, per };
        let is_sane = 0.0 < n_alerts && budget.per_day() <= Self::MOST_PER_DAY;
        if is_sane { Ok(budget) } else { Err(wrong()) }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.n_alerts, self.per.name())
    }
}

impl Serialize for Budget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Budget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The threshold of one metric, taken from its own past scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// What was asked.
    pub budget: Budget,
    /// The score at or over which a point counts, in (0, 1].
    pub threshold: f64,
    /// Scores it was taken from.
    pub n_scores: u64,
    /// Days they cover.
    pub days: f64,
    /// Alerts this threshold would have raised on them.
    pub n_alerts: u64,
    /// Why the budget may not be met.
    pub doubt: Option<Doubt>,
}

/// Why a budget may not be met.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "doubt", rename_all = "snake_case")]
pub enum Doubt {
    /// Too few scores; the usual threshold is kept.
    TooFewScores {
        /// So many are needed.
        need: u64,
        /// So many there are.
        have: u64,
    },
    /// Never over 0: nothing to take a threshold from; the usual one is kept.
    NoTail,
    /// Even the highest score comes too often.
    TopTooOften {
        /// Alerts a week at a threshold of 1.
        per_week: f64,
    },
    /// Scores come in steps, none of which gives the budget: fewer alerts than asked.
    Steps {
        /// Alerts a week at this threshold.
        per_week: f64,
    },
    /// Rarer than the past scores can show; continued from the highest of them.
    Rare {
        /// Alerts expected in as much time as the scores cover.
        n_expected: f64,
    },
    /// Even the smallest score over 0 comes too seldom.
    TooQuiet {
        /// Alerts a week at this threshold.
        per_week: f64,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewScores { need, have } => {
                write!(f, "{have} of the {need} scores a budget needs; the usual threshold holds")
            }
            Self::NoTail => f.write_str("no score was ever over 0; the usual threshold holds"),
            Self::TopTooOften { per_week } => {
                write!(f, "the highest score there is gives {per_week:.2} alerts a week")
            }
            Self::Steps { per_week } => {
                write!(f, "scores come in steps; this one gives {per_week:.2} alerts a week")
            }
            Self::Rare { n_expected } => write!(
                f,
                "so much time should give {n_expected:.1} alerts, too few to count: it is a guess"
            ),
            Self::TooQuiet { per_week } => {
                write!(f, "scores over 0 are rarer than the budget: {per_week:.2} alerts a week")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_read_as_they_are_written() {
        for (text, per_day) in [("1/week", 1.0 / 7.0), ("2/day", 2.0), ("0.5/year", 0.5 / 365.25)] {
            let budget: Budget = text.parse().unwrap();
            assert!((budget.per_day() - per_day).abs() < 1e-12, "{text}");
            assert_eq!(budget.to_string(), text);
        }
        let month: Budget = "1 / month".parse().unwrap();
        assert!((month.within(Span::days(365)) - 12.0).abs() < 0.01);
    }

    #[test]
    fn what_is_no_budget_is_refused() {
        for text in
            ["1", "1/fortnight", "0/week", "-1/day", "nan/day", "inf/day", "1e9/day", "/day"]
        {
            assert!(text.parse::<Budget>().is_err(), "{text}");
        }
    }
}
