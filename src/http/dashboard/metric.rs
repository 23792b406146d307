//! A metric's page: the large chart, what is known of it, its alerts and models.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use axum::{extract::State, response::Html};
use minijinja::Value;
use serde::{Deserialize, Serialize};

use crate::{
    catalog::{alerts, alerts::AlertFilter, alerts::AlertRow, models},
    chart::{self, Mark, Picture, Plot, Window},
    domain::{BatchSpec, Judged, MetricName, ScorePoint, Span, Timestamp, words as domain_words},
    jobs::limits_of,
};

use super::{
    super::{
        ask::{Asked, Named, Stretch},
        failure::Failure,
        pages::filled,
        site::{Site, all_alerts},
        view::{AlertView, MetricView, ModelView},
        words,
    },
    range_links,
};

const USUAL: &str = "7d";
const MAX_MARKS: u32 = 500;
const N_ALERTS: u32 = 20;
const N_MODELS: usize = 8;
/// Scores in the table under the chart: at most so many, and none below this.
const N_NOTABLE: usize = 8;
const NOTABLE: f64 = 0.5;

/// A metric asked for by query, with a stretch of time.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct ByName {
    name: String,
    #[serde(flatten)]
    stretch: Stretch,
}

pub(in crate::http) async fn by_query(
    State(site): State<Arc<Site>>,
    Named(batch): Named<String>,
    Asked(asked): Asked<ByName>,
) -> Result<Html<String>, Failure> {
    let rest = format!("&name={}", words::segment(&asked.name));
    show(&site, (&batch, &asked.name), &asked.stretch, &rest).await
}

pub(in crate::http) async fn page(
    State(site): State<Arc<Site>>,
    Named((batch, name)): Named<(String, String)>,
    Asked(stretch): Asked<Stretch>,
) -> Result<Html<String>, Failure> {
    show(&site, (&batch, &name), &stretch, "").await
}

async fn show(
    site: &Site,
    (batch, name): (&str, &str),
    stretch: &Stretch,
    rest_of_query: &str,
) -> Result<Html<String>, Failure> {
    let batch = site.batch(batch)?;
    let metric = MetricView::new(site.metric(&batch.name, name).await?, &batch);
    let window = stretch.window(USUAL, site.now(), Some(metric.row.newest_at))?;
    let mut drawn = Drawn::read(site, &batch, &metric.row.metric, window).await?;
    let chosen = stretch.chosen(USUAL);
    if chosen.is_some() {
        drawn.fit();
    }
    let label = format!("{} of {}", metric.title, metric.batch);
    let latest = AlertFilter {
        batch: Some(batch.name.clone()),
        metric: Some(metric.row.metric.clone()),
        ..all_alerts(N_ALERTS)
    };
    let alerts = listed(site, &latest).await?;
    let alerts: Vec<AlertView> =
        alerts.into_iter().map(|row| AlertView::new(row, std::slice::from_ref(&batch))).collect();
    let names = ["1d", "7d", "30d", "90d", "all"];
    let page = site.page_of(&format!("{} · {}", metric.title, metric.batch), "/", &batch);
    site.render(
        "metric.html",
        filled! {
            page, alerts,
            models => versions(site, &batch, &metric.row.metric).await?,
            is_empty => drawn.is_empty(),
            chart => Value::from_safe_string(drawn.plot(&batch, &label).render()),
            rows => drawn.plot(&batch, &label).rows(),
            notable => drawn.most_unusual(),
            window => WindowView::from(drawn.window),
            threshold => drawn.threshold,
            ranges => range_links(&names, chosen, rest_of_query),
            metric,
        },
    )
}

async fn versions(
    site: &Site,
    batch: &BatchSpec,
    metric: &MetricName,
) -> Result<Vec<ModelView>, Failure> {
    let mut reader = site.reader().await?;
    let current = models::current(&mut reader, &batch.name, metric).await;
    let current = current.map_err(|error| Failure::internal(&error))?;
    let rows = models::versions(&mut reader, &batch.name, metric).await;
    let rows = rows.map_err(|error| Failure::internal(&error))?;
    let currents: BTreeMap<_, _> =
        current.into_iter().map(|row| (row.metric, row.version)).collect();
    Ok(rows.into_iter().take(N_MODELS).map(|row| ModelView::new(row, &currents)).collect())
}

async fn listed(site: &Site, filter: &AlertFilter) -> Result<Vec<AlertRow>, Failure> {
    let rows = alerts::list(&mut *site.reader().await?, filter).await;
    rows.map_err(|error| Failure::internal(&error))
}

/// A window for the page's script and for the caption.
#[derive(Debug, Serialize)]
pub(super) struct WindowView {
    from: Timestamp,
    to: Timestamp,
    from_secs: f64,
    to_secs: f64,
}

impl From<Window> for WindowView {
    fn from(window: Window) -> Self {
        let secs = |at: Timestamp| at.micros() as f64 / 1e6;
        Self {
            from: window.from,
            to: window.to,
            from_secs: secs(window.from),
            to_secs: secs(window.to),
        }
    }
}

/// A score for the table under the chart.
#[derive(Debug, Serialize)]
struct Told {
    at: Timestamp,
    score: f64,
    reason: String,
}

impl From<&ScorePoint> for Told {
    fn from(point: &ScorePoint) -> Self {
        Self { at: point.at, score: point.score, reason: Judged::from(point).reason() }
    }
}

/// Everything the large chart of a metric shows.
#[derive(Debug)]
pub(in crate::http) struct Drawn {
    pub(super) window: Window,
    values: Vec<(Timestamp, f64)>,
    scores: Vec<ScorePoint>,
    marks: Vec<Mark>,
    threshold: f64,
    limits: Vec<f64>,
}

impl Drawn {
    /// Reads points, scores and alerts of a window; an endless one is narrowed to what there is.
    pub(in crate::http) async fn read(
        site: &Site,
        batch: &BatchSpec,
        metric: &MetricName,
        window: Window,
    ) -> Result<Self, Failure> {
        let points = site.points(&batch.name, Some(metric), window).await?;
        let values: Vec<(Timestamp, f64)> =
            points.into_iter().flat_map(|series| series.at.into_iter().zip(series.value)).collect();
        let mut scores = site.scores(&batch.name, Some(metric), window).await?;
        let scores = scores.remove(metric).unwrap_or_default();
        let filter = AlertFilter {
            batch: Some(batch.name.clone()),
            metric: Some(metric.clone()),
            since: Some(window.from),
            ..all_alerts(MAX_MARKS)
        };
        let mut marks: Vec<Mark> = listed(site, &filter).await?.into_iter().map(mark).collect();
        marks.reverse();
        let window = narrowed(window, &values);
        let current = models::current(&mut *site.reader().await?, &batch.name, metric).await;
        let current = current.map_err(|error| Failure::internal(&error))?;
        let quality = current.as_ref().and_then(|row| row.quality.as_ref());
        let threshold = batch.alert_for(metric).threshold_by(quality);
        Ok(Self { window, values, scores, marks, threshold, limits: limits_of(batch, metric) })
    }

    /// The scores that stand out most, in time order.
    fn most_unusual(&self) -> Vec<Told> {
        let mut found: Vec<&ScorePoint> =
            self.scores.iter().filter(|point| NOTABLE <= point.score).collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(N_NOTABLE);
        found.sort_by_key(|point| Reverse(point.at));
        found.into_iter().map(Told::from).collect()
    }

    pub(in crate::http) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.scores.is_empty()
    }

    /// Begins the window where a young history begins.
    pub(in crate::http) fn fit(&mut self) {
        self.window = self.window.fitted(self.values.first().map(|(at, _)| *at));
    }

    /// The same within a shorter window.
    pub(super) fn within(mut self, window: Window) -> Self {
        self.values.retain(|(at, _)| window.from <= *at && *at < window.to);
        self.scores.retain(|score| window.from <= score.at && score.at < window.to);
        self.window = window;
        self
    }

    /// The usual distance between two points.
    pub(super) fn spacing(&self) -> Span {
        chart::spacing(&self.values)
    }

    pub(super) fn plot<'a>(&'a self, batch: &BatchSpec, label: &'a str) -> Plot<'a> {
        Plot {
            window: self.window,
            tz: batch.timezone,
            values: &self.values,
            scores: &self.scores,
            threshold: self.threshold,
            marks: &self.marks,
            limits: &self.limits,
            label,
        }
    }
}

impl Drawn {
    /// The same as a chart that stands alone.
    pub(in crate::http) fn picture(self, batch: &BatchSpec, metric: &MetricName) -> Picture {
        Picture {
            window: self.window,
            values: self.values,
            scores: self.scores,
            threshold: Some(self.threshold),
            marks: self.marks,
            limits: self.limits,
            ..Picture::blank(batch, metric)
        }
    }
}

fn narrowed(window: Window, values: &[(Timestamp, f64)]) -> Window {
    if window.from != Timestamp::MIN {
        return window;
    }
    match (values.first(), values.last()) {
        (Some(first), Some(last)) => Window { from: first.0, to: last.0 + Span::secs(1) },
        _ => window,
    }
}

fn mark(row: AlertRow) -> Mark {
    let alert = row.alert;
    let value = alert.value.map(|value| format!(", {}", domain_words::number(value)));
    Mark {
        at: alert.at,
        since: alert.since,
        until: row.episode.until,
        value: alert.value,
        severity: alert.severity,
        href: format!("/alerts/{}", words::segment(&alert.id.0)),
        title: format!(
            "{} {}{}: {}",
            alert.severity,
            alert.kind,
            value.unwrap_or_default(),
            alert.reason
        ),
    }
}
