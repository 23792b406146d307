//! An iCalendar file (RFC 5545) → when its events are, and the local days they touch.
//!
//! A whole-day event is its dates, in whatever zone one is; a timed one is the days it touches by
//! the batch's clocks. Recurrence is followed to the last of [`YEARS`]. Cancelled events are left
//! out. The parser is lenient; what it passed over without a word is a fault here, so that no
//! holiday is lost silently.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use calcard::{
    Entry, Parser,
    common::{PartialDateTime, timezone::Tz as IcsZone},
    icalendar::{
        ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarProperty,
        ICalendarStatus, ICalendarValue,
        dates::{CalendarEvent, TimeOrDelta},
    },
};
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta};
use chrono_tz::Tz;

use super::YEARS;

/// Every day of all years is 26,000.
const MOST_OCCURRENCES: usize = 30_000;
/// Of all events together.
const MOST_DAYS: usize = 200_000;
const MOST_EVENTS: usize = 2_000;
/// An event that lasts longer is a mistake.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) days: BTreeSet<NaiveDate>,
    /// From when to when by the batch's clocks, the end not included.
    pub(super) occurrences: Vec<(NaiveDateTime, NaiveDateTime)>,
    pub(super) faults: Vec<Fault>,
    n_occurrences: usize,
}

/// Something that cannot be used.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    /// The line, in bytes of the text.
    pub(super) line: Range<usize>,
    pub(super) message: String,
}

/// An event with the line it begins at.
struct Event<'a> {
    component: &'a ICalendarComponent,
    line: Range<usize>,
}

/// The days of every event of a text.
pub(super) fn days(text: &str, zone: Tz) -> Found {
    let mut found = Found::default();
    let mut lines = event_lines(text);
    let calendars = parse(text, &mut found);
    let mut n_events = 0;
    for calendar in &calendars {
        let is_event =
            |one: &&ICalendarComponent| one.component_type == ICalendarComponentType::VEvent;
        // Repetitions and their exceptions have the same name.
        let mut series: BTreeMap<String, Vec<Event<'_>>> = BTreeMap::new();
        for component in calendar.components.iter().filter(is_event) {
            n_events += 1;
            let line = lines.next().unwrap_or(0..0);
            let name = component.uid().map_or(format!("\n{n_events}"), str::to_owned);
            series.entry(name).or_default().push(Event { component, line });
        }
        if MOST_EVENTS < n_events {
            found.fault(0..0, format!("this file has more than {MOST_EVENTS} events"));
            return found;
        }
        for events in series.values() {
            expand(calendar, events, zone, &mut found);
        }
    }
    found
}

impl Found {
    fn fault(&mut self, line: Range<usize>, message: impl Into<String>) {
        self.faults.push(Fault { line, message: message.into() });
    }
}

/// The calendars of a text, as far as it is one.
fn parse(text: &str, found: &mut Found) -> Vec<ICalendar> {
    let mut calendars = Vec::new();
    if let Some(fault) = unbalanced(text) {
        found.faults.push(fault);
        return calendars;
    }
    let mut parser = Parser::new(text);
    loop {
        match parser.entry() {
            Entry::ICalendar(calendar) => calendars.push(calendar),
            Entry::VCard(_) => found.fault(0..0, "this is an address card, not a calendar"),
            Entry::InvalidLine(line) => {
                let start = text.find(line.as_str()).unwrap_or(0);
                found.fault(start..start + line.len(), "this line belongs to no calendar");
                return calendars;
            }
            Entry::Eof => break,
            _ => {
                found.fault(0..0, "this file has too many parts");
                return calendars;
            }
        }
    }
    let is_calendar = |calendar: &ICalendar| {
        let first = calendar.components.first();
        first.is_some_and(|one| one.component_type == ICalendarComponentType::VCalendar)
    };
    if found.faults.is_empty() && !calendars.iter().any(is_calendar) {
        found.fault(0..0, "this is not a calendar: there is no BEGIN:VCALENDAR");
    }
    calendars
}

/// The first part that does not end where it should: a file that was cut off.
fn unbalanced(text: &str) -> Option<Fault> {
    let mut open: Vec<String> = Vec::new();
    for (from, line) in lines(text) {
        let upper = line.trim_start_matches('\u{feff}').to_ascii_uppercase();
        if let Some(name) = upper.strip_prefix("BEGIN:") {
            open.push(name.to_owned());
        } else if let Some(name) = upper.strip_prefix("END:") {
            let expected = open.pop();
            if expected.as_deref() != Some(name) {
                let help = expected.map_or("nothing has begun".into(), |expected| {
                    format!("END:{expected} is expected")
                });
                let message = format!("END:{name} stands where {help}");
                return Some(Fault { line: from..from + line.len(), message });
            }
        }
    }
    let message = format!("the file ends before END:{}", open.pop()?);
    Some(Fault { line: text.len()..text.len(), message })
}

/// Where the events of a text begin.
fn event_lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let events = lines(text).filter(|(_, line)| line.eq_ignore_ascii_case("BEGIN:VEVENT"));
    events.map(|(from, line)| from..from + line.len())
}

/// Each line and where it begins.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let from = start;
        start += line.len();
        (from, line.trim_end())
    })
}

/// One event with its repetitions and their exceptions.
fn expand(calendar: &ICalendar, events: &[Event<'_>], zone: Tz, found: &mut Found) {
    let Some(first) = events.first() else { return };
    let n_faults = found.faults.len();
    let resolver = calendar.build_tz_resolver();
    for event in events {
        for entry in &event.component.entries {
            let is_unknown = entry.tz_id().is_some_and(|name| resolver.resolve(name).is_none());
            let fault = if is_unknown { Some("the time zone is not known") } else { None };
            if let Some(fault) = unread(entry).or(fault) {
                found.fault(event.line.clone(), format!("{}: {fault}", entry.name.as_str()));
            }
        }
    }
    if n_faults < found.faults.len() {
        return;
    }
    let zones = calendar.timezones().cloned();
    let kept = events.iter().map(|event| bounded(event.component));
    let own = ICalendar { components: zones.chain(kept).collect() };
    // The parser forgets that a repeated event's time was UTC unless that is the default.
    let is_utc = start_of(first.component).is_some_and(PartialDateTime::has_zone);
    let default = if is_utc { IcsZone::UTC } else { IcsZone::Floating };
    let expanded = own.expand_dates(default, MOST_OCCURRENCES);
    let line = first.line.clone();
    if let Some(error) = expanded.errors.first() {
        found.fault(line, format!("this event cannot be used: {}", error.error));
    } else if MOST_OCCURRENCES <= expanded.events.len() {
        found.fault(line, format!("this event recurs more than {MOST_OCCURRENCES} times"));
    } else if MOST_DAYS < found.n_occurrences + expanded.events.len() {
        found.fault(line, format!("this file has more than {MOST_DAYS} repetitions"));
    } else {
        found.n_occurrences += expanded.events.len();
        for event in expanded.events {
            let component = own.components.get(event.comp_id as usize);
            let is_out =
                component.is_none_or(|one| one.status() == Some(&ICalendarStatus::Cancelled));
            if !is_out && !add(event, component, zone, found) {
                found.fault(line, "this event does not end within 366 days of its start");
                return;
            }
        }
    }
}

/// Why a line of an event says nothing.
fn unread(entry: &ICalendarEntry) -> Option<&'static str> {
    let is_read = |value: &ICalendarValue| match (&entry.name, value) {
        (
            ICalendarProperty::Dtstart | ICalendarProperty::Dtend | ICalendarProperty::RecurrenceId,
            value,
        )
        | (ICalendarProperty::Exdate | ICalendarProperty::Rdate, value) => match value {
            ICalendarValue::PartialDateTime(time) => time.to_date_time().is_some(),
            ICalendarValue::Period(_) => true,
            _ => false,
        },
        (ICalendarProperty::Rrule, value) => matches!(value, ICalendarValue::RecurrenceRule(_)),
        (ICalendarProperty::Duration, value) => matches!(value, ICalendarValue::Duration(_)),
        _ => true,
    };
    (!entry.values.iter().all(is_read)).then_some("this cannot be read")
}

/// The event, recurring no longer than the last year.
fn bounded(event: &ICalendarComponent) -> ICalendarComponent {
    let mut event = event.clone();
    // An exception may be of a later revision than what it is an exception to.
    event.entries.retain(|entry| entry.name != ICalendarProperty::Sequence);
    let last = u16::try_from(*YEARS.end()).ok();
    for value in event.entries.iter_mut().flat_map(|entry| &mut entry.values) {
        if let ICalendarValue::RecurrenceRule(rule) = value
            && rule.until.as_ref().is_none_or(|until| last < until.year)
        {
            let end = PartialDateTime {
                year: last,
                month: Some(12),
                day: Some(31),
                ..Default::default()
            };
            rule.until = Some(end);
        }
    }
    event
}

fn start_of(event: &ICalendarComponent) -> Option<&PartialDateTime> {
    let start = event.property(&ICalendarProperty::Dtstart)?;
    start.values.first()?.as_partial_date_time()
}

type Occurrence = CalendarEvent<DateTime<IcsZone>, TimeOrDelta<DateTime<IcsZone>, TimeDelta>>;

/// Adds the days an occurrence touches; false when it never ends.
fn add(
    event: Occurrence,
    component: Option<&ICalendarComponent>,
    zone: Tz,
    found: &mut Found,
) -> bool {
    let local = |time: DateTime<IcsZone>| match time.timezone() {
        IcsZone::Floating => time.naive_local(),
        _ => time.with_timezone(&zone).naive_local(),
    };
    let start = local(event.start);
    let has_end = component.is_some_and(|one| {
        one.has_property(&ICalendarProperty::Dtend)
            || one.has_property(&ICalendarProperty::Duration)
    });
    let is_timed = component.and_then(start_of).is_some_and(PartialDateTime::has_time);
    let end = match event.end {
        // Without an end a time is a moment.
        _ if is_timed && !has_end => Some(start),
        TimeOrDelta::Time(end) => Some(local(end)),
        TimeOrDelta::Delta(length) => event.start.checked_add_signed(length).map(local),
    };
    let Some(end) = end.filter(|end| *end - start <= LONGEST) else { return false };
    let touched = start.date().iter_days().take_while(|day| *day <= last_day(start, end));
    found.occurrences.push((start, end));
    found.days.extend(touched.filter(|day| YEARS.contains(&day.year())));
    true
}

/// The last day before an end that is itself no longer part of it.
fn last_day(start: NaiveDateTime, end: NaiveDateTime) -> NaiveDate {
    let is_midnight = end.time() == chrono::NaiveTime::MIN;
    let day =
        if is_midnight { end.date().checked_sub_days(Days::new(1)) } else { Some(end.date()) };
    day.unwrap_or(start.date()).max(start.date())
}

#[cfg(test)]
#[path = "ics_tests.rs"]
mod tests;
