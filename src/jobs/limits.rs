//! Limits: the new points of an ingest are held against them in the transaction that stores the
//! points, so that none is looked at twice or never.

use std::collections::BTreeMap;

use crate::{
    alerting::{self, LimitBook, LimitPast, Open},
    catalog::{Connection, alerts, limit_states},
    domain::{AlertKind, BatchSpec, LimitState, Limits, MetricName, RunId, Series, Timestamp},
};

use super::{
    JobContext, JobError,
    alert::{Known, Policies},
    turns::{self, Taken},
};

/// Of one metric and ingest; a longer past is history that nobody is told of.
const MOST_POINTS: usize = 10_000;

/// The values that a metric is not to cross, each once; none where the batch sets none.
pub fn limits_of(batch: &BatchSpec, metric: &MetricName) -> Vec<f64> {
    // A batch that is in use has been read without problems.
    let book = LimitBook::of(batch).ok();
    let Some(limits) = book.as_ref().and_then(|book| book.limits(metric)) else {
        return Vec::new();
    };
    let Limits { upper, lower, critical_upper, critical_lower } = *limits;
    [upper, lower, critical_upper, critical_lower].into_iter().flatten().collect()
}

/// The new points of metrics with limits.
pub(super) struct Limited {
    book: LimitBook,
    points: BTreeMap<MetricName, BTreeMap<Timestamp, f64>>,
}

/// What the check led to, to be counted once it is committed.
#[derive(Debug, Default)]
pub(super) struct Checked {
    taken: Taken,
    suppressed: BTreeMap<String, u64>,
}

impl Limited {
    pub(super) fn new(batch: &BatchSpec) -> Result<Self, JobError> {
        Ok(Self { book: LimitBook::of(batch)?, points: BTreeMap::new() })
    }

    /// Keeps the points that have limits. Of two values of one instant the later counts.
    pub(super) fn note(&mut self, fresh: &[Series]) {
        for series in fresh.iter().filter(|series| self.book.limits(&series.metric).is_some()) {
            let points = self.points.entry(series.metric.clone()).or_default();
            points.extend(series.at.iter().copied().zip(series.value.iter().copied()));
            while MOST_POINTS < points.len() {
                points.pop_first();
            }
        }
    }

    /// Whether an alert is open that no limit looks after any more.
    pub(super) async fn has_abandoned(
        &self,
        conn: &mut Connection,
        batch: &BatchSpec,
    ) -> Result<bool, JobError> {
        let open = turns::open(conn, &batch.name, AlertKind::Threshold).await?;
        if open.is_empty() {
            return Ok(false);
        }
        let known = Known::default();
        let policies = Policies::new(batch, &known)?;
        Ok(open.iter().any(|(metric, _)| !self.is_limited(&policies, metric)))
    }

    fn is_limited(&self, policies: &Policies<'_>, metric: &MetricName) -> bool {
        let policy = policies.of(metric);
        self.book.limits(metric).is_some() && policy.spec.enabled && !policy.excludes(metric)
    }

    /// Raises, extends and resolves alerts.
    pub(super) async fn check(
        &self,
        ctx: &JobContext,
        conn: &mut Connection,
        (batch, run): (&BatchSpec, RunId),
        now: Timestamp,
    ) -> Result<Checked, JobError> {
        let kind = AlertKind::Threshold;
        let open = turns::open(conn, &batch.name, kind).await?;
        if self.book.is_empty() && open.is_empty() {
            return Ok(Checked::default());
        }
        let last_fired = alerts::last_fired(conn, &batch.name, kind).await?;
        let states = limit_states::all(conn, &batch.name).await?;
        let known = Known::of_rules(conn, batch, now).await?;
        let policies = Policies::new(batch, &known)?;
        let of_metrics = open.iter().map(|(metric, open)| (metric, open));
        let is_looked_at = |metric: &MetricName| Ok(self.is_limited(&policies, metric));
        let mut turns = turns::closed(of_metrics, now, is_looked_at)?;
        let mut suppressed = BTreeMap::<String, u64>::new();
        for (metric, points) in &self.points {
            let Some(limits) = self.book.limits(metric) else { continue };
            if !self.is_limited(&policies, metric) {
                continue;
            }
            let policy = policies.of(metric);
            let past = LimitPast {
                state: states.get(metric).copied().unwrap_or_else(LimitState::default),
                open: find(&open, metric),
                last_fired: last_fired.get(metric).copied(),
            };
            let points: Vec<_> = points.iter().map(|(at, value)| (*at, *value)).collect();
            let who = (batch.name.clone(), metric.clone());
            let pass = alerting::hold(&who, limits, &policy, &points, past);
            limit_states::set(conn, &batch.name, metric, &pass.state).await?;
            turns.extend(pass.turns);
            for (gate, n_points) in pass.suppressed {
                *suppressed.entry(gate).or_default() += n_points;
            }
        }
        let taken = turns::take(ctx, conn, (batch, run), &turns, now).await?;
        Ok(Checked { taken, suppressed })
    }
}

impl Checked {
    /// Shows it in the metrics.
    pub(super) fn count(&self, ctx: &JobContext, batch: &BatchSpec) {
        self.taken.count(ctx, &batch.name);
        for (gate, n_points) in &self.suppressed {
            ctx.metrics.alerts_suppressed(&batch.name, gate, *n_points);
        }
    }
}

fn find(open: &[(MetricName, Open)], metric: &MetricName) -> Option<Open> {
    open.iter().find(|(name, _)| name == metric).map(|(_, open)| open.clone())
}
