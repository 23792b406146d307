//! Alert: scores that were not judged yet, and silences, raise alerts, extend them and end them. What
//! happened and the messages about it are stored in one transaction, before anybody is told.

mod commit;
mod policies;
mod silences;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    alerting::{self, Course, OpenAlert, PastAlerts, Policy, PolicyError, Scored},
    catalog::{alerts, alerts::AlertRow, episodes, runs::Claim, watermarks},
    domain::{
        Alert, AlertKind, AlertReport, BatchSpec, MetricName, Resolution, ScorePoint, Timestamp,
    },
    series::Range,
};

use super::{AsOf, JobContext, JobError, names::NameFilter, window};

pub(super) use policies::{Known, Policies};
use silences::Silences;

pub(super) async fn alert(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    as_of: AsOf,
) -> Result<AlertReport, JobError> {
    let past = Past::load(ctx, batch, as_of).await?;
    let range = Range::between(as_of.now - batch.score.window, as_of.until);
    let scores = window::scores_between(ctx, &batch.name, range.clone()).await?;
    let silences = match &batch.absence {
        Some(spec) => {
            let observed = window::points_between(ctx, &batch.name, range).await?;
            silences::find(batch, spec, &observed, as_of.now, &past)?
        }
        None => Silences::default(),
    };
    let spec = Arc::new(batch.clone());
    let judged = Arc::clone(&spec);
    let mut found = ctx.compute.run(move || judge(&judged, scores, past, as_of)).await??;
    for (gate, n_silences) in &silences.suppressed {
        *found.suppressed.entry(gate.clone()).or_default() += n_silences;
    }
    found.silences = silences;
    commit::commit(ctx, claim, batch, found).await
}

/// Newest judged point of each metric.
pub(super) const WATERMARK: &str = "alert/";

/// What is known of the batch's metrics before a pass.
struct Past {
    judged: BTreeMap<String, Timestamp>,
    last_fired: BTreeMap<MetricName, Timestamp>,
    /// Anomalies that are not over.
    open: BTreeMap<MetricName, AlertRow>,
    /// Absences that are not over.
    silent: Vec<AlertRow>,
    known: Known,
}

impl Past {
    async fn load(ctx: &JobContext, batch: &BatchSpec, as_of: AsOf) -> Result<Self, JobError> {
        let mut reader = ctx.catalog.reader().await?;
        let name = &batch.name;
        let open = episodes::firing(&mut reader, name, AlertKind::Anomaly).await?;
        Ok(Self {
            judged: watermarks::all(&mut reader, name, WATERMARK).await?,
            last_fired: alerts::last_fired(&mut reader, name, AlertKind::Anomaly).await?,
            open: open.into_iter().map(|row| (row.alert.metric.clone(), row)).collect(),
            silent: episodes::firing(&mut reader, name, AlertKind::Absence).await?,
            known: Known::load(&mut reader, batch, as_of).await?,
        })
    }

    /// Before any time for a metric that was never judged.
    fn judged_until(&self, metric: &MetricName) -> Timestamp {
        self.judged.get(metric.as_str()).copied().unwrap_or(Timestamp::MIN)
    }

    fn of(&self, metric: &MetricName) -> PastAlerts {
        let open = self.open.get(metric).map(open_alert);
        PastAlerts { last_fired: self.last_fired.get(metric).copied(), open }
    }
}

/// A stored alert as the policy sees it.
pub(super) fn open_alert(row: &AlertRow) -> OpenAlert {
    OpenAlert {
        id: row.alert.id.clone(),
        until: row.episode.until,
        peak_score: row.episode.peak_score.unwrap_or(0.0),
        severity: row.alert.severity,
    }
}

/// What a pass found out.
#[derive(Default)]
struct Found {
    raised: Vec<Alert>,
    /// Of those raised and of those that were open before.
    courses: Vec<Course>,
    /// Alerts that are over for another reason than that the metric is as usual again.
    ended: Vec<(Alert, Resolution)>,
    /// Alerts that were open before and still are.
    open: Vec<AlertRow>,
    silences: Silences,
    suppressed: BTreeMap<String, u64>,
    judged: Vec<(MetricName, Timestamp)>,
}

fn judge(
    batch: &BatchSpec,
    scores: BTreeMap<MetricName, Vec<ScorePoint>>,
    mut past: Past,
    as_of: AsOf,
) -> Result<Found, PolicyError> {
    let mut found = Found::default();
    let known = std::mem::take(&mut past.known);
    let policies = Policies::new(batch, &known)?;
    for (metric, points) in scores {
        let Some(newest) = points.last().map(|point| point.at) else { continue };
        let from = past.judged_until(&metric);
        // As of the past: what was looked at then was judged.
        if newest < from {
            past.open.remove(&metric);
            continue;
        }
        let policy = policies.of(&metric);
        let scored: Vec<Scored> = points.into_iter().map(scored).collect();
        // A row may come after a newer one was judged. What was judged is judged again with it:
        // an alert known already has the same id, and only new points are counted.
        let again = from - batch.source.lateness;
        if let Some((row, resolution)) = end_early(&policy, &scored, again, &mut past, &metric) {
            found.ended.push((row.alert, resolution));
        }
        let who = (batch.name.clone(), metric.clone());
        let decision = alerting::decide(&who, &policy, &scored, again, &past.of(&metric));
        for (reason, n_points) in decision.suppressed_after(from) {
            *found.suppressed.entry(reason).or_default() += n_points;
        }
        found.raised.extend(decision.alerts);
        found.courses.extend(decision.courses);
        found.open.extend(past.open.remove(&metric));
        found.judged.push((metric, newest));
    }
    if as_of.is_live {
        // Nobody looks at metrics without scores any more.
        let gone = past.open.into_values().map(|row| (row.alert, Resolution::Closed));
        found.ended.extend(gone);
        let absence = batch.absence.as_ref().filter(|_| batch.alert.enabled);
        let may_be_silent = absence.map(|spec| NameFilter::new(&spec.exclude));
        for AlertRow { alert, .. } in past.silent {
            let policy = policies.of(&alert.metric);
            let is_left_out =
                may_be_silent.as_ref().is_none_or(|names| names.matches(&alert.metric));
            if is_left_out || !policy.spec.enabled || policy.excludes(&alert.metric) {
                found.ended.push((alert, Resolution::Closed));
            }
        }
    }
    Ok(found)
}

/// Takes out the metric's open alert if it is over whatever the newest points say.
fn end_early(
    policy: &Policy,
    scored: &[Scored],
    judged_again_from: Timestamp,
    past: &mut Past,
    metric: &MetricName,
) -> Option<(AlertRow, Resolution)> {
    let row = past.open.get(metric)?;
    let until = row.episode.until;
    let resolution = if !policy.spec.enabled || policy.excludes(metric) {
        Resolution::Closed
    } else if judged_again_from < row.alert.at
        && alerting::is_unfounded(policy, scored, &row.alert, until)
    {
        past.last_fired.remove(metric);
        Resolution::LateData
    } else {
        return None;
    };
    past.open.remove(metric).map(|row| (row, resolution))
}

pub(super) fn scored(point: ScorePoint) -> Scored {
    let ScorePoint { metric: _, at, value, score, band, aspect, model } = point;
    Scored { at, value, score, band, aspect, model }
}
