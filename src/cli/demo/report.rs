//! What the demo says: the alerts of the shop with a small chart each, and how they compare with
//! the incidents that are known.

use std::{
    collections::HashMap,
    io::{IsTerminal, Write},
    path::Path,
};

use crate::{
    catalog::{
        alerts::{self, AlertFilter},
        segments,
    },
    domain::{
        Alert, Band, BatchName, SegmentKind, Span, Timestamp,
        words::{number, shown},
    },
    series::Range,
};

use super::{
    super::{
        chart::{self, ChartPoint, ChartSize, Colour, Mark},
        listing::or_dash,
        open::Opened,
    },
    project::World,
    shop::Incident,
};

/// An alert this long after an incident still belongs to it: the views look back over hours.
const AFTERMATH: Span = Span::hours(12);
/// What the chart of an alert shows before and after it.
const BEFORE: Span = Span::hours(72);
const AFTER: Span = Span::hours(24);
const CHART: ChartSize = ChartSize { width: 72, height: 3 };

/// Says what there is before anything runs.
pub(super) fn introduce(dir: &Path, world: &World) {
    let World { n_rows, n_metrics, end, .. } = world;
    let start = *end - Span::days(90);
    println!("Project folder {}", dir.display());
    println!(
        "  shop  {n_metrics} metrics, {n_rows} hourly values from {start} to {end}, in SQLite"
    );
    println!("  host  this machine's CPU, memory, disk and network, read live\n");
}

/// Prints the shop's alerts and the tally.
pub(super) async fn print(opened: &Opened, world: &World) -> anyhow::Result<()> {
    let found = shop_alerts(opened).await?;
    let colour = if std::io::stdout().is_terminal() { Colour::On } else { Colour::Off };
    println!("\nAlerts of the shop\n");
    for alert in &found {
        let chart = chart_of(opened, alert).await?;
        print_alert(alert, &chart, colour)?;
    }
    print_tally(&found, &world.incidents)
}

/// Oldest first.
async fn shop_alerts(opened: &Opened) -> anyhow::Result<Vec<Alert>> {
    let batch = Some(BatchName::parse("shop")?);
    let filter = AlertFilter { batch, limit: 1_000, ..AlertFilter::default() };
    let mut reader = opened.ctx.catalog.reader().await?;
    let rows = alerts::list(&mut reader, &filter).await?;
    let mut found: Vec<Alert> = rows.into_iter().map(|row| row.alert).collect();
    found.sort_by_key(|alert| alert.at);
    Ok(found)
}

/// The metric around the alert.
async fn chart_of(opened: &Opened, alert: &Alert) -> anyhow::Result<Vec<ChartPoint>> {
    let range = Range {
        metric: Some(alert.metric.clone()),
        ..Range::between(alert.at - BEFORE, alert.at + AFTER)
    };
    let mut reader = opened.ctx.catalog.reader().await?;
    let (batch, from, to) = (&alert.batch, range.from, range.to);
    let points = segments::live(&mut reader, batch, SegmentKind::Points, from, to).await?;
    let scores = segments::live(&mut reader, batch, SegmentKind::Scores, from, to).await?;
    drop(reader);
    let points = opened.ctx.history.read_points(&points, &range).await?;
    let scores = opened.ctx.history.read_scores(&scores, &range).await?;
    let bands: HashMap<Timestamp, Band> =
        scores.into_values().flatten().filter_map(|score| Some((score.at, score.band?))).collect();
    let points = points.into_iter().flat_map(|series| series.at.into_iter().zip(series.value));
    let mark = |at| if at == alert.at { Mark::Alert } else { Mark::None };
    let point =
        |(at, value)| ChartPoint { at, value, band: bands.get(&at).copied(), alert: mark(at) };
    Ok(points.map(point).collect())
}

fn print_alert(alert: &Alert, chart: &[ChartPoint], colour: Colour) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let expected =
        alert.band.map(|band| format!("expected {} to {}", number(band.lower), number(band.upper)));
    writeln!(
        out,
        "  {}  {}  {}  {}  score {}",
        alert.at,
        shown(alert.metric.as_str()),
        or_dash(alert.value, number),
        or_dash(expected, |text| text),
        or_dash(alert.score, |score| format!("{score:.2}")),
    )?;
    for line in chart::render(chart, CHART, colour) {
        writeln!(out, "    {line}")?;
    }
    writeln!(out, "    {}\n", shown(&alert.reason))?;
    Ok(())
}

/// What became of the known incidents.
pub(super) struct Tally<'a> {
    /// The first alert that belongs to each incident.
    pub(super) first: Vec<Option<&'a Alert>>,
    /// Alerts that belong to none.
    pub(super) n_false: usize,
}

/// Holds the alerts against the incidents.
pub(super) fn tally<'a>(found: &'a [Alert], incidents: &[Incident]) -> Tally<'a> {
    let first = incidents.iter().map(|incident| found.iter().find(|a| belongs(a, incident)));
    let is_false = |alert: &&Alert| !incidents.iter().any(|incident| belongs(alert, incident));
    Tally { first: first.collect(), n_false: found.iter().filter(is_false).count() }
}

fn print_tally(found: &[Alert], incidents: &[Incident]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "Known incidents")?;
    let Tally { first, n_false } = tally(found, incidents);
    for (incident, first) in incidents.iter().zip(&first) {
        let (mark, when) = match first {
            Some(alert) => ("\u{2713}", format!("found {}", delay(incident.from, alert))),
            None => ("\u{2717}", "missed".to_owned()),
        };
        let (from, title) = (incident.from, incident.title);
        writeln!(out, "  {mark} {from}  {:<18} {title}: {when}", incident.metric)?;
    }
    let (n_found, n_incidents) = (first.iter().flatten().count(), incidents.len());
    let alerts = if n_false == 1 { "alert was" } else { "alerts were" };
    writeln!(out, "\nFound {n_found} of {n_incidents} incidents; {n_false} {alerts} false.")?;
    Ok(())
}

fn belongs(alert: &Alert, incident: &Incident) -> bool {
    // A silence is told at the last instant before it.
    let from = incident.from - Span::hours(1);
    alert.metric.as_str() == incident.metric
        && from <= alert.at
        && alert.at <= incident.to + AFTERMATH
}

fn delay(from: Timestamp, alert: &Alert) -> String {
    let delay = alert.at - from;
    if delay <= Span::ZERO { "at once".into() } else { format!("after {delay}") }
}
