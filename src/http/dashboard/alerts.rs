//! The list of alerts, and one alert with the chart around it and how it was decided.

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap, response::Html};
use minijinja::Value;
use serde::Serialize;

use crate::{
    catalog::{
        alerts::{self, AlertFilter, AlertRow},
        feedback, snoozes,
        snoozes::SnoozeRow,
    },
    chart::{self, Window},
    domain::{AlertId, BatchSpec, Feedback, MetricName, words::rough},
    jobs::AlertContext,
};

use super::{
    super::{
        ask::{Asked, Filter, Named},
        auth,
        failure::Failure,
        pages::filled,
        site::{Site, all_alerts},
        view::AlertView,
    },
    PART, Paging, cut,
    metric::{Drawn, WindowView},
};

/// Words on an alert that its page shows.
const MOST_SAID: usize = 10;

pub(in crate::http) async fn page(
    State(site): State<Arc<Site>>,
    Asked(filter): Asked<Filter>,
) -> Result<Html<String>, Failure> {
    let (limit, offset) = (filter.part().limit(PART, PART * 4), filter.part().offset());
    let wanted = AlertFilter {
        batch: filter.batch()?,
        metric: filter.metric()?,
        since: filter.since()?,
        offset,
        ..all_alerts(limit + 1)
    };
    let rows = alerts::list(&mut *site.reader().await?, &wanted).await;
    let mut rows = rows.map_err(|error| Failure::internal(&error))?;
    let rest = cut(&mut rows, limit);
    let project = site.project();
    let alerts: Vec<AlertView> =
        rows.into_iter().map(|row| AlertView::new(row, &project.batches)).collect();
    let paging = Paging::new(offset, limit, rest, |offset| filter.href("/alerts", offset));
    site.render(
        "alerts.html",
        filled! {
            page => site.page("Alerts", "/alerts"), alerts, paging,
            batches => site.batch_names(),
            batch => wanted.batch, metric => wanted.metric.map(|name| name.to_string()).unwrap_or_default(),
        },
    )
}

pub(in crate::http) async fn one(
    State(site): State<Arc<Site>>,
    Named(id): Named<String>,
    headers: HeaderMap,
) -> Result<Html<String>, Failure> {
    let (row, reading) = site.alert(&AlertId(id)).await?;
    let batch = site.batch(row.alert.batch.as_str()).ok();
    let title = format!("Alert: {}", row.alert.metric);
    let page = match &batch {
        Some(batch) => site.page_of(&title, "/alerts", batch),
        None => site.page(&title, "/alerts"),
    };
    let drawn = match &batch {
        Some(batch) => Some(around(&site, batch, &row).await?),
        None => None,
    };
    let plot = drawn.as_ref().zip(batch.as_ref());
    let plot = plot.filter(|(drawn, _)| !drawn.is_empty());
    let (chart, rows) = match plot.map(|(drawn, batch)| drawn.plot(batch, &title)) {
        Some(plot) => (Some(Value::from_safe_string(plot.render())), plot.rows()),
        None => (None, String::new()),
    };
    let window = drawn.as_ref().map(|drawn| WindowView::from(drawn.window));
    // The page is worth showing without its explanation and what is told beside it.
    let (explained, beside) = match &batch {
        Some(batch) => {
            (site.explain_alert(batch, &row).await.ok(), site.about(batch, &row).await.ok())
        }
        None => (None, None),
    };
    let beside = beside.map(|beside| Beside::of(&beside));
    let lasted = rough(row.episode.until.max(row.alert.at) - row.alert.since);
    let (episode, acked) = (row.episode.clone(), row.acked.clone());
    let (acked_at, acked_by) = acked.unzip();
    let is_firing = !row.is_over();
    // Without tokens nobody may change anything.
    let can_act = auth::may_act(&site.project().system.server.tokens, &headers);
    let Heard { said, silence } = heard(&site, &row).await?;
    let alert = AlertView::new(row, batch.as_slice()).explained(reading);
    let context = filled! {
        page, alert, chart, rows, window, explained, beside, lasted, episode, acked_at, acked_by,
        is_firing, can_act, said, silence,
    };
    site.render("alert.html", context)
}

/// What people said of an alert and asked for.
#[derive(Debug)]
struct Heard {
    /// The newest word first.
    said: Vec<Feedback>,
    /// The silence about its metric that lasts longest.
    silence: Option<SnoozeRow>,
}

async fn heard(site: &Site, row: &AlertRow) -> Result<Heard, Failure> {
    let internal = |error| Failure::internal(&error);
    let mut reader = site.reader().await?;
    let mut said = feedback::of_alert(&mut reader, &row.alert.id).await.map_err(internal)?;
    said.truncate(MOST_SAID);
    let silences = snoozes::ending_after(&mut reader, &row.alert.batch, site.now()).await;
    let is_about_it = |silence: &SnoozeRow| {
        silence.metric.as_ref().is_none_or(|metric| *metric == row.alert.metric)
    };
    let silences = silences.map_err(internal)?.into_iter().filter(is_about_it);
    Ok(Heard { said, silence: silences.max_by_key(|silence| silence.until) })
}

/// The points around an alert, as many as make a chart.
pub(in crate::http) async fn around(
    site: &Site,
    batch: &BatchSpec,
    row: &AlertRow,
) -> Result<Drawn, Failure> {
    let (alert, until) = (&row.alert, row.episode.until);
    let wide = Window { from: alert.since - chart::AROUND, to: until + chart::AROUND };
    let drawn = Drawn::read(site, batch, &alert.metric, wide).await?;
    let window = Window::around((alert.since, until), drawn.spacing(), site.now());
    Ok(drawn.within(window))
}

/// What is told beside an alert.
#[derive(Debug, Serialize)]
struct Beside {
    rarity: Option<String>,
    related: Vec<RelatedView>,
}

/// A metric that moved with an alert.
#[derive(Debug, Serialize)]
struct RelatedView {
    metric: MetricName,
    words: String,
}

impl Beside {
    fn of(about: &AlertContext) -> Self {
        Self {
            rarity: about.rarity.map(|rarity| rarity.to_string()),
            related: about
                .related
                .iter()
                .map(|one| RelatedView { metric: one.metric.clone(), words: one.to_string() })
                .collect(),
        }
    }
}
