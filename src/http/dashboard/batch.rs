//! A batch's page: one small chart a metric.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, response::Html};
use minijinja::Value;
use serde::{Deserialize, Serialize};

use crate::{
    catalog::{alerts, alerts::AlertFilter, metrics},
    chart::{Spark, Window},
    domain::{BatchSpec, MetricName, Timestamp},
};

use super::{
    super::{
        ask::{Asked, Named, Part, Stretch},
        failure::Failure,
        pages::filled,
        site::{Site, all_alerts},
        view::MetricView,
        words,
    },
    Paging, Rest, batch_view, range_links,
};

/// Cards of one page.
const N_CARDS: u32 = 60;
const MAX_ALERTS: u32 = 5_000;
const USUAL: &str = "7d";

/// What the page may be asked for.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Search {
    q: Option<String>,
    range: Option<String>,
    offset: Option<u32>,
}

/// One metric's card.
#[derive(Debug, Serialize)]
struct Card {
    #[serde(flatten)]
    metric: MetricView,
    chart: Value,
    /// Alerts in the window.
    alerts: usize,
    /// Whether the newest score is over the threshold.
    is_high: bool,
}

pub(in crate::http) async fn page(
    State(site): State<Arc<Site>>,
    Named(name): Named<String>,
    Asked(search): Asked<Search>,
) -> Result<Html<String>, Failure> {
    let batch = site.batch(&name)?;
    let q = search.q.clone().unwrap_or_default();
    let rows = metrics::list(&mut *site.reader().await?, &batch.name).await;
    let rows = rows.map_err(|error| Failure::internal(&error))?;
    let newest = rows.iter().map(|row| row.newest_at).max();
    let stretch = Stretch { range: search.range.clone(), ..Stretch::default() };
    let window = stretch.window(USUAL, site.now(), newest)?;
    let wanted = q.trim().to_lowercase();
    let found: Vec<MetricView> = rows
        .into_iter()
        .map(|row| MetricView::new(row, &batch))
        .filter(|metric| metric.matches(&wanted))
        .collect();
    let n_found = found.len();
    let part = Part { offset: search.offset, ..Part::default() };
    let offset = part.offset();
    let shown = found.into_iter().skip(offset as usize).take(N_CARDS as usize).collect();
    let cards = cards(&site, &batch, shown, window).await?;
    let range = stretch.chosen(USUAL).unwrap_or(USUAL);
    let query = format!("&q={}", words::segment(&q));
    let rest = if offset as usize + cards.len() < n_found { Rest::More } else { Rest::None };
    let paging = Paging {
        newer_text: "Previous",
        older_text: "Next",
        ..Paging::new(offset, N_CARDS, rest, |offset| {
            format!("?range={range}{query}&offset={offset}")
        })
    };
    let ranges = range_links(&["1d", "7d", "30d", "90d"], Some(range), &query);
    let view = batch_view(&site, &batch).await?;
    let page = site.page_of(batch.name.as_str(), "/", &batch);
    site.render("batch.html", filled! { page, batch => view, cards, q, range, ranges, paging })
}

async fn cards(
    site: &Site,
    batch: &BatchSpec,
    metrics: Vec<MetricView>,
    window: Window,
) -> Result<Vec<Card>, Failure> {
    let read = site.points(&batch.name, None, window).await?;
    let window = window.fitted(read.iter().filter_map(|series| series.at.first().copied()).min());
    let mut points: BTreeMap<MetricName, Vec<(Timestamp, f64)>> = read
        .into_iter()
        .map(|series| (series.metric, series.at.into_iter().zip(series.value).collect()))
        .collect();
    let mut raised = alerts_by_metric(site, batch, window).await?;
    let card = |metric: MetricView| {
        let values = points.remove(&metric.row.metric).unwrap_or_default();
        let alerts = raised.remove(&metric.row.metric).unwrap_or_default();
        let label = format!("{}: {} points, {} alerts", metric.title, values.len(), alerts.len());
        let chart = Spark { window, values: &values, alerts: &alerts, label: &label }.render();
        let threshold = batch.alert_for(&metric.row.metric).threshold;
        Card {
            is_high: metric.row.last_score.is_some_and(|score| threshold <= score),
            alerts: alerts.len(),
            chart: Value::from_safe_string(chart),
            metric,
        }
    };
    Ok(metrics.into_iter().map(card).collect())
}

async fn alerts_by_metric(
    site: &Site,
    batch: &BatchSpec,
    window: Window,
) -> Result<BTreeMap<MetricName, Vec<Timestamp>>, Failure> {
    let filter = AlertFilter {
        batch: Some(batch.name.clone()),
        since: Some(window.from),
        ..all_alerts(MAX_ALERTS)
    };
    let rows = alerts::list(&mut *site.reader().await?, &filter).await;
    let mut by_metric: BTreeMap<MetricName, Vec<Timestamp>> = BTreeMap::new();
    for row in rows.map_err(|error| Failure::internal(&error))? {
        if row.alert.at < window.to {
            by_metric.entry(row.alert.metric).or_default().push(row.alert.at);
        }
    }
    Ok(by_metric)
}
