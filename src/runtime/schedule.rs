//! Which slots are due. A pure function of the trigger, the zone and two instants.
//!
//! A cron expression with fixed hours and minutes means "once on each civil day it matches": a time
//! that the clock jumps over runs at the first instant after the jump, a time the clock shows twice
//! runs the first time. Any other expression means "whenever the clock shows this".

use chrono::{
    DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike,
    Utc,
};
use chrono_tz::Tz;

use crate::domain::{CronExpr, Missed, Span, Timestamp, Trigger};

/// A slot younger than this was not missed, only noticed late.
const ON_TIME: Span = Span::secs(60);
/// Missed slots are counted one by one up to this number.
const MAX_COUNTED: u32 = 1_000;
/// Longest wait for a date that can match: a fifth Friday of a February, over the year 2100.
const MAX_DATES: u32 = 41 * 366;
/// No zone is further from UTC.
const WIDEST_OFFSET: TimeDelta = TimeDelta::hours(26);

/// What has become due since it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// The slot to run.
    pub run: Option<Timestamp>,
    /// How many older ones are left out; counted up to 1,000.
    pub n_skipped: u32,
    /// The newest of those left out, when none is run.
    pub newest_skipped: Option<Timestamp>,
}

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

/// What is due in `after < slot <= until`: at most the newest slot is run, because one run does the
/// work of all that were missed. With [`Missed::Skip`] it is run only when it is on time.
pub fn due_slots(
    trigger: &Trigger,
    zone: Tz,
    after: Timestamp,
    until: Timestamp,
    missed: Missed,
) -> Slots {
    let (n_slots, newest) = newest_slot(trigger, zone, after, until);
    let runs = newest.is_some_and(|slot| missed == Missed::Latest || until - ON_TIME < slot);
    match newest {
        Some(slot) if runs => {
            Slots { run: Some(slot), n_skipped: n_slots - 1, newest_skipped: None }
        }
        _ => Slots { run: None, n_skipped: n_slots, newest_skipped: newest },
    }
}

fn newest_slot(
    trigger: &Trigger,
    zone: Tz,
    after: Timestamp,
    until: Timestamp,
) -> (u32, Option<Timestamp>) {
    let (mut n_slots, mut newest) = (0, None);
    let mut slot = next_after(trigger, zone, after);
    while let Some(due) = slot.filter(|due| *due <= until) {
        n_slots += 1;
        newest = Some(due);
        if n_slots == MAX_COUNTED {
            return (n_slots, newest_of_many(trigger, zone, due, until));
        }
        slot = next_after(trigger, zone, due);
    }
    (n_slots, newest)
}

/// Looks back from the end in ever longer steps, so that years of missed minutes cost little.
fn newest_of_many(
    trigger: &Trigger,
    zone: Tz,
    after: Timestamp,
    until: Timestamp,
) -> Option<Timestamp> {
    let mut step = Span::hours(1);
    loop {
        let from = after.max(until - step);
        let mut newest = None;
        let mut slot = next_after(trigger, zone, from);
        while let Some(due) = slot.filter(|due| *due <= until) {
            newest = Some(due);
            slot = next_after(trigger, zone, due);
        }
        if newest.is_some() || from == after {
            return newest.or(Some(after));
        }
        step = Span::from_micros(step.micros().saturating_mul(8));
    }
}

fn next_fixed(cron: &CronExpr, zone: Tz, after: Timestamp) -> Option<Timestamp> {
    let after = after.to_utc();
    // A gap can carry a run of the day before into the day of `after`.
    let mut date = local(zone, after).date().checked_sub_days(Days::new(1))?;
    for _ in 0..MAX_DATES {
        if cron.matches_date(date) && exists(zone, date) {
            let times = cron.times().filter_map(|(h, m, s)| date.and_hms_opt(h, m, s));
            let slot = times.filter_map(|time| first_shown(zone, time)).find(|at| after < *at);
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
    let midnight = date.and_hms_opt(0, 0, 0).and_then(|time| first_shown(zone, time));
    midnight.is_some_and(|at| local(zone, at).date() == date)
}

/// The first instant at which a zone's clock shows a civil time or a later one.
fn first_shown(zone: Tz, time: NaiveDateTime) -> Option<DateTime<Utc>> {
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
