//! The policy of each metric of a batch: its settings with the threshold of its budget, the bar that
//! people's words left, and its quiet times.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    alerting::{Bar, MEMORY, Policy, PolicyError, Quiet, bar},
    catalog::{Connection, feedback, models, snoozes, snoozes::SnoozeRow},
    domain::{BatchSpec, MetricName, ModelQuality, Timestamp, Verdict},
};

use crate::jobs::{AsOf, JobError};

/// What the policies of a batch are made of, beside its settings.
#[derive(Default)]
pub(in crate::jobs) struct Known {
    /// What the trainings of the current models found out.
    qualities: BTreeMap<MetricName, ModelQuality>,
    /// The newest word on each alert.
    votes: BTreeMap<MetricName, Vec<(Verdict, Timestamp)>>,
    snoozes: Vec<SnoozeRow>,
    now: Option<Timestamp>,
}

impl Known {
    /// Reads it, as it was known at an instant.
    pub(in crate::jobs) async fn load(
        conn: &mut Connection,
        batch: &BatchSpec,
        as_of: AsOf,
    ) -> Result<Self, JobError> {
        let rows = models::currents(conn, &batch.name).await?;
        let mut votes = BTreeMap::<_, Vec<_>>::new();
        for (metric, verdict, at) in feedback::newest(conn, &batch.name, as_of.now - MEMORY).await?
        {
            votes.entry(metric).or_default().push((verdict, at));
        }
        Ok(Self {
            qualities: rows
                .into_iter()
                .filter_map(|row| Some((row.metric, row.quality?)))
                .collect(),
            votes,
            ..Self::of_rules(conn, batch, as_of.now).await?
        })
    }

    /// Reads what rules need: neither scores nor words move their bars.
    pub(in crate::jobs) async fn of_rules(
        conn: &mut Connection,
        batch: &BatchSpec,
        now: Timestamp,
    ) -> Result<Self, JobError> {
        let from = now - batch.score.window;
        let snoozes = snoozes::ending_after(conn, &batch.name, from).await?;
        Ok(Self { snoozes, now: Some(now), ..Self::default() })
    }

    /// Until when somebody wants a metric to be silent.
    fn snoozed_until(&self, metric: &MetricName) -> Option<Timestamp> {
        let is_own = |row: &&SnoozeRow| {
            Some(row.since) <= self.now && row.metric.as_ref().is_none_or(|name| name == metric)
        };
        self.snoozes.iter().filter(is_own).map(|row| row.until).max()
    }
}

/// The policies of a batch.
pub(in crate::jobs) struct Policies<'a> {
    known: &'a Known,
    usual: Policy,
    /// Of metrics with alert settings of their own.
    own: BTreeMap<&'a MetricName, Policy>,
}

impl<'a> Policies<'a> {
    /// Compiles what most metrics share, and what some have of their own; once for a run.
    pub(in crate::jobs) fn new(
        batch: &'a BatchSpec,
        known: &'a Known,
    ) -> Result<Self, PolicyError> {
        let mut usual = Policy::compile(&batch.alert)?;
        usual.quiet = Quiet::of(batch);
        let mut own = BTreeMap::new();
        for (metric, spec) in &batch.metrics {
            if let Some(spec) = &spec.alert {
                let mut policy = Policy::compile(spec)?;
                policy.quiet = usual.quiet.clone();
                own.insert(metric, policy);
            }
        }
        Ok(Self { known, usual, own })
    }

    /// The policy of a metric.
    pub(in crate::jobs) fn of(&self, metric: &MetricName) -> Cow<'_, Policy> {
        let mut policy = Cow::Borrowed(self.own.get(metric).unwrap_or(&self.usual));
        let threshold = policy.spec.threshold_by(self.known.qualities.get(metric));
        let raised = self.bar(threshold, metric);
        let threshold = raised.map_or(threshold, |bar| bar.threshold);
        if threshold != policy.spec.threshold {
            policy.to_mut().spec.threshold = threshold;
        }
        if let Some(bar) = raised {
            policy.to_mut().remark = Some(bar.words());
        }
        if let Some(until) = self.known.snoozed_until(metric) {
            let quiet = policy.quiet.clone();
            policy.to_mut().quiet = quiet.snoozed(Some(until));
        }
        policy
    }

    fn bar(&self, threshold: f64, metric: &MetricName) -> Option<Bar> {
        bar(threshold, self.known.votes.get(metric)?, self.known.now?)
    }
}
