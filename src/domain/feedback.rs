//! What people say of alerts.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::run::UnknownText;
use super::{AlertId, MetricName, Timestamp, run::text_enum};

text_enum! {
    /// What somebody says of an alert.
    Verdict {
        /// It was worth knowing.
        Up = "up",
        /// It was not.
        Down = "down",
        /// It was foreseen.
        Expected = "expected",
        /// The metric is different from now on.
        NewNormal = "new-normal",
        /// Something was broken: models do not learn from it.
        Incident = "incident",
    }
}

/// One person's word on an alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Feedback {
    /// About which.
    pub alert: AlertId,
    /// What they say.
    pub verdict: Verdict,
    /// In their own words; may be empty.
    pub note: String,
    /// Who.
    pub author: String,
    /// When they said it.
    pub at: Timestamp,
    /// The last instant of an incident; without it, the alert's.
    pub until: Option<Timestamp>,
}

/// A stretch of a metric that models do not learn from, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Whose.
    pub metric: MetricName,
    /// Since when it was unusual.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}
