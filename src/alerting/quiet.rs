//! Times in which an alert is not raised, whatever is observed: maintenance, holidays, and the
//! silences people ask for.

use chrono::{NaiveDate, TimeZone as _};
use chrono_tz::Tz;

use super::Gate;
use crate::domain::{BatchSpec, Maintenance, Timestamp};

/// The quiet times of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Quiet {
    zone: Tz,
    maintenance: Vec<Maintenance>,
    /// In order.
    holidays: Vec<NaiveDate>,
    snoozed_until: Option<Timestamp>,
}

impl Default for Quiet {
    fn default() -> Self {
        Self { zone: Tz::UTC, maintenance: Vec::new(), holidays: Vec::new(), snoozed_until: None }
    }
}

/// Why nothing is said of an observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// Somebody works on what is measured.
    Maintenance {
        /// On what.
        reason: String,
    },
    /// It is a holiday, and those are quiet.
    Holiday,
    /// Somebody asked for it.
    Person {
        /// Until when.
        until: Timestamp,
    },
}

impl Silence {
    /// The gate it closes.
    pub(super) const fn gate(&self) -> Gate {
        match self {
            Self::Maintenance { .. } => Gate::Maintenance,
            Self::Holiday => Gate::Holiday,
            Self::Person { .. } => Gate::SnoozedByPerson,
        }
    }
}

impl Quiet {
    /// The quiet times a batch's settings name.
    pub fn of(batch: &BatchSpec) -> Self {
        Self {
            zone: batch.timezone,
            maintenance: batch.maintenance.clone(),
            holidays: batch.holidays.clone(),
            snoozed_until: None,
        }
    }

    /// With these times of work instead.
    #[cfg(test)]
    pub(super) fn with(self, maintenance: Vec<Maintenance>) -> Self {
        Self { maintenance, ..self }
    }

    /// With these holidays instead.
    #[cfg(test)]
    pub(super) fn on_holidays(self, holidays: Vec<NaiveDate>) -> Self {
        Self { holidays, ..self }
    }

    /// With the silence somebody asked for: of all observations before an instant.
    #[must_use]
    pub fn snoozed(self, until: Option<Timestamp>) -> Self {
        Self { snoozed_until: until, ..self }
    }

    /// Why nothing is said of what is observed at an instant.
    pub(super) fn at(&self, at: Timestamp, are_holidays_quiet: bool) -> Option<Silence> {
        let is_held = |one: &&Maintenance| one.when.holds(at, self.zone);
        if let Some(held) = self.maintenance.iter().find(is_held) {
            return Some(Silence::Maintenance { reason: held.reason.clone() });
        }
        let day = self.zone.from_utc_datetime(&at.to_utc().naive_utc()).date_naive();
        if are_holidays_quiet && self.holidays.binary_search(&day).is_ok() {
            return Some(Silence::Holiday);
        }
        self.snoozed_until.filter(|until| at < *until).map(|until| Silence::Person { until })
    }
}
