//! Alert: scores that were not judged yet, and silences, become alerts; each alert and the messages
//! about it are stored in one transaction, before anybody is told.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    alerting::{self, PastAlerts, Policy, PolicyError, Scored},
    catalog::{alerts, models, runs, runs::Claim, watermarks},
    domain::{
        AbsenceSpec, Alert, AlertKind, AlertReport, BatchName, BatchSpec, MessageEvent, MetricName,
        ModelQuality, ScorePoint, Series, Timestamp,
    },
    series::Range,
};

use super::{AsOf, JobContext, JobError, Notify, tell, window};

pub(super) async fn alert(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    as_of: AsOf,
) -> Result<AlertReport, JobError> {
    let mut reader = ctx.catalog.reader().await?;
    let judged = watermarks::all(&mut reader, &batch.name, WATERMARK).await?;
    let last_fired = alerts::last_fired(&mut reader, &batch.name, AlertKind::Anomaly).await?;
    let rows = models::currents(&mut reader, &batch.name).await?;
    drop(reader);
    let qualities = rows.into_iter().filter_map(|row| Some((row.metric, row.quality?))).collect();
    let past = Past { judged, last_fired, qualities };
    let range = Range::between(as_of.now - batch.score.window, as_of.until);
    let scores = window::scores_between(ctx, &batch.name, range.clone()).await?;
    let silences = match &batch.absence {
        Some(spec) => {
            let observed = window::points_between(ctx, &batch.name, range).await?;
            find_silences(batch, spec, &observed, as_of.now, &past)?
        }
        None => Vec::new(),
    };
    let spec = Arc::new(batch.clone());
    let mut found = ctx.compute.run(move || judge(&spec, scores, &past)).await??;
    found.alerts.extend(silences);
    commit(ctx, claim, batch, found).await
}

/// Newest judged point of each metric.
pub(super) const WATERMARK: &str = "alert/";

struct Past {
    judged: BTreeMap<String, Timestamp>,
    last_fired: BTreeMap<MetricName, Timestamp>,
    /// What the trainings of the current models found out.
    qualities: BTreeMap<MetricName, ModelQuality>,
}

impl Past {
    /// Before any time for a metric that was never judged.
    fn judged_until(&self, metric: &MetricName) -> Timestamp {
        self.judged.get(metric.as_str()).copied().unwrap_or(Timestamp::MIN)
    }

    fn of(&self, metric: &MetricName) -> PastAlerts {
        PastAlerts { last_fired: self.last_fired.get(metric).copied() }
    }
}

#[derive(Default)]
struct Found {
    alerts: Vec<Alert>,
    suppressed: BTreeMap<String, u64>,
    judged: Vec<(MetricName, Timestamp)>,
}

fn judge(
    batch: &BatchSpec,
    scores: BTreeMap<MetricName, Vec<ScorePoint>>,
    past: &Past,
) -> Result<Found, PolicyError> {
    let mut found = Found::default();
    let usual = Policy::compile(&batch.alert)?;
    for (metric, points) in scores {
        let Some(newest) = points.last().map(|point| point.at) else { continue };
        let from = past.judged_until(&metric);
        // As of the past: what was looked at then was judged.
        if newest < from {
            continue;
        }
        let mut own = own_policy(batch, &metric)?;
        let spec = batch.alert_for(&metric);
        let threshold = spec.threshold_by(past.qualities.get(&metric));
        if threshold != spec.threshold {
            own.get_or_insert_with(|| usual.clone()).spec.threshold = threshold;
        }
        let policy = own.as_ref().unwrap_or(&usual);
        let scored: Vec<Scored> = points.into_iter().map(scored).collect();
        let who = (batch.name.clone(), metric.clone());
        let decide = |from| alerting::decide(&who, policy, &scored, from, &past.of(&metric));
        // A row may come after a newer one was judged. What was judged is judged again with it:
        // an alert known already has the same id, and only new points are counted.
        found.alerts.extend(decide(from - batch.source.lateness).alerts);
        for (reason, n_points) in decide(from).suppressed {
            *found.suppressed.entry(reason).or_default() += n_points;
        }
        found.judged.push((metric, newest));
    }
    Ok(found)
}

/// The policy of a metric that has its own settings.
pub(super) fn own_policy(
    batch: &BatchSpec,
    metric: &MetricName,
) -> Result<Option<Policy>, PolicyError> {
    let own = batch.metrics.get(metric).and_then(|spec| spec.alert.as_ref());
    own.map(Policy::compile).transpose()
}

pub(super) fn scored(point: ScorePoint) -> Scored {
    let ScorePoint { at, value, score, band, model, .. } = point;
    Scored { at, value, score, band, model }
}

/// Silences within the score window; those known already have the same id and are not repeated.
/// Of a metric that was never judged only those among its recent points count, as for scores.
fn find_silences(
    batch: &BatchSpec,
    spec: &AbsenceSpec,
    observed: &[Series],
    now: Timestamp,
    past: &Past,
) -> Result<Vec<Alert>, PolicyError> {
    let usual = Policy::compile(&batch.alert)?;
    let mut silences = Vec::new();
    for series in observed {
        let own = own_policy(batch, &series.metric)?;
        let policy = own.as_ref().unwrap_or(&usual);
        if !policy.spec.enabled || policy.excludes(&series.metric) {
            continue;
        }
        let who = (batch.name.clone(), series.metric.clone());
        let oldest_recent = series.len().saturating_sub(policy.spec.recent.max(1));
        let from = match past.judged.get(series.metric.as_str()) {
            Some(judged) => *judged - spec.after,
            None => series.at.get(oldest_recent).copied().unwrap_or(Timestamp::MIN),
        };
        silences.extend(alerting::absences(&who, spec, &series.at, from, now));
    }
    Ok(silences)
}

async fn commit(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    found: Found,
) -> Result<AlertReport, JobError> {
    let now = (ctx.clock)();
    let mut report = AlertReport { suppressed: found.suppressed, ..AlertReport::default() };
    let mut raised = Vec::new();
    let mut tx = ctx.catalog.begin().await?;
    runs::guard(&mut tx, claim, "raise").await?;
    for alert in &found.alerts {
        if !alerts::insert(&mut tx, alert, claim.run, now).await? {
            continue;
        }
        raised.push(alert);
    }
    if ctx.notify == Notify::Queue {
        let firing = (MessageEvent::Firing, "");
        report.queued = tell::tell_alerts(&mut tx, batch, firing, &raised, now).await?;
    }
    for (metric, judged) in &found.judged {
        let name = format!("{WATERMARK}{metric}");
        watermarks::set(&mut tx, &batch.name, &name, *judged).await?;
    }
    tx.commit().await?;
    report.raised = raised.len() as u64;
    count(ctx, &batch.name, &raised, &report);
    Ok(report)
}

fn count(ctx: &JobContext, batch: &BatchName, raised: &[&Alert], report: &AlertReport) {
    for alert in raised {
        ctx.metrics.alert_raised(batch, alert.kind);
    }
    for (reason, n_points) in &report.suppressed {
        ctx.metrics.alerts_suppressed(batch, reason, *n_points);
    }
}
