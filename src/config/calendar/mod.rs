//! `[calendar]` of a batch: the days that are like Sundays, from countries' public holidays and
//! from `.ics` files, and the times in which nothing alerts.

mod countries;
mod ics;
mod maintenance;

use std::{collections::BTreeSet, ops::RangeInclusive, sync::Arc};

use chrono::NaiveDate;
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use crate::domain::Maintenance;

use super::{
    place::{Located, Place, SourceFile},
    section::{Section, Text},
};

/// The years whose holidays are known: metrics are not older, and nothing is foretold beyond.
const YEARS: RangeInclusive<i32> = 1990..=2060;
/// A calendar of a thousand events is a tenth of this.
const MOST_BYTES: usize = 1 << 20;

/// What `[calendar]` says.
pub(super) struct Calendar {
    /// Local days of the batch's zone, in order.
    pub(super) holidays: Vec<NaiveDate>,
    /// Times in which nothing alerts.
    pub(super) maintenance: Vec<Maintenance>,
}

/// Reads `[calendar]`.
pub(super) fn read(calendar: &mut Section<'_>, zone: Tz) -> Calendar {
    let holidays = holidays(calendar, zone);
    let times = calendar.tables("maintenance", |entry| maintenance::read(entry, zone));
    let times = times.map_or(Vec::new(), |times| times.value);
    Calendar { holidays, maintenance: times.into_iter().flatten().collect() }
}

fn holidays(calendar: &mut Section<'_>, zone: Tz) -> Vec<NaiveDate> {
    let mut days = BTreeSet::new();
    let mut texts = String::new();
    for name in calendar.texts_or("holidays", &[]) {
        if name.value.text.to_ascii_lowercase().ends_with(".ics") {
            let Some((text, file)) = file(calendar, &name) else { continue };
            days.extend(ics_days(calendar, &text, &file, zone));
            texts += &text;
        } else {
            match country_holidays(&name.value.text) {
                Ok(found) => days.extend(found),
                Err(near) => refuse_country(calendar, &name, &near),
            }
        }
    }
    // What the files hold is part of the configuration's hash, as a query's file is.
    if !texts.is_empty() {
        calendar.show("files_sha256", digest(&texts));
    }
    days.into_iter().collect()
}

/// A country's public holidays by its code.
///
/// # Errors
/// The codes that may be meant.
pub fn country_holidays(code: &str) -> Result<Vec<NaiveDate>, Vec<&'static str>> {
    countries::holidays(code).ok_or_else(|| countries::near(code))
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn refuse_country(calendar: &mut Section<'_>, name: &Located<Text>, near: &[&str]) {
    let shown = if name.value.is_expanded { "this" } else { &format!("`{}`", name.value.text) };
    let help = match near {
        [] => "write an ISO 3166 code, as in \"IE\", or the path of an .ics file".to_owned(),
        [one] => format!("did you mean `{one}`?"),
        several => format!("the nearest codes are {}; or name an .ics file", several.join(", ")),
    };
    let message = format!("{shown} is not the code of a country whose holidays are known");
    calendar.check.problem_with_help(&name.place, message, help);
}

/// The file's text, and what to call it.
fn file(calendar: &mut Section<'_>, name: &Located<Text>) -> Option<(String, Arc<SourceFile>)> {
    let path = calendar.check.dir.join(&name.value.text);
    let refusal = if path.is_file() {
        match calendar.check.read_text(&path) {
            Ok(text) if text.len() <= MOST_BYTES => {
                let shown = path.strip_prefix(&calendar.check.dir).unwrap_or(&path);
                let name = shown.display().to_string();
                return Some((text.clone(), Arc::new(SourceFile { name, text })));
            }
            Ok(_) => "this file is larger than 1 MiB".to_owned(),
            Err(error) => format!("this file cannot be read: {error}"),
        }
    } else {
        calendar.check.snapshot.missed(&path);
        "there is no such file".to_owned()
    };
    let help = "the path of an .ics file counts from the project folder";
    calendar.check.problem_with_help(&name.place, refusal, help);
    None
}

/// The days of a file's events; what is wrong with it is reported at its lines.
fn ics_days(
    calendar: &mut Section<'_>,
    text: &str,
    file: &Arc<SourceFile>,
    zone: Tz,
) -> BTreeSet<NaiveDate> {
    let found = ics::days(text, zone);
    report(calendar, found.faults, file);
    found.days
}

/// Reports what is wrong with a file at its lines.
fn report(calendar: &mut Section<'_>, faults: Vec<ics::Fault>, file: &Arc<SourceFile>) {
    for ics::Fault { line, message } in faults {
        let place = Place { file: Arc::clone(file), span: line };
        calendar.check.problem(&place, message);
    }
}
