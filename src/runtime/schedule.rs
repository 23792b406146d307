//! Which slots are due. A pure function of the trigger, the zone and two instants.
//!
//! A cron expression with fixed hours and minutes means "once on each civil day it matches": a time
//! that the clock jumps over runs at the first instant after the jump, a time the clock shows twice
//! runs the first time. Any other expression means "whenever the clock shows this".

use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone,
    Timelike, Utc,
};
use chrono_tz::Tz;

use crate::domain::{CronExpr, Missed, Span, Timestamp, Trigger};

/// A slot younger than this was not missed, only noticed late.
const ON_TIME: Span = Span::secs(60);
/// Missed slots are counted one by one up to this number.
const MAX_COUNTED: u32 = 1_000;
/// Longest wait for a date that can match: 29 February, on a given weekday, over the year 2100.
const MAX_DATES: u32 = 13 * 366;
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
        if matches_date(cron, date) && exists(zone, date) {
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
    if !matches_date(cron, clock.date()) {
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

fn matches_date(cron: &CronExpr, date: NaiveDate) -> bool {
    cron.matches_date(date.month(), date.day(), date.weekday().num_days_from_sunday())
}

fn local(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    zone.from_utc_datetime(&at.naive_utc()).naive_local()
}

fn to_timestamp(at: DateTime<Utc>) -> Option<Timestamp> {
    Timestamp::from_micros(at.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ZONES: [Tz; 20] = [
        Tz::Europe__Dublin,
        Tz::Europe__Berlin,
        Tz::Europe__Moscow,
        Tz::America__New_York,
        Tz::America__St_Johns,
        Tz::America__Sao_Paulo,
        Tz::America__Caracas,
        Tz::America__Havana,
        Tz::America__Asuncion,
        Tz::Africa__Casablanca,
        Tz::Africa__Cairo,
        Tz::Asia__Tehran,
        Tz::Asia__Kathmandu,
        Tz::Asia__Pyongyang,
        Tz::Asia__Beirut,
        Tz::Australia__Lord_Howe,
        Tz::Pacific__Apia,
        Tz::Pacific__Chatham,
        Tz::Antarctica__Troll,
        Tz::UTC,
    ];
    const EXPRESSIONS: [&str; 9] = [
        "0 3 * * *",
        "30 2 * * *",
        "30,45 0,1,2,23 * * *",
        "59 1 * * SUN",
        "0 0 1,15,30 * *",
        "*/5 * * * *",
        "0 * * * *",
        "15 */2 * * *",
        "*/20 1-3 * * MON-FRI",
    ];

    fn cron(text: &str) -> Trigger {
        Trigger::Cron(CronExpr::parse(text).unwrap())
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    /// Instants at which a zone's offset changes, to six hours.
    fn changes(zone: Tz) -> Vec<DateTime<Utc>> {
        let mut found = Vec::new();
        for year in [2011, 2015, 2024] {
            let start = Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap();
            let offset = |n: i64| {
                let at = start + TimeDelta::hours(6 * n);
                (at, zone.offset_from_utc_datetime(&at.naive_utc()).fix())
            };
            let changed = (0..366 * 4).filter(|n| offset(*n).1 != offset(n + 1).1);
            found.extend(changed.map(|n| offset(n).0));
        }
        found
    }

    /// What is due around a change, looking at every single minute.
    fn oracle(expr: &CronExpr, minutes: &[(i64, NaiveDateTime)]) -> BTreeSet<i64> {
        let fits = |time: &NaiveDateTime| {
            matches_date(expr, time.date()) && expr.matches_time(time.hour(), time.minute(), 0)
        };
        if !expr.is_fixed_time() {
            let shown = minutes.iter().filter(|(_, time)| fits(time));
            return shown.map(|(second, _)| *second).collect();
        }
        let dates: BTreeSet<NaiveDate> = minutes.iter().map(|(_, time)| time.date()).collect();
        let mut due = BTreeSet::new();
        for date in dates.into_iter().skip(1) {
            for minute in 0..1_440 {
                let time = date.and_hms_opt(minute / 60, minute % 60, 0).unwrap();
                if fits(&time) {
                    due.extend(minutes.iter().find(|(_, shown)| time <= *shown).map(|(s, _)| s));
                }
            }
        }
        due
    }

    #[test]
    fn slots_around_every_change_of_the_clock_are_those_found_minute_by_minute() {
        let mut n_changes = 0;
        for zone in ZONES {
            for change in changes(zone) {
                n_changes += 1;
                let start = change.timestamp() - 36 * 3_600;
                let minutes: Vec<_> = (0..72 * 60)
                    .map(|n| DateTime::from_timestamp(start + n * 60, 0).unwrap())
                    .map(|at| (at.timestamp(), local(zone, at)))
                    .collect();
                for text in EXPRESSIONS {
                    let Trigger::Cron(expr) = cron(text) else { unreachable!() };
                    let (from, to) =
                        (change.timestamp() - 9 * 3_600, change.timestamp() + 15 * 3_600);
                    let expected: Vec<i64> =
                        oracle(&expr, &minutes).range(from + 1..=to).copied().collect();
                    let trigger = Trigger::Cron(expr);
                    let mut slot = Timestamp::from_secs(from).unwrap();
                    let mut found = Vec::new();
                    while let Some(next) =
                        next_after(&trigger, zone, slot).filter(|s| s.secs() <= to)
                    {
                        found.push(next.secs());
                        slot = next;
                    }
                    assert_eq!(found, expected, "{text} in {zone} around {change}");
                }
            }
        }
        assert!(60 < n_changes, "{n_changes}");
    }

    #[test]
    fn a_time_jumped_over_runs_after_the_jump_and_one_shown_twice_runs_once() {
        let check = |zone, after: &str, expected: [&str; 2]| {
            let first = next_after(&cron("30 2 * * *"), zone, at(after)).unwrap();
            let second = next_after(&cron("30 2 * * *"), zone, first).unwrap();
            assert_eq!([first, second], expected.map(at), "{zone}");
        };
        let gap = ["2025-03-30T01:00:00Z", "2025-03-31T00:30:00Z"];
        check(Tz::Europe__Berlin, "2025-03-29T12:00:00Z", gap);
        let fold = ["2025-10-26T00:30:00Z", "2025-10-27T01:30:00Z"];
        check(Tz::Europe__Berlin, "2025-10-25T12:00:00Z", fold);
        let skipped_day = ["2011-12-29T12:30:00Z", "2011-12-30T12:30:00Z"];
        check(Tz::Pacific__Apia, "2011-12-29T00:00:00Z", skipped_day);
    }

    #[test]
    fn a_leap_day_is_found_over_a_century_without_one() {
        let found = next_after(&cron("0 0 29 2 *"), Tz::UTC, at("2096-02-29T00:00:00Z"));
        assert_eq!(found, Some(at("2104-02-29T00:00:00Z")));
        let found = next_after(&cron("*/5 * 29 2 *"), Tz::UTC, at("2096-03-01T00:00:00Z"));
        assert_eq!(found, Some(at("2104-02-29T00:00:00Z")));
    }

    #[test]
    fn seconds_and_spacings_are_followed() {
        let found = next_after(&cron("*/30 0 * * * *"), Tz::UTC, at("2026-01-01T00:00:00.5Z"));
        assert_eq!(found, Some(at("2026-01-01T00:00:30Z")));
        let every = Trigger::Every(Span::secs(90));
        assert_eq!(
            next_after(&every, Tz::UTC, at("1970-01-01T00:03:00Z")),
            Some(at("1970-01-01T00:04:30Z"))
        );
        assert_eq!(next_after(&Trigger::Never, Tz::UTC, Timestamp::MIN), None);
        assert_eq!(next_after(&every, Tz::UTC, Timestamp::MAX), None);
    }

    #[track_caller]
    fn check_due(missed: Missed, until: &str, run: Option<&str>, n_skipped: u32) {
        let after = at("2026-01-01T00:00:00Z");
        let slots = due_slots(&cron("*/10 * * * *"), Tz::UTC, after, at(until), missed);
        assert_eq!((slots.run, slots.n_skipped), (run.map(at), n_skipped));
    }

    #[test]
    fn missed_slots_collapse_into_the_newest_or_are_left_out() {
        check_due(Missed::Latest, "2026-01-01T00:09:59Z", None, 0);
        check_due(Missed::Latest, "2026-01-01T00:10:00Z", Some("2026-01-01T00:10:00Z"), 0);
        check_due(Missed::Latest, "2026-01-01T00:35:00Z", Some("2026-01-01T00:30:00Z"), 2);
        check_due(Missed::Skip, "2026-01-01T00:35:00Z", None, 3);
        check_due(Missed::Skip, "2026-01-01T00:30:59Z", Some("2026-01-01T00:30:00Z"), 2);
        check_due(Missed::Latest, "2036-01-01T00:05:00Z", Some("2036-01-01T00:00:00Z"), 999);
    }
}
