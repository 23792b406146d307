//! When scores become alerts, and which of them are said together.

use std::{fmt, str::FromStr};

use super::{Budget, Direction, ModelQuality, Span};

/// When scores become alerts.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertSpec {
    /// Whether the batch (or metric) alerts at all.
    pub enabled: bool,
    /// The smoothed score at or over which a point counts, in (0, 1]; with a budget, until there is
    /// one of the metric's own.
    pub threshold: f64,
    /// Alerts per metric somebody is willing to see; gives each metric a threshold of its own.
    pub budget: Option<Budget>,
    /// Trailing mean over so many scores, fewer at the start; 1 is off.
    pub smooth: usize,
    /// Only the newest so many points can alert.
    pub recent: usize,
    /// Silence after an alert.
    pub snooze: Snooze,
    /// Which side counts, where an expected value is known.
    pub direction: Direction,
    /// Least distance from the expected value.
    pub min_change: MinChange,
    /// Consecutive hits before it fires; 1 fires at once.
    pub delay: usize,
    /// Globs over metric names that never alert.
    pub exclude: Vec<String>,
    /// Names of channels.
    pub channels: Vec<String>,
    /// Consecutive quiet points after which an alert is over; 0 makes an alert of every hit.
    pub resolve_after: usize,
    /// The share of the threshold under which a smoothed score is quiet, in (0, 1].
    pub resolve_below: f64,
    /// Hits at most this far apart belong to one alert, however many quiet points lie between.
    pub merge: Span,
    /// How often an alert that goes on is said again.
    pub remind: Option<Span>,
    /// Which alerts are said in one message.
    pub group: Grouping,
    /// How long a message that something fired waits for more of its group; nothing sends it at once.
    pub group_wait: Span,
    /// Whether nothing alerts on the batch's holidays.
    pub quiet_holidays: bool,
}

impl AlertSpec {
    /// The threshold for a metric whose model found this out: that of the budget, where there is
    /// one.
    pub fn threshold_by(&self, quality: Option<&ModelQuality>) -> f64 {
        let found = quality.and_then(|quality| quality.calibration.as_ref());
        let own = found.filter(|found| self.budget == Some(found.budget));
        own.map_or(self.threshold, |found| found.threshold)
    }

    /// Every point at or over a threshold alerts, and nobody is told.
    pub fn at(threshold: f64) -> Self {
        Self {
            enabled: true,
            threshold,
            budget: None,
            smooth: 1,
            recent: usize::MAX,
            snooze: Snooze::Time(Span::ZERO),
            direction: Direction::Both,
            min_change: MinChange::default(),
            delay: 1,
            exclude: Vec::new(),
            channels: Vec::new(),
            resolve_after: 0,
            resolve_below: 1.0,
            merge: Span::ZERO,
            remind: None,
            group: Grouping::Batch,
            group_wait: Span::ZERO,
            quiet_holidays: false,
        }
    }
}

/// Silence after an alert of the same metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Snooze {
    /// For so long.
    Time(Span),
    /// For so many points.
    Points(usize),
}

/// Least distance from the expected value; both must hold. Zero is off.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MinChange {
    /// In the metric's unit.
    pub absolute: f64,
    /// As a share of the expected value's size.
    pub relative: f64,
}

/// Which alerts are said in one message: those of one run, and of later ones within the group's wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grouping {
    /// Each for itself.
    Metric,
    /// All of a batch.
    Batch,
    /// Those whose metrics have the same value of a tag.
    Tag(String),
}

impl fmt::Display for Grouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metric => f.write_str("metric"),
            Self::Batch => f.write_str("batch"),
            Self::Tag(key) => write!(f, "tag:{key}"),
        }
    }
}

impl FromStr for Grouping {
    type Err = BadGrouping;

    fn from_str(text: &str) -> Result<Self, BadGrouping> {
        match (text, text.strip_prefix("tag:")) {
            ("metric", _) => Ok(Self::Metric),
            ("batch", _) => Ok(Self::Batch),
            (_, Some(key)) if !key.trim().is_empty() => Ok(Self::Tag(key.trim().to_owned())),
            _ => Err(BadGrouping { text: text.chars().take(64).collect() }),
        }
    }
}

/// A text that is no [`Grouping`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither \"metric\" nor \"batch\" nor \"tag:<key>\"")]
pub struct BadGrouping {
    text: String,
}
