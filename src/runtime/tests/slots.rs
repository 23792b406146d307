//! Which slots are due, against the calendar and against a look at every minute.

use std::collections::BTreeSet;

use chrono::{
    DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc,
    Weekday,
};
use chrono_tz::Tz;

use super::super::schedule::due_slots;
use crate::domain::{CronExpr, Missed, Span, Timestamp, Trigger, next_after};

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
const EXPRESSIONS: [&str; 12] = [
    "0 3 * * *",
    "30 2 * * *",
    "30,45 0,1,2,23 * * *",
    "59 1 * * SUN",
    "0 0 1,15,30 * *",
    "*/5 * * * *",
    "0 * * * *",
    "15 */2 * * *",
    "*/20 1-3 * * MON-FRI",
    "30 2 L * *",
    "15 1 * * SUN#2",
    "*/30 * * 3,10 SUNL",
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
        expr.matches_date(time.date()) && expr.matches_time(time.hour(), time.minute(), 0)
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
                .map(|at| (at.timestamp(), zone.from_utc_datetime(&at.naive_utc()).naive_local()))
                .collect();
            for text in EXPRESSIONS {
                let Trigger::Cron(expr) = cron(text) else { unreachable!() };
                let (from, to) = (change.timestamp() - 9 * 3_600, change.timestamp() + 15 * 3_600);
                let expected: Vec<i64> =
                    oracle(&expr, &minutes).range(from + 1..=to).copied().collect();
                let trigger = Trigger::Cron(expr);
                let mut slot = Timestamp::from_secs(from).unwrap();
                let mut found = Vec::new();
                while let Some(next) = next_after(&trigger, zone, slot).filter(|s| s.secs() <= to) {
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
fn last_days_and_nth_weekdays_come_as_counted_over_forty_years() {
    let check = |text: &str, fits: &dyn Fn(NaiveDate, u32) -> bool| {
        let first = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap();
        let mut of_weekday = [0; 7];
        let mut slot = at("1999-12-31T12:00:00Z");
        for date in first.iter_days().take_while(|date| date.year() < 2038) {
            if date.day() == 1 {
                of_weekday = [0; 7];
            }
            let weekday = date.weekday().num_days_from_sunday() as usize;
            of_weekday[weekday] += 1;
            if fits(date, of_weekday[weekday]) {
                slot = next_after(&cron(text), Tz::UTC, slot).unwrap();
                assert_eq!(slot.to_utc().date_naive(), date, "{text}");
            }
        }
    };
    let is_on = |date: NaiveDate, weekday: Weekday| date.weekday() == weekday;
    check("0 3 L * *", &|date, _| date.succ_opt().unwrap().day() == 1);
    check("0 3 * * TUE#3", &|date, n| n == 3 && is_on(date, Weekday::Tue));
    check("0 3 * * SAT#5", &|date, n| n == 5 && is_on(date, Weekday::Sat));
    check("0 3 * * THUL", &|date, _| {
        let next = date.checked_add_days(chrono::Days::new(7)).unwrap();
        is_on(date, Weekday::Thu) && next.month() != date.month()
    });
    check("0 */24 L * MON#1", &|date, n| {
        date.succ_opt().unwrap().day() == 1 || (n == 1 && is_on(date, Weekday::Mon))
    });
}

#[test]
fn a_leap_day_is_found_over_a_century_without_one() {
    let found = next_after(&cron("0 0 29 2 *"), Tz::UTC, at("2096-02-29T00:00:00Z"));
    assert_eq!(found, Some(at("2104-02-29T00:00:00Z")));
    let fifth = next_after(&cron("0 0 * 2 FRI#5"), Tz::UTC, at("2064-03-01T00:00:00Z"));
    assert_eq!(fifth, Some(at("2092-02-29T00:00:00Z")));
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
