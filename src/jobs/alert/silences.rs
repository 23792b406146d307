//! Metrics that stop coming, and that come again.

use std::collections::BTreeMap;

use crate::{
    alerting::{self, PolicyError},
    catalog::alerts::AlertRow,
    domain::{AbsenceSpec, Alert, AlertId, BatchSpec, Series, Timestamp},
};

use super::{Past, policies::Policies};

/// Silences, those known already among them, and what is over.
#[derive(Default)]
pub(super) struct Silences {
    pub(super) found: Vec<Alert>,
    /// When each was heard of again.
    pub(super) over: BTreeMap<AlertId, Timestamp>,
}

/// Silences within the score window; those known already have the same id and are not repeated.
/// Of a metric that was never judged only those among its recent points count, as for scores.
pub(super) fn find(
    batch: &BatchSpec,
    spec: &AbsenceSpec,
    observed: &[Series],
    now: Timestamp,
    past: &Past,
) -> Result<Silences, PolicyError> {
    let policies = Policies::new(batch, &past.known)?;
    let mut silences = Silences::default();
    for series in observed {
        let policy = policies.of(&series.metric)?;
        if !policy.spec.enabled || policy.excludes(&series.metric) {
            continue;
        }
        let who = (batch.name.clone(), series.metric.clone());
        let oldest_recent = series.len().saturating_sub(policy.spec.recent.max(1));
        let from = match past.judged.get(series.metric.as_str()) {
            Some(judged) => *judged - spec.after,
            None => series.at.get(oldest_recent).copied().unwrap_or(Timestamp::MIN),
        };
        let found = alerting::absences(&who, spec, &series.at, from, now);
        let known = past.silent.iter().filter(|row| row.alert.metric == series.metric);
        let known = known.map(|row: &AlertRow| &row.alert);
        for alert in found.iter().chain(known) {
            let heard = series.at.get(series.at.partition_point(|at| *at <= alert.at));
            silences.over.extend(heard.map(|heard| (alert.id.clone(), *heard)));
        }
        silences.found.extend(found);
    }
    Ok(silences)
}
