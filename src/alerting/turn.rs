//! What becomes of the alerts of rules: at most one of a metric and kind is open, it goes on while
//! its cause does, and it is over when that is.

use crate::domain::{
    Alert, AlertId, AlertKind, BatchName, MetricName, Resolution, Severity, Timestamp,
};

use super::alert_id;

/// An alert that is not over.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// Which.
    pub id: AlertId,
    /// Since when.
    pub since: Timestamp,
    /// How loud it was said.
    pub severity: Severity,
}

impl Open {
    /// An alert that has just fired.
    pub fn begun(alert: &Alert) -> Self {
        Self { id: alert.id.clone(), since: alert.since, severity: alert.severity }
    }
}

/// What becomes of an alert.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// It fires.
    Raise(Box<Alert>),
    /// It goes on, up to this observation.
    Extend(AlertId, Timestamp),
    /// It has become louder at this observation, for this reason.
    Escalate(AlertId, Timestamp, String),
    /// It is over as of this observation.
    Resolve(AlertId, Timestamp, Resolution),
}

/// An alert of a rule, which has neither score nor model.
pub(super) fn alert(
    who: &(BatchName, MetricName),
    (kind, severity): (AlertKind, Severity),
    (at, since): (Timestamp, Timestamp),
    value: Option<f64>,
    reason: String,
) -> Alert {
    Alert {
        id: alert_id(who, kind, at),
        batch: who.0.clone(),
        metric: who.1.clone(),
        kind,
        severity,
        at,
        since,
        value,
        band: None,
        score: None,
        threshold: None,
        model: None,
        reason,
    }
}

/// A cause that is there or is not: the alert fires when it comes, goes on while it is there, and
/// is over when it is gone.
pub fn turn(open: Option<&Open>, found: Option<Alert>, now: Timestamp) -> Option<Turn> {
    match (open, found) {
        (None, Some(alert)) => Some(Turn::Raise(Box::new(alert))),
        (Some(open), Some(alert)) if open.severity < alert.severity => {
            Some(Turn::Escalate(open.id.clone(), now, alert.reason))
        }
        (Some(open), Some(_)) => Some(Turn::Extend(open.id.clone(), now)),
        (Some(open), None) => Some(Turn::Resolve(open.id.clone(), now, Resolution::Recovered)),
        (None, None) => None,
    }
}
