//! When a failed message is tried again.

use crate::domain::Span;

/// The longest wait before each attempt; after the last the message is dead. Together about 62
/// hours: a receiver may be down for a weekend.
const SCHEDULE: [Span; 11] = [
    Span::ZERO,
    Span::secs(5),
    Span::secs(30),
    Span::secs(120),
    Span::secs(600),
    Span::secs(1_800),
    Span::hours(2),
    Span::hours(5),
    Span::hours(10),
    Span::hours(20),
    Span::hours(24),
];

/// How long to wait before the next attempt when so many were made; `None` when that was the
/// last. `unit_random` in [0, 1] spreads the waits over the whole step, so that the messages of
/// one failure do not come back together.
pub fn backoff(n_attempts: u32, unit_random: f64) -> Option<Span> {
    let step = SCHEDULE.get(usize::try_from(n_attempts).ok()?)?;
    // The conversion makes 0 of a NaN.
    Some(Span::from_micros((step.micros() as f64 * unit_random.clamp(0.0, 1.0)) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eleven_attempts_take_about_62_hours_and_then_it_is_dead() {
        let waits: Vec<Span> = (0..11).map(|n| backoff(n, 1.0).unwrap()).collect();
        assert_eq!(waits, SCHEDULE);
        let total: i64 = waits.iter().map(|span| span.micros()).sum();
        assert_eq!(total / 3_600_000_000, 61);
        assert_eq!(backoff(11, 0.5), None);
        assert_eq!(backoff(u32::MAX, 0.5), None);
    }

    #[test]
    fn jitter_spreads_a_wait_over_its_whole_step() {
        assert_eq!(backoff(2, 0.0), Some(Span::ZERO));
        assert_eq!(backoff(2, 0.5), Some(Span::secs(15)));
        assert_eq!(backoff(2, 7.0), Some(Span::secs(30)));
        assert_eq!(backoff(2, f64::NAN), Some(Span::ZERO));
    }
}
