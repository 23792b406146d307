//! An alert as an episode: what extends it and what ends it. A hit extends it. So many quiet points in a
//! row end it, once hits are too far behind to be of the same alert. A point between quiet and hit
//! does neither, but the quiet points have to begin anew.

use crate::domain::{AlertId, AlertSpec, Severity, Timestamp};

/// A score is never critical below this, however low the threshold.
const CRITICAL_SCORE: f64 = 0.97;
/// Nor in the lower three quarters of what lies between the threshold and 1.
const CRITICAL_SHARE: f64 = 0.75;

/// What a point is to an alert that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// More of it.
    Hit,
    /// Neither.
    Between,
    /// As usual again.
    Quiet,
}

/// An alert that is not over.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenAlert {
    /// Which.
    pub id: AlertId,
    /// Its newest hit.
    pub until: Timestamp,
    /// Its highest smoothed score, in [0, 1].
    pub peak_score: f64,
    /// The loudest it was.
    pub severity: Severity,
}

/// What a pass made of an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// As it is after the pass.
    pub alert: OpenAlert,
    /// Whether it became worse since it was raised in an earlier pass.
    pub is_escalated: bool,
    /// The point at which it was seen to be over.
    pub over_at: Option<Timestamp>,
}

/// The hits of an alert and the quiet after them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    /// The newest hit.
    pub(super) until: Timestamp,
    n_quiet: usize,
}

impl Stretch {
    /// With nothing after its newest hit.
    pub(super) const fn begun(until: Timestamp) -> Self {
        Self { until, n_quiet: 0 }
    }

    /// Takes in a point; what lies before the newest hit is known.
    pub(super) fn meet(&mut self, at: Timestamp, standing: Standing) {
        if at <= self.until {
            return;
        }
        match standing {
            Standing::Hit => *self = Self::begun(at),
            Standing::Between => self.n_quiet = 0,
            Standing::Quiet => self.n_quiet += 1,
        }
    }

    /// Whether it was over before a point, so that a hit there is another alert.
    pub(super) fn is_over_before(&self, at: Timestamp, spec: &AlertSpec) -> bool {
        spec.resolve_after <= self.n_quiet && spec.merge < at - self.until
    }

    /// Whether it is over with what was taken in up to a point: no later hit can be of it.
    pub(super) fn is_over_at(&self, at: Timestamp, spec: &AlertSpec) -> bool {
        spec.resolve_after <= self.n_quiet && spec.merge <= at - self.until
    }
}

/// An alert on its way through a pass.
#[derive(Debug, Clone)]
pub(super) struct Underway {
    pub(super) stretch: Stretch,
    course: Course,
    /// Whether it is of an earlier pass.
    is_known: bool,
    is_changed: bool,
}

impl Underway {
    /// An alert of an earlier pass.
    pub(super) fn known(alert: &OpenAlert) -> Self {
        Self { is_known: true, is_changed: false, ..Self::raised(alert.clone()) }
    }

    /// An alert that fires now.
    pub(super) fn raised(alert: OpenAlert) -> Self {
        let stretch = Stretch::begun(alert.until);
        let course = Course { alert, is_escalated: false, over_at: None };
        Self { stretch, course, is_known: false, is_changed: true }
    }

    /// As it is so far.
    pub(super) const fn alert(&self) -> &OpenAlert {
        &self.course.alert
    }

    /// A hit after all others; `severity` only where somebody may be told.
    pub(super) fn extend(&mut self, at: Timestamp, score: f64, severity: Option<Severity>) {
        if at <= self.course.alert.until {
            return;
        }
        self.is_changed = true;
        self.course.alert.until = at;
        self.course.alert.peak_score = self.course.alert.peak_score.max(score);
        let is_worse = severity == Some(Severity::Critical);
        if is_worse && self.course.alert.severity == Severity::Warning {
            self.course.alert.severity = Severity::Critical;
            self.course.is_escalated = self.is_known;
        }
    }

    /// What became of it, over or not; nothing when nothing did.
    pub(super) fn end(self, over_at: Option<Timestamp>) -> Option<Course> {
        let is_changed = self.is_changed || over_at.is_some();
        is_changed.then_some(Course { over_at, ..self.course })
    }
}

/// How loud a score is over a threshold.
pub(super) fn severity(score: f64, threshold: f64) -> Severity {
    let critical = threshold + CRITICAL_SHARE * (1.0 - threshold);
    if critical.max(CRITICAL_SCORE) <= score { Severity::Critical } else { Severity::Warning }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_near_the_top_is_critical() {
        assert_eq!(severity(0.96, 0.8), Severity::Warning);
        assert_eq!(severity(0.97, 0.8), Severity::Critical);
        assert_eq!(severity(0.991, 0.99), Severity::Warning);
        assert_eq!(severity(1.0, 0.99), Severity::Critical);
        assert_eq!(severity(1.0, 1.0), Severity::Critical);
    }
}
