//! When the jobs of a batch run.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    CronExpr, JobKind, Span,
    run::{UnknownText, text_enum},
};

/// When each job runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleSpec {
    /// One trigger a job.
    pub triggers: BTreeMap<JobKind, Trigger>,
    /// What happens to slots missed while down.
    pub missed: Missed,
    /// Longest random delay of a run.
    pub jitter: Span,
}

/// What makes a job due.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// Civil times in the batch's zone.
    Cron(CronExpr),
    /// A fixed spacing, counted from the epoch; at least one second.
    Every(Span),
    /// Whenever another job of the batch has succeeded.
    After(JobKind),
    /// Only by hand.
    Never,
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(cron) => cron.fmt(f),
            Self::Every(span) => write!(f, "every {span}"),
            Self::After(job) => write!(f, "after {job}"),
            Self::Never => f.write_str("never"),
        }
    }
}

text_enum! {
    /// What happens to slots missed while the daemon was down.
    Missed {
        /// They are left out.
        Skip = "skip",
        /// The newest is run.
        Latest = "latest",
    }
}
