//! How long a failing request is repeated: a decision without a clock.

use std::time::Duration;

/// When a request that failed is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From the first attempt on, waiting included. After it the failure is told.
    pub budget: Duration,
    /// The first wait; each further one may be twice as long.
    pub first: Duration,
    /// No wait is longer, unless the server asks for more.
    pub longest: Duration,
    /// For an answer to begin, beside the time its request takes to be sent.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(60),
            first: Duration::from_millis(100),
            longest: Duration::from_secs(10),
            answer: Duration::from_secs(30),
        }
    }
}

/// What a slow line still sends, bytes a second.
const SLOWEST: u64 = 128 * 1024;

impl Patience {
    /// The wait before attempt `nth` (the first repeat is 1), with `luck` in [0, 1) against many
    /// coming back at the same moment; `None` when that would be beyond the budget.
    ///
    /// A server that says how long to stay away is obeyed; otherwise the wait lies between nothing
    /// and a bound that doubles ("full jitter").
    pub fn wait(
        &self,
        nth: u32,
        asked: Option<Duration>,
        waited: Duration,
        luck: f64,
    ) -> Option<Duration> {
        let bound = self.first.saturating_mul(1_u32 << nth.saturating_sub(1).min(16));
        let jittered = bound.min(self.longest).mul_f64(luck.clamp(0.0, 1.0));
        let wait = asked.map_or(jittered, |asked| asked + jittered.min(self.first));
        (waited + wait < self.budget).then_some(wait)
    }

    /// How long a request of so many bytes may go unanswered.
    pub fn answer_to(&self, n_bytes: usize) -> Duration {
        self.answer + Duration::from_secs(n_bytes as u64 / SLOWEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_are_jittered_and_end_with_the_budget() {
        let patience = Patience { budget: Duration::from_secs(5), ..Patience::default() };
        let wait = |nth, luck| patience.wait(nth, None, Duration::ZERO, luck);
        assert_eq!(wait(1, 0.5), Some(Duration::from_millis(50)));
        assert_eq!(wait(2, 0.5), Some(Duration::from_millis(100)));
        assert_eq!(wait(4, 0.5), Some(Duration::from_millis(400)));
        assert_eq!(wait(1, 0.0), Some(Duration::ZERO));
        assert_eq!(wait(40, 0.4), Some(Duration::from_secs(4)));
        assert_eq!(wait(40, 0.9), None);
        assert_eq!(patience.wait(1, None, Duration::from_millis(4_990), 0.9), None);
    }

    #[test]
    fn a_server_that_names_a_time_is_obeyed_or_given_up() {
        let patience = Patience { budget: Duration::from_secs(5), ..Patience::default() };
        let asked = Some(Duration::from_secs(3));
        assert!(asked <= patience.wait(1, asked, Duration::ZERO, 0.5));
        assert_eq!(patience.wait(1, asked, Duration::from_secs(3), 0.5), None);
    }
}
