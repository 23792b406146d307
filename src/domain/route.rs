//! `[[routes]]`: who is told of which alerts, beside the channels that a batch names.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    AlertKind, MessageEvent, Severity,
    run::{UnknownText, text_enum},
};

/// Sends alerts that are like this to channels. What is left empty fits everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RouteSpec {
    /// Whom to tell.
    pub channels: Vec<String>,
    /// Only of batches whose name fits one of these globs.
    pub batches: Vec<String>,
    /// Only of metrics whose name fits one of these globs.
    pub metrics: Vec<String>,
    /// Only with all of these labels.
    pub tags: BTreeMap<String, String>,
    /// Only of this severity or a higher one.
    pub severity: Option<Severity>,
    /// Only of these kinds.
    pub kinds: Vec<AlertKind>,
    /// Only these things said of them.
    pub events: Vec<MessageEvent>,
    /// Only at these times of day.
    pub hours: Option<Hours>,
    /// Only on these days.
    pub days: Vec<Day>,
    /// Zone of hours and days; otherwise the batch's.
    pub timezone: Option<chrono_tz::Tz>,
    /// Whether it takes the place of the batch's own channels, and of the routes below it.
    pub only: bool,
}

/// A stretch of the day, in minutes from midnight: the first included, the last not. It goes over
/// midnight where it ends before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// The first minute.
    pub from: u32,
    /// The minute after the last.
    pub to: u32,
}

impl Hours {
    /// Whether a minute of the day is in it.
    pub const fn holds(self, minute: u32) -> bool {
        if self.from <= self.to {
            self.from <= minute && minute < self.to
        } else {
            self.from <= minute || minute < self.to
        }
    }
}

/// A text that is no stretch of the day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a stretch of the day")]
pub struct BadHours {
    /// What was written.
    pub text: String,
}

impl FromStr for Hours {
    type Err = BadHours;

    /// As in `22:00-07:00`; `24:00` is the end of the day.
    fn from_str(text: &str) -> Result<Self, BadHours> {
        let bad = || BadHours { text: text.to_owned() };
        let (from, to) = text.split_once('-').ok_or_else(bad)?;
        let from = minute(from).filter(|from| *from < DAY).ok_or_else(bad)?;
        let to = minute(to).filter(|to| *to != from).ok_or_else(bad)?;
        Ok(Self { from, to })
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

const DAY: u32 = 24 * 60;

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let at = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && at <= DAY).then_some(at)
}

text_enum! {
    /// A day of the week.
    Day {
        /// Monday.
        Mon = "mon",
        /// Tuesday.
        Tue = "tue",
        /// Wednesday.
        Wed = "wed",
        /// Thursday.
        Thu = "thu",
        /// Friday.
        Fri = "fri",
        /// Saturday.
        Sat = "sat",
        /// Sunday.
        Sun = "sun",
    }
}

impl Day {
    /// Counted from Monday as 0.
    pub const fn from_monday(self) -> u32 {
        self as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_go_over_midnight() {
        let night: Hours = "22:00-07:00".parse().unwrap();
        let at = |hour: u32| night.holds(hour * 60);
        assert_eq!((at(21), at(22), at(0), at(6), at(7)), (false, true, true, true, false));
        assert_eq!(night.to_string(), "22:00-07:00");
        assert!("00:00-24:00".parse::<Hours>().unwrap().holds(23 * 60 + 59));
    }

    #[test]
    fn what_is_no_stretch_of_the_day_is_refused() {
        for bad in ["", "9-17", "09:00", "09:00-09:00", "24:00-01:00", "09:60-10:00", "x:y-z:w"] {
            assert_eq!(bad.parse::<Hours>(), Err(BadHours { text: bad.into() }), "{bad}");
        }
    }
}
