//! Train: per metric, window → features → every detector → a verified model version. A metric that
//! cannot be trained is an entry in the report; the others' new versions become current together,
//! unless a training as of a later instant was there before.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use rayon::prelude::*;

use crate::{
    catalog::{feedback, metrics, models, runs, runs::Claim, watermarks},
    domain::{
        BatchSpec, Incident, MetricName, ModelCard, ModelQuality, ModelVersion, NoScore, Recall,
        ScorePoint, Series, Skipped, Span, Timestamp, TrainReport,
    },
    io::sha256_hex,
    series::{Names, Range},
};

use super::{
    AsOf, JobContext, JobError, fit,
    learnable::{self, Learnable, Lesson},
    model_file::Model,
    model_store::{self, Stored},
    names::NameFilter,
    quality, rows, stretches, verify, window,
};

/// Metrics fitted on each computing thread before their models are written: bounds the memory of a
/// large batch.
const FITS_PER_THREAD: usize = 8;
/// Rows read at once: what a batch's history takes in memory at most, 16 bytes each, whatever the
/// number of its metrics.
const ROWS_AT_ONCE: usize = 5_000_000;
/// Models written at once; each is two fsynced objects.
const WRITES: usize = 8;
/// Made-up anomalies cost more than a training; their figures hold for so long.
const RECALL_EVERY: Span = Span::days(7);
/// And are taken of so many metrics of a batch at one training.
const RECALLS: usize = 32;
/// The newest instant models were trained as of.
const WATERMARK: &str = "train/asof";

pub(super) async fn train(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    as_of: AsOf,
) -> Result<TrainReport, JobError> {
    let known = Arc::new(Known::read(ctx, batch, as_of).await?);
    let shared = Arc::new(batch.clone());
    let mut report = TrainReport::default();
    let mut stored = Vec::new();
    let metrics = stretches::learnt_metrics(ctx, batch).await?;
    ctx.progress.begin(metrics.len() as u64);
    let stretches = stretches::of(&metrics, ROWS_AT_ONCE / batch.train.max_points.max(1));
    let n_recalls = RECALLS.div_ceil(stretches.len());
    for names in stretches {
        let mut pending = read_window(ctx, batch, as_of, (&known, names)).await?;
        known.choose_recalls(&mut pending, batch, n_recalls);
        stored.extend(train_stretch(ctx, (&shared, &known), pending, &mut report).await?);
    }
    report.trained = stored.len() as u64;
    report.rows = stored.iter().map(|stored| stored.row.rows).sum();
    register(ctx, claim, batch, Trained { as_of, stored: &stored, skipped: &report.skipped })
        .await?;
    Ok(report)
}

/// Fits, writes and verifies models of some metrics, a few at a time.
async fn train_stretch(
    ctx: &JobContext,
    (batch, known): (&Arc<BatchSpec>, &Arc<Known>),
    pending: Vec<Learnable>,
    report: &mut TrainReport,
) -> Result<Vec<Stored>, JobError> {
    let mut stored = Vec::with_capacity(pending.len());
    let n_at_once = FITS_PER_THREAD * ctx.compute.n_threads();
    let pending = Arc::new(pending);
    for first in (0..pending.len()).step_by(n_at_once) {
        let chunk: Vec<(usize, ModelVersion)> = (first..pending.len().min(first + n_at_once))
            .map(|place| (place, ctx.versions.next((ctx.clock)())))
            .collect();
        let n_metrics = chunk.len() as u64;
        let given = Given {
            batch: Arc::clone(batch),
            known: Arc::clone(known),
            metrics: Arc::clone(&pending),
        };
        let (fitted, skipped) = fit_chunk(ctx, given, chunk).await?;
        for left_out in fitted.iter().flat_map(|(_, _, card)| &card.left_out) {
            let why = format!("detector `{}`: {}", left_out.tag, left_out.reason);
            *report.left_out.entry(why).or_default() += 1;
        }
        stored.extend(store_chunk(ctx, fitted).await?);
        report.skipped.extend(skipped);
        ctx.progress.advance(n_metrics);
    }
    Ok(stored)
}

/// What models learn from: the window's newest rows outside the excluded periods.
async fn read_window(
    ctx: &JobContext,
    batch: &BatchSpec,
    as_of: AsOf,
    (known, names): (&Known, Names),
) -> Result<Vec<Learnable>, JobError> {
    let from = as_of.now - batch.train.window;
    // Which are the newest shows only after the excluded periods are taken out.
    let is_whole = batch.train.exclude_periods.is_empty() && known.incidents.is_empty();
    let newest = is_whole.then_some(batch.train.max_points);
    let until = as_of.until_full(batch.features.resample);
    let range = Range { newest, names, ..Range::between(from, until) };
    let all = rows::rows_between(ctx, batch, range).await?;
    let excluded = NameFilter::new(&batch.train.exclude);
    let kept = all.into_iter().filter(|series| !excluded.matches(&series.metric));
    Ok(kept.map(|series| Learnable::of(series, batch, &known.incidents)).collect())
}

/// What is known of a batch's metrics before a training.
struct Known {
    as_of: AsOf,
    qualities: BTreeMap<MetricName, ModelQuality>,
    /// Of the training window, where a budget asks for them.
    scores: BTreeMap<MetricName, Vec<ScorePoint>>,
    incidents: Vec<Incident>,
}

impl Known {
    /// Marks so many metrics that were never measured or not for longest. Of one that has no model
    /// or borrows from others nothing would be measured.
    fn choose_recalls(&self, pending: &mut [Learnable], batch: &BatchSpec, n_recalls: usize) {
        let measured_at = |one: &Learnable| {
            let quality = self.qualities.get(&one.series.metric);
            let recall = quality.and_then(|quality| quality.recall.as_ref());
            recall.map_or(Timestamp::MIN, |recall| recall.measured_at)
        };
        let mut old: Vec<(Timestamp, &mut Learnable)> =
            pending.iter_mut().map(|one| (measured_at(one), one)).collect();
        old.retain(|(at, one)| {
            RECALL_EVERY <= self.as_of.now - *at && learnable::stands_alone(&one.series, batch)
        });
        old.sort_by_key(|(at, _)| *at);
        old.into_iter().take(n_recalls).for_each(|(_, one)| one.is_recall_due = true);
    }

    async fn read(ctx: &JobContext, batch: &BatchSpec, as_of: AsOf) -> Result<Self, JobError> {
        let mut reader = ctx.catalog.reader().await?;
        let rows = models::currents(&mut reader, &batch.name).await?;
        let incidents = feedback::incidents(&mut reader, &batch.name).await?;
        drop(reader);
        let quality = |row: models::ModelRow| Some((row.metric, row.quality?));
        let qualities = rows.into_iter().filter_map(quality).collect();
        let own = batch.metrics.values().filter_map(|spec| spec.alert.as_ref());
        let has_budget = own.chain([&batch.alert]).any(|alert| alert.budget.is_some());
        let range = Range::between(as_of.now - batch.train.window, as_of.until);
        let scores = match has_budget {
            true => window::scores_between(ctx, &batch.name, range).await?,
            false => BTreeMap::new(),
        };
        Ok(Self { as_of, qualities, scores, incidents })
    }
}

type Fit = (Model, Vec<u8>, ModelCard);

/// What the fits of a stretch share.
struct Given {
    batch: Arc<BatchSpec>,
    known: Arc<Known>,
    metrics: Arc<Vec<Learnable>>,
}

async fn fit_chunk(
    ctx: &JobContext,
    given: Given,
    chunk: Vec<(usize, ModelVersion)>,
) -> Result<(Vec<Fit>, Vec<Skipped>), JobError> {
    let work = move || {
        let fit = |(place, version): &(usize, ModelVersion)| {
            let outcome = fit_metric(&given, *place, version.clone());
            let metric = given.metrics[*place].series.metric.clone();
            outcome.map_err(|reason| Skipped { metric, reason })
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
fn fit_metric(given: &Given, place: usize, version: ModelVersion) -> Result<Fit, NoScore> {
    let Given { batch, known, metrics } = given;
    let Learnable { series: own, n_excluded, .. } = &metrics[place];
    let lesson = learnable::lesson(metrics, place, batch)?;
    let (Some(first), Some(last)) = (own.at.first(), own.at.last()) else {
        return Err(NoScore::WarmingUp { need: batch.train.min_points, have: 0, every: None });
    };
    let series = &*lesson.series;
    let (mut model, mut left_out) = fit::model(series, version, batch)?;
    let (tested, newest) = verify::self_test(&model, series, batch);
    if tested.self_test_score <= tested.median_score {
        return Err(NoScore::SelfTest);
    }
    let season = model.detectors.iter().find_map(|(_, detector)| detector.season());
    let mut quality = ModelQuality {
        period: season.and_then(|(period, _)| period),
        seasonality_strength: season.map(|(_, strength)| strength),
        gaps: quality::gaps(own),
        excluded_rows: *n_excluded,
        warming_up: lesson.warming_up,
        ..measured(tested, &model, (&lesson, metrics[place].is_recall_due), (batch, known))
    };
    let threshold = batch.alert_for(&own.metric).threshold_by(Some(&quality));
    quality.in_sample_alert_rate = verify::alert_rate(&newest, threshold);
    left_out.extend(fit::add_challengers(&mut model, series, batch));
    let (name, metric) = (model.batch.clone(), model.metric.clone());
    let bytes = model.encode().map_err(|_| NoScore::OutOfRange)?;
    let card = ModelCard {
        batch: name,
        metric,
        version: model.version.clone(),
        sha256: sha256_hex(&bytes),
        size: bytes.len() as u64,
        detectors: model.detectors.iter().map(fit::describe).collect(),
        challengers: model.challengers.iter().map(fit::describe).collect(),
        left_out,
        trained_from: *first,
        trained_to: *last,
        rows: own.len() as u64,
        data_fingerprint: model_store::fingerprint(own),
        quality,
        config_hash: batch.config_hash.clone(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Ok((model, bytes, card))
}

/// Takes a threshold for a budget, and measures recall where that was not done lately.
fn measured(
    tested: ModelQuality,
    model: &Model,
    (lesson, is_recall_due): (&Lesson<'_>, bool),
    (batch, known): (&BatchSpec, &Known),
) -> ModelQuality {
    let series = &*lesson.series;
    let spec = batch.alert_for(&series.metric);
    let fit = |part: &Series| fit::model(part, model.version.clone(), batch).map(|fit| fit.0);
    let stored = known.scores.get(&series.metric).map_or(&[][..], Vec::as_slice);
    let fit: Option<&quality::FitModel<'_>> = lesson.warming_up.is_none().then_some(&fit);
    let calibrate = |budget| quality::calibrate(series, batch, budget, stored, fit);
    let found = ModelQuality { calibration: spec.budget.map(calibrate), ..tested };
    let measure = || {
        let threshold = spec.threshold_by(Some(&found));
        let kinds = quality::inject(&model.detectors, series, batch, threshold);
        Recall { measured_at: known.as_of.now, kinds }
    };
    // Of what is borrowed it would say nothing about the metric.
    let recall = match is_recall_due && lesson.warming_up.is_none() {
        true => Some(measure()),
        false => known.qualities.get(&series.metric).and_then(|quality| quality.recall.clone()),
    };
    ModelQuality { recall, ..found }
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
    let qualities = stored.iter().filter_map(|stored| stored.row.quality.as_ref());
    for (kind, share) in quality::found_shares(qualities) {
        ctx.metrics.set_injected_found(&batch.name, kind, share);
    }
    for skip in skipped {
        ctx.metrics.metric_skipped(&batch.name, claim.job, &skip.reason);
    }
    if !stored.is_empty() {
        ctx.metrics.set_newest_model(&batch.name, now);
    }
    Ok(())
}
