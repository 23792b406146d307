//! Explain: how a point of the past was scored and judged, from its value to the messages about
//! it. The score is made again from the stored model; the gates are the alert job's. Nothing is
//! changed.

mod recompute;
mod steps;

use std::sync::Arc;

use serde::Serialize;

use crate::{
    alerting::{self, Bar, PastAlerts, Policy, Quiet, Scored, Step, StepState, alert_id},
    catalog::{
        Catalog,
        alerts::{self, AlertRow},
        models::{self, ModelRow, ModelState},
        retrace, segments, watermarks,
    },
    compute::Compute,
    domain::{
        AlertId, AlertKind, AlertSpec, BatchSpec, MetricName, ModelVersion, ScorePoint,
        SegmentKind, Series, Span, Timestamp, words,
    },
    io::Store,
    series::{History, Range},
};

use super::{
    JobContext, JobError,
    alert::{WATERMARK, open_alert, scored},
    model_file::Model,
    model_store,
    names::NameFilter,
};
pub use recompute::Recomputed;

/// By how much a bar may have sunk between the look at it and the alert: some hours' worth.
const BAR_DRIFT: f64 = 1e-3;

/// What explanations are read from.
#[derive(Debug, Clone, Copy)]
pub struct Archive<'a> {
    /// Runs, models, alerts, messages.
    pub catalog: &'a Catalog,
    /// Models.
    pub store: &'a Store,
    /// Points and scores.
    pub history: &'a History,
    /// The way to the computing threads.
    pub compute: &'a Compute,
}

impl<'a> From<&'a JobContext> for Archive<'a> {
    fn from(ctx: &'a JobContext) -> Self {
        let JobContext { catalog, store, history, compute, .. } = ctx;
        Self { catalog, store, history, compute }
    }
}

/// How a point was scored and judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Whose metric.
    pub batch: crate::domain::BatchName,
    /// Which metric.
    pub metric: MetricName,
    /// Which observation: of an alert, the one that fired it.
    pub at: Timestamp,
    /// The alert it raised.
    pub alert: Option<AlertId>,
    /// What became of it, in one sentence.
    pub summary: String,
    /// The step that stopped it.
    pub stopped_by: Option<&'static str>,
    /// The value that was scored.
    pub value: Option<f64>,
    /// Its score, in [0, 1], before smoothing.
    pub score: Option<f64>,
    /// The model that made the score.
    pub model: Option<ModelVersion>,
    /// What came of scoring it again.
    pub recomputed: Option<Recomputed>,
    /// From the value to the messages, in order.
    pub steps: Vec<Step>,
}

/// Explains an alert.
///
/// # Errors
/// [`JobError`] when history, catalog or store cannot be read.
pub async fn explain_alert(
    archive: Archive<'_>,
    batch: &BatchSpec,
    row: &AlertRow,
) -> Result<Explanation, JobError> {
    let alert = &row.alert;
    let mut found = match alert.kind {
        AlertKind::Anomaly => walk(archive, batch, &alert.metric, alert.at, Some(row)).await?,
        _ => Found::at(alert.at),
    };
    if found.point.is_none() {
        found.steps.extend(steps::of_row(row));
        found.steps.extend(steps::of_rule(archive, batch, row).await?);
    }
    found.steps.extend(steps::aftermath(archive, row).await?);
    let summary = match found.stopped() {
        None => format!("alerted: {}", alert.reason),
        Some(step) => format!(
            "alerted: {}; by what is stored and set today it would not: {}",
            alert.reason, step.detail
        ),
    };
    Ok(found.explanation(batch, &alert.metric, (Some(alert.id.clone()), summary)))
}

/// Explains why the newest observation of a metric up to an instant did or did not alert.
///
/// # Errors
/// As [`explain_alert`].
pub async fn explain_at(
    archive: Archive<'_>,
    batch: &BatchSpec,
    metric: &MetricName,
    at: Timestamp,
) -> Result<Explanation, JobError> {
    let found = walk(archive, batch, metric, at, None).await?;
    let id = alert_id(&(batch.name.clone(), metric.clone()), AlertKind::Anomaly, found.at);
    let row = alerts::get(&mut *archive.catalog.reader().await?, &id).await?;
    if let Some(row) = row {
        return explain_alert(archive, batch, &row).await;
    }
    let summary = match found.stopped() {
        Some(step) => format!("did not alert: {}", step.detail),
        None => "did not alert, but by what is stored and set today it would".to_owned(),
    };
    Ok(found.explanation(batch, metric, (None, summary)))
}

/// What the walk over a point's past found.
struct Found {
    at: Timestamp,
    /// Whether it is known to have alerted.
    is_alert: bool,
    point: Option<ScorePoint>,
    recomputed: Option<Recomputed>,
    steps: Vec<Step>,
}

impl Found {
    fn at(at: Timestamp) -> Self {
        Self { at, is_alert: false, point: None, recomputed: None, steps: Vec::new() }
    }

    fn stopped(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.state == StepState::Stopped)
    }

    fn stop(mut self, gate: &'static str, detail: impl Into<String>) -> Self {
        self.steps.push(Step::new(gate, StepState::Stopped, detail));
        self
    }

    fn explanation(
        self,
        batch: &BatchSpec,
        metric: &MetricName,
        (alert, summary): (Option<AlertId>, String),
    ) -> Explanation {
        Explanation {
            batch: batch.name.clone(),
            metric: metric.clone(),
            at: self.at,
            alert,
            summary,
            stopped_by: self.stopped().map(|step| step.gate),
            value: self.point.as_ref().map(|point| point.value),
            score: self.point.as_ref().map(|point| point.score),
            model: self.point.map(|point| point.model),
            recomputed: self.recomputed,
            steps: self.steps,
        }
    }
}

/// From the observation to the last gate.
async fn walk(
    archive: Archive<'_>,
    batch: &BatchSpec,
    metric: &MetricName,
    asked: Timestamp,
    known: Option<&AlertRow>,
) -> Result<Found, JobError> {
    let series = Arc::new(points_around(archive, batch, metric, asked).await?);
    let length = batch.features.resample.unwrap_or(Span::from_micros(1));
    let n_before = series.at.partition_point(|at| *at < asked.floor(length) + length);
    let observed = n_before.checked_sub(1).map(|n| series.at[n].floor(length));
    let scores = scores_before(archive, batch, metric, asked).await?;
    let at = observed.into_iter().chain(scores.last().map(|point| point.at)).max();
    let Some(at) = at else {
        let detail = format!("no observation up to {asked} is stored");
        return Ok(Found::at(asked).stop("observed", detail));
    };
    let mut found = Found { is_alert: known.is_some(), ..Found::at(at) };
    found.steps.push(steps::observed(batch, &series, (at, asked)));
    let Some(point) = scores.last().filter(|point| point.at == at).cloned() else {
        let why = why_no_score(archive, batch, series, at).await?;
        return Ok(found.stop("score", why));
    };
    let (point, rescored) = steps::as_judged(point, known, batch.alert_for(metric));
    let rows = versions(archive, batch, metric).await?;
    let row = rows.iter().find(|row| row.version == point.model);
    let recomputed = score_again(archive, batch, (row, &point), series).await?;
    found.steps.push(steps::score(&point, &recomputed));
    found.steps.extend(rescored);
    (found.point, found.recomputed) = (Some(point), Some(recomputed));
    let quality = row.or(rows.first()).and_then(|row| row.quality.as_ref());
    let spec = batch.alert_for(metric);
    let usual = spec.threshold_by(quality);
    let bar = steps::bar_at(archive, (batch, metric), usual, (at, known)).await?;
    let raised = bar.map_or(usual, |bar| bar.threshold);
    let threshold = known.and_then(|row| row.alert.threshold).unwrap_or(raised);
    let bar = bar.filter(|_| (threshold - raised).abs() < BAR_DRIFT);
    let base = if bar.is_some() { usual } else { threshold };
    let mut origin = steps::origin(batch, metric, (base, quality));
    origin.extend(bar.map(|bar| format!("; {}", Bar { threshold, ..bar }.words())));
    let spec = AlertSpec { threshold, ..spec.clone() };
    judge(archive, (batch, metric), (spec, origin), found).await
}

/// The points a score run may have seen of a metric when it scored an instant.
async fn points_around(
    archive: Archive<'_>,
    batch: &BatchSpec,
    metric: &MetricName,
    at: Timestamp,
) -> Result<Series, JobError> {
    let length = batch.features.resample.unwrap_or(Span::from_micros(1));
    let from = (at - batch.train.window.max(batch.score.window)).floor(length);
    let range =
        Range { metric: Some(metric.clone()), ..Range::between(from, at + batch.score.window) };
    let mut reader = archive.catalog.reader().await?;
    let kind = SegmentKind::Points;
    let live = segments::live(&mut reader, &batch.name, kind, range.from, range.to).await?;
    drop(reader);
    let read = archive.history.read_points(&live, &range).await?;
    Ok(read.into_iter().next().unwrap_or_else(|| Series::empty(metric.clone())))
}

async fn scores_between(
    archive: Archive<'_>,
    batch: &BatchSpec,
    metric: &MetricName,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<ScorePoint>, JobError> {
    let range = Range { metric: Some(metric.clone()), ..Range::between(from, to) };
    let mut reader = archive.catalog.reader().await?;
    let kind = SegmentKind::Scores;
    let live = segments::live(&mut reader, &batch.name, kind, range.from, range.to).await?;
    drop(reader);
    let mut read = archive.history.read_scores(&live, &range).await?;
    Ok(read.remove(metric).unwrap_or_default())
}

async fn scores_before(
    archive: Archive<'_>,
    batch: &BatchSpec,
    metric: &MetricName,
    at: Timestamp,
) -> Result<Vec<ScorePoint>, JobError> {
    let stretch = (at - batch.score.window, at + Span::from_micros(1));
    scores_between(archive, batch, metric, stretch).await
}

async fn versions(
    archive: Archive<'_>,
    batch: &BatchSpec,
    metric: &MetricName,
) -> Result<Vec<ModelRow>, JobError> {
    let mut reader = archive.catalog.reader().await?;
    Ok(models::versions(&mut reader, &batch.name, metric).await?)
}

/// Why a point has no score.
async fn why_no_score(
    archive: Archive<'_>,
    batch: &BatchSpec,
    series: Arc<Series>,
    at: Timestamp,
) -> Result<String, JobError> {
    if NameFilter::new(&batch.score.exclude).matches(&series.metric) {
        return Ok("the metric's name matches `score.exclude`".to_owned());
    }
    let mut reader = archive.catalog.reader().await?;
    let row = models::current(&mut reader, &batch.name, &series.metric).await?;
    drop(reader);
    let Some(row) = row else { return Ok("the metric has no model".to_owned()) };
    let model = match model_store::read(archive.store, &batch.name, &row).await? {
        Ok(model) => model,
        Err(why) => return Ok(format!("its model {} is damaged: {why}", row.version)),
    };
    let spec = batch.clone();
    let length = batch.features.resample.unwrap_or(Span::from_micros(1));
    let end = series.at.partition_point(|point| *point < at + length);
    let work = move || recompute::score_at(&model, &series, &spec, (at, end));
    Ok(match archive.compute.run(work).await? {
        Some((_, Err(reason))) => format!("no score: {reason}"),
        Some((_, Ok(score))) => format!(
            "not scored; the present model would give {}. Each score run takes the newest {} \
             points of the last {}",
            words::number(score),
            batch.score.max_points,
            batch.score.window
        ),
        None => "not scored".to_owned(),
    })
}

/// Makes a score again, or says why that cannot be.
async fn score_again(
    archive: Archive<'_>,
    batch: &BatchSpec,
    (row, point): (Option<&ModelRow>, &ScorePoint),
    series: Arc<Series>,
) -> Result<Recomputed, JobError> {
    let impossible = |why: String| Ok(Recomputed::Impossible { why });
    let Some(row) = row else {
        return impossible(format!("model {} is not kept any more", point.model));
    };
    if row.state != ModelState::Verified {
        let why = row.reason.as_deref().unwrap_or("damaged");
        return impossible(format!("model {} is quarantined: {why}", row.version));
    }
    let model: Model = match model_store::read(archive.store, &batch.name, row).await? {
        Ok(model) => model,
        Err(why) => return impossible(format!("model {} cannot be used: {why}", row.version)),
    };
    let (spec, point) = (batch.clone(), point.clone());
    let work = move || recompute::again(&model, &series, &spec, &point);
    Ok(archive.compute.run(work).await?)
}

/// The gates, as the run met them that judged the point.
async fn judge(
    archive: Archive<'_>,
    (batch, metric): (&BatchSpec, &MetricName),
    (spec, origin): (AlertSpec, String),
    mut found: Found,
) -> Result<Found, JobError> {
    let at = found.at;
    if !spec.enabled {
        return Ok(found.stop("enabled", "alerts of this metric are switched off"));
    }
    let mut reader = archive.catalog.reader().await?;
    let whose = (&batch.name, metric);
    let judged = watermarks::get(&mut reader, &batch.name, &format!("{WATERMARK}{metric}")).await?;
    let run = retrace::judged_at(&mut reader, &batch.name, at).await?;
    let last_fired = retrace::fired_before(&mut reader, whose, AlertKind::Anomaly, at).await?;
    let open = retrace::open_at(&mut reader, whose, AlertKind::Anomaly, at).await?;
    let silence = retrace::silence_at(&mut reader, whose, at).await?;
    drop(reader);
    if !found.is_alert && judged.is_none_or(|judged| judged < at) {
        return Ok(found.stop("judged", "not judged yet; the next alert run does"));
    }
    // Without the run, the point is taken to have been judged when it was the newest.
    let end = run.unwrap_or(at).max(at) + Span::from_micros(1);
    let seen = (at - batch.score.window, end);
    let scores = scores_between(archive, batch, metric, seen).await?;
    let judged = found.point.as_ref();
    let as_judged =
        |point: ScorePoint| judged.filter(|one| one.at == point.at).cloned().unwrap_or(point);
    let scores: Vec<Scored> = scores.into_iter().map(as_judged).map(scored).collect();
    let mut policy = Policy::compile(&spec)?;
    policy.quiet = Quiet::of(batch).snoozed(silence.as_ref().map(|(until, _)| *until));
    let past = PastAlerts { last_fired, open: open.as_ref().map(open_alert) };
    if let Some(trace) = alerting::trace(metric, &policy, &scores, at, &past) {
        found.steps.extend(trace.steps);
    }
    let place = found.steps.iter().position(|step| step.gate == "threshold");
    if let Some(step) = place.and_then(|place| found.steps.get_mut(place)) {
        step.detail = format!("{} ({origin})", step.detail);
    }
    found.steps.extend(silence.map(|(until, author)| steps::silence(until, &author)));
    Ok(found)
}
