//! Where in its local day and week an instant lies.

use chrono::{NaiveDate, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

use crate::domain::{Span, Timestamp};

pub(super) const DAY: i64 = 86_400;

/// What a metric's days follow.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Calendar {
    pub(super) zone: Tz,
    /// Local days that are like Sundays, counted from 1970-01-01; in order.
    pub(super) holidays: Vec<i64>,
}

impl Calendar {
    /// Of the holidays those from a month before the first row to a year after the last.
    pub(super) fn around(at: &[Timestamp], zone: Tz, holidays: &[NaiveDate]) -> Self {
        let (Some(first), Some(last)) = (at.first(), at.last()) else {
            return Self { zone, holidays: Vec::new() };
        };
        let days = first.secs().div_euclid(DAY) - 31..=last.secs().div_euclid(DAY) + 366;
        let number = |date: &NaiveDate| i64::from(date.to_epoch_days());
        let mut holidays: Vec<i64> =
            holidays.iter().map(number).filter(|day| days.contains(day)).collect();
        holidays.sort_unstable();
        holidays.dedup();
        Self { zone, holidays }
    }

    /// As a cycle needs it: what is no part of a day and no days long repeats whatever the clocks
    /// show, and holidays are known to days and weeks alone.
    pub(super) fn of_cycle(&self, cycle: i64) -> Self {
        let is_local = DAY % cycle == 0 || cycle % DAY == 0;
        let zone = if is_local { self.zone } else { Tz::UTC };
        let is_of_weeks = DAY % cycle == 0 || cycle == 7 * DAY;
        let holidays = if is_of_weeks { self.holidays.clone() } else { Vec::new() };
        Self { zone, holidays }
    }
}

/// The clocks of a calendar, looked at row by row.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Clock {
    /// The UTC day looked at last, and the offsets at its start and end: the zone is looked up
    /// twice a day, not once a row, as the offset changes at most once between two midnights.
    known: Option<(i64, (i64, i64))>,
}

impl Clock {
    /// Seconds since 1970-01-01T00:00:00 as the clocks show them; on a holiday those of the Sunday
    /// of its week.
    pub(super) fn local(&mut self, calendar: &Calendar, at: Timestamp) -> i64 {
        let secs = at.secs();
        let day = secs.div_euclid(DAY);
        let (first, last) = match self.known {
            Some((known, offsets)) if known == day => offsets,
            _ => (offset(at, calendar.zone, day), offset(at, calendar.zone, day + 1)),
        };
        self.known = Some((day, (first, last)));
        let local = secs + if first == last { first } else { offset_at(at, calendar.zone) };
        match calendar.holidays.binary_search(&local.div_euclid(DAY)) {
            Ok(_) => local + (6 - weekday(local) as i64) * DAY,
            Err(_) => local,
        }
    }
}

/// Local seconds of many instants.
pub(super) fn local_seconds(at: &[Timestamp], calendar: &Calendar) -> Vec<i64> {
    let mut clock = Clock::default();
    at.iter().map(|at| clock.local(calendar, *at)).collect()
}

/// The offset at a UTC midnight; that of `near` where the midnight cannot be written down.
fn offset(near: Timestamp, zone: Tz, day: i64) -> i64 {
    offset_at(Timestamp::from_secs(day.saturating_mul(DAY)).unwrap_or(near), zone)
}

fn offset_at(at: Timestamp, zone: Tz) -> i64 {
    let utc: NaiveDateTime = at.to_utc().naive_utc();
    i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc())
}

/// Which of `n_slots` equal parts of a cycle of so many seconds, a day as a rule.
pub(super) fn slot_of(local: i64, cycle: i64, n_slots: usize) -> usize {
    // Divisions by a number known to the compiler are multiplications.
    match cycle {
        DAY => slot_within(local.rem_euclid(DAY), DAY, n_slots),
        _ => slot_within(local.rem_euclid(cycle), cycle, n_slots),
    }
}

/// The same of so many seconds into a cycle.
#[inline]
pub(super) fn slot_within(within: i64, cycle: i64, n_slots: usize) -> usize {
    (within * n_slots as i64 / cycle) as usize
}

/// 0 is Monday.
pub(super) fn weekday(local: i64) -> usize {
    // 1970-01-01 was a Thursday.
    (local.div_euclid(DAY) + 3).rem_euclid(7) as usize
}

/// The usual distance between two observations, in seconds; at least a millisecond.
pub(in crate::detect) fn cadence(at: &[Timestamp]) -> f64 {
    let mut gaps: Vec<f64> =
        at.windows(2).map(|pair| Span::as_secs_f64(pair[1] - pair[0])).collect();
    super::robust::median(&mut gaps).max(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(at: &str, zone: Tz, expected_weekday: usize, expected_hour: usize) {
        let at = Timestamp::parse(at).unwrap();
        let local = local_seconds(&[at], &Calendar { zone, holidays: vec![] })[0];
        assert_eq!((weekday(local), slot_of(local, DAY, 24)), (expected_weekday, expected_hour));
    }

    #[test]
    fn days_and_hours_are_those_of_the_local_clock() {
        check("2026-03-29T00:59:59Z", Tz::Europe__Dublin, 6, 0);
        check("2026-03-29T01:00:00Z", Tz::Europe__Dublin, 6, 2);
        check("2026-10-25T00:30:00Z", Tz::Europe__Dublin, 6, 1);
        check("2026-10-25T01:30:00Z", Tz::Europe__Dublin, 6, 1);
        check("2026-01-04T23:30:00Z", Tz::Asia__Tokyo, 0, 8);
        check("1969-12-31T23:00:00Z", Tz::UTC, 2, 23);
        check("9999-12-31T23:59:59Z", Tz::UTC, 4, 23);
    }

    #[test]
    fn a_holiday_is_a_sunday_at_the_same_hour_and_the_days_around_it_are_not() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let rows = ["2026-03-16T23:30:00Z", "2026-03-17T15:00:00Z", "2026-03-18T15:00:00Z"].map(at);
        let holidays = [NaiveDate::from_ymd_opt(2026, 3, 17).unwrap()];
        let calendar = Calendar::around(&rows, Tz::Europe__Dublin, &holidays);
        let local = local_seconds(&rows, &calendar);
        assert_eq!([0, 1, 2].map(|row| weekday(local[row])), [0, 6, 2]);
        assert_eq!(slot_of(local[1], DAY, 24), 15);
    }

    #[test]
    fn a_cycle_that_is_no_part_of_a_day_follows_no_clocks() {
        let holidays = vec![20_000];
        let calendar = Calendar { zone: Tz::Europe__Dublin, holidays };
        assert_eq!(calendar.of_cycle(5_400), calendar);
        assert_eq!(calendar.of_cycle(7 * DAY), calendar);
        assert_eq!(calendar.of_cycle(6_000), Calendar { zone: Tz::UTC, holidays: vec![] });
        assert_eq!(calendar.of_cycle(2 * DAY).holidays, [0_i64; 0]);
    }
}
