//! A column as instants. Whole numbers are seconds, milliseconds, microseconds or nanoseconds since
//! the epoch, told apart by their size; civil times without a zone are read in the batch's zone.

use chrono::{LocalResult, TimeZone};
use chrono_tz::Tz;
use polars::prelude::{Column, DataType, TimeUnit};

use super::cells::convert;
use crate::{domain::Timestamp, sources::SourceError};

/// Stands for a cell that is no instant; lies before every [`Timestamp`].
pub(super) const UNREADABLE: i64 = i64::MIN;

const DAY: i64 = 86_400_000_000;

/// A column's cells as microseconds since the epoch, [`UNREADABLE`] where there is no instant.
pub(super) fn read(column: &Column, timezone: Tz) -> Result<Vec<i64>, SourceError> {
    let series = column.as_materialized_series();
    let wrong = || SourceError::ColumnType {
        column: column.name().to_string(),
        expected: "times",
        found: column.dtype().to_string(),
    };
    let mut zone = Zone { timezone, newest: None };
    let micros = match series.dtype() {
        DataType::String => {
            // Long frames repeat one instant for many metrics.
            let mut newest = ("", UNREADABLE);
            let mut read = |text| {
                if text != newest.0 {
                    newest = (text, zone.text(text));
                }
                newest.1
            };
            let texts = series.str().map_err(|_| wrong())?;
            texts.iter().map(|text| text.map_or(UNREADABLE, &mut read)).collect()
        }
        DataType::Datetime(unit, in_zone) => {
            let cells = series.datetime().map_err(|_| wrong())?.physical();
            let scale = scale_of(*unit);
            let is_civil = in_zone.is_none() && timezone != Tz::UTC;
            let mut to_utc = |value| if is_civil { zone.civil(scale(value)) } else { scale(value) };
            convert(cells, UNREADABLE, |value| in_range(to_utc(value)))
        }
        DataType::Date => {
            let cells = series.date().map_err(|_| wrong())?.physical();
            convert(cells, UNREADABLE, |days| in_range(zone.civil(i64::from(days) * DAY)))
        }
        DataType::Int64 => convert(series.i64().map_err(|_| wrong())?, UNREADABLE, epoch),
        DataType::Null => vec![UNREADABLE; series.len()],
        dtype if dtype.is_integer() => {
            let cells = series.cast(&DataType::Int64).map_err(|_| wrong())?;
            convert(cells.i64().map_err(|_| wrong())?, UNREADABLE, epoch)
        }
        dtype if dtype.is_float() => {
            let cells = series.cast(&DataType::Float64).map_err(|_| wrong())?;
            convert(cells.f64().map_err(|_| wrong())?, UNREADABLE, epoch_fraction)
        }
        _ => return Err(wrong()),
    };
    Ok(micros)
}

/// The newest instant of a frame, in microseconds, by its time column.
pub(in crate::sources) fn newest_of(column: &Column, timezone: Tz) -> Option<i64> {
    let micros = read(column, timezone).ok()?;
    micros.into_iter().max().filter(|newest| *newest != UNREADABLE)
}

/// A text as an instant: epoch numbers and civil times as in a table's time column.
pub fn instant(text: &str, timezone: Tz) -> Option<Timestamp> {
    Timestamp::from_micros(Zone { timezone, newest: None }.text(text))
}

const fn in_range(micros: i64) -> i64 {
    if Timestamp::from_micros(micros).is_some() { micros } else { UNREADABLE }
}

const fn scale_of(unit: TimeUnit) -> fn(i64) -> i64 {
    match unit {
        TimeUnit::Nanoseconds => |value| value.div_euclid(1_000),
        TimeUnit::Microseconds => |value| value,
        TimeUnit::Milliseconds => |value| value.saturating_mul(1_000),
    }
}

/// Seconds reach to the year 5138 before they look like milliseconds of 1973.
const fn epoch(value: i64) -> i64 {
    let size = value.unsigned_abs();
    let micros = if size < 100_000_000_000 {
        value * 1_000_000
    } else if size < 100_000_000_000_000 {
        value * 1_000
    } else if size < 100_000_000_000_000_000 {
        value
    } else {
        value.div_euclid(1_000)
    };
    in_range(micros)
}

fn epoch_fraction(value: f64) -> i64 {
    let size = value.abs();
    let micros = if size < 1e11 {
        value * 1e6
    } else if size < 1e14 {
        value * 1e3
    } else if size < 1e17 {
        value
    } else {
        value / 1e3
    };
    // A cast would make NaN the epoch.
    if micros.is_finite() { in_range(micros.round() as i64) } else { UNREADABLE }
}

/// Reads civil times in a zone, remembering the last answer.
struct Zone {
    timezone: Tz,
    newest: Option<(i64, i64)>,
}

impl Zone {
    fn text(&mut self, text: &str) -> i64 {
        let text = text.trim();
        match plain(text.as_bytes()) {
            Some((micros, true)) => in_range(micros),
            Some((micros, false)) => in_range(self.civil(micros)),
            None => self.unusual(text),
        }
    }

    /// Texts that are not in one of the plain forms.
    fn unusual(&mut self, text: &str) -> i64 {
        if let Ok(instant) = Timestamp::parse(text) {
            let clock = text.find(['T', 't', ' ']).map_or("", |start| &text[start + 1..]);
            let has_zone = clock.contains(['Z', 'z', '+', '-']);
            return if has_zone {
                instant.micros()
            } else {
                in_range(self.civil(instant.micros()))
            };
        }
        if let Ok(whole) = text.parse() {
            return epoch(whole);
        }
        text.parse().map_or(UNREADABLE, epoch_fraction)
    }

    /// The instant of a civil time. Of the two that a clock set back gives, the earlier; a time
    /// that a clock set forward leaves out never was.
    fn civil(&mut self, micros: i64) -> i64 {
        if self.timezone == Tz::UTC {
            return micros;
        }
        if let Some((civil, utc)) = self.newest
            && civil == micros
        {
            return utc;
        }
        let Some(civil) = Timestamp::from_micros(micros) else { return UNREADABLE };
        let utc = match self.timezone.from_local_datetime(&civil.to_utc().naive_utc()) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.timestamp_micros(),
            LocalResult::None => UNREADABLE,
        };
        self.newest = Some((micros, utc));
        utc
    }
}

/// A trimmed text in one of the plain forms: microseconds as they are written, and whether a zone was
/// named; without one they are civil time.
pub(in crate::sources) fn plain_time(text: &str) -> Option<(i64, bool)> {
    plain(text.as_bytes())
}

/// The plain forms, byte by byte: `2026-01-31`, `2026-01-31T09:30:00.5`, with `Z` or `+01:00`.
/// Gives microseconds and whether a zone was named. Accepts nothing [`Timestamp::parse`] refuses.
fn plain(text: &[u8]) -> Option<(i64, bool)> {
    let (date, clock) = text.split_at_checked(10)?;
    let (year, month, day) = (digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..])?);
    let is_month = date[4] == b'-' && date[7] == b'-' && 1 <= year && (1..=12).contains(&month);
    if !is_month || day < 1 || days_in_month(year, month) < day {
        return None;
    }
    let midnight = days_from_epoch(year, month, day) * DAY;
    if clock.is_empty() {
        return Some((midnight, false));
    }
    let (clock, rest) = clock.split_at_checked(9)?;
    let is_clock = matches!(clock[0], b'T' | b' ') && clock[3] == b':' && clock[6] == b':';
    let (hour, minute, second) =
        (digits(&clock[1..3])?, digits(&clock[4..6])?, digits(&clock[7..])?);
    if !is_clock || 23 < hour || 59 < minute || 59 < second {
        return None;
    }
    let whole = midnight + ((hour * 60 + minute) * 60 + second) * 1_000_000;
    let (fraction, rest) = fraction(rest)?;
    match rest {
        [] => Some((whole + fraction, false)),
        [b'Z'] if clock[0] == b'T' => Some((whole + fraction, true)),
        [sign @ (b'+' | b'-'), offset @ ..] => {
            let (hours, minutes) = match offset {
                [_, _, b':', _, _] => (digits(&offset[..2])?, digits(&offset[3..])?),
                // As PostgreSQL writes it.
                [_, _] if clock[0] == b' ' => (digits(offset)?, 0),
                _ => return None,
            };
            if 23 < hours || 59 < minutes {
                return None;
            }
            let east = (hours * 60 + minutes) * 60_000_000;
            Some((whole + fraction + if *sign == b'+' { -east } else { east }, true))
        }
        _ => None,
    }
}

/// Microseconds of `.123456789`, which may be absent, and what follows.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', text)) = text.split_first() else { return Some((0, text)) };
    let n_digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=9).contains(&n_digits) {
        return None;
    }
    let (shown, rest) = text.split_at(n_digits);
    let n_kept = n_digits.min(6);
    let scale = 10_i64.pow(6 - u32::try_from(n_kept).ok()?);
    Some((digits(&shown[..n_kept])? * scale, rest))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0_i64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date from the year 1 on: years counted from March, so that the leap
/// day comes last.
const fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    // 719,468 days lie between 0000-03-01 and the epoch.
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_text(text: &str, timezone: Tz) -> Option<String> {
        let micros = Zone { timezone, newest: None }.text(text);
        Timestamp::from_micros(micros).map(|at| at.to_string())
    }

    #[track_caller]
    fn check(text: &str, timezone: Tz, expected: Option<&str>) {
        assert_eq!(read_text(text, timezone).as_deref(), expected, "{text} in {timezone}");
    }

    #[test]
    fn every_written_form_is_read() {
        for text in [
            "2026-01-01T01:00:00Z",
            " 2026-01-01T01:00:00.000Z ",
            "2026-01-01 01:00:00",
            "2026-01-01 01:00",
            "2026-01-01 01:00:00+00",
            "2025-12-31T19:30:00-05:30",
            "2026-01-01T03:00:00+02:00",
            "1767229200",
            "1767229200000",
            "1767229200000000",
            "1767229200000000000",
            "1767229200.0",
        ] {
            check(text, Tz::UTC, Some("2026-01-01T01:00:00Z"));
        }
        for text in ["", "yesterday", "2026-02-30", "2026-01-01T25:00:00Z", "nan", "1e40"] {
            check(text, Tz::UTC, None);
        }
    }

    #[test]
    fn civil_times_are_read_in_the_batch_s_zone_and_named_zones_are_kept() {
        let dublin = Tz::Europe__Dublin;
        check("2026-07-01 12:00:00", dublin, Some("2026-07-01T11:00:00Z"));
        check("2026-07-01", dublin, Some("2026-06-30T23:00:00Z"));
        check("2026-07-01T12:00:00Z", dublin, Some("2026-07-01T12:00:00Z"));
        check("2026-07-01 12:00:00+00", dublin, Some("2026-07-01T12:00:00Z"));
    }

    #[test]
    fn a_clock_set_back_gives_the_earlier_instant_and_a_gap_gives_none() {
        let dublin = Tz::Europe__Dublin;
        check("2026-10-25 01:30:00", dublin, Some("2026-10-25T00:30:00Z"));
        check("2026-03-29 01:30:00", dublin, None);
    }

    #[test]
    fn a_fraction_without_a_number_is_not_the_epoch() {
        assert_eq!(epoch_fraction(f64::NAN), UNREADABLE);
        assert_eq!(epoch_fraction(f64::INFINITY), UNREADABLE);
        assert_eq!(epoch_fraction(1_767_229_200.5), 1_767_229_200_500_000);
    }

    proptest! {
        #[test]
        fn the_plain_forms_are_read_as_the_domain_reads_them(
            (year, month, day) in (0_u32..10_000, 0_u32..14, 0_u32..33),
            (hour, minute, second) in (0_u32..25, 0_u32..61, 0_u32..62),
            separator in prop::sample::select(vec!["T", " ", "t"]),
            fraction in prop::sample::select(vec!["", ".5", ".123456", ".1234567", ".", ".1234567891"]),
            zone in prop::sample::select(vec!["", "Z", "z", "+01:00", "-23:59", "+00", "+0530", "+24:00"]),
        ) {
            let text = format!(
                "{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}{fraction}{zone}"
            );
            let domain = Timestamp::parse(&text).ok().map(|at| at.to_string());
            prop_assert_eq!(read_text(&text, Tz::UTC), domain.clone(), "{}", text);
            if plain(text.as_bytes()).is_some() {
                prop_assert!(domain.is_some() || year == 1 || year == 9999, "{}", text);
            }
        }
    }
}
