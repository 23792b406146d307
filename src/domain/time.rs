//! Instants and lengths of time. Everything is UTC microseconds; civil time lives only in
//! schedules, calendars and on screens.

use std::{
    fmt,
    ops::{Add, Sub},
    str::FromStr,
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z: the years RFC 3339 can write.
const MIN_MICROS: i64 = -62_135_596_800_000_000;
const MAX_MICROS: i64 = 253_402_300_799_999_999;

impl Timestamp {
    /// The earliest instant that can be written down (year 1).
    pub const MIN: Self = Self(MIN_MICROS);
    /// The latest instant that can be written down (year 9999).
    pub const MAX: Self = Self(MAX_MICROS);

    /// The instant so many microseconds after the epoch; `None` outside the years 1 to 9999.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if MIN_MICROS <= micros && micros <= MAX_MICROS { Some(Self(micros)) } else { None }
    }

    /// The instant so many seconds after the epoch; `None` outside the years 1 to 9999.
    pub const fn from_secs(secs: i64) -> Option<Self> {
        match secs.checked_mul(1_000_000) {
            Some(micros) => Self::from_micros(micros),
            None => None,
        }
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The same instant as a `chrono` value.
    pub fn to_utc(self) -> DateTime<Utc> {
        // In range by construction, so the fallback is never taken.
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    /// `YYYYMMDDTHHMMSSmmmZ`: the form used in object names.
    pub fn compact(self) -> String {
        self.to_utc().format("%Y%m%dT%H%M%S%3fZ").to_string()
    }

    /// Reads RFC 3339, or a date or date-time without a zone as UTC.
    ///
    /// # Errors
    /// [`TimeError::Instant`] when the text is none of these or the year is out of range.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        let wrong = || TimeError::Instant { text: text.chars().take(64).collect() };
        if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
            return Self::from_micros(instant.timestamp_micros()).ok_or_else(wrong);
        }
        for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"] {
            if let Ok(civil) = chrono::NaiveDateTime::parse_from_str(text, format) {
                return Self::from_micros(civil.and_utc().timestamp_micros()).ok_or_else(wrong);
            }
        }
        if let Ok(instant) = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z") {
            return Self::from_micros(instant.timestamp_micros()).ok_or_else(wrong);
        }
        let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| wrong())?;
        let midnight = date.and_hms_opt(0, 0, 0).ok_or_else(wrong)?;
        Self::from_micros(midnight.and_utc().timestamp_micros()).ok_or_else(wrong)
    }

    /// The start of the bucket of this length that holds the instant, counted from the epoch.
    pub const fn floor(self, bucket: Span) -> Self {
        if bucket.0 <= 0 {
            return self;
        }
        let floored = self.0 - self.0.rem_euclid(bucket.0);
        Self(if floored < MIN_MICROS { MIN_MICROS } else { floored })
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(instant: DateTime<Utc>) -> Self {
        Self(instant.timestamp_micros().clamp(MIN_MICROS, MAX_MICROS))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = if self.0.rem_euclid(1_000_000) == 0 {
            SecondsFormat::Secs
        } else {
            SecondsFormat::Micros
        };
        f.write_str(&self.to_utc().to_rfc3339_opts(format, true))
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Saturates at the years 1 and 9999.
impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0).clamp(MIN_MICROS, MAX_MICROS))
    }
}

/// Saturates at the years 1 and 9999.
impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0).clamp(MIN_MICROS, MAX_MICROS))
    }
}

impl Sub for Timestamp {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.0 - earlier.0)
    }
}

/// A length of time in microseconds. Written `90s`, `5m`, `1h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

const UNITS: [(&str, i64); 5] = [
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// So many microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// So many seconds.
    pub const fn secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// So many hours.
    pub const fn hours(hours: i64) -> Self {
        Self::secs(hours.saturating_mul(3_600))
    }

    /// So many days of 24 hours.
    pub const fn days(days: i64) -> Self {
        Self::hours(days.saturating_mul(24))
    }

    /// Microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Seconds with their fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// For timers; a negative span is no time.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_micros(u64::try_from(self.0).unwrap_or(0))
    }

    /// Reads a whole number and a unit: `ms`, `s`, `m`, `h` or `d`; several may follow each other
    /// (`1h30m`).
    ///
    /// # Errors
    /// [`TimeError::Span`] for anything else, also for a sum that does not fit 64 bits.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError::Span { text: text.chars().take(64).collect() };
        let mut rest = text.trim();
        let mut total = 0_i64;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let n_digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let amount: i64 = rest[..n_digits].parse().map_err(|_| wrong())?;
            rest = &rest[n_digits..];
            let n_letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit = &rest[..n_letters];
            rest = &rest[n_letters..];
            let (_, micros) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            let part = amount.checked_mul(*micros).ok_or_else(wrong)?;
            total = total.checked_add(part).ok_or_else(wrong)?;
        }
        Ok(Self(total))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            return write!(f, "-{}", Self(self.0.saturating_neg()));
        }
        let mut rest = self.0;
        let mut is_empty = true;
        for (name, micros) in UNITS.iter().rev() {
            if *micros <= rest {
                write!(f, "{}{name}", rest / micros)?;
                rest %= micros;
                is_empty = false;
            }
        }
        if is_empty { f.write_str("0s") } else { Ok(()) }
    }
}

impl FromStr for Span {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse(text)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not an instant.
    #[error("`{text}` is not a time; write RFC 3339, as in 2026-01-31T09:30:00Z")]
    Instant {
        /// The first characters of what was given.
        text: String,
    },
    /// Not a length of time.
    #[error("`{text}` is not a duration; write a whole number and a unit, as in 90s, 5m, 1h or 7d")]
    Span {
        /// The first characters of what was given.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_write_the_same_text() {
        for text in ["90s", "5m", "1h", "7d", "1h30m", "250ms"] {
            let span = Span::parse(text).unwrap();
            assert_eq!(Span::parse(&span.to_string()).unwrap(), span, "{text}");
        }
        assert_eq!(Span::parse("90s").unwrap().to_string(), "1m30s");
    }

    #[test]
    fn a_span_without_a_unit_or_too_large_is_refused() {
        for text in
            ["", "5", "h", "5 parsecs", "-5m", "99999999999999999999d", "9223372036854775807d"]
        {
            assert!(matches!(Span::parse(text), Err(TimeError::Span { .. })), "{text}");
        }
    }

    #[test]
    fn instants_are_read_in_every_written_form() {
        let expected = Timestamp::from_secs(1_767_229_200).unwrap();
        for text in [
            "2026-01-01T01:00:00Z",
            "2026-01-01T03:00:00+02:00",
            "2026-01-01 01:00:00",
            "2026-01-01 01:00:00+00",
            "2026-01-01T01:00:00.000",
        ] {
            assert_eq!(Timestamp::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn years_beyond_four_digits_are_refused() {
        for text in ["10000-01-01T00:00:00Z", "yesterday", "2026-13-01", ""] {
            assert!(matches!(Timestamp::parse(text), Err(TimeError::Instant { .. })), "{text}");
        }
    }

    #[test]
    fn the_compact_form_is_fixed_width_utc() {
        let at = Timestamp::parse("2026-01-02T03:04:05.678Z").unwrap();
        assert_eq!(at.compact(), "20260102T030405678Z");
    }

    #[test]
    fn floor_counts_buckets_from_the_epoch_also_before_it() {
        let hour = Span::hours(1);
        assert_eq!(Timestamp(-1).floor(hour), Timestamp(-3_600_000_000));
        assert_eq!(Timestamp(3_600_000_001).floor(hour), Timestamp(3_600_000_000));
    }
}
