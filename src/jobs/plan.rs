//! Plan: the alerts that scores already stored would have raised under other alert settings. The
//! gates are the alert job's; every point is judged as if it had just come, so only `recent` does
//! not bind. Nothing is changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rayon::prelude::*;

use crate::{
    alerting::{
        self, PastAlerts, Policy, PolicyError, Quiet, Router, Saying, Scored, context_rows,
    },
    catalog::models::{self, ModelRow},
    domain::{
        Alert, AlertKind, AlertSpec, BatchSpec, MessageEvent, MetricName, ModelQuality,
        ModelVersion, ScorePoint, Series, Span, Timestamp,
    },
    series::Range,
};

use super::{JobContext, JobError, alert::scored, stretches, tell, window};

/// Metrics whose scores are in memory at once.
const METRICS: usize = 256;
/// A threshold of a budget is found anew after so much time.
const RECALIBRATE: Span = Span::days(7);

/// The alerts of one batch under each of two settings.
#[derive(Debug, Default)]
pub struct Rejudged {
    /// Alerts of the stretch, by settings; each by metric and time.
    pub alerts: [Vec<Alert>; 2],
    /// Scores that were judged.
    pub rows: u64,
}

/// Judges the stored scores of a stretch under two settings of a batch that score alike. The time
/// before it, as long as the score window (and as the training window, where a budget has to be
/// met), is judged too, so that what lasts or is silenced at its beginning is known.
///
/// # Errors
/// [`JobError`] when the history or the catalog cannot be read.
pub async fn judge_stored(
    ctx: &JobContext,
    both: [&BatchSpec; 2],
    (from, to): (Timestamp, Timestamp),
) -> Result<Rejudged, JobError> {
    let [old, new] = both;
    let has_budget = |batch: &BatchSpec| {
        let own = batch.metrics.values().filter_map(|metric| metric.alert.as_ref());
        own.chain([&batch.alert]).any(|spec| spec.budget.is_some())
    };
    let before = match has_budget(old) || has_budget(new) {
        true => old.train.window.max(old.score.window),
        false => old.score.window,
    };
    let mut reader = ctx.catalog.reader().await?;
    let versions = models::list(&mut reader, &old.name).await?;
    drop(reader);
    let mut qualities: BTreeMap<MetricName, Qualities> = BTreeMap::new();
    for ModelRow { metric, version, quality, .. } in versions {
        qualities.entry(metric).or_default().extend(quality.map(|quality| (version, quality)));
    }
    let qualities = Arc::new(qualities);
    let names = stretches::learnt_metrics(ctx, old).await?;
    let both = Arc::new([old.clone(), new.clone()]);
    let mut judged = Rejudged::default();
    for names in stretches::of(&names, METRICS) {
        let range = Range { names, ..Range::between(from - before, to) };
        let scores = window::scores_between(ctx, &old.name, range.clone()).await?;
        let observed = match both.iter().any(|batch| batch.absence.is_some()) {
            true => window::points_between(ctx, &old.name, range).await?,
            false => Vec::new(),
        };
        judged.rows += scores.values().map(|points| points.len() as u64).sum::<u64>();
        let (both, qualities) = (Arc::clone(&both), Arc::clone(&qualities));
        let work = move || {
            let none = Qualities::new();
            let one = |(metric, points): (MetricName, Vec<ScorePoint>)| {
                let known = qualities.get(&metric).unwrap_or(&none);
                judge_metric(&both, &metric, points, known)
            };
            let mut found: Vec<[Vec<Alert>; 2]> =
                scores.into_par_iter().map(one).collect::<Result<_, PolicyError>>()?;
            for series in &observed {
                found.push(silences(&both, series, to)?);
            }
            Ok::<_, PolicyError>(found)
        };
        for found in ctx.compute.run(work).await?? {
            for (all, alerts) in judged.alerts.iter_mut().zip(found) {
                all.extend(alerts.into_iter().filter(|alert| from <= alert.at));
            }
        }
    }
    Ok(judged)
}

/// What each training of a metric found out.
type Qualities = BTreeMap<ModelVersion, ModelQuality>;

fn judge_metric(
    both: &[BatchSpec; 2],
    metric: &MetricName,
    points: Vec<ScorePoint>,
    qualities: &Qualities,
) -> Result<[Vec<Alert>; 2], PolicyError> {
    let points: Vec<Scored> = points.into_iter().map(scored).collect();
    let specs = [both[0].alert_for(metric), both[1].alert_for(metric)];
    // A training knows the thresholds of the settings it had; where those are other ones, both
    // sides get their thresholds in one way, from the same scores.
    let is_stored = specs[0] == specs[1];
    let judge = |n: usize| {
        let thresholds = match (specs[n].budget, is_stored) {
            (Some(_), false) => calibrated(&points, specs[n]),
            _ => as_trained(&points, specs[n], qualities),
        };
        judge_stretches(&both[n], metric, &points, &thresholds)
    };
    Ok([judge(0)?, judge(1)?])
}

/// From which point on which threshold holds.
type Thresholds = Vec<(usize, f64)>;

/// Those the trainings gave.
fn as_trained(points: &[Scored], spec: &AlertSpec, qualities: &Qualities) -> Thresholds {
    let mut thresholds = Thresholds::new();
    for (n, point) in points.iter().enumerate() {
        let threshold = match spec.budget {
            Some(_) => spec.threshold_by(qualities.get(&point.model)),
            None => spec.threshold,
        };
        if thresholds.last().is_none_or(|(_, last)| *last != threshold) {
            thresholds.push((n, threshold));
        }
    }
    thresholds
}

/// Those that a budget gives, each from the scores before it.
fn calibrated(points: &[Scored], spec: &AlertSpec) -> Thresholds {
    let Some(budget) = spec.budget else { return vec![(0, spec.threshold)] };
    let mut thresholds = vec![(0, spec.threshold)];
    let mut due = points.first().map(|point| point.at + RECALIBRATE);
    for (n, point) in points.iter().enumerate() {
        if due.is_some_and(|due| due <= point.at) {
            thresholds.push((n, alerting::calibrate(&points[..n], spec, budget).threshold));
            due = Some(point.at + RECALIBRATE);
        }
    }
    thresholds
}

/// Judges a metric stretch by stretch, each with its threshold and what came before it.
fn judge_stretches(
    batch: &BatchSpec,
    metric: &MetricName,
    points: &[Scored],
    thresholds: &Thresholds,
) -> Result<Vec<Alert>, PolicyError> {
    let who = (batch.name.clone(), metric.clone());
    let usual = batch.alert_for(metric);
    let mut policy = Policy::compile(&AlertSpec { recent: usize::MAX, ..usual.clone() })?;
    policy.quiet = Quiet::of(batch);
    let context = context_rows(&policy.spec);
    let (mut alerts, mut past) = (Vec::new(), PastAlerts::default());
    for (n, (first, threshold)) in thresholds.iter().enumerate() {
        policy.spec.threshold = *threshold;
        let end = thresholds.get(n + 1).map_or(points.len(), |(next, _)| *next);
        let from = first.checked_sub(1).map_or(Timestamp::MIN, |before| points[before].at);
        let seen = &points[first.saturating_sub(context)..end];
        let decision = alerting::decide(&who, &policy, seen, from, &past);
        past = past.after(&decision);
        alerts.extend(decision.alerts);
    }
    Ok(alerts)
}

/// Silences that were long enough at an instant that was not quiet: when they became so, or at their
/// end.
fn silences(
    both: &[BatchSpec; 2],
    series: &Series,
    to: Timestamp,
) -> Result<[Vec<Alert>; 2], PolicyError> {
    let find = |batch: &BatchSpec| {
        let Some(spec) = &batch.absence else { return Ok(Vec::new()) };
        let mut policy = Policy::compile(batch.alert_for(&series.metric))?;
        policy.quiet = Quiet::of(batch);
        if !policy.spec.enabled || policy.excludes(&series.metric) {
            return Ok(Vec::new());
        }
        let who = (batch.name.clone(), series.metric.clone());
        let mut found = alerting::absences(&who, spec, &series.at, Timestamp::MIN, to);
        found.retain(|alert| {
            let end = series.at.get(series.at.partition_point(|at| *at <= alert.at));
            let last = end.copied().unwrap_or(to) - Span::from_micros(1);
            [alert.at + spec.after, last].into_iter().any(|at| policy.silenced(at).is_none())
        });
        Ok(found)
    };
    Ok([find(&both[0])?, find(&both[1])?])
}

/// Messages that alerts give: those of one group that fire at one point are told together, to each
/// channel.
///
/// # Errors
/// [`JobError::Policy`] when a route's pattern is no glob.
pub fn n_messages(batch: &BatchSpec, alerts: &[Alert]) -> Result<u64, JobError> {
    let router = Router::compile(&batch.routes)?;
    let told = alerts.iter().flat_map(|alert| {
        let group = tell::group_of(batch, &alert.metric);
        let saying = Saying::of(batch, alert, MessageEvent::Firing, alert.at);
        let to = router.route(&saying).channels.into_iter();
        to.map(move |channel| (alert.at, group.clone(), channel))
    });
    Ok(told.collect::<BTreeSet<_>>().len() as u64)
}

/// What a change of settings does to a metric's alerts.
#[derive(Debug, Default, PartialEq)]
pub struct Difference {
    /// Alerts only the new settings raise.
    pub added: Vec<Alert>,
    /// Alerts only the old settings raise.
    pub removed: Vec<Alert>,
    /// Those of the old settings that the new ones raise too, if not at the same point.
    pub kept: Vec<Alert>,
}

/// Compares the alerts of two settings. Two are one when they are of one metric and kind and the
/// stretches from `since` to `at` touch, or lie no further apart than `slack`.
pub fn difference(old: Vec<Alert>, new: Vec<Alert>, slack: Span) -> Difference {
    let mut found = Difference::default();
    let mut by_metric: BTreeMap<(MetricName, AlertKind), Vec<Option<Alert>>> = BTreeMap::new();
    for alert in new {
        by_metric.entry((alert.metric.clone(), alert.kind)).or_default().push(Some(alert));
    }
    for alert in old {
        let others = by_metric.get_mut(&(alert.metric.clone(), alert.kind));
        let twin = others.and_then(|others| {
            let is_twin = |other: &&mut Option<Alert>| {
                let touches = |other: &Alert| {
                    other.since <= alert.at + slack && alert.since <= other.at + slack
                };
                other.as_ref().is_some_and(touches)
            };
            others.iter_mut().find(is_twin)
        });
        match twin {
            Some(twin) => {
                *twin = None;
                found.kept.push(alert);
            }
            None => found.removed.push(alert),
        }
    }
    found.added = by_metric.into_values().flatten().flatten().collect();
    found.added.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
    found
}
