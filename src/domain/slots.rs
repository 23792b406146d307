//! When a trigger is due next. A pure function of the trigger, the zone and an instant.
//!
//! A cron expression with fixed hours and minutes means "once on each civil day it matches": a time
//! that the clock jumps over runs at the first instant after the jump, a time the clock shows twice
//! runs the first time. Any other expression means "whenever the clock shows this".

use chrono::{
    DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike,
    Utc,
};
use chrono_tz::Tz;

use super::{CronExpr, Span, Timestamp, Trigger};

/// Longest wait for a date that can match: a fifth Friday of a February, over the year 2100.
const MAX_DATES: u32 = 41 * 366;
/// No zone is further from UTC.
const WIDEST_OFFSET: TimeDelta = TimeDelta::hours(26);

/// The first slot after an instant; `None` for triggers that time alone never fires.
pub fn next_after(trigger: &Trigger, zone: Tz, after: Timestamp) -> Option<Timestamp> {
    let next = match trigger {
        Trigger::Cron(cron) if cron.is_fixed_time() => next_fixed(cron, zone, after),
        Trigger::Cron(cron) => next_shown(cron, zone, after),
        Trigger::Every(span) if Span::ZERO < *span => Some(after.floor(*span) + *span),
        Trigger::Every(_) | Trigger::After(_) | Trigger::Never => None,
    };
    // Additions saturate at the year 9999, where no slot is after the instant any more.
    next.filter(|slot| after < *slot)
}

fn next_fixed(cron: &CronExpr, zone: Tz, after: Timestamp) -> Option<Timestamp> {
    let after = after.to_utc();
    // A gap can carry a run of the day before into the day of `after`.
    let mut date = local(zone, after).date().checked_sub_days(Days::new(1))?;
    for _ in 0..MAX_DATES {
        if cron.matches_date(date) && exists(zone, date) {
            let times = cron.times().filter_map(|(h, m, s)| date.and_hms_opt(h, m, s));
            let slot = times.filter_map(|time| first_instant(zone, time)).find(|at| after < *at);
            if let Some(slot) = slot {
                return to_timestamp(slot);
            }
        }
        date = date.succ_opt()?;
    }
    None
}

/// Whether the zone has that day at all; Apia went from 29 to 31 December 2011.
fn exists(zone: Tz, date: NaiveDate) -> bool {
    let midnight = date.and_hms_opt(0, 0, 0).and_then(|time| first_instant(zone, time));
    midnight.is_some_and(|at| local(zone, at).date() == date)
}

/// The first instant at which a zone's clock shows a civil time or a later one; `None` beyond the
/// years there are.
pub fn first_shown(zone: Tz, time: NaiveDateTime) -> Option<Timestamp> {
    to_timestamp(first_instant(zone, time)?)
}

/// The first instant at which a zone's clock shows a civil time or a later one.
fn first_instant(zone: Tz, time: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&time) {
        LocalResult::Single(at) => Some(at.to_utc()),
        LocalResult::Ambiguous(first, second) => Some(first.min(second).to_utc()),
        LocalResult::None => end_of_gap(zone, time),
    }
}

fn end_of_gap(zone: Tz, skipped: NaiveDateTime) -> Option<DateTime<Utc>> {
    let mut before = skipped.and_utc().checked_sub_signed(WIDEST_OFFSET)?;
    let mut behind = skipped.and_utc().checked_add_signed(WIDEST_OFFSET)?;
    while TimeDelta::seconds(1) < behind - before {
        let middle = before + TimeDelta::seconds((behind - before).num_seconds() / 2);
        if local(zone, middle) < skipped { before = middle } else { behind = middle }
    }
    Some(behind)
}

fn next_shown(cron: &CronExpr, zone: Tz, after: Timestamp) -> Option<Timestamp> {
    let mut at = DateTime::from_timestamp(after.secs().checked_add(1)?, 0)?;
    let last = at.checked_add_days(Days::new(u64::from(MAX_DATES)))?;
    while at < last {
        let clock = local(zone, at);
        let until_midnight = 86_400 - i64::from(clock.num_seconds_from_midnight());
        let until_hour = 3_600 - i64::from(clock.minute() * 60 + clock.second());
        let until_minute = 60 - i64::from(clock.second());
        let steps = match first_mismatch(cron, clock) {
            None => return to_timestamp(at),
            Some(Mismatch::Date) => [until_midnight, until_hour, until_minute],
            Some(Mismatch::Hour) => [until_hour, until_minute, 1],
            Some(Mismatch::Minute) => [until_minute, 1, 1],
            Some(Mismatch::Second) => [1, 1, 1],
        };
        // A step over a change of the clock could step over a match.
        let offset = |at: &DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
        let candidates = steps.map(|seconds| at + TimeDelta::seconds(seconds));
        let unchanged = candidates.iter().find(|next| offset(next) == offset(&at));
        at = unchanged.copied().unwrap_or(at + TimeDelta::seconds(1));
    }
    None
}

enum Mismatch {
    Date,
    Hour,
    Minute,
    Second,
}

fn first_mismatch(cron: &CronExpr, clock: NaiveDateTime) -> Option<Mismatch> {
    if !cron.matches_date(clock.date()) {
        return Some(Mismatch::Date);
    }
    if cron.matches_time(clock.hour(), clock.minute(), clock.second()) {
        return None;
    }
    // The fields are independent, so one known match shows which of them differs.
    let (hour, minute, second) = cron.times().next()?;
    if !cron.matches_time(clock.hour(), minute, second) {
        Some(Mismatch::Hour)
    } else if !cron.matches_time(hour, clock.minute(), second) {
        Some(Mismatch::Minute)
    } else {
        Some(Mismatch::Second)
    }
}

fn local(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    zone.from_utc_datetime(&at.naive_utc()).naive_local()
}

fn to_timestamp(at: DateTime<Utc>) -> Option<Timestamp> {
    Timestamp::from_micros(at.timestamp_micros())
}
