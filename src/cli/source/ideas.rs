//! What may be wrong with a source, in words that say what to do. Pure.

use crate::domain::{BatchSpec, RejectReason, SourceKind, Span, Timestamp};

use super::Found;

/// More metrics than people look at are usually a label too many.
const MANY_METRICS: usize = 2_000;

/// Everything that looks wrong, the most likely first.
pub(super) fn of(batch: &BatchSpec, found: &Found, now: Timestamp) -> Vec<String> {
    let mut ideas = Vec::new();
    if found.error.is_some() {
        ideas.push(shape_idea(found));
    } else if found.rows == 0 {
        ideas.push(no_rows(batch));
    }
    ideas.extend(rejects(batch, found));
    if let Some(newest) = found.newest {
        ideas.extend(age(batch, now - newest));
    }
    ideas.extend(sizes(batch, found));
    ideas
}

fn shape_idea(found: &Found) -> String {
    match batch_has_columns(found) {
        true => "a row needs a time, called timestamp, metric_timestamp, time, ts, date or datetime, and either \
                 a metric and a value or one column of numbers for each metric"
            .to_owned(),
        false => "there are no columns at all: the source gave nothing".to_owned(),
    }
}

fn batch_has_columns(found: &Found) -> bool {
    !found.columns.is_empty()
}

fn no_rows(batch: &BatchSpec) -> String {
    match &batch.source.kind {
        SourceKind::Sql { .. } => {
            "the query gives no rows: does its condition leave all of them out? `--since TIME` shows \
             the read after a point of that time"
        }
        SourceKind::Prometheus(_) => {
            "the query gives no series: try it on the server's own page; `lookback` is how far the \
             first read goes"
        }
        _ => "there are no rows",
    }
    .to_owned()
}

fn rejects(batch: &BatchSpec, found: &Found) -> Vec<String> {
    let Some(report) = &found.report else { return Vec::new() };
    let share = |reason: RejectReason| {
        let n = report.rejected.get(&reason).copied().unwrap_or(0);
        n as f64 / report.rows_read.max(1) as f64
    };
    let mut ideas = Vec::new();
    if 0.0 < share(RejectReason::Future) {
        ideas.push(format!(
            "times lie ahead of now: times without a zone are taken as {}, which `timezone` changes; \
             forecasts do not belong in a batch",
            batch.timezone
        ));
    }
    if 0.5 < share(RejectReason::BadTimestamp) {
        ideas.push("most times cannot be read: write them as 2026-01-31T09:30:00Z or as seconds since 1970".into());
    }
    if 0.1 < share(RejectReason::NotNumeric) {
        ideas.push(
            "values are texts: numbers have a point for the decimals, no unit and no thousands"
                .into(),
        );
    }
    if 0.5 < share(RejectReason::NotANumber) {
        ideas.push(
            "most values are missing: metrics that come less often belong in a batch of their own"
                .into(),
        );
    }
    if 0.05 < share(RejectReason::Duplicate) {
        ideas.push("several rows have the same metric and time, and the last one wins: sum them up (GROUP BY), or put what tells them apart into the metric's name".into());
    }
    ideas
}

fn age(batch: &BatchSpec, age: Span) -> Option<String> {
    let expected = batch.features.resample.unwrap_or(Span::hours(1));
    let limit = Span::from_micros(expected.micros().saturating_mul(3)).max(Span::hours(6));
    (limit < age).then(|| {
        let days = age.as_secs_f64() / 86_400.0;
        format!(
            "the newest point is {days:.1} days old: is the source still written to, and are its times in {}?",
            batch.timezone
        )
    })
}

fn sizes(batch: &BatchSpec, found: &Found) -> Vec<String> {
    let mut ideas = Vec::new();
    if MANY_METRICS < found.metrics.len() {
        ideas.push(format!(
            "{} metrics: is something in their names that is new each time?",
            found.metrics.len()
        ));
    }
    let longest = found.metrics.iter().map(|metric| metric.points).max();
    let min_points = batch.train.min_points;
    if let Some(longest) = longest.filter(|longest| *longest < min_points) {
        ideas.push(format!("at most {longest} points a metric: a model needs {min_points} (`[train].min_points`), so the first ones come later"));
    }
    if let Some(later) = &found.cost.later
        && 1_000 < found.rows
        && found.rows <= later.rows + later.rows / 10
        && matches!(batch.source.kind, SourceKind::Sql { .. })
    {
        ideas.push("every read reads all rows: let the query use `last_timestamp`".into());
    }
    let is_scan = |line: &String| {
        line.starts_with("SCAN ") || line.contains("Seq Scan") || line.contains("type=ALL")
    };
    if 10_000 < found.rows && found.cost.plan.iter().any(is_scan) {
        ideas.push("the database reads the whole table each time: an index on the column of times would spare that".into());
    }
    if batch.source.timeout.as_secs_f64() * 0.5 < found.seconds {
        ideas.push(format!("reading took more than half of `timeout` ({})", batch.source.timeout));
    }
    ideas
}
