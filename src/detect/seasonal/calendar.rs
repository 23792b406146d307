//! Where in its local day and week an instant lies.

use chrono::{NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

use crate::domain::{Span, Timestamp};

pub(super) const DAY: i64 = 86_400;

/// Seconds since 1970-01-01T00:00:00 as the clocks of the zone show them. Looks the zone up twice
/// a day, not once a row: the offset changes at most once between two UTC midnights.
pub(super) fn local_seconds(at: &[Timestamp], zone: Tz) -> Vec<i64> {
    let mut known_day = None;
    at.iter()
        .map(|at| {
            let secs = at.secs();
            let day = secs.div_euclid(DAY);
            let (first, last) = match known_day {
                Some((known, offsets)) if known == day => offsets,
                _ => (offset(*at, zone, day), offset(*at, zone, day + 1)),
            };
            known_day = Some((day, (first, last)));
            let here = if first == last { first } else { offset_at(*at, zone) };
            secs + here
        })
        .collect()
}

/// The offset at a UTC midnight; that of `near` where the midnight cannot be written down.
fn offset(near: Timestamp, zone: Tz, day: i64) -> i64 {
    offset_at(Timestamp::from_secs(day.saturating_mul(DAY)).unwrap_or(near), zone)
}

fn offset_at(at: Timestamp, zone: Tz) -> i64 {
    let utc: NaiveDateTime = at.to_utc().naive_utc();
    i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc())
}

/// Which of `n_slots` equal parts of the day.
pub(super) fn slot_of_day(local: i64, n_slots: usize) -> usize {
    (local.rem_euclid(DAY) * n_slots as i64 / DAY) as usize
}

/// 0 is Monday.
pub(super) fn weekday(local: i64) -> usize {
    // 1970-01-01 was a Thursday.
    (local.div_euclid(DAY) + 3).rem_euclid(7) as usize
}

/// The usual distance between two observations, in seconds; at least a millisecond.
pub(super) fn cadence(at: &[Timestamp]) -> f64 {
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
        let local = local_seconds(&[at], zone)[0];
        assert_eq!((weekday(local), slot_of_day(local, 24)), (expected_weekday, expected_hour));
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
}
