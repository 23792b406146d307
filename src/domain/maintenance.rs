//! Times in which nothing is to be said, because somebody works on what is measured.

use chrono_tz::Tz;

use super::{CronExpr, Span, Timestamp, Trigger, next_after};

/// A time of work, once or again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Maintenance {
    /// When.
    pub when: MaintenanceTime,
    /// Why, in the words of whoever wrote it down.
    pub reason: String,
}

/// When somebody works.
#[derive(Debug, Clone, PartialEq)]
pub enum MaintenanceTime {
    /// From each slot on, by the clocks of the batch's zone; the length is real time.
    Recurring {
        /// Its starts.
        start: CronExpr,
        /// Over zero.
        length: Span,
    },
    /// Stretches, each from its first instant to the first after it; in order, none touching another.
    Stretches(Vec<(Timestamp, Timestamp)>),
}

impl MaintenanceTime {
    /// Stretches in any order, which may overlap.
    pub fn of(mut stretches: Vec<(Timestamp, Timestamp)>) -> Self {
        stretches.sort_unstable();
        let mut joined: Vec<(Timestamp, Timestamp)> = Vec::with_capacity(stretches.len());
        for (from, to) in stretches {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        Self::Stretches(joined)
    }

    /// Whether an instant is in it.
    pub fn holds(&self, at: Timestamp, zone: Tz) -> bool {
        match self {
            Self::Recurring { start, length } => {
                // A start later than this reaches the instant, if it is not after it.
                let slot = next_after(&Trigger::Cron(start.clone()), zone, at - *length);
                slot.is_some_and(|slot| slot <= at)
            }
            Self::Stretches(stretches) => {
                let n_begun = stretches.partition_point(|(from, _)| *from <= at);
                n_begun.checked_sub(1).is_some_and(|newest| at < stretches[newest].1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn sundays() -> MaintenanceTime {
        let start = CronExpr::parse("30 1 * * SUN").unwrap();
        MaintenanceTime::Recurring { start, length: Span::hours(2) }
    }

    #[track_caller]
    fn check(zone: Tz, instants: &[(&str, bool)]) {
        for (instant, expected) in instants {
            assert_eq!(sundays().holds(at(instant), zone), *expected, "{instant} {zone}");
        }
    }

    #[test]
    fn a_window_holds_its_first_instant_and_not_the_first_after_it() {
        check(
            Tz::UTC,
            &[
                ("2026-06-07T01:29:59Z", false),
                ("2026-06-07T01:30:00Z", true),
                ("2026-06-07T03:29:59.999999Z", true),
                ("2026-06-07T03:30:00Z", false),
                ("2026-06-08T02:00:00Z", false),
            ],
        );
    }

    #[test]
    fn a_window_follows_the_zones_clock_and_lasts_as_long_on_days_that_change_it() {
        // Dublin is an hour ahead in summer; its clocks jump from 1:00 to 2:00 on 29 March and back
        // from 2:00 to 1:00 on 25 October.
        check(
            Tz::Europe__Dublin,
            &[
                ("2026-06-07T00:30:00Z", true),
                ("2026-06-07T02:30:00Z", false),
                ("2026-03-29T00:59:59Z", false),
                ("2026-03-29T01:00:00Z", true),
                ("2026-03-29T02:59:59Z", true),
                ("2026-03-29T03:00:00Z", false),
                ("2026-10-25T00:29:59Z", false),
                ("2026-10-25T00:30:00Z", true),
                ("2026-10-25T02:29:59Z", true),
                ("2026-10-25T02:30:00Z", false),
            ],
        );
    }

    #[test]
    fn a_window_longer_than_its_spacing_never_ends() {
        let start = CronExpr::parse("0 * * * *").unwrap();
        let always = MaintenanceTime::Recurring { start, length: Span::hours(3) };
        assert!(always.holds(at("2026-06-07T01:59:59Z"), Tz::UTC));
    }

    #[test]
    fn stretches_in_any_order_are_joined() {
        let day = |n| at(&format!("2026-06-{n:02}"));
        let found = MaintenanceTime::of(vec![
            (day(9), day(10)),
            (day(1), day(3)),
            (day(2), day(5)),
            (day(5), day(6)),
        ]);
        assert_eq!(found, MaintenanceTime::Stretches(vec![(day(1), day(6)), (day(9), day(10))]));
        for (n, expected) in [(1, true), (5, true), (6, false), (9, true), (10, false)] {
            assert_eq!(found.holds(day(n), Tz::UTC), expected, "{n}");
        }
    }
}
