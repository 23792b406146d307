//! The slots ahead, as a zone's clock will show them. Pure.

use chrono::{LocalResult, NaiveDateTime, Offset, TimeZone, Timelike};
use chrono_tz::Tz;

use crate::domain::{Timestamp, Trigger, next_after};

/// A slot that is still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upcoming {
    /// When.
    pub slot: Timestamp,
    /// What the zone's clock shows then, with its distance from UTC.
    pub local: String,
    /// What the clock does around it.
    pub peculiarity: Option<Peculiarity>,
}

/// What the clock does around a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peculiarity {
    /// The time it is meant for does not exist on that day; it comes right after the gap.
    JumpedOver,
    /// The clock shows this time twice; it is the first of them.
    FirstOfTwo,
    /// The clock shows this time twice; it is the second of them.
    SecondOfTwo,
}

impl Peculiarity {
    /// The peculiarity in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JumpedOver => "the clock jumps over its time: it comes right after",
            Self::FirstOfTwo => "the clock shows this time twice: this is the first",
            Self::SecondOfTwo => "the clock shows this time twice: this is the second",
        }
    }
}

/// The next slots after an instant; none for triggers that time alone never fires.
pub fn upcoming(
    trigger: &Trigger,
    zone: Tz,
    after: Timestamp,
) -> impl Iterator<Item = Upcoming> + '_ {
    let first = next_after(trigger, zone, after);
    let slots = std::iter::successors(first, move |slot| next_after(trigger, zone, *slot));
    slots.map(move |slot| {
        let local = slot.to_utc().with_timezone(&zone);
        let peculiarity = peculiarity(trigger, zone, slot, local.naive_local());
        Upcoming { slot, local: local.format("%a %Y-%m-%d %H:%M:%S %:z").to_string(), peculiarity }
    })
}

fn peculiarity(
    trigger: &Trigger,
    zone: Tz,
    slot: Timestamp,
    shown: NaiveDateTime,
) -> Option<Peculiarity> {
    if let Trigger::Cron(cron) = trigger
        && cron.is_fixed_time()
        && !cron.matches_time(shown.hour(), shown.minute(), shown.second())
    {
        return Some(Peculiarity::JumpedOver);
    }
    let LocalResult::Ambiguous(one, other) = zone.from_local_datetime(&shown) else { return None };
    let is_first = slot.to_utc() <= one.min(other).to_utc();
    let are_two = one.offset().fix() != other.offset().fix();
    let which = if is_first { Peculiarity::FirstOfTwo } else { Peculiarity::SecondOfTwo };
    are_two.then_some(which)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CronExpr, Span};

    #[track_caller]
    fn check(trigger: &Trigger, after: &str, expected: &[(&str, Option<Peculiarity>)]) {
        let after = Timestamp::parse(after).unwrap();
        let found: Vec<Upcoming> =
            upcoming(trigger, Tz::Europe__Berlin, after).take(expected.len()).collect();
        let found: Vec<(&str, Option<Peculiarity>)> =
            found.iter().map(|slot| (slot.local.as_str(), slot.peculiarity)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_time_the_clock_jumps_over_or_shows_twice_is_marked() {
        let cron = |text: &str| Trigger::Cron(CronExpr::parse(text).unwrap());
        let gap = [
            ("Sun 2025-03-30 03:00:00 +02:00", Some(Peculiarity::JumpedOver)),
            ("Mon 2025-03-31 02:30:00 +02:00", None),
        ];
        check(&cron("30 2 * * *"), "2025-03-29T12:00:00Z", &gap);
        let fold = [
            ("Sun 2025-10-26 02:30:00 +02:00", Some(Peculiarity::FirstOfTwo)),
            ("Mon 2025-10-27 02:30:00 +01:00", None),
        ];
        check(&cron("30 2 * * *"), "2025-10-25T12:00:00Z", &fold);
        let hourly = [
            ("Sun 2025-10-26 02:00:00 +02:00", Some(Peculiarity::FirstOfTwo)),
            ("Sun 2025-10-26 02:00:00 +01:00", Some(Peculiarity::SecondOfTwo)),
            ("Sun 2025-10-26 03:00:00 +01:00", None),
        ];
        check(&Trigger::Every(Span::hours(1)), "2025-10-25T23:30:00Z", &hourly);
        check(&Trigger::Never, "2025-10-25T23:30:00Z", &[]);
    }
}
