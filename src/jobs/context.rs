//! What every job is given, and nothing global beside it.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use crate::{
    catalog::Catalog,
    compute::Compute,
    domain::{ModelVersion, Span, Timestamp},
    io::Store,
    net::Client,
    series::History,
    telemetry::Metrics,
};

use super::Paces;

/// What every job is given.
#[derive(Clone)]
pub struct JobContext {
    /// Runs, models, alerts, segments.
    pub catalog: Catalog,
    /// Objects.
    pub store: Store,
    /// Points and scores.
    pub history: History,
    /// The way to the computing threads.
    pub compute: Compute,
    /// HTTP clients for sources.
    pub client: Client,
    /// Prometheus metrics.
    pub metrics: Metrics,
    /// Gives model versions.
    pub versions: Arc<VersionClock>,
    /// Reads the wall clock.
    pub clock: fn() -> Timestamp,
    /// This program's own file, for `command` sources that name `anomstack`.
    pub program: PathBuf,
    /// This process's environment, of which `command` sources see a little.
    pub environment: Arc<BTreeMap<String, String>>,
    /// How far the running job is.
    pub progress: Arc<Progress>,
    /// Whether alerts are told to anybody.
    pub notify: Notify,
    /// How fast each channel may be spoken to.
    pub paces: Arc<Paces>,
}

/// Whether alerts are told to anybody. They are stored in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    /// Messages go into the outbox.
    Queue,
    /// No message is made of them, now or later.
    Keep,
}

/// The instant a job acts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf {
    /// The job's "now".
    pub now: Timestamp,
    /// Observations from here on are not looked at.
    pub until: Timestamp,
    /// A source need not be asked for what is older, as far as the past is concerned.
    pub since: Option<Timestamp>,
    /// Whether "now" is the present: what a source noted of earlier reads counts only then.
    pub is_live: bool,
}

impl AsOf {
    /// The present: sources whose clock runs ahead of ours by up to a day are still read.
    pub fn live(now: Timestamp) -> Self {
        Self { now, until: now + Span::days(1), since: None, is_live: true }
    }

    /// A past instant, as if the job had run then: nothing observed later is looked at.
    pub fn exactly(now: Timestamp) -> Self {
        Self { now, until: now + Span::from_micros(1), since: None, is_live: false }
    }

    /// [`AsOf::exactly`], when what lies before `since` was read by a run then.
    pub fn replaying(now: Timestamp, since: Option<Timestamp>) -> Self {
        Self { since, ..Self::exactly(now) }
    }

    /// Observations from here on are not looked at where they are put into buckets: the bucket
    /// that holds "now" is still filling, and half of it would be taken for all of it.
    pub fn until_full(&self, bucket: Option<Span>) -> Timestamp {
        bucket.map_or(self.until, |bucket| self.now.floor(bucket))
    }

    /// The newest observation a run at that instant may count as read, of what is read by now.
    pub fn read_until(&self, watermark: Option<Timestamp>) -> Option<Timestamp> {
        let watermark = watermark?;
        if watermark < self.until { Some(watermark) } else { self.since }
    }
}

/// Items done of items to do, readable while the job runs.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Begins anew with so many items.
    pub fn begin(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    /// Counts items as done.
    pub fn advance(&self, n_items: u64) {
        self.done.fetch_add(n_items, Ordering::Relaxed);
    }

    /// (done, total).
    pub fn position(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}

/// Gives model versions that are never repeated within the process: the wall clock's millisecond,
/// or the next free one.
#[derive(Debug, Default)]
pub struct VersionClock {
    last_millis: AtomicI64,
}

impl VersionClock {
    /// A version no earlier call gave, and later than all of them.
    pub fn next(&self, now: Timestamp) -> ModelVersion {
        let millis = now.micros().div_euclid(1_000);
        let follow = |last: i64| Some(millis.max(last.saturating_add(1)));
        let order = Ordering::Relaxed;
        let last = self.last_millis.fetch_update(order, order, follow).unwrap_or(millis);
        let micros = millis.max(last.saturating_add(1)).saturating_mul(1_000);
        ModelVersion::at(Timestamp::from_micros(micros).unwrap_or(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_asks_again_for_what_was_read_later_than_it() {
        let at = |secs| Timestamp::from_secs(secs).unwrap();
        let replay = AsOf::replaying(at(100), Some(at(90)));
        assert_eq!(replay.read_until(None), None, "nothing was ever read");
        assert_eq!(replay.read_until(Some(at(95))), Some(at(95)));
        assert_eq!(replay.read_until(Some(at(500))), Some(at(90)));
        assert_eq!(AsOf::exactly(at(100)).read_until(Some(at(500))), None);
        assert_eq!(AsOf::live(at(100)).read_until(Some(at(500))), Some(at(500)));
    }

    #[test]
    fn versions_of_one_millisecond_differ_and_rise() {
        let clock = VersionClock::default();
        let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let earlier = now - Span::hours(1);
        let versions = [clock.next(now), clock.next(now), clock.next(earlier)];
        assert!(versions[0] < versions[1] && versions[1] < versions[2], "{versions:?}");
        assert_eq!(versions[0].as_str(), "20260101T000000000Z");
    }
}
