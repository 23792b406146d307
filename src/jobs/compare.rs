//! Compare: what a batch's challengers said beside its champions, metric by metric. Nothing is
//! changed.

use std::{collections::BTreeMap, sync::Arc};

use rayon::prelude::*;
use serde::Serialize;

use crate::{
    alerting::{self, Comparison, Pair, Policy, PolicyError},
    catalog::models::{self, ModelRow},
    detect::Fitted,
    domain::{AlertSpec, BatchSpec, MetricName, ModelVersion, ScorePoint, Series, Span},
    series::{Names, Range},
};

use super::{
    AsOf, JobContext, JobError,
    alert::scored,
    model_file::{self, Model},
    model_store, quality, rows, stretches, window,
};

/// Metrics whose points and models are in memory at once.
const METRICS: usize = 256;
/// Newest rows of a metric that made-up anomalies are put into.
const ROWS: usize = 1_000;

/// One metric's champions and challengers beside each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Whose.
    pub metric: MetricName,
    /// Over which both are judged: the batch's, the metric's own, or that of its budget.
    pub threshold: f64,
    /// What the stored scores say.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// What the current model says; none when it is damaged or has no challenger.
    pub model: Option<Rivals>,
}

/// The two sides of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rivals {
    /// Which version.
    pub version: ModelVersion,
    /// The detectors whose scores count.
    pub champion: Side,
    /// The others.
    pub challenger: Side,
}

/// One side of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Its detectors' tags.
    pub detectors: Vec<String>,
    /// Made-up anomalies put into copies of the metric's newest history.
    pub tried: u64,
    /// Those whose score reaches the threshold.
    pub found: u64,
    /// Bytes its detectors take in a model file.
    pub bytes: u64,
}

/// Compares the scores of the time before an instant, of one metric or of all that have
/// challengers' scores there. Only points that both sides scored with the same model count.
///
/// # Errors
/// [`JobError`] when the history, the catalog or the store cannot be read.
pub async fn compare(
    ctx: &JobContext,
    batch: &BatchSpec,
    as_of: AsOf,
    (metric, last): (Option<MetricName>, Span),
) -> Result<Vec<Compared>, JobError> {
    let range = Range { metric, ..Range::between(as_of.now - last, as_of.until) };
    let rivals = window::challenger_scores_between(ctx, &batch.name, range.clone()).await?;
    let mut scores = window::scores_between(ctx, &batch.name, range).await?;
    let mut reader = ctx.catalog.reader().await?;
    let currents = models::currents(&mut reader, &batch.name).await?;
    drop(reader);
    let mut rows: BTreeMap<MetricName, ModelRow> =
        currents.into_iter().map(|row| (row.metric.clone(), row)).collect();
    let names: Vec<MetricName> = rivals.keys().cloned().collect();
    let pending = rivals.into_iter().map(|(metric, rivals)| {
        let scores = scores.remove(&metric).unwrap_or_default();
        let row = rows.remove(&metric);
        Pending { metric, pairs: pairs(scores, rivals), row, loaded: None }
    });
    let mut pending: Vec<Pending> = pending.collect();
    let batch = Arc::new(batch.clone());
    let mut compared = Vec::with_capacity(pending.len());
    for names in stretches::of(&names, METRICS) {
        let mut chunk: Vec<Pending> = pending.drain(..METRICS.min(pending.len())).collect();
        load(ctx, &batch, as_of, (names, &mut chunk)).await?;
        let batch = Arc::clone(&batch);
        let work = move || {
            chunk.into_par_iter().map(|one| one.compare(&batch)).collect::<Result<Vec<_>, _>>()
        };
        compared.extend(ctx.compute.run(work).await??);
    }
    Ok(compared)
}

/// A metric that has not been compared yet.
struct Pending {
    metric: MetricName,
    pairs: Vec<Pair>,
    /// Its current model.
    row: Option<ModelRow>,
    /// That model and the metric's newest rows.
    loaded: Option<(Model, Series)>,
}

/// Points that both sides scored with the same model, by time.
fn pairs(scores: Vec<ScorePoint>, rivals: Vec<ScorePoint>) -> Vec<Pair> {
    let mut rivals = rivals.into_iter().peekable();
    let pair = |score: ScorePoint| {
        while rivals.next_if(|rival| rival.at < score.at).is_some() {}
        let is_same = |rival: &ScorePoint| rival.at == score.at && rival.model == score.model;
        let rival = rivals.next_if(is_same)?;
        Some((scored(score), scored(rival)))
    };
    scores.into_iter().filter_map(pair).collect()
}

/// Reads the models and newest rows of some metrics.
async fn load(
    ctx: &JobContext,
    batch: &BatchSpec,
    as_of: AsOf,
    (names, chunk): (Names, &mut [Pending]),
) -> Result<(), JobError> {
    let newest = chunk.iter().filter_map(|one| one.pairs.last()).map(|(score, _)| score.at).max();
    let from = newest.unwrap_or(as_of.now) - batch.train.window;
    let to = as_of.until_full(batch.features.resample);
    let newest = Some(ROWS.min(batch.train.max_points));
    let metric = match chunk {
        [only] => Some(only.metric.clone()),
        _ => None,
    };
    let range = Range { names, newest, metric, ..Range::between(from, to) };
    let rows = rows::rows_between(ctx, batch, range).await?;
    let mut rows: BTreeMap<MetricName, Series> =
        rows.into_iter().map(|series| (series.metric.clone(), series)).collect();
    for one in chunk {
        let (Some(row), Some(series)) = (&one.row, rows.remove(&one.metric)) else { continue };
        let model = model_store::read(&ctx.store, &batch.name, row).await?;
        one.loaded = model.ok().map(|model| (model, series));
    }
    Ok(())
}

impl Pending {
    fn compare(self, batch: &BatchSpec) -> Result<Compared, PolicyError> {
        let spec = batch.alert_for(&self.metric);
        let quality = self.row.as_ref().and_then(|row| row.quality.as_ref());
        let threshold = spec.threshold_by(quality);
        let policy = Policy::compile(&AlertSpec { threshold, ..spec.clone() })?;
        let who = (batch.name.clone(), self.metric.clone());
        let comparison = alerting::compare(&who, &policy, &self.pairs);
        let rivals = |(model, series): (Model, Series)| {
            let side = |detectors| side(detectors, &series, batch, threshold);
            let (champion, challenger) = (side(&model.detectors), side(&model.challengers));
            let version = model.version;
            (!challenger.detectors.is_empty()).then_some(Rivals { version, champion, challenger })
        };
        let model = self.loaded.and_then(rivals);
        Ok(Compared { metric: self.metric, threshold, comparison, model })
    }
}

fn side(
    detectors: &[(String, Fitted)],
    series: &Series,
    batch: &BatchSpec,
    threshold: f64,
) -> Side {
    let kinds = quality::inject(detectors, series, batch, threshold);
    Side {
        detectors: detectors.iter().map(|(tag, _)| tag.clone()).collect(),
        tried: kinds.iter().map(|kind| kind.tried).sum(),
        found: kinds.iter().map(|kind| kind.found).sum(),
        bytes: model_file::encoded_size(detectors),
    }
}
