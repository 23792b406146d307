//! Cron expressions: five fields (minute first) or six (second first), names, ranges, steps, lists
//! and the `@` short-cuts; `L` for a month's last day, `FRI#2` for its second Friday, `FRIL` for its
//! last. When they are due is decided in `slots`.

use std::fmt;

use chrono::{Datelike, Days, NaiveDate};

/// A checked cron expression, each field a set of bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronExpr {
    text: String,
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    last_day: bool,
    nth_weekdays: NthWeekdays,
    any_day: bool,
    any_weekday: bool,
    fixed_time: bool,
}

/// Which weekdays of a month, by weekday from Sunday: bit n for the n-th, bit 0 for the last.
type NthWeekdays = [u8; 7];

struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const SECOND: Field = Field { name: "second", min: 0, max: 59, names: &[] };
const MINUTE: Field = Field { name: "minute", min: 0, max: 59, names: &[] };
const HOUR: Field = Field { name: "hour", min: 0, max: 23, names: &[] };
const DAY: Field = Field { name: "day of month", min: 1, max: 31, names: &[] };
const MONTH: Field = Field {
    name: "month",
    min: 1,
    max: 12,
    names: &[
        "", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
};
/// 7 is Sunday too.
const WEEKDAY: Field = Field {
    name: "day of week",
    min: 0,
    max: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};

impl CronExpr {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`CronError`], naming the field that is wrong.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let trimmed = text.trim();
        let expanded = match trimmed {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let fields: Vec<&str> = expanded.split_whitespace().collect();
        let (second, rest) = match fields.len() {
            5 => ("0", &fields[..]),
            6 => (fields[0], &fields[1..]),
            n_fields => return Err(CronError::FieldCount { n_fields }),
        };
        let (days, last_day) = days(rest[2])?;
        let (weekdays, nth_weekdays) = weekdays(rest[4])?;
        let is_open = |field: &str| field.contains(['*', '/', '?']);
        let parsed = Self {
            text: trimmed.to_owned(),
            seconds: bits(&SECOND, second)?,
            minutes: bits(&MINUTE, rest[0])?,
            hours: bits(&HOUR, rest[1])?,
            days,
            months: bits(&MONTH, rest[3])?,
            weekdays: (weekdays | (weekdays >> 7)) & 0x7f,
            last_day,
            nth_weekdays,
            any_day: is_any(rest[2]),
            any_weekday: is_any(rest[4]),
            fixed_time: !is_open(rest[0]) && !is_open(rest[1]),
        };
        if parsed.can_ever_match() { Ok(parsed) } else { Err(CronError::Never) }
    }

    /// Whether a civil date can hold a run. With both days restricted, either is enough (POSIX).
    pub fn matches_date(&self, date: NaiveDate) -> bool {
        let is_last_within = |n_days| {
            let later = date.checked_add_days(Days::new(n_days));
            later.is_none_or(|later| later.month() != date.month())
        };
        let weekday = date.weekday().num_days_from_sunday();
        let nth = self.nth_weekdays[weekday as usize];
        let on_day = has(self.days, date.day()) || (self.last_day && is_last_within(1));
        let on_weekday = has(self.weekdays, weekday)
            || has(nth.into(), date.day().div_ceil(7))
            || (has(nth.into(), 0) && is_last_within(7));
        let day_fits = match (self.any_day, self.any_weekday) {
            (false, false) => on_day || on_weekday,
            _ => on_day && on_weekday,
        };
        has(self.months, date.month()) && day_fits
    }

    /// Whether a civil time of day is a run's.
    pub fn matches_time(&self, hour: u32, minute: u32, second: u32) -> bool {
        has(self.hours, hour) && has(self.minutes, minute) && has(self.seconds, second)
    }

    /// Whether hour and minute are fixed, so that it means "once at this civil time" and not
    /// "whenever the clock shows this".
    pub fn is_fixed_time(&self) -> bool {
        self.fixed_time
    }

    /// The times of day it names, as (hour, minute, second) in order.
    pub fn times(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        ones(self.hours).flat_map(move |hour| {
            ones(self.minutes).flat_map(move |minute| {
                ones(self.seconds).map(move |second| (hour, minute, second))
            })
        })
    }

    /// The seconds of a minute it names.
    pub fn seconds(&self) -> impl Iterator<Item = u32> + '_ {
        ones(self.seconds)
    }

    fn can_ever_match(&self) -> bool {
        const LONGEST: [u32; 13] = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let by_weekday = self.any_day || !self.any_weekday;
        by_weekday
            || self.last_day
            || ones(self.months)
                .any(|month| ones(self.days).any(|day| day <= LONGEST[month as usize]))
    }
}

impl fmt::Display for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn has(bits: u64, n: u32) -> bool {
    bits >> n & 1 == 1
}

fn ones(bits: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |n| has(bits, *n))
}

fn is_any(field: &str) -> bool {
    field.starts_with('*') || field.starts_with('?')
}

/// The days of a month, and whether its last one is among them.
fn days(text: &str) -> Result<(u64, bool), CronError> {
    let is_last = |part: &&str| part.eq_ignore_ascii_case("L");
    let plain: Vec<&str> = text.split(',').filter(|part| !is_last(part)).collect();
    let has_last = text.split(',').any(|part| is_last(&part));
    if plain.is_empty() {
        return Ok((0, has_last));
    }
    Ok((bits(&DAY, &plain.join(","))?, has_last))
}

/// The weekdays of every week, and those of one week of a month.
fn weekdays(text: &str) -> Result<(u64, NthWeekdays), CronError> {
    let wrong = |part: &str| CronError::Field {
        field: WEEKDAY.name,
        text: part.chars().take(64).collect(),
    };
    let mut nth_weekdays = NthWeekdays::default();
    let mut plain = Vec::new();
    for part in text.split(',') {
        let (day, n) = match (part.split_once('#'), part.strip_suffix(['L', 'l'])) {
            (Some((day, n)), _) => (day, n.parse::<u32>().ok().filter(|n| (1..=5).contains(n))),
            (None, Some(day)) => (day, Some(0)),
            (None, None) => {
                plain.push(part);
                continue;
            }
        };
        let day = value(&WEEKDAY, day).ok_or_else(|| wrong(part))? % 7;
        nth_weekdays[day as usize] |= 1 << n.ok_or_else(|| wrong(part))?;
    }
    if plain.is_empty() {
        return Ok((0, nth_weekdays));
    }
    Ok((bits(&WEEKDAY, &plain.join(","))?, nth_weekdays))
}

fn bits(field: &Field, text: &str) -> Result<u64, CronError> {
    let wrong = || CronError::Field { field: field.name, text: text.chars().take(64).collect() };
    let mut set = 0_u64;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                (range, step.parse::<u32>().ok().filter(|n| 0 < *n).ok_or_else(wrong)?)
            }
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (field.min, field.max),
            Some((first, last)) => {
                (value(field, first).ok_or_else(wrong)?, value(field, last).ok_or_else(wrong)?)
            }
            None => {
                let only = value(field, range).ok_or_else(wrong)?;
                (only, if part.contains('/') { field.max } else { only })
            }
        };
        if last < first {
            return Err(wrong());
        }
        (first..=last).step_by(step as usize).for_each(|n| set |= 1 << n);
    }
    Ok(set)
}

fn value(field: &Field, text: &str) -> Option<u32> {
    let named =
        field.names.iter().position(|name| !name.is_empty() && name.eq_ignore_ascii_case(text));
    let number = match named {
        Some(position) => u32::try_from(position).ok()?,
        None => text.parse().ok()?,
    };
    (field.min <= number && number <= field.max).then_some(number)
}

/// A text that is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Neither five nor six fields.
    #[error("a cron expression has 5 or 6 fields, not {n_fields}")]
    FieldCount {
        /// How many there are.
        n_fields: usize,
    },
    /// A field that cannot be read or lies outside its range.
    #[error("`{text}` is not a valid {field}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it says.
        text: String,
    },
    /// No date in any year fits.
    #[error("no date ever matches this expression")]
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, month, day).unwrap()
    }

    #[test]
    fn last_days_and_nth_weekdays_are_those_of_the_calendar() {
        let check = |text: &str, expected: &[(u32, u32)]| {
            let expr = CronExpr::parse(text).unwrap();
            let days = date(1, 1).iter_days().take(90);
            let found: Vec<(u32, u32)> = days
                .filter(|date| expr.matches_date(*date))
                .map(|date| (date.month(), date.day()))
                .collect();
            assert_eq!(found, expected, "{text}");
        };
        check("0 0 L * *", &[(1, 31), (2, 28), (3, 31)]);
        check("0 0 15,L * *", &[(1, 15), (1, 31), (2, 15), (2, 28), (3, 15), (3, 31)]);
        check("0 0 * * FRI#2", &[(1, 9), (2, 13), (3, 13)]);
        check("0 0 * * fri#5", &[(1, 30)]);
        check("0 0 * * 7#1,5L", &[(1, 4), (1, 30), (2, 1), (2, 27), (3, 1), (3, 27)]);
        check("0 0 L 2 SUN#1", &[(2, 1), (2, 28)]);
        for text in ["0 0 * * FRI#0", "0 0 * * FRI#6", "0 0 * * #1", "0 0 * * L", "0 0 3L * *"] {
            assert!(CronExpr::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn five_and_six_fields_names_steps_and_shortcuts_are_read() {
        for text in
            ["*/5 * * * *", "0 3 * * *", "30 0 9-17 * JAN-MAR MON,fri", "@hourly", "0 0 * * 7"]
        {
            assert_eq!(CronExpr::parse(text).unwrap().to_string(), text);
        }
        let sunday = CronExpr::parse("0 0 * * 7").unwrap();
        assert!(sunday.matches_date(date(6, 7)) && !sunday.matches_date(date(6, 8)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(CronExpr::parse("* * *"), Err(CronError::FieldCount { n_fields: 3 }));
        assert_eq!(
            CronExpr::parse("61 * * * *"),
            Err(CronError::Field { field: "minute", text: "61".into() })
        );
        assert_eq!(CronExpr::parse("0 0 30 2 *"), Err(CronError::Never));
        assert!(CronExpr::parse("*/0 * * * *").is_err() && CronExpr::parse("5-1 * * * *").is_err());
    }

    #[test]
    fn either_day_is_enough_when_both_are_restricted() {
        let expr = CronExpr::parse("0 0 13 * FRI").unwrap();
        assert!(expr.matches_date(date(1, 13)) && expr.matches_date(date(1, 9)));
        assert!(!expr.matches_date(date(1, 12)));
    }
}
