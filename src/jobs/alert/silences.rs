//! Metrics that stop coming, and that come again. A silence is raised unless its end, or the present,
//! lies in a quiet time.

use std::collections::BTreeMap;

use crate::{
    alerting::{self, PolicyError},
    catalog::alerts::AlertRow,
    domain::{AbsenceSpec, Alert, AlertId, BatchSpec, Series, Span, Timestamp},
};

use super::{Past, policies::Policies};
use crate::jobs::names::NameFilter;

/// Silences, those known already among them, and what is over.
#[derive(Default)]
pub(super) struct Silences {
    pub(super) found: Vec<Alert>,
    /// When each was heard of again.
    pub(super) over: BTreeMap<AlertId, Timestamp>,
    /// Silences that last and raised nothing, by the gate that stopped them.
    pub(super) suppressed: BTreeMap<String, u64>,
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
    let may_be_silent = NameFilter::new(&spec.exclude);
    let mut silences = Silences::default();
    for series in observed {
        let policy = policies.of(&series.metric);
        let is_left_out = policy.excludes(&series.metric) || may_be_silent.matches(&series.metric);
        if !policy.spec.enabled || is_left_out {
            continue;
        }
        let who = (batch.name.clone(), series.metric.clone());
        let oldest_recent = series.len().saturating_sub(policy.spec.recent.max(1));
        let from = match past.judged.get(series.metric.as_str()) {
            Some(judged) => *judged - spec.after,
            None => series.at.get(oldest_recent).copied().unwrap_or(Timestamp::MIN),
        };
        let found = alerting::absences(&who, spec, &series.at, from, now);
        let heard =
            |alert: &Alert| series.at.get(series.at.partition_point(|at| *at <= alert.at)).copied();
        let known = past.silent.iter().filter(|row| row.alert.metric == series.metric);
        let known = known.map(|row: &AlertRow| &row.alert);
        for alert in found.iter().chain(known) {
            silences.over.extend(heard(alert).map(|heard| (alert.id.clone(), heard)));
        }
        for alert in found {
            // What fires already is told when it is over, whenever that is.
            let is_known = past.silent.iter().any(|row| row.alert.id == alert.id);
            let heard = heard(&alert);
            // The metric is heard at the end, so the silence lasts up to the instant before.
            let last = heard.unwrap_or(now) - Span::from_micros(1);
            match policy.silenced(last).filter(|_| !is_known) {
                None => silences.found.push(alert),
                // Counted while it lasts: once it is over every pass would count it again.
                Some(gate) if heard.is_none() => {
                    *silences.suppressed.entry(gate.as_str().to_owned()).or_default() += 1;
                }
                Some(_) => {}
            }
        }
    }
    Ok(silences)
}
