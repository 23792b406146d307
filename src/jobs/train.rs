//! Train: per metric, window → features → every detector → a verified model version. A metric that
//! cannot be trained is an entry in the report; the others' new versions become current together,
//! unless a training as of a later instant was there before.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use rayon::prelude::*;

use crate::{
    catalog::{metrics, models, runs, runs::Claim, watermarks},
    detect::{self, FitContext, Fitted},
    domain::{
        BatchSpec, DetectorCard, LeftOut, ModelCard, ModelVersion, NoScore, Series, Skipped,
        TrainReport,
    },
    features::{self, FeatureFrame},
    io::sha256_hex,
    series::Range,
};

use super::{
    AsOf, JobContext, JobError,
    model_file::Model,
    model_store::{self, Stored},
    names::NameFilter,
    verify, window,
};

/// Metrics fitted on each computing thread before their models are written: bounds the memory of a
/// large batch.
const FITS_PER_THREAD: usize = 8;
/// Models written at once; each is two fsynced objects.
const WRITES: usize = 8;
/// Detectors draw from this; the same data give the same model.
const SEED: u64 = 0x5eed;
/// The newest instant models were trained as of.
const WATERMARK: &str = "train/asof";

pub(super) async fn train(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    as_of: AsOf,
) -> Result<TrainReport, JobError> {
    let mut pending = read_window(ctx, batch, as_of).await?;
    ctx.progress.begin(pending.len() as u64);
    let batch = Arc::new(batch.clone());
    let mut report = TrainReport::default();
    let mut stored = Vec::new();
    let n_at_once = FITS_PER_THREAD * ctx.compute.n_threads();
    while !pending.is_empty() {
        let chunk: Vec<(Series, ModelVersion)> = pending
            .drain(..n_at_once.min(pending.len()))
            .map(|series| (series, ctx.versions.next((ctx.clock)())))
            .collect();
        let n_metrics = chunk.len() as u64;
        let (fitted, skipped) = fit_chunk(ctx, Arc::clone(&batch), chunk).await?;
        for left_out in fitted.iter().flat_map(|(_, _, card)| &card.left_out) {
            let why = format!("detector `{}`: {}", left_out.tag, left_out.reason);
            *report.left_out.entry(why).or_default() += 1;
        }
        stored.extend(store_chunk(ctx, fitted).await?);
        report.skipped.extend(skipped);
        ctx.progress.advance(n_metrics);
    }
    report.trained = stored.len() as u64;
    report.rows = stored.iter().map(|stored| stored.row.rows).sum();
    register(ctx, claim, &batch, Trained { as_of, stored: &stored, skipped: &report.skipped })
        .await?;
    Ok(report)
}

/// What models learn from: the window's newest points outside the excluded periods.
async fn read_window(
    ctx: &JobContext,
    batch: &BatchSpec,
    as_of: AsOf,
) -> Result<Vec<Series>, JobError> {
    let from = as_of.now - batch.train.window;
    // Which are the newest shows only after the excluded periods are taken out.
    let newest = batch.train.exclude_periods.is_empty().then_some(batch.train.max_points);
    let until = as_of.until_full(batch.features.resample);
    let range = Range { newest, ..Range::between(from, until) };
    let all = window::points_between(ctx, &batch.name, range).await?;
    let excluded = NameFilter::new(&batch.train.exclude);
    let kept = all.into_iter().filter(|series| !excluded.matches(&series.metric));
    Ok(kept.map(|series| learnable(series, batch)).collect())
}

fn learnable(series: Series, batch: &BatchSpec) -> Series {
    let periods = &batch.train.exclude_periods;
    if periods.is_empty() {
        return series;
    }
    let mut kept = Series::empty(series.metric.clone());
    for (at, value) in series.at.iter().zip(&series.value) {
        if !periods.iter().any(|period| period.from <= *at && *at < period.to) {
            kept.at.push(*at);
            kept.value.push(*value);
        }
    }
    kept.newest(batch.train.max_points)
}

type Fit = (Model, Vec<u8>, ModelCard);

async fn fit_chunk(
    ctx: &JobContext,
    batch: Arc<BatchSpec>,
    chunk: Vec<(Series, ModelVersion)>,
) -> Result<(Vec<Fit>, Vec<Skipped>), JobError> {
    let work = move || {
        let fit = |(series, version): &(Series, ModelVersion)| {
            let outcome = fit_metric(series, version.clone(), &batch);
            outcome.map_err(|reason| Skipped { metric: series.metric.clone(), reason })
        };
        chunk.par_iter().map(fit).collect::<Vec<_>>()
    };
    let mut fitted = Vec::new();
    let mut skipped = Vec::new();
    for outcome in ctx.compute.run(work).await? {
        match outcome {
            Ok(fit) => fitted.push(fit),
            Err(reason) => skipped.push(reason),
        }
    }
    Ok((fitted, skipped))
}

/// Fits every detector of the batch to one metric and tests the result on a known anomaly.
fn fit_metric(series: &Series, version: ModelVersion, batch: &BatchSpec) -> Result<Fit, NoScore> {
    let (need, have) = (batch.train.min_points, series.len());
    let (Some(first), Some(last)) = (series.at.first(), series.at.last()) else {
        return Err(NoScore::TooFewPoints { need, have });
    };
    if have < need {
        return Err(NoScore::TooFewPoints { need, have });
    }
    let frame = features::build(series, &batch.features);
    let fitting = FitContext { timezone: batch.timezone, seed: SEED };
    let Detectors { fitted, left_out } = fit_detectors(batch, &frame, &fitting)?;
    let (name, metric) = (batch.name.clone(), series.metric.clone());
    let model = Model { batch: name.clone(), metric: metric.clone(), version, detectors: fitted };
    let quality = verify::self_test(&model, series, batch);
    if quality.self_test_score <= quality.median_score {
        return Err(NoScore::SelfTest);
    }
    let bytes = model.encode().map_err(|_| NoScore::OutOfRange)?;
    let card = ModelCard {
        batch: name,
        metric,
        version: model.version.clone(),
        sha256: sha256_hex(&bytes),
        size: bytes.len() as u64,
        detectors: model.detectors.iter().map(describe).collect(),
        left_out,
        trained_from: *first,
        trained_to: *last,
        rows: have as u64,
        data_fingerprint: model_store::fingerprint(series),
        quality,
        config_hash: batch.config_hash.clone(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Ok((model, bytes, card))
}

/// The detectors of one metric, with their tags.
struct Detectors {
    fitted: Vec<(String, Fitted)>,
    left_out: Vec<LeftOut>,
}

/// Fits those that can be trained on the frame; an error when none can.
fn fit_detectors(
    batch: &BatchSpec,
    frame: &FeatureFrame,
    fitting: &FitContext,
) -> Result<Detectors, NoScore> {
    let (mut fitted, mut left_out) = (Vec::new(), Vec::new());
    for spec in &batch.detectors {
        match detect::fit(spec, frame, fitting) {
            Ok(detector) => fitted.push((spec.tag.clone(), detector)),
            Err(reason) => left_out.push(LeftOut { tag: spec.tag.clone(), reason }),
        }
    }
    match left_out.first() {
        Some(first) if fitted.is_empty() => Err(first.reason.clone()),
        _ => Ok(Detectors { fitted, left_out }),
    }
}

fn describe((tag, fitted): &(String, Fitted)) -> DetectorCard {
    DetectorCard {
        tag: tag.clone(),
        kind: fitted.kind().to_string(),
        params: fitted.params(),
        threshold: fitted.threshold(),
    }
}

async fn store_chunk(ctx: &JobContext, fitted: Vec<Fit>) -> Result<Vec<Stored>, JobError> {
    let writes = fitted.into_iter().map(|(model, bytes, card)| async move {
        model_store::store(ctx, &model, bytes, card).await
    });
    stream::iter(writes).buffered(WRITES).try_collect().await
}

/// What came of a training.
struct Trained<'a> {
    as_of: AsOf,
    stored: &'a [Stored],
    skipped: &'a [Skipped],
}

/// One transaction makes every new version current; a stale owner of the run changes nothing. A
/// training as of the past is kept, but does not take the place of what has learnt from more.
async fn register(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    trained: Trained<'_>,
) -> Result<(), JobError> {
    let Trained { as_of, stored, skipped } = trained;
    let now = (ctx.clock)();
    let mut tx = ctx.catalog.begin().await?;
    runs::guard(&mut tx, claim, "register").await?;
    let newest = watermarks::get(&mut tx, &batch.name, WATERMARK).await?;
    let overtaken_by = newest.filter(|newest| as_of.now < *newest);
    for stored in stored {
        match overtaken_by {
            None => models::register(&mut tx, &stored.row, claim.run).await?,
            Some(_) => models::register_aside(&mut tx, &stored.row, claim.run).await?,
        }
    }
    if !stored.is_empty() {
        watermarks::set(&mut tx, &batch.name, WATERMARK, as_of.now).await?;
    }
    metrics::note_skips(&mut tx, &batch.name, skipped).await?;
    tx.commit().await?;
    if let Some(newest) = overtaken_by {
        let (batch, then) = (&batch.name, as_of.now);
        tracing::warn!(%batch, "models trained as of {then} do not replace those as of {newest}");
    }
    ctx.metrics.metrics_trained(&batch.name, stored.len() as u64);
    for skip in skipped {
        ctx.metrics.metric_skipped(&batch.name, claim.job, &skip.reason);
    }
    if !stored.is_empty() {
        ctx.metrics.set_newest_model(&batch.name, now);
    }
    Ok(())
}
