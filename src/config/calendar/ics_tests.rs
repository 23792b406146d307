//! Which days calendars name, and what is said of broken ones.

use super::*;

const COMPANY: &str = include_str!("../../../tests/golden/calendar/company.ics");

fn shown(days: &BTreeSet<NaiveDate>, years: &[&str]) -> Vec<String> {
    let all = days.iter().map(NaiveDate::to_string);
    all.filter(|day| years.iter().any(|year| day.starts_with(year))).collect()
}

fn calendar(events: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{events}\nEND:VCALENDAR\n")
}

fn event(lines: &str) -> String {
    calendar(&format!("BEGIN:VEVENT\nUID:a\n{lines}\nEND:VEVENT"))
}

#[test]
fn whole_days_times_zones_repetitions_and_exceptions_become_local_days() {
    let found = days(COMPANY, Tz::Europe__Dublin);
    assert_eq!(found.faults, []);
    assert_eq!(
        shown(&found.days, &["2023", "2024", "2025", "2026"]),
        [
            "2023-06-12",
            "2025-06-12",
            "2025-12-24",
            "2025-12-25",
            "2025-12-26",
            // 23:30 UTC is the same day in winter and the next in summer.
            "2026-03-27",
            "2026-03-28",
            "2026-03-30",
            "2026-03-31",
            "2026-06-15",
            "2026-07-09",
            "2026-09-01",
        ]
    );
    assert_eq!(shown(&found.days, &["206", "207"]), ["2060-06-12"]);
}

#[test]
fn a_whole_day_is_the_same_date_in_every_zone_even_where_it_has_no_midnight() {
    let text = event("DTSTART;VALUE=DATE:20181104");
    for zone in [Tz::America__Sao_Paulo, Tz::Pacific__Auckland, Tz::Pacific__Honolulu] {
        let found = days(&text, zone);
        assert_eq!((shown(&found.days, &["2"]), found.faults), (vec!["2018-11-04".into()], vec![]));
    }
}

#[track_caller]
fn check_fault(text: &str, line: usize, message: &str) {
    let faults: Vec<(usize, String)> = days(text, Tz::UTC)
        .faults
        .into_iter()
        .map(|fault| (text[..fault.line.start].matches('\n').count() + 1, fault.message))
        .collect();
    assert_eq!(faults, [(line, message.to_owned())]);
}

#[test]
fn a_broken_calendar_says_where_and_why() {
    let missing = "this is not a calendar: there is no BEGIN:VCALENDAR";
    check_fault("", 1, missing);
    check_fault("date,name\n2026-01-01,New year\n", 1, "this line belongs to no calendar");
    check_fault("BEGIN:VCALENDAR\nBEGIN:VEVENT\n", 3, "the file ends before END:VEVENT");
    let open = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nEND:VCALENDAR\n";
    check_fault(open, 4, "END:VCALENDAR stands where END:VEVENT is expected");
    check_fault("END:VCALENDAR\n", 1, "END:VCALENDAR stands where nothing has begun");
    check_fault(&event("SUMMARY:a"), 3, "this event cannot be used: Missing DTSTART property");
    check_fault(&event("DTSTART:tomorrow"), 3, "DTSTART: this cannot be read");
    check_fault(&event("DTSTART:20260101\nRRULE:EVERY YEAR"), 3, "RRULE: this cannot be read");
    let unknown = "DTSTART: the time zone is not known";
    check_fault(&event("DTSTART;TZID=Mars/Base:20260101T100000"), 3, unknown);
    let often = "this event recurs more than 30000 times";
    check_fault(&event("DTSTART:20260101T000000\nRRULE:FREQ=SECONDLY"), 3, often);
    let long = "this event does not end within 366 days of its start";
    check_fault(&event("DTSTART:20260101T000000\nDURATION:P9999W"), 3, long);
    let many = "BEGIN:VEVENT\nDTSTART:20260101\nEND:VEVENT\n".repeat(2_001);
    check_fault(&calendar(&many), 1, "this file has more than 2000 events");
}

/// Each line dropped, cut, doubled and with its digits changed, and some that mean trouble: it
/// ends, and it does not panic.
#[test]
fn no_damage_stops_the_reading() {
    let lines: Vec<&str> = COMPANY.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        let cut = line.get(..line.len() / 2).unwrap_or_default();
        for other in
            [String::new(), cut.into(), format!("{line}\r\n{line}"), line.replace('0', "9")]
        {
            let mut damaged: Vec<&str> = lines.clone();
            damaged[i] = &other;
            days(&damaged.join("\r\n"), Tz::Europe__Dublin);
        }
    }
    for text in [
        "DTSTART:00000101\nRRULE:FREQ=YEARLY",
        "DTSTART:99991231T235959Z\nRRULE:FREQ=YEARLY;INTERVAL=65535",
        "DTSTART:99991231\nDTEND:00010101",
        "DTSTART:20260101\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "DTSTART:20260101\nRRULE:FREQ=YEARLY;INTERVAL=0",
        "DTSTART:20260101\nRRULE:FREQ=YEARLY;COUNT=0",
        "DTSTART:20260101\nRRULE:FREQ=MONTHLY;BYSETPOS=-366;BYDAY=-53MO,53SU",
        "DTSTART:20260101\nRRULE:FREQ=YEARLY;BYWEEKNO=-53;BYYEARDAY=-366,366",
        "DTSTART:20260101\nRRULE:FREQ=YEARLY;UNTIL=99991231T235959Z",
        "DTSTART:20260101T000000Z\nDURATION:-P99999999999999999999W",
        "DTSTART:20260101T000000+2400\nDTEND:20260101T000000-9999",
        "DTSTART:20260101\nRDATE;VALUE=PERIOD:99990101T000000Z/P99999999W",
        "DTSTART:20260229\nRECURRENCE-ID;RANGE=THISANDFUTURE:99990101",
        "DTSTART;TZID=:20260101T000000\nEXDATE;TZID=\u{1}:x",
    ] {
        days(&event(text), Tz::Europe__Dublin);
    }
    days(&"BEGIN:VEVENT\n".repeat(50_000), Tz::UTC);
    days("\u{feff}BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART\r\n", Tz::UTC);
}
