//! What is looked for in a batch without a model: values beyond a limit, a level that moved, values
//! that stand still, rows that are missing.

use std::collections::BTreeMap;

use super::{Severity, Snooze, Span, Timestamp};

/// What is looked for in a batch without a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleSpec {
    /// Limits by metric name, which may be a glob.
    pub thresholds: BTreeMap<String, Limits>,
    /// When a level counts as moved.
    pub change: ChangeSpec,
    /// When values or rows are missed although rows come.
    pub still: StillSpec,
}

/// Values that are not to be passed. A value on a limit is within it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// A value over it alerts.
    pub upper: Option<f64>,
    /// A value under it alerts.
    pub lower: Option<f64>,
    /// A value over it alerts loudly; not under `upper`.
    pub critical_upper: Option<f64>,
    /// A value under it alerts loudly; not over `lower`.
    pub critical_lower: Option<f64>,
}

impl Limits {
    /// How loud a value is to be said, and the limit it passed; `None` within all of them.
    pub fn passed_by(&self, value: f64) -> Option<(Severity, f64)> {
        let over = |limit: Option<f64>| limit.filter(|limit| *limit < value);
        let under = |limit: Option<f64>| limit.filter(|limit| value < *limit);
        let critical = over(self.critical_upper).or_else(|| under(self.critical_lower));
        let plain = || over(self.upper).or_else(|| under(self.lower));
        let loud = critical.map(|limit| (Severity::Critical, limit));
        loud.or_else(|| plain().map(|limit| (Severity::Warning, limit)))
    }
}

/// How far a metric's points were held against its limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitState {
    /// The newest that were.
    pub judged: Timestamp,
    /// So many of the newest in a row are beyond a limit.
    pub n_beyond: usize,
    /// So many of the newest in a row are within all of them.
    pub n_within: usize,
    /// So many came since the last that fired; `None` when none did.
    pub n_since: Option<usize>,
}

impl Default for LimitState {
    fn default() -> Self {
        Self { judged: Timestamp::MIN, n_beyond: 0, n_within: 0, n_since: None }
    }
}

/// When a level counts as moved.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeSpec {
    /// Whether it is looked for.
    pub enabled: bool,
    /// Distance from the level before, in its usual spread, from which on it is another level.
    pub threshold: f64,
    /// Most points the level before is taken from; the newest.
    pub points: usize,
    /// How many of the newest points are held against it; their median counts.
    pub detect_last: usize,
    /// Silence after an alert of the same metric.
    pub snooze: Snooze,
    /// Globs over metric names that are not looked at.
    pub exclude: Vec<String>,
}

impl Default for ChangeSpec {
    fn default() -> Self {
        Self {
            enabled: false,
            threshold: 3.5,
            points: 250,
            detect_last: 1,
            snooze: Snooze::Time(Span::days(1)),
            exclude: Vec::new(),
        }
    }
}

/// When values or rows are missed although rows come.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StillSpec {
    /// How long the same value is usual at most.
    pub frozen: Option<Lasting>,
    /// How long zeros are usual at most.
    pub zeros: Option<Lasting>,
    /// The share of the usual number of rows by which an ingest may fall short, in (0, 1].
    pub rows_drop: Option<f64>,
    /// Globs over metric names that are not looked at.
    pub exclude: Vec<String>,
}

/// How long something may last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lasting {
    /// From its first point to its newest.
    Time(Span),
    /// Points in a row.
    Points(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_limit_is_within_it_and_the_critical_limit_counts_first() {
        let limits = Limits {
            upper: Some(10.0),
            lower: Some(0.0),
            critical_upper: Some(20.0),
            critical_lower: None,
        };
        let found = |value| limits.passed_by(value);
        assert_eq!((found(10.0), found(0.0), found(5.0)), (None, None, None));
        assert_eq!(found(10.1), Some((Severity::Warning, 10.0)));
        assert_eq!(found(20.0), Some((Severity::Warning, 10.0)));
        assert_eq!(found(20.1), Some((Severity::Critical, 20.0)));
        assert_eq!(found(-0.1), Some((Severity::Warning, 0.0)));
        assert_eq!(Limits::default().passed_by(f64::MAX), None);
    }
}
