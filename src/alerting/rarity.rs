//! How unusual a value is among the metric's own past, in words: "higher than 99.8 % of the last 90
//! days at this hour".

use std::fmt;

use chrono::{Datelike, Timelike};
use chrono_tz::Tz;

use crate::domain::{Span, Timestamp};

/// How far back values are compared.
pub const HORIZON: Span = Span::days(90);
/// Fewer values than this give no share worth saying.
const LEAST_VALUES: usize = 20;
/// From so many days on the days of the week are told apart.
const DAYS_FOR_WEEKDAYS: i64 = 56;
/// From so many days on the hours of the day are told apart.
const DAYS_FOR_HOURS: i64 = 7;
const MINUTES_A_DAY: i64 = 1_440;
/// How far a time of day may lie from the value's and still be "this hour".
const NEAR_MINUTES: i64 = 60;
/// Below this share of the past a value is not rare by itself.
const RARE: f64 = 0.9;

/// A value's place among the metric's own past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rarity {
    /// There is too little to compare with.
    TooShort {
        /// So many values.
        n_values: usize,
    },
    /// It was compared.
    Ranked(Rank),
}

/// Where a value lies among earlier ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rank {
    /// On which side of most of them.
    pub side: Side,
    /// Share of them strictly beyond which it lies, in [0, 1]; equal ones do not count.
    pub share: f64,
    /// How many it was compared with.
    pub n_values: usize,
    /// Days they span, at least 1 and at most those of [`HORIZON`].
    pub days: i64,
    /// Which of the past it was compared with.
    pub among: Among,
}

/// On which side of the past a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Above more values than below.
    Higher,
    /// Below more values than above.
    Lower,
    /// As much above as below.
    Between,
}

/// Which part of the past a value was compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// All of it.
    All,
    /// The same time of day, give or take an hour.
    Hour,
    /// The same time of the week, give or take an hour.
    WeekHour(chrono::Weekday),
}

/// Compares a value with the metric's values of [`HORIZON`] before it, at the same time of the week
/// or of the day where there are enough of those. Only points before `before` count: those of the
/// same stretch would be compared with themselves.
///
/// # Shape
/// `history` is chronological and finite.
pub fn rarity(
    history: &[(Timestamp, f64)],
    (at, before): (Timestamp, Timestamp),
    value: f64,
    tz: Tz,
) -> Rarity {
    let from = at - HORIZON;
    let first = history.partition_point(|point| point.0 < from);
    let end = history.partition_point(|point| point.0 < before.min(at)).max(first);
    let past = &history[first..end];
    let Some(oldest) = past.first().filter(|_| LEAST_VALUES <= past.len()) else {
        return Rarity::TooShort { n_values: past.len() };
    };
    let day = Span::days(1).micros();
    let days = ((at - oldest.0).micros() + day / 2).div_euclid(day).max(1);
    let (now_in_week, weekday) = minute_of_week(at, tz);
    let near = |circle: i64| {
        let is_near = move |point: &&(Timestamp, f64)| {
            let apart = (minute_of_week(point.0, tz).0 - now_in_week).rem_euclid(circle);
            apart.min(circle - apart) <= NEAR_MINUTES
        };
        past.iter().filter(is_near).map(|point| point.1).collect::<Vec<f64>>()
    };
    let mut choices = vec![(Among::All, past.iter().map(|point| point.1).collect())];
    if DAYS_FOR_HOURS <= days {
        let same_hour = near(MINUTES_A_DAY);
        // A metric that comes once a day has only this hour.
        if same_hour.len() < past.len() {
            choices.push((Among::Hour, same_hour));
        }
    }
    if DAYS_FOR_WEEKDAYS <= days {
        choices.push((Among::WeekHour(weekday), near(7 * MINUTES_A_DAY)));
    }
    let enough = choices.into_iter().rev().find(|(_, values)| LEAST_VALUES <= values.len());
    match enough {
        Some((among, values)) => Rarity::Ranked(rank(&values, value, days, among)),
        None => Rarity::TooShort { n_values: past.len() },
    }
}

fn rank(values: &[f64], value: f64, days: i64, among: Among) -> Rank {
    let n_below = values.iter().filter(|earlier| **earlier < value).count();
    let n_above = values.iter().filter(|earlier| value < **earlier).count();
    let side = match n_below.cmp(&n_above) {
        std::cmp::Ordering::Greater => Side::Higher,
        std::cmp::Ordering::Less => Side::Lower,
        std::cmp::Ordering::Equal => Side::Between,
    };
    let share = n_below.max(n_above) as f64 / values.len() as f64;
    Rank { side, share, n_values: values.len(), days, among }
}

/// Minutes since Monday midnight on the clocks of the zone, and the day.
fn minute_of_week(at: Timestamp, tz: Tz) -> (i64, chrono::Weekday) {
    let local = at.to_utc().with_timezone(&tz);
    let day = local.weekday();
    let minutes = i64::from(local.hour() * 60 + local.minute());
    (i64::from(day.num_days_from_monday()) * MINUTES_A_DAY + minutes, day)
}

impl fmt::Display for Rarity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { n_values: 0 } => f.write_str("no history to compare with yet"),
            Self::TooShort { n_values: 1 } => {
                f.write_str("too short a history to compare: 1 value")
            }
            Self::TooShort { n_values } => {
                write!(f, "too short a history to compare: {n_values} values")
            }
            Self::Ranked(rank) => rank.fmt(f),
        }
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Higher => "higher than",
            Side::Lower => "lower than",
            Side::Between => "not rare by itself: as often lower as higher in",
        };
        match (self.side, self.share) {
            (Side::Between, _) => write!(f, "{side}")?,
            (_, 1.0) => write!(f, "{side} all of")?,
            (_, share) if share < RARE => {
                write!(f, "not rare by itself: {side} {} of", percent(share))?;
            }
            (_, share) => write!(f, "{side} {} of", percent(share))?,
        }
        match self.days {
            1 => f.write_str(" the last day")?,
            days => write!(f, " the last {days} days")?,
        }
        match self.among {
            Among::All => Ok(()),
            Among::Hour => f.write_str(" at this hour"),
            Among::WeekHour(day) => write!(f, " at this hour on {}", plural(day)),
        }
    }
}

/// Rounded down, so that "100 %" is never said of less.
fn percent(share: f64) -> String {
    let tenths = (share * 1_000.0 + 1e-9).floor();
    if 990.0 <= tenths && tenths % 10.0 != 0.0 {
        format!("{:.1} %", tenths / 10.0)
    } else {
        format!("{:.0} %", (tenths / 10.0).floor())
    }
}

const fn plural(day: chrono::Weekday) -> &'static str {
    match day {
        chrono::Weekday::Mon => "Mondays",
        chrono::Weekday::Tue => "Tuesdays",
        chrono::Weekday::Wed => "Wednesdays",
        chrono::Weekday::Thu => "Thursdays",
        chrono::Weekday::Fri => "Fridays",
        chrono::Weekday::Sat => "Saturdays",
        chrono::Weekday::Sun => "Sundays",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hours from Monday 5 January 2026 in UTC.
    fn at(hours: i64) -> Timestamp {
        Timestamp::from_secs(1_767_571_200 + hours * 3_600).unwrap()
    }

    /// A day's rhythm: 100 in the morning hour 9, else 10, with a little slope.
    fn days(n_days: i64) -> Vec<(Timestamp, f64)> {
        let value = |hour: i64| if hour % 24 == 9 { 100.0 } else { 10.0 } + hour as f64 / 1e4;
        (0..n_days * 24).map(|hour| (at(hour), value(hour))).collect()
    }

    #[track_caller]
    fn check(history: &[(Timestamp, f64)], hour: i64, value: f64, expected: &str) {
        let found = rarity(history, (at(hour), at(hour)), value, chrono_tz::UTC);
        assert_eq!(found.to_string(), expected);
    }

    #[test]
    fn a_value_is_compared_with_its_own_hour_and_weekday() {
        check(&days(14), 14 * 24 + 9, 150.0, "higher than all of the last 14 days at this hour");
        check(&days(14), 14 * 24 + 3, 90.0, "higher than all of the last 14 days at this hour");
        check(&days(14), 14 * 24 + 9, 2.0, "lower than all of the last 14 days at this hour");
        let monday = "lower than all of the last 70 days at this hour on Mondays";
        check(&days(70), 70 * 24 + 9, 2.0, monday);
        check(&days(5), 5 * 24 + 3, 200.0, "higher than all of the last 5 days");
        check(
            &days(200),
            200 * 24 + 3,
            0.0,
            "lower than all of the last 90 days at this hour on Fridays",
        );
    }

    #[test]
    fn equal_values_are_neither_higher_nor_lower() {
        let flat: Vec<_> = (0..48).map(|hour| (at(hour), 5.0)).collect();
        let middle = "not rare by itself: as often lower as higher in the last 2 days";
        check(&flat, 48, 5.0, middle);
        let mut one_above = flat.clone();
        one_above[7].1 = 9.0;
        check(&one_above, 48, 5.0, "not rare by itself: lower than 2 % of the last 2 days");
        check(&one_above, 48, 6.0, "higher than 97 % of the last 2 days");
        check(&one_above, 48, 9.0, "higher than 97 % of the last 2 days");
        check(&one_above, 48, 9.1, "higher than all of the last 2 days");
    }

    #[test]
    fn shares_are_rounded_down_and_fine_only_where_it_matters() {
        let told = [0.9989, 0.9999, 0.99, 0.987, 0.5, 1.0].map(percent);
        assert_eq!(told, ["99.8 %", "99.9 %", "99 %", "98 %", "50 %", "100 %"]);
    }

    #[test]
    fn a_short_history_is_said_to_be_short() {
        check(&[], 0, 1.0, "no history to compare with yet");
        check(&days(1)[..1], 1, 1.0, "too short a history to compare: 1 value");
        check(&days(1)[..19], 30, 1.0, "too short a history to compare: 19 values");
        // Later points and those of the same stretch are no past.
        let found = rarity(&days(2), (at(30), at(10)), 1.0, chrono_tz::UTC);
        assert_eq!(found, Rarity::TooShort { n_values: 10 });
    }

    #[test]
    fn hours_are_those_of_the_zone_and_a_daily_metric_has_none() {
        let daily: Vec<_> = (0..40).map(|day| (at(day * 24), day as f64)).collect();
        check(&daily, 40 * 24, 99.0, "higher than all of the last 40 days");
        // The zone's clocks change on 29 March: nine o'clock is an hour earlier in UTC after it.
        let dublin = chrono_tz::Europe::Dublin;
        let local_nine = |hour: i64| at(hour).to_utc().with_timezone(&dublin).hour() == 9;
        let history: Vec<_> = (0..100 * 24)
            .map(|hour| (at(hour), if local_nine(hour) { 100.0 } else { 10.0 }))
            .collect();
        let hour = (100 * 24..).find(|hour| local_nine(*hour)).unwrap();
        let Rarity::Ranked(rank) = rarity(&history, (at(hour), at(hour)), 50.0, dublin) else {
            panic!("ranked");
        };
        // Nine o'clock itself is a third of "this hour", on both sides of the change.
        assert_eq!((rank.n_values, rank.share), (36, 2.0 / 3.0));
    }
}
