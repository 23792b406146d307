//! What reading a source costs, now and in a day: by a second read as the schedule would do it, and
//! by the database's own plan where asking for it is cheap.

use serde::Serialize;

use crate::{
    domain::{BatchSpec, JobKind, SourceKind, Span, Timestamp},
    runtime::preview,
};

use super::{
    super::look::{self, Looker, Wish},
    Found, Showing,
};

/// A read that takes longer is not done twice.
const MAX_SECONDS: f64 = 10.0;
const MAX_PLAN_LINES: usize = 6;

/// What reading costs.
#[derive(Debug, Default, Serialize)]
pub(super) struct Cost {
    /// Ingests in the next 24 hours.
    pub(super) reads_a_day: usize,
    /// Of a read after the first: rows, bytes and seconds; `None` where it was not tried.
    pub(super) later: Option<Read>,
    pub(super) rows_a_day: usize,
    pub(super) bytes_a_day: usize,
    pub(super) seconds_a_day: f64,
    /// The first lines of the database's plan for a later read.
    pub(super) plan: Vec<String>,
}

/// One read.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Read {
    pub(super) rows: usize,
    pub(super) bytes: usize,
    pub(super) seconds: f64,
}

/// Estimates the cost of a source that was read once.
pub(super) async fn of(
    batch: &BatchSpec,
    looker: &Looker,
    showing: Showing,
    found: &Found,
) -> Cost {
    let mut cost = Cost { reads_a_day: reads_a_day(batch, showing.now), ..Cost::default() };
    if let Some(newest) = found.newest.map(|newest| newest.min(showing.now)) {
        cost.later = later(batch, looker, (showing.now, newest), found).await;
        cost.plan = plan(batch, looker, (showing.now, newest)).await.unwrap_or_default();
    }
    let first = Read { rows: found.rows, bytes: found.bytes, seconds: found.seconds };
    let each = cost.later.unwrap_or(first);
    cost.rows_a_day = each.rows * cost.reads_a_day;
    cost.bytes_a_day = each.bytes * cost.reads_a_day;
    cost.seconds_a_day = each.seconds * cost.reads_a_day as f64;
    cost
}

fn reads_a_day(batch: &BatchSpec, now: Timestamp) -> usize {
    let ingest = batch.schedule.triggers.iter().find(|(job, _)| **job == JobKind::Ingest);
    let Some((_, trigger)) = ingest else { return 0 };
    let slots = preview::upcoming(trigger, batch.timezone, now);
    slots.take_while(|slot| slot.slot <= now + Span::days(1)).count()
}

/// The read that follows this one. Only where reading twice changes nothing and costs nobody
/// money: a database or a Prometheus.
async fn later(
    batch: &BatchSpec,
    looker: &Looker,
    (now, newest): (Timestamp, Timestamp),
    found: &Found,
) -> Option<Read> {
    let is_cheap = matches!(batch.source.kind, SourceKind::Sql { .. } | SourceKind::Prometheus(_));
    if !is_cheap || MAX_SECONDS < found.seconds {
        return None;
    }
    let done = looker.read(batch, (now, Some(newest)), |_| Wish::More).await.ok()?;
    Some(Read { rows: done.rows, bytes: done.bytes, seconds: done.seconds })
}

/// How the database would run the query.
async fn plan(
    batch: &BatchSpec,
    looker: &Looker,
    (now, newest): (Timestamp, Timestamp),
) -> Option<Vec<String>> {
    let mut asked = batch.clone();
    let SourceKind::Sql { url, query, .. } = &mut asked.source.kind else { return None };
    let explain = match url.reveal().starts_with("sqlite") {
        true => "EXPLAIN QUERY PLAN",
        false => "EXPLAIN",
    };
    *query = format!("{explain} {query}");
    let mut frames = Vec::new();
    let take = |frame| {
        frames.push(frame);
        Wish::More
    };
    looker.read(&asked, (now, Some(newest)), take).await.ok()?;
    let frame = frames.first()?;
    let names: Vec<String> = frame.get_column_names().iter().map(ToString::to_string).collect();
    let is_told =
        |name: &str| !matches!(name, "id" | "parent" | "notused" | "QUERY PLAN" | "detail");
    let line = |row: &Vec<Option<String>>| {
        let cells = names.iter().zip(row).filter_map(|(name, cell)| {
            let cell = cell.as_deref()?;
            match name.as_str() {
                "detail" | "QUERY PLAN" => Some(cell.to_owned()),
                name => is_told(name).then(|| format!("{name}={cell}")),
            }
        });
        cells.collect::<Vec<_>>().join(" ")
    };
    Some(look::texts(frame).iter().map(line).take(MAX_PLAN_LINES).collect())
}
