//! `[calendar] maintenance` of a batch: times in which nothing alerts.

use chrono_tz::Tz;

use crate::domain::{CronExpr, Maintenance, MaintenanceTime, Span, Timestamp, first_shown};

use super::{file, ics};
use crate::config::{batch::from_to, section::Section, values::Refusal};

/// Work that lasts longer is a mistake: nothing would ever alert.
const LONGEST: Span = Span::days(31);

/// What one entry of the list says; nothing when it is wrong.
pub(super) fn read(entry: &mut Section<'_>, zone: Tz) -> Option<Maintenance> {
    let reason = entry.text("reason").map_or(String::new(), |text| text.value.text);
    let ways: Vec<&str> =
        ["cron", "from", "ics"].into_iter().filter(|key| entry.has(key)).collect();
    let when = match ways.as_slice() {
        ["cron"] => recurring(entry)?,
        ["from"] => MaintenanceTime::of(vec![from_to(entry)?]),
        ["ics"] => calendar(entry, zone)?,
        _ => {
            entry.ignore(&["cron", "duration", "from", "to", "ics"]);
            let message = "this names no time, or more than one";
            let help = "write `cron` and `duration`, or `from` and `to`, or `ics`";
            let place = entry.place.clone();
            entry.check.problem_with_help(&place, message, help);
            return None;
        }
    };
    Some(Maintenance { when, reason })
}

fn recurring(entry: &mut Section<'_>) -> Option<MaintenanceTime> {
    let start = entry.parsed("cron", "a cron expression", |text| {
        CronExpr::parse(text).map_err(|error| Refusal { message: error.to_string(), help: None })
    });
    if !entry.has("duration") {
        entry.missing("duration", "write how long it lasts, as in \"2h\"");
    }
    let length = entry.positive_span("duration")?;
    if LONGEST < length.value {
        entry.check.problem(&length.place, format!("`duration` is longer than {LONGEST}"));
        return None;
    }
    let start = start?.value;
    entry.show("cron", start.to_string());
    entry.show("duration", length.value.to_string());
    Some(MaintenanceTime::Recurring { start, length: length.value })
}

fn calendar(entry: &mut Section<'_>, zone: Tz) -> Option<MaintenanceTime> {
    let name = entry.text("ics")?;
    let (text, file) = file(entry, &name)?;
    let found = ics::days(&text, zone);
    super::report(entry, found.faults, &file);
    let instant = |time| first_shown(zone, time);
    let stretches: Vec<(Timestamp, Timestamp)> = found
        .occurrences
        .iter()
        .filter_map(|(start, end)| Some((instant(*start)?, instant(*end)?)))
        .filter(|(start, end)| start < end)
        .collect();
    entry.show("sha256", super::digest(&text));
    Some(MaintenanceTime::of(stretches))
}
