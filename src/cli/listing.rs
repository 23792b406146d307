//! Listings: a table for people, JSON for programs. Names from outside are shown without control
//! characters, so that none can move the cursor.

use std::io::{IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::domain::{Span, Timestamp, words::shown};

use super::{Global, Outcome};

/// Prints records as a JSON array, or as a table with a header.
pub(super) fn print<T: Serialize>(
    global: &Global,
    records: &[T],
    header: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    if global.json {
        serde_json::to_writer_pretty(&mut out, records)?;
        writeln!(out)?;
        return Ok(Outcome::Done);
    }
    let rows = records.iter().map(row).collect();
    writeln!(out, "{}", table(header, rows))?;
    Ok(Outcome::Done)
}

/// Prints one record as JSON, or as name and value lines.
pub(super) fn print_one<T: Serialize>(
    global: &Global,
    record: &T,
    fields: &[(&str, String)],
) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    if global.json {
        serde_json::to_writer_pretty(&mut out, record)?;
        writeln!(out)?;
        return Ok(Outcome::Done);
    }
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in fields {
        writeln!(out, "{name:<width$}  {}", visible(value))?;
    }
    Ok(Outcome::Done)
}

/// A borderless table, fitted to the terminal when there is one.
pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header.iter().copied());
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| shown(cell)));
    }
    table
}

/// The text with every control character but the line's end escaped.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() && c != '\n' {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// How long ago, in one unit.
pub(super) fn ago(now: Timestamp, at: Timestamp) -> String {
    let age = now - at;
    let (ago, secs) =
        if age < Span::ZERO { ("ahead", -age.as_secs_f64()) } else { ("ago", age.as_secs_f64()) };
    match secs {
        _ if secs < 90.0 => format!("{secs:.0} s {ago}"),
        _ if secs < 5_400.0 => format!("{:.0} min {ago}", secs / 60.0),
        _ if secs < 172_800.0 => format!("{:.0} h {ago}", secs / 3_600.0),
        _ => format!("{:.0} d {ago}", secs / 86_400.0),
    }
}

/// A value that may be missing.
pub(super) fn or_dash<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "\u{2013}".into(), show)
}
