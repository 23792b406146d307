//! Cron expressions: five fields (minute first) or six (second first), names, ranges, steps, lists
//! and the `@` short-cuts. When they are due is decided in `runtime::schedule`.

use std::fmt;

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
    any_day: bool,
    any_weekday: bool,
    fixed_time: bool,
}

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
        let weekdays = bits(&WEEKDAY, rest[4])?;
        let is_open = |field: &str| field.contains(['*', '/', '?']);
        let parsed = Self {
            text: trimmed.to_owned(),
            seconds: bits(&SECOND, second)?,
            minutes: bits(&MINUTE, rest[0])?,
            hours: bits(&HOUR, rest[1])?,
            days: bits(&DAY, rest[2])?,
            months: bits(&MONTH, rest[3])?,
            weekdays: (weekdays | (weekdays >> 7)) & 0x7f,
            any_day: is_any(rest[2]),
            any_weekday: is_any(rest[4]),
            fixed_time: !is_open(rest[0]) && !is_open(rest[1]),
        };
        if parsed.can_ever_match() { Ok(parsed) } else { Err(CronError::Never) }
    }

    /// Whether a civil date can hold a run. With both days restricted, either is enough (POSIX).
    pub fn matches_date(&self, month: u32, day: u32, weekday_from_sunday: u32) -> bool {
        let on_day = has(self.days, day);
        let on_weekday = has(self.weekdays, weekday_from_sunday);
        let day_fits = match (self.any_day, self.any_weekday) {
            (false, false) => on_day || on_weekday,
            _ => on_day && on_weekday,
        };
        has(self.months, month) && day_fits
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

    #[test]
    fn five_and_six_fields_names_steps_and_shortcuts_are_read() {
        for text in
            ["*/5 * * * *", "0 3 * * *", "30 0 9-17 * JAN-MAR MON,fri", "@hourly", "0 0 * * 7"]
        {
            assert_eq!(CronExpr::parse(text).unwrap().to_string(), text);
        }
        let sunday = CronExpr::parse("0 0 * * 7").unwrap();
        assert!(sunday.matches_date(6, 7, 0) && !sunday.matches_date(6, 8, 1));
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
        assert!(expr.matches_date(1, 13, 2) && expr.matches_date(1, 9, 5));
        assert!(!expr.matches_date(1, 12, 4));
    }
}
