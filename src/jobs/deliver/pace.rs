//! How fast each channel is spoken to: a bucket of tokens a channel, one for every attempt. Time is
//! an argument.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::domain::{PaceSpec, Timestamp};

/// The buckets of all channels; kept over drains, lost with the process, which then begins with full
/// ones.
#[derive(Debug, Default)]
pub struct Paces {
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Bucket {
    fn refill(&mut self, pace: &PaceSpec, now: Timestamp) {
        // A clock set back gives nothing and takes nothing.
        let passed = (now - self.at).micros().max(0);
        self.at = now;
        let distance = pace.rate.map_or(1, |rate| rate.distance().micros().max(1));
        let gained = passed as f64 / distance as f64;
        self.tokens = (self.tokens + gained).min(f64::from(pace.burst));
    }
}

impl Paces {
    /// Takes up to so many tokens of a channel; gives how many there were.
    pub(in crate::jobs) fn take(
        &self,
        channel: &str,
        pace: &PaceSpec,
        now: Timestamp,
        most: u32,
    ) -> u32 {
        if pace.rate.is_none() {
            return most;
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full = Bucket { tokens: f64::from(pace.burst), at: now };
        let bucket = buckets.entry(channel.to_owned()).or_insert(full);
        bucket.refill(pace, now);
        // A hair short of a whole token is one: distances are rounded to microseconds.
        let taken = (bucket.tokens + 1e-6).floor().min(f64::from(most));
        bucket.tokens = (bucket.tokens - taken).max(0.0);
        taken as u32
    }

    /// Gives back what was not used.
    pub(super) fn give_back(&self, channel: &str, n: u32) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(channel) {
            bucket.tokens += f64::from(n);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Rate, Span};

    fn pace(n: u32, per: Span, burst: u32) -> PaceSpec {
        PaceSpec { rate: Some(Rate { n, per }), burst, ..PaceSpec::UNLIMITED }
    }

    fn start() -> Timestamp {
        Timestamp::parse("2026-06-01T00:00:00Z").unwrap()
    }

    #[test]
    fn a_pause_gives_a_burst_and_then_the_rate() {
        let (paces, pace) = (Paces::default(), pace(1, Span::secs(2), 3));
        let take = |secs| paces.take("x", &pace, start() + Span::secs(secs), 10);
        assert_eq!((take(0), take(1), take(2), take(3), take(4)), (3, 0, 1, 0, 1));
        assert_eq!(take(1_000), 3);
        assert_eq!(paces.take("y", &pace, start(), 2), 2, "another channel's bucket");
        assert_eq!(take(0), 0, "a clock set back");
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_what_the_time_gives(
            n in 1_u32..20, burst in 1_u32..20, steps in prop::collection::vec(0_i64..3_000, 1..80),
        ) {
            let (paces, pace) = (Paces::default(), pace(n, Span::secs(1), burst));
            let (mut millis, mut taken) = (0, 0);
            for step in steps {
                millis += step;
                let now = start() + Span::from_micros(millis * 1_000);
                taken += i64::from(paces.take("x", &pace, now, 1_000));
                prop_assert!(taken <= i64::from(burst) + millis * i64::from(n) / 1_000 + 1);
            }
        }
    }
}
