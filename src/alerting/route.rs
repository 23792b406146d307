//! Who is told: the channels a batch names, and what routes add or put in their place.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use chrono::{Datelike, Timelike};
use globset::GlobSet;

use super::{PolicyError, policy::globs};
use crate::domain::{Alert, BatchSpec, MessageEvent, RouteSpec, Timestamp};

/// Routes made ready: globs compiled once for many alerts.
#[derive(Debug, Clone)]
pub struct Router {
    routes: Vec<Ready>,
}

#[derive(Debug, Clone)]
struct Ready {
    spec: RouteSpec,
    batches: GlobSet,
    metrics: GlobSet,
}

/// What is to be said of an alert, and when.
#[derive(Debug, Clone)]
pub struct Saying<'a> {
    /// The channels its batch names for it.
    pub own: &'a [String],
    /// The labels of its batch, and those of its metric over them.
    pub tags: BTreeMap<String, String>,
    /// The batch's zone.
    pub timezone: chrono_tz::Tz,
    /// What happened.
    pub alert: &'a Alert,
    /// Why it is said.
    pub event: MessageEvent,
    /// The present.
    pub now: Timestamp,
}

impl<'a> Saying<'a> {
    /// An alert of a batch.
    pub fn of(batch: &'a BatchSpec, alert: &'a Alert, event: MessageEvent, now: Timestamp) -> Self {
        let tags = batch.tags_of(&alert.metric);
        let own = batch.alert_for(&alert.metric).channels.as_slice();
        Self { own, tags, timezone: batch.timezone, alert, event, now }
    }
}

/// Who is told, and what each route had to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// Whom to tell.
    pub channels: BTreeSet<String>,
    /// The routes in the order of the file, up to the last one that was looked at.
    pub fits: Vec<Fit>,
    /// Whether the batch's own channels are told too.
    pub is_own_told: bool,
}

/// How a route fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// In everything.
    Fits,
    /// Not, because of the first condition that does not hold: its key.
    Not(&'static str),
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fits => f.write_str("fits"),
            Self::Not(key) => write!(f, "`{key}` does not fit"),
        }
    }
}

impl Router {
    /// Compiles routes.
    ///
    /// # Errors
    /// [`PolicyError`] when a pattern is no glob.
    pub fn compile(routes: &[RouteSpec]) -> Result<Self, PolicyError> {
        let ready = |spec: &RouteSpec| {
            let (batches, metrics) = (globs(&spec.batches)?, globs(&spec.metrics)?);
            Ok(Ready { spec: spec.clone(), batches, metrics })
        };
        Ok(Self { routes: routes.iter().map(ready).collect::<Result<_, _>>()? })
    }

    /// Who is told. Every route that fits adds its channels; one that is `only` ends the list and
    /// leaves out the batch's own.
    pub fn route(&self, saying: &Saying<'_>) -> Routed {
        let mut routed = Routed { channels: BTreeSet::new(), fits: Vec::new(), is_own_told: true };
        for route in &self.routes {
            let fit = route.unfit(saying).map_or(Fit::Fits, Fit::Not);
            routed.fits.push(fit);
            if fit != Fit::Fits {
                continue;
            }
            routed.channels.extend(route.spec.channels.iter().cloned());
            if route.spec.only {
                routed.is_own_told = false;
                break;
            }
        }
        if routed.is_own_told {
            routed.channels.extend(saying.own.iter().cloned());
        }
        routed
    }
}

impl Ready {
    /// The key of the first condition that does not hold.
    fn unfit(&self, saying: &Saying<'_>) -> Option<&'static str> {
        let Saying { tags, timezone, alert, event, now, .. } = saying;
        let spec = &self.spec;
        let zone = spec.timezone.unwrap_or(*timezone);
        let local = now.to_utc().with_timezone(&zone);
        let minute = local.hour() * 60 + local.minute();
        let day = local.weekday().num_days_from_monday();
        let is_among = |day| spec.days.iter().any(|one| one.from_monday() == day);
        let conditions = [
            ("batches", spec.batches.is_empty() || self.batches.is_match(alert.batch.as_str())),
            ("metrics", spec.metrics.is_empty() || self.metrics.is_match(alert.metric.as_str())),
            ("tags", spec.tags.iter().all(|(key, value)| tags.get(key) == Some(value))),
            ("severity", spec.severity.is_none_or(|least| least <= alert.severity)),
            ("kinds", spec.kinds.is_empty() || spec.kinds.contains(&alert.kind)),
            ("events", spec.events.is_empty() || spec.events.contains(event)),
            ("hours", spec.hours.is_none_or(|hours| hours.holds(minute))),
            ("days", spec.days.is_empty() || is_among(day)),
        ];
        conditions.into_iter().find(|(_, holds)| !holds).map(|(key, _)| key)
    }
}
