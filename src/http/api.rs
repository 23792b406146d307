//! The JSON API under `/api/v1`. Lists are `{"items": […], "next_offset": n or null}`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};

use crate::{
    catalog::{
        alerts::{self, AlertFilter},
        metrics, models, run_log,
        run_log::LogLine,
        runs::{self, RunFilter},
    },
    domain::{AlertId, Aspect, Band, Judged, ModelCard, ModelVersion, RunId, Timestamp},
    jobs::Explanation,
};

use super::{
    ask::{Asked, Filter, Named, Part, Stretch},
    dashboard::{Rest, batch_view, batch_views, cut},
    failure::Failure,
    site::{Site, all_alerts},
    view::{AlertView, BatchView, MetricView, ModelView, RunView},
};

const USUAL: u32 = 100;
const MOST: u32 = 1_000;
const USUAL_POINTS: u32 = 10_000;
const MOST_POINTS: u32 = 100_000;
const USUAL_RANGE: &str = "7d";

type Answer<T> = Result<Json<T>, Failure>;

/// A part of a list.
#[derive(Debug, Serialize)]
pub(super) struct Items<T> {
    items: Vec<T>,
    /// Where the next part begins; nothing at the end.
    next_offset: Option<u32>,
}

impl<T> Items<T> {
    fn new(items: Vec<T>, rest: Rest, offset: u32) -> Self {
        let next = offset.saturating_add(u32::try_from(items.len()).unwrap_or(u32::MAX));
        Self { items, next_offset: (rest == Rest::More).then_some(next) }
    }

    /// A part of a list that was read whole.
    fn part(all: Vec<T>, part: &Part, (usual, most): (u32, u32)) -> Self {
        let (offset, limit) = (part.offset(), part.limit(usual, most));
        let mut items: Vec<T> =
            all.into_iter().skip(offset as usize).take(limit as usize + 1).collect();
        let rest = cut(&mut items, limit);
        Self::new(items, rest, offset)
    }
}

pub(super) async fn batches(
    State(site): State<Arc<Site>>,
    Asked(part): Asked<Part>,
) -> Answer<Items<BatchView>> {
    Ok(Json(Items::part(batch_views(&site).await?, &part, (USUAL, MOST))))
}

pub(super) async fn batch(
    State(site): State<Arc<Site>>,
    Named(name): Named<String>,
) -> Answer<BatchView> {
    Ok(Json(batch_view(&site, &site.batch(&name)?).await?))
}

pub(super) async fn metrics(
    State(site): State<Arc<Site>>,
    Named(name): Named<String>,
    Asked(part): Asked<Part>,
) -> Answer<Items<MetricView>> {
    let batch = site.batch(&name)?;
    let rows = metrics::list(&mut *site.reader().await?, &batch.name).await;
    let rows = rows.map_err(|error| Failure::internal(&error))?;
    let all = rows.into_iter().map(|row| MetricView::new(row, &batch)).collect();
    Ok(Json(Items::part(all, &part, (USUAL, MOST))))
}

/// A stretch of time and a part of what is in it.
#[derive(Debug, Deserialize)]
pub(super) struct StretchPart {
    range: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<u32>,
    offset: Option<u32>,
}

impl StretchPart {
    fn split(self) -> (Stretch, Part) {
        let stretch = Stretch { range: self.range, from: self.from, to: self.to };
        (stretch, Part { limit: self.limit, offset: self.offset })
    }
}

/// One observation.
#[derive(Debug, Serialize)]
pub(super) struct PointView {
    at: Timestamp,
    value: f64,
}

pub(super) async fn points(
    State(site): State<Arc<Site>>,
    Named((batch, name)): Named<(String, String)>,
    Asked(asked): Asked<StretchPart>,
) -> Answer<Items<PointView>> {
    let batch = site.batch(&batch)?;
    let metric = site.metric(&batch.name, &name).await?;
    let (stretch, part) = asked.split();
    let window = stretch.window(USUAL_RANGE, site.now(), Some(metric.newest_at))?;
    let read = site.points(&batch.name, Some(&metric.metric), window).await?;
    let all = read
        .into_iter()
        .flat_map(|series| series.at.into_iter().zip(series.value))
        .map(|(at, value)| PointView { at, value })
        .collect();
    Ok(Json(Items::part(all, &part, (USUAL_POINTS, MOST_POINTS))))
}

/// One score.
#[derive(Debug, Serialize)]
pub(super) struct ScoreView {
    at: Timestamp,
    value: f64,
    score: f64,
    band: Option<Band>,
    /// What the score is mostly about.
    aspect: Option<Aspect>,
    /// Why the score is what it is, in one line.
    reason: String,
    model: ModelVersion,
}

pub(super) async fn scores(
    State(site): State<Arc<Site>>,
    Named((batch, name)): Named<(String, String)>,
    Asked(asked): Asked<StretchPart>,
) -> Answer<Items<ScoreView>> {
    let batch = site.batch(&batch)?;
    let metric = site.metric(&batch.name, &name).await?;
    let (stretch, part) = asked.split();
    let window = stretch.window(USUAL_RANGE, site.now(), Some(metric.newest_at))?;
    let mut read = site.scores(&batch.name, Some(&metric.metric), window).await?;
    let rows = read.remove(&metric.metric).unwrap_or_default().into_iter();
    let all = rows
        .map(|row| ScoreView {
            reason: Judged::from(&row).reason(),
            at: row.at,
            value: row.value,
            score: row.score,
            band: row.band,
            aspect: row.aspect,
            model: row.model,
        })
        .collect();
    Ok(Json(Items::part(all, &part, (USUAL_POINTS, MOST_POINTS))))
}

pub(super) async fn alerts(
    State(site): State<Arc<Site>>,
    Asked(filter): Asked<Filter>,
) -> Answer<Items<AlertView>> {
    let (limit, offset) = (filter.part().limit(USUAL, MOST), filter.part().offset());
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
    let views = rows.into_iter().map(|row| AlertView::new(row, &project.batches)).collect();
    Ok(Json(Items::new(views, rest, offset)))
}

pub(super) async fn alert(
    State(site): State<Arc<Site>>,
    Named(id): Named<String>,
) -> Answer<AlertView> {
    let (row, reading) = site.alert(&AlertId(id)).await?;
    Ok(Json(AlertView::new(row, &site.project().batches).explained(reading)))
}

/// The instant that is asked about; now, without it.
#[derive(Debug, Deserialize)]
pub(super) struct AtAsked {
    at: Option<String>,
}

pub(super) async fn explain_alert(
    State(site): State<Arc<Site>>,
    Named(id): Named<String>,
) -> Answer<Explanation> {
    let row = alerts::get(&mut *site.reader().await?, &AlertId(id)).await;
    let row = row.map_err(|error| Failure::internal(&error))?;
    let row = row.ok_or_else(|| Failure::missing("such alert"))?;
    let batch = site.batch(row.alert.batch.as_str())?;
    Ok(Json(site.explain_alert(&batch, &row).await?))
}

pub(super) async fn explain_metric(
    State(site): State<Arc<Site>>,
    Named((batch, name)): Named<(String, String)>,
    Asked(asked): Asked<AtAsked>,
) -> Answer<Explanation> {
    let batch = site.batch(&batch)?;
    let metric = site.metric(&batch.name, &name).await?.metric;
    let at = asked.at.as_deref().map(Timestamp::parse).transpose();
    let at = at.map_err(|error| Failure::bad(format!("at: {error}")))?;
    let at = at.unwrap_or_else(|| site.now());
    Ok(Json(site.explain_at(&batch, &metric, at).await?))
}

pub(super) async fn runs(
    State(site): State<Arc<Site>>,
    Asked(filter): Asked<Filter>,
) -> Answer<Items<RunView>> {
    let (limit, offset) = (filter.part().limit(USUAL, MOST), filter.part().offset());
    let wanted = RunFilter {
        batch: filter.batch()?,
        job: filter.job()?,
        state: filter.state()?,
        limit: limit + 1,
        offset,
    };
    let rows = runs::list(&mut *site.reader().await?, &wanted).await;
    let mut rows = rows.map_err(|error| Failure::internal(&error))?;
    let rest = cut(&mut rows, limit);
    Ok(Json(Items::new(rows.into_iter().map(RunView::from).collect(), rest, offset)))
}

/// A run and what it logged.
#[derive(Debug, Serialize)]
pub(super) struct RunWithLog {
    #[serde(flatten)]
    run: RunView,
    logs: Vec<LogLine>,
}

pub(super) async fn run(
    State(site): State<Arc<Site>>,
    Named(id): Named<i64>,
) -> Answer<RunWithLog> {
    let mut reader = site.reader().await?;
    let row = runs::get(&mut reader, RunId(id)).await;
    let row = row.map_err(|error| Failure::internal(&error))?;
    let row = row.ok_or_else(|| Failure::missing("such run"))?;
    let logs = run_log::lines(&mut reader, RunId(id)).await;
    let logs = logs.map_err(|error| Failure::internal(&error))?;
    Ok(Json(RunWithLog { run: RunView::from(row), logs }))
}

pub(super) async fn models(
    State(site): State<Arc<Site>>,
    Asked(filter): Asked<Filter>,
) -> Answer<Items<ModelView>> {
    let all = models_asked(&site, &filter).await?;
    Ok(Json(Items::part(all, &filter.part(), (USUAL, MOST))))
}

/// Which version of which metric.
#[derive(Debug, Deserialize)]
pub(super) struct CardAsked {
    pub(super) batch: String,
    pub(super) metric: String,
    pub(super) version: String,
}

pub(super) async fn model_card(
    State(site): State<Arc<Site>>,
    Asked(asked): Asked<CardAsked>,
) -> Answer<ModelCard> {
    Ok(Json(card_asked(&site, &asked).await?))
}

pub(super) async fn card_asked(site: &Site, asked: &CardAsked) -> Result<ModelCard, Failure> {
    let batch = site.batch(&asked.batch)?;
    let metric = site.metric(&batch.name, &asked.metric).await?.metric;
    let rows = models::versions(&mut *site.reader().await?, &batch.name, &metric).await;
    let rows = rows.map_err(|error| Failure::internal(&error))?;
    let found = rows.iter().find(|row| row.version.as_str() == asked.version);
    site.model_card(found.ok_or_else(|| Failure::missing("such version"))?).await
}

/// Every version of a metric when one is named, else the current version of each metric, of one
/// batch or of all.
pub(super) async fn models_asked(site: &Site, filter: &Filter) -> Result<Vec<ModelView>, Failure> {
    let (batch, metric) = (filter.batch()?, filter.metric()?);
    let project = site.project();
    let wanted = project.batches.iter().map(|spec| &spec.name);
    let wanted = wanted.filter(|name| batch.as_ref().is_none_or(|batch| batch == *name));
    let mut reader = site.reader().await?;
    let mut views = Vec::new();
    for name in wanted {
        let rows = models::currents(&mut reader, name).await;
        let rows = rows.map_err(|error| Failure::internal(&error))?;
        let currents: BTreeMap<_, _> =
            rows.iter().map(|row| (row.metric.clone(), row.version.clone())).collect();
        let rows = match &metric {
            Some(metric) => models::versions(&mut reader, name, metric)
                .await
                .map_err(|error| Failure::internal(&error))?,
            None => rows,
        };
        views.extend(rows.into_iter().map(|row| ModelView::new(row, &currents)));
    }
    Ok(views)
}
