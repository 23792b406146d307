//! `anomstack metrics|alerts|models list|show`: what the catalog knows, as tables or JSON.

use clap::Subcommand;

use crate::{
    catalog::{
        Catalog,
        alerts::{self, AlertFilter},
        feedback,
        metrics::{self, MetricRow},
        models::{self, ModelRow},
        readings, segments,
    },
    domain::{
        AlertId, AlertState, BatchName, Judged, MetricName, ModelCard, ModelQuality, SegmentKind,
        Span, Timestamp, WarmingUp, words::number,
    },
    io::{Key, json},
    series::Range,
};

use super::{
    Global, Outcome,
    listing::{self, ago, or_dash},
    open::{self, Opened},
    told::{Said, alert_cells, alert_fields, beside, words_of},
};

/// What can be asked of metrics.
#[derive(Debug, Subcommand)]
pub(super) enum Metrics {
    /// The metrics of a batch, or of all
    List {
        /// Only of this batch
        batch: Option<String>,
    },
    /// One metric
    Show {
        /// Its batch
        batch: String,
        /// Its name
        metric: String,
    },
}

/// What can be asked of alerts.
#[derive(Debug, Subcommand)]
pub(super) enum Alerts {
    /// Newest first
    List {
        /// Only of this batch
        #[arg(long)]
        batch: Option<String>,
        /// Only of this metric
        #[arg(long)]
        metric: Option<String>,
        /// Only in this state: firing or resolved
        #[arg(long)]
        state: Option<AlertState>,
        /// At most so many
        #[arg(long, default_value_t = 30)]
        limit: u32,
    },
    /// One alert
    Show {
        /// Its id
        alert: String,
    },
}

/// What can be asked of models.
#[derive(Debug, Subcommand)]
pub(super) enum Models {
    /// The versions of a batch's models, newest first
    List {
        /// The batch
        batch: String,
        /// Only of this metric
        metric: Option<String>,
    },
    /// One version with its card; the current one when none is named
    Show {
        /// Its batch
        batch: String,
        /// Its metric
        metric: String,
        /// Its version
        #[arg(id = "model_version", value_name = "VERSION")]
        version: Option<String>,
    },
}

/// Lists or shows metrics.
pub(super) async fn metrics(global: &Global, command: Metrics) -> anyhow::Result<Outcome> {
    let (opened, now) = match open_quietly(global).await? {
        Ok(opened) => opened,
        Err(outcome) => return Ok(outcome),
    };
    let mut reader = opened.ctx.catalog.reader().await?;
    match command {
        Metrics::List { batch } => {
            let mut found: Vec<Named<MetricRow>> = Vec::new();
            for spec in &opened.project.batches {
                if batch.as_ref().is_some_and(|name| name != spec.name.as_str()) {
                    continue;
                }
                let rows = metrics::list(&mut reader, &spec.name).await?;
                let batch = spec.name.clone();
                found.extend(rows.into_iter().map(|row| Named { batch: batch.clone(), row }));
            }
            let header = ["BATCH", "METRIC", "NEWEST POINT", "VALUE", "POINTS", "SCORE", "NOTE"];
            listing::print(global, &found, &header, |named| metric_cells(named, now))
        }
        Metrics::Show { batch, metric } => {
            let batch = BatchName::parse(&batch)?;
            let rows = metrics::list(&mut reader, &batch).await?;
            match rows.into_iter().find(|row| row.metric.as_str() == metric) {
                Some(row) => {
                    let reason = newest_reason(&opened, &batch, &row).await?;
                    let mut fields = metric_fields(&row, now);
                    fields.push(("why", or_dash(reason.as_ref(), Clone::clone)));
                    listing::print_one(global, &Told { batch, row, reason }, &fields)
                }
                None => missing(&format!("batch `{batch}` has no metric `{metric}`")),
            }
        }
    }
}

/// Lists or shows alerts.
pub(super) async fn alerts(global: &Global, command: Alerts) -> anyhow::Result<Outcome> {
    let (opened, now) = match open_quietly(global).await? {
        Ok(opened) => opened,
        Err(outcome) => return Ok(outcome),
    };
    let mut reader = opened.ctx.catalog.reader().await?;
    match command {
        Alerts::List { batch, metric, state, limit } => {
            let batch = batch.as_deref().map(BatchName::parse).transpose()?;
            let metric = metric.as_deref().map(MetricName::parse).transpose()?;
            let filter = AlertFilter { batch, metric, state, limit, ..AlertFilter::default() };
            let rows = alerts::list(&mut reader, &filter).await?;
            let header = ["ALERT", "WHEN", "STATE", "LASTED", "BATCH", "METRIC", "SCORE", "WHAT"];
            listing::print(global, &rows, &header, alert_cells)
        }
        Alerts::Show { alert } => match alerts::get(&mut reader, &AlertId(alert.clone())).await? {
            Some(row) => {
                let said = feedback::of_alert(&mut reader, &row.alert.id).await?;
                let (rarity, related) = beside(&opened, &row).await?;
                let mut fields = alert_fields(&row, now);
                fields.extend(rarity.iter().map(|rarity| ("how unusual", rarity.clone())));
                fields.extend(related.iter().map(|one| ("moved with it", one.clone())));
                let reading = readings::of(&mut reader, &row.alert.id).await?;
                let plain_words = reading.and_then(|reading| reading.words);
                fields
                    .extend(plain_words.iter().map(|words| ("in plain words", words.text.clone())));
                fields.extend(plain_words.iter().map(|words| ("", words.label())));
                fields.extend(said.iter().map(|said| ("feedback", words_of(said))));
                let said = Said { row, feedback: said, rarity, related, plain_words };
                listing::print_one(global, &said, &fields)
            }
            None => missing(&format!("no alert `{alert}`")),
        },
    }
}

/// Lists or shows model versions.
pub(super) async fn models(global: &Global, command: Models) -> anyhow::Result<Outcome> {
    let (opened, _) = match open_quietly(global).await? {
        Ok(opened) => opened,
        Err(outcome) => return Ok(outcome),
    };
    let catalog = &opened.ctx.catalog;
    match command {
        Models::List { batch, metric } => {
            let rows = versions(catalog, &batch, metric.as_deref()).await?;
            let header = ["METRIC", "VERSION", "STATE", "DETECTORS", "ROWS", "BYTES"];
            listing::print(global, &rows, &header, model_cells)
        }
        Models::Show { batch, metric, version } => {
            let rows = versions(catalog, &batch, Some(&metric)).await?;
            let row = match &version {
                Some(version) => rows.into_iter().find(|row| row.version.as_str() == version),
                None => {
                    let mut reader = catalog.reader().await?;
                    let (batch, metric) = (BatchName::parse(&batch)?, MetricName::parse(&metric)?);
                    models::current(&mut reader, &batch, &metric).await?
                }
            };
            let Some(row) = row else { return missing("no such model version") };
            let bytes = opened.ctx.store.get(&Key::parse(&row.metadata_key)?).await?;
            let card: ModelCard = json::decode(&bytes)?;
            listing::print_one(global, &card, &card_fields(&card, &row))
        }
    }
}

#[derive(serde::Serialize)]
struct Named<T> {
    batch: BatchName,
    #[serde(flatten)]
    row: T,
}

/// A metric with the reason of its newest score.
#[derive(serde::Serialize)]
struct Told {
    batch: BatchName,
    #[serde(flatten)]
    row: MetricRow,
    reason: Option<String>,
}

/// Why the newest score is what it is; nothing where there is none, or where it is not kept any
/// more.
async fn newest_reason(
    opened: &Opened,
    batch: &BatchName,
    row: &MetricRow,
) -> anyhow::Result<Option<String>> {
    let Some(at) = row.last_score_at else { return Ok(None) };
    let range =
        Range { metric: Some(row.metric.clone()), ..Range::between(at, at + Span::from_micros(1)) };
    let mut reader = opened.ctx.catalog.reader().await?;
    let live =
        segments::live(&mut reader, batch, SegmentKind::Scores, range.from, range.to).await?;
    let scores = opened.ctx.history.read_scores(&live, &range).await?;
    let newest = scores.get(&row.metric).and_then(|points| points.last());
    Ok(newest.map(|point| Judged::from(point).reason()))
}

/// Opens a project for looking at it; nothing is logged.
pub(super) async fn open_quietly(
    global: &Global,
) -> anyhow::Result<Result<(Opened, Timestamp), Outcome>> {
    let project = match open::project(global) {
        Ok(project) => project,
        Err(outcome) => return Ok(Err(outcome)),
    };
    let opened = open::open(project).await?;
    let now = (opened.ctx.clock)();
    Ok(Ok((opened, now)))
}

/// Says what there is none of.
pub(super) fn missing(what: &str) -> anyhow::Result<Outcome> {
    eprintln!("error: {what}");
    Ok(Outcome::Problems)
}

async fn versions(
    catalog: &Catalog,
    batch: &str,
    metric: Option<&str>,
) -> anyhow::Result<Vec<ModelRow>> {
    let batch = BatchName::parse(batch)?;
    let mut reader = catalog.reader().await?;
    Ok(match metric {
        Some(metric) => models::versions(&mut reader, &batch, &MetricName::parse(metric)?).await?,
        None => models::list(&mut reader, &batch).await?,
    })
}

fn metric_cells(named: &Named<MetricRow>, now: Timestamp) -> Vec<String> {
    let row = &named.row;
    vec![
        named.batch.to_string(),
        row.metric.to_string(),
        ago(now, row.newest_at),
        number(row.newest_value),
        row.n_points.to_string(),
        or_dash(row.last_score, |score| format!("{score:.3}")),
        note(row),
    ]
}

/// Why there is no score, or how far its model stands on its own.
fn note(row: &MetricRow) -> String {
    match (&row.skip_reason, row.warming_up) {
        (Some(reason), _) => reason.to_string(),
        (None, Some(warming)) => leans(warming),
        (None, None) => String::new(),
    }
}

fn leans(warming: WarmingUp) -> String {
    format!("warming up: {warming}, scored by what similar metrics do")
}

fn metric_fields(row: &MetricRow, now: Timestamp) -> Vec<(&'static str, String)> {
    vec![
        ("metric", row.metric.to_string()),
        ("newest point", format!("{} ({})", row.newest_at, ago(now, row.newest_at))),
        ("value", number(row.newest_value)),
        ("points", row.n_points.to_string()),
        ("first seen", row.first_seen.to_string()),
        ("score", or_dash(row.last_score, |score| format!("{score:.3}"))),
        ("scored at", or_dash(row.last_score_at, |at| at.to_string())),
        ("passed over", or_dash(row.skip_reason.as_ref(), ToString::to_string)),
        (
            "warming up",
            or_dash(row.warming_up, |warming| format!("{warming} until it stands alone")),
        ),
    ]
}

fn model_cells(row: &ModelRow) -> Vec<String> {
    vec![
        row.metric.to_string(),
        row.version.to_string(),
        row.state.to_string(),
        row.detectors.join(", "),
        row.rows.to_string(),
        row.size.to_string(),
    ]
}

/// What the training found out about repetitions; nothing for detectors that know none.
fn period_fields(quality: &ModelQuality) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if let Some(strength) = quality.seasonality_strength {
        let period = quality.period.map_or("none found".to_owned(), |period| period.to_string());
        fields.push(("period", period));
        fields.push(("seasonality", format!("{strength:.2} of the variance")));
    }
    if let Some(warming) = quality.warming_up {
        fields.push(("warming up", format!("{warming} until it stands alone")));
    }
    fields
}

/// The share of the rows a training looks at.
fn reaching(share: f64) -> String {
    format!("{share:.4} of the newest training rows (at most 32) reach its threshold")
}

fn card_fields(card: &ModelCard, row: &ModelRow) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("batch", card.batch.to_string()),
        ("metric", card.metric.to_string()),
        ("version", card.version.to_string()),
        ("state", row.state.to_string()),
        ("trained on", format!("{} to {}", card.trained_from, card.trained_to)),
        ("rows", card.rows.to_string()),
        ("object", row.model_key.clone()),
        ("sha256", card.sha256.clone()),
        ("bytes", card.size.to_string()),
        ("alert rate", reaching(card.quality.in_sample_alert_rate)),
        ("self-test", format!("{:.3}", card.quality.self_test_score)),
        ("gaps", card.quality.gaps.to_string()),
        ("excluded rows", card.quality.excluded_rows.to_string()),
        ("configuration", card.config_hash.clone()),
        ("program", card.program.clone()),
    ];
    if let Some(found) = &card.quality.calibration {
        let doubt = found.doubt.map(|doubt| format!("; {doubt}")).unwrap_or_default();
        let (threshold, days) = (found.threshold, found.days);
        let text =
            format!("{} is a threshold of {threshold:.4} by {days:.1} days{doubt}", found.budget);
        fields.push(("budget", text));
    }
    fields.extend(period_fields(&card.quality));
    for one in card.quality.recall.iter().flat_map(|recall| &recall.kinds) {
        let delay = or_dash(one.median_delay, |rows| format!("after {rows} rows"));
        fields.push(("finds", format!("{} of {} {}, {delay}", one.found, one.tried, one.kind)));
    }
    let all = [("detector", &card.detectors), ("challenger", &card.challengers)];
    for (role, detector) in
        all.iter().flat_map(|(role, all)| all.iter().map(move |one| (role, one)))
    {
        let params = serde_json::Value::Object(detector.params.clone());
        fields.push((role, format!("{} ({}) {params}", detector.tag, detector.kind)));
    }
    fields
}
