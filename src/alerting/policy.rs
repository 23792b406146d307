//! Alert settings made ready: globs compiled once for many metrics.

use globset::{Glob, GlobSet, GlobSetBuilder};

use super::{Gate, quiet::Quiet, usual::EARLIER_POINTS};
use crate::domain::{AlertSpec, MetricName, Snooze, Timestamp};

/// A batch's (or a metric's own) alert settings, ready to be applied.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The settings.
    pub spec: AlertSpec,
    /// When nothing is said.
    pub quiet: Quiet,
    /// What is to be said of the threshold in each alert's reason.
    pub remark: Option<String>,
    excluded: GlobSet,
}

impl Policy {
    /// Compiles the settings, without quiet times.
    ///
    /// # Errors
    /// [`PolicyError`] when a pattern of `exclude` is no glob.
    pub fn compile(spec: &AlertSpec) -> Result<Self, PolicyError> {
        let excluded = globs(&spec.exclude)?;
        Ok(Self { spec: spec.clone(), quiet: Quiet::default(), remark: None, excluded })
    }

    /// The quiet time an instant lies in, if any: a rule raises nothing in it.
    pub fn silenced(&self, at: Timestamp) -> Option<Gate> {
        self.quiet.at(at, self.spec.quiet_holidays).map(|silence| silence.gate())
    }

    /// Whether the metric never alerts.
    pub fn excludes(&self, metric: &MetricName) -> bool {
        self.excluded.is_match(metric.as_str())
    }
}

/// Compiles patterns; none match nothing.
///
/// # Errors
/// [`PolicyError`] when one is no glob.
pub fn globs(patterns: &[String]) -> Result<GlobSet, PolicyError> {
    let mut globs = GlobSetBuilder::new();
    for pattern in patterns {
        let wrong = |source| PolicyError { pattern: pattern.clone(), source };
        globs.add(Glob::new(pattern).map_err(wrong)?);
    }
    globs.build().map_err(|source| PolicyError { pattern: patterns.join(", "), source })
}

/// A pattern that is no glob.
#[derive(Debug, thiserror::Error)]
#[error("read the pattern `{pattern}`")]
pub struct PolicyError {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub source: globset::Error,
}

/// How many scored points before the watermark `decide` needs so that judging a stretch of time
/// in several passes gives the alerts of one pass.
pub fn context_rows(spec: &AlertSpec) -> usize {
    let snoozed = match spec.snooze {
        Snooze::Time(_) => 0,
        Snooze::Points(n_points) => n_points,
    };
    // A hit may need `delay` points and the end of an alert `resolve_after`, each of which looks back
    // on its own.
    let look_back = spec.smooth.max(EARLIER_POINTS);
    let in_a_row = spec.delay.max(spec.resolve_after);
    look_back.saturating_add(in_a_row).max(snoozed).saturating_add(1)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Settings under which every point at or over 0.9 alerts.
    pub(crate) fn open() -> AlertSpec {
        AlertSpec::at(0.9)
    }

    #[test]
    fn a_pattern_that_is_no_glob_is_named() {
        let spec = AlertSpec { exclude: vec!["ok_*".into(), "a[".into()], ..open() };
        assert_eq!(Policy::compile(&spec).unwrap_err().pattern, "a[");
    }

    #[test]
    fn globs_match_whole_names() {
        let spec = AlertSpec { exclude: vec!["test_*".into(), "x".into()], ..open() };
        let policy = Policy::compile(&spec).unwrap();
        let excludes = |name: &str| policy.excludes(&MetricName::parse(name).unwrap());
        assert!(excludes("test_orders") && excludes("x") && excludes("test_a/b"));
        assert!(!excludes("latest_orders") && !excludes("xy"));
    }
}
