//! What looking at a source found, for a person or a program.

use std::io::Write;

use super::{
    super::{Global, listing},
    Found,
};
use crate::domain::words::{count, number, shown};

/// Metrics listed for a person.
const MAX_METRICS: usize = 10;

/// Prints everything.
pub(super) fn print(global: &Global, found: &Found) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if global.json {
        serde_json::to_writer_pretty(&mut out, found)?;
        writeln!(out)?;
        return Ok(());
    }
    first_rows(&mut out, found)?;
    if let Some(error) = &found.error {
        writeln!(out, "these rows make no points: {error}")?;
    } else {
        points(&mut out, found)?;
        rejects(&mut out, found)?;
    }
    cost(&mut out, found)?;
    for idea in &found.ideas {
        writeln!(out, "note: {}", shown_whole(idea))?;
    }
    writeln!(out, "nothing was stored")?;
    Ok(())
}

fn first_rows(out: &mut impl Write, found: &Found) -> anyhow::Result<()> {
    let header: Vec<String> =
        found.columns.iter().map(|c| shown(&format!("{} ({})", c.name, c.dtype))).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let row = |row: &Vec<Option<String>>| {
        row.iter().map(|cell| listing::or_dash(cell.clone(), |text| text)).collect()
    };
    writeln!(out, "{}\n", listing::table(&header, found.first_rows.iter().map(row).collect()))?;
    Ok(())
}

fn points(out: &mut impl Write, found: &Found) -> anyhow::Result<()> {
    let shape = found.shape.map_or_else(String::new, |shape| format!(" ({shape})"));
    writeln!(
        out,
        "{} rows{shape} read in {:.2} s: {} points of {} metrics",
        count(found.rows as u64),
        found.seconds,
        count(found.n_points as u64),
        count(found.metrics.len() as u64)
    )?;
    if let (Some(oldest), Some(newest)) = (found.oldest, found.newest) {
        writeln!(out, "from {oldest} to {newest}")?;
    }
    for metric in found.metrics.iter().take(MAX_METRICS) {
        let (name, value) = (shown(&metric.name), number(metric.newest_value));
        writeln!(out, "  {name}: {} points, newest {value}", count(metric.points as u64))?;
    }
    if MAX_METRICS < found.metrics.len() {
        writeln!(out, "  … and {} more", count((found.metrics.len() - MAX_METRICS) as u64))?;
    }
    Ok(())
}

fn rejects(out: &mut impl Write, found: &Found) -> anyhow::Result<()> {
    let Some(report) = &found.report else { return Ok(()) };
    for (reason, n_rows) in &report.rejected {
        writeln!(out, "would reject {}: {reason}", count(*n_rows))?;
    }
    for example in &report.rejected_examples {
        writeln!(out, "  {}", shown(example))?;
    }
    for note in &report.notes {
        writeln!(out, "the source says: {}", shown(note))?;
    }
    if !report.ignored_columns.is_empty() {
        writeln!(out, "ignored columns: {}", shown(&report.ignored_columns.join(", ")))?;
    }
    Ok(())
}

fn cost(out: &mut impl Write, found: &Found) -> anyhow::Result<()> {
    let cost = &found.cost;
    writeln!(out, "this read: {}, {:.2} s", bytes(found.bytes), found.seconds)?;
    if let Some(later) = &cost.later {
        let rows = count(later.rows as u64);
        writeln!(out, "a later one: {rows} rows, {}, {:.2} s", bytes(later.bytes), later.seconds)?;
    }
    if 0 < cost.reads_a_day {
        writeln!(
            out,
            "in a day: {} reads, about {} rows, {}, {:.0} s",
            count(cost.reads_a_day as u64),
            count(cost.rows_a_day as u64),
            bytes(cost.bytes_a_day),
            cost.seconds_a_day
        )?;
    }
    for line in &cost.plan {
        writeln!(out, "plan: {}", shown(line))?;
    }
    Ok(())
}

fn bytes(n: usize) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = n as f64;
    let mut unit = 0;
    while 1024.0 <= size && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{size:.1} {}", UNITS[unit]) }
}

/// Our own words need no cutting, only what they quote.
fn shown_whole(text: &str) -> String {
    text.split(' ').map(shown).collect::<Vec<_>>().join(" ")
}
