//! Score: the newest points that have no score by the current model, or whose value has changed
//! since. A metric whose current model is damaged is scored by the version before.

use std::{collections::HashMap, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use rayon::prelude::*;

use crate::{
    catalog::{metrics, models, runs, runs::Claim, segments},
    domain::{
        BatchSpec, MetricName, NoScore, RowScore, ScorePoint, ScoreReport, Series, Skipped,
        Timestamp,
    },
    io::layout,
    series::Range,
};

use super::{
    AsOf, JobContext, JobError,
    model_file::Model,
    model_store::{self, Loaded},
    names::NameFilter,
    rows, verify, window,
};

/// Rows in front of the scored ones, for features and detectors that look back.
pub(super) const CONTEXT: usize = 512;
/// Metrics of each computing thread whose models are in memory at once.
const MODELS_PER_THREAD: usize = 8;
/// Models read at once.
const READS: usize = 8;

pub(super) async fn score(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    as_of: AsOf,
) -> Result<ScoreReport, JobError> {
    let series = read_rows(ctx, batch, as_of).await?;
    let from = as_of.now - batch.score.window;
    let range = Range::between(from, as_of.until);
    let known = Arc::new(window::scores_between(ctx, &batch.name, range).await?);
    let mut reader = ctx.catalog.reader().await?;
    let currents = models::currents(&mut reader, &batch.name).await?;
    drop(reader);
    let mut by_metric: HashMap<MetricName, _> =
        currents.into_iter().map(|row| (row.metric.clone(), row)).collect();

    let batch = Arc::new(batch.clone());
    let mut report = ScoreReport::default();
    let mut written = Written::default();
    let mut work = Vec::new();
    for series in series {
        match by_metric.remove(&series.metric) {
            Some(row) => work.push((series, row)),
            None => {
                report.skipped.push(Skipped { metric: series.metric, reason: NoScore::NoModel })
            }
        }
    }
    ctx.progress.begin(work.len() as u64);
    let n_at_once = MODELS_PER_THREAD * ctx.compute.n_threads();
    while !work.is_empty() {
        let chunk: Vec<_> = work.drain(..n_at_once.min(work.len())).collect();
        let n_metrics = chunk.len() as u64;
        let loaded = load_chunk(ctx, &batch, chunk, &mut report).await?;
        let (batch, known) = (Arc::clone(&batch), Arc::clone(&known));
        let compute = move || {
            let one = |(series, model): &(Series, Model)| {
                let known = known.get(&series.metric).map_or(&[][..], Vec::as_slice);
                score_metric(series, model, &batch, from, known)
            };
            loaded.par_iter().map(one).collect::<Vec<_>>()
        };
        for outcome in ctx.compute.run(compute).await? {
            written.scores.extend(outcome.scored);
            written.challengers.extend(outcome.challengers);
            for reason in outcome.unscored {
                *report.unscored.entry(reason.to_string()).or_default() += 1;
            }
        }
        ctx.progress.advance(n_metrics);
    }
    report.scored = written.scores.len() as u64;
    commit(ctx, claim, &batch, written, &report).await?;
    Ok(report)
}

/// The newest rows of each metric with the context in front of them.
async fn read_rows(
    ctx: &JobContext,
    batch: &BatchSpec,
    as_of: AsOf,
) -> Result<Vec<Series>, JobError> {
    let from = as_of.now - batch.train.window.max(batch.score.window);
    let newest = Some(batch.score.max_points + CONTEXT);
    let until = as_of.until_full(batch.features.resample);
    let range = Range { newest, ..Range::between(from, until) };
    let all = rows::rows_between(ctx, batch, range).await?;
    let excluded = NameFilter::new(&batch.score.exclude);
    Ok(all.into_iter().filter(|series| !excluded.matches(&series.metric)).collect())
}

async fn load_chunk(
    ctx: &JobContext,
    batch: &BatchSpec,
    chunk: Vec<(Series, models::ModelRow)>,
    report: &mut ScoreReport,
) -> Result<Vec<(Series, Model)>, JobError> {
    let loads = chunk.into_iter().map(|(series, row)| async move {
        let loaded = model_store::load(ctx, &batch.name, row).await?;
        Ok::<_, JobError>((series, loaded))
    });
    let loaded: Vec<(Series, Option<Loaded>)> =
        stream::iter(loads).buffered(READS).try_collect().await?;
    let mut whole = Vec::with_capacity(loaded.len());
    for (series, loaded) in loaded {
        match loaded {
            Some(Loaded { model, is_fallback }) => {
                if is_fallback {
                    report.fallbacks.push(series.metric.clone());
                }
                whole.push((series, model));
            }
            None => {
                let metric = series.metric;
                report.skipped.push(Skipped { metric, reason: NoScore::DamagedModel });
            }
        }
    }
    Ok(whole)
}

/// What a run writes.
#[derive(Default)]
struct Written {
    scores: Vec<ScorePoint>,
    challengers: Vec<ScorePoint>,
}

#[derive(Default)]
struct Scored {
    scored: Vec<ScorePoint>,
    /// Of those points, where the challengers have a score too.
    challengers: Vec<ScorePoint>,
    unscored: Vec<NoScore>,
}

/// Scores what has no score yet among the newest points from `from` on.
fn score_metric(
    series: &Series,
    model: &Model,
    batch: &BatchSpec,
    from: Timestamp,
    known: &[ScorePoint],
) -> Scored {
    let known: HashMap<Timestamp, &ScorePoint> = known.iter().map(|old| (old.at, old)).collect();
    let (rows, values) =
        verify::score_newest(&model.detectors, series, batch, batch.score.max_points);
    let mut rivals = rivals(series, model, batch);
    let mut outcome = Scored::default();
    for (row, value) in rows.into_iter().zip(values) {
        let rival = rivals.next();
        let is_known = known.get(&row.at).is_some_and(|old| {
            old.model == model.version && old.value.to_bits() == value.to_bits()
        });
        if row.at < from || is_known {
            continue;
        }
        match row.score {
            Ok(score) => {
                let RowScore { at, band, aspect, .. } = row;
                let (metric, model) = (series.metric.clone(), model.version.clone());
                let point = ScorePoint { metric, at, value, score, band, aspect, model };
                let other = |RowScore { score, band, aspect, .. }: RowScore| {
                    Some(ScorePoint { score: score.ok()?, band, aspect, ..point.clone() })
                };
                outcome.challengers.extend(rival.and_then(other));
                outcome.scored.push(point);
            }
            Err(reason) => outcome.unscored.push(reason),
        }
    }
    outcome
}

/// What the challengers say of the same rows; nothing where there are none.
fn rivals(series: &Series, model: &Model, batch: &BatchSpec) -> std::vec::IntoIter<RowScore> {
    let n = if model.challengers.is_empty() { 0 } else { batch.score.max_points };
    verify::score_newest(&model.challengers, series, batch, n).0.into_iter()
}

/// The objects, then one transaction.
async fn commit(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    Written { scores, challengers }: Written,
    report: &ScoreReport,
) -> Result<(), JobError> {
    let newest = newest_of_each(&scores);
    let (name, mut written) = (&batch.name, Vec::new());
    if !scores.is_empty() {
        let key = layout::scores_key(name, claim.run, claim.epoch);
        written.push(ctx.history.write_scores(key, name, scores).await?);
    }
    if !challengers.is_empty() {
        let key = layout::challengers_key(name, claim.run, claim.epoch);
        written.push(ctx.history.write_challengers(key, name, challengers).await?);
    }
    let mut tx = ctx.catalog.begin().await?;
    runs::guard(&mut tx, claim, "store").await?;
    for segment in &written {
        segments::insert(&mut tx, segment, claim.run).await?;
    }
    metrics::note_scores(&mut tx, &batch.name, &newest).await?;
    metrics::note_unscored(&mut tx, &batch.name, &report.skipped).await?;
    tx.commit().await?;
    ctx.metrics.scores_written(&batch.name, report.scored);
    for skip in &report.skipped {
        ctx.metrics.metric_skipped(&batch.name, claim.job, &skip.reason);
    }
    Ok(())
}

fn newest_of_each(scored: &[ScorePoint]) -> Vec<ScorePoint> {
    scored
        .chunk_by(|a, b| a.metric == b.metric)
        .filter_map(|points| points.iter().max_by_key(|point| point.at))
        .cloned()
        .collect()
}
