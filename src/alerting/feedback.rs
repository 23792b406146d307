//! What people's words do to a metric's bar. Each `down` or `expected` of the last 30 days takes the
//! threshold a quarter of what is left of the way to 1; its weight falls to nothing over those days.
//! All words together take it three quarters of the way at most.

use crate::domain::{Span, Timestamp, Verdict};

/// How long a word counts.
pub const MEMORY: Span = Span::days(30);
/// What a fresh word takes of what is left of the way to 1.
const STEP: f64 = 0.25;
/// What all of them take at most.
const MOST: f64 = 0.75;

/// A metric's bar, as people's words have left it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// The threshold, in (0, 1].
    pub threshold: f64,
    /// How many words raised it.
    pub n_votes: usize,
    /// When the last of them is forgotten.
    pub until: Timestamp,
}

/// The bar over a threshold; none when nobody has a word that counts. `votes` are the newest words on
/// each of the metric's alerts, in any order; those after `now` do not count.
pub fn bar(threshold: f64, votes: &[(Verdict, Timestamp)], now: Timestamp) -> Option<Bar> {
    let counts = |(verdict, at): &&(Verdict, Timestamp)| {
        let is_against = matches!(verdict, Verdict::Down | Verdict::Expected);
        is_against && *at <= now && now - *at < MEMORY
    };
    let against: Vec<Timestamp> = votes.iter().filter(counts).map(|(_, at)| *at).collect();
    let newest = *against.iter().max()?;
    let weight = |at: &Timestamp| 1.0 - (now - *at).as_secs_f64() / MEMORY.as_secs_f64();
    let left: f64 = against.iter().map(|at| 1.0 - STEP * weight(at)).product();
    let share = (1.0 - left).min(MOST);
    Some(Bar {
        threshold: threshold + share * (1.0 - threshold),
        n_votes: against.len(),
        until: newest + MEMORY,
    })
}

impl Bar {
    /// `bar raised to 0.85 by 2 down-votes until 2026-07-01T00:00:00Z`.
    pub fn words(&self) -> String {
        let votes = if self.n_votes == 1 { "down-vote" } else { "down-votes" };
        let threshold = crate::domain::words::number(self.threshold);
        let Self { n_votes, until, .. } = self;
        format!("bar raised to {threshold} by {n_votes} {votes} until {until}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(n: i64) -> Timestamp {
        Timestamp::from_secs(1_767_225_600).unwrap() + Span::days(n)
    }

    #[test]
    fn a_fresh_word_takes_a_quarter_of_the_way_and_fades() {
        let at = |now| bar(0.8, &[(Verdict::Down, day(0))], day(now));
        assert!((at(0).unwrap().threshold - 0.85).abs() < 1e-12);
        assert!((at(15).unwrap().threshold - 0.825).abs() < 1e-12);
        assert_eq!(at(30), None);
        assert_eq!(at(-1), None, "not said yet");
        assert_eq!(at(3).unwrap().until, day(30));
        let two = [(Verdict::Down, day(0)), (Verdict::Expected, day(0))];
        let words = bar(0.8, &two, day(0)).unwrap().words();
        assert_eq!(words, "bar raised to 0.8875 by 2 down-votes until 2026-01-31T00:00:00Z");
    }

    #[test]
    fn praise_raises_nothing() {
        for verdict in [Verdict::Up, Verdict::NewNormal, Verdict::Incident] {
            assert_eq!(bar(0.8, &[(verdict, day(0))], day(1)), None);
        }
    }

    proptest! {
        #[test]
        fn the_bar_lies_between_the_threshold_and_three_quarters_of_the_way(
            threshold in 0.01..=1.0_f64,
            days in prop::collection::vec(0..40_i64, 0..60),
        ) {
            let votes: Vec<_> = days.iter().map(|n| (Verdict::Down, day(*n))).collect();
            let found = bar(threshold, &votes, day(40)).map_or(threshold, |bar| bar.threshold);
            prop_assert!(threshold <= found);
            prop_assert!(found <= threshold + 0.75 * (1.0 - threshold) + 1e-12);
        }
    }
}
