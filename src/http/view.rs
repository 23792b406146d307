//! What pages and API show of the catalog's rows: the rows themselves and what follows from them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    catalog::{
        alerts::AlertRow, metrics::MetricRow, models::ModelRow, readings::ReadingRow, runs::RunRow,
    },
    domain::{
        BatchName, BatchSpec, JobKind, MetricName, ModelVersion, PlainWords, RunState, Span,
        Timestamp, Trigger,
        words::{rough, shown},
    },
};

/// A run with what it took and did.
#[derive(Debug, Serialize)]
pub(super) struct RunView {
    #[serde(flatten)]
    pub(super) row: RunRow,
    /// From start to end.
    pub(super) seconds: Option<f64>,
    pub(super) summary: Option<String>,
}

impl From<RunRow> for RunView {
    fn from(row: RunRow) -> Self {
        let seconds = match (row.started_at, row.ended_at) {
            (Some(start), Some(end)) => Some((end - start).as_secs_f64().max(0.0)),
            _ => None,
        };
        let summary = row.report.as_ref().map(crate::domain::RunReport::summary);
        Self { row, seconds, summary }
    }
}

/// An alert with what the batch says of its metric.
#[derive(Debug, Serialize)]
pub(super) struct AlertView {
    #[serde(flatten)]
    pub(super) row: AlertRow,
    pub(super) display_name: Option<String>,
    pub(super) unit: Option<String>,
    /// What a language model made of it; only of an alert that is shown alone.
    pub(super) plain_words: Option<PlainWords>,
}

impl AlertView {
    /// With what a language model made of it.
    pub(super) fn explained(self, reading: Option<ReadingRow>) -> Self {
        Self { plain_words: reading.and_then(|reading| reading.words), ..self }
    }

    pub(super) fn new(row: AlertRow, batches: &[BatchSpec]) -> Self {
        let batch = batches.iter().find(|batch| batch.name == row.alert.batch);
        let spec = batch.and_then(|batch| batch.metrics.get(&row.alert.metric));
        Self {
            display_name: spec.and_then(|spec| spec.display_name.clone()),
            unit: spec.and_then(|spec| spec.unit.clone()),
            plain_words: None,
            row,
        }
    }
}

/// A metric with what the batch says of it.
#[derive(Debug, Serialize)]
pub(super) struct MetricView {
    pub(super) batch: BatchName,
    #[serde(flatten)]
    pub(super) row: MetricRow,
    /// The name for people.
    pub(super) title: String,
    pub(super) unit: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    /// Why there is no score at the moment, in words.
    pub(super) no_score: Option<String>,
}

impl MetricView {
    pub(super) fn new(row: MetricRow, batch: &BatchSpec) -> Self {
        let spec = batch.metrics.get(&row.metric);
        let title = spec.and_then(|spec| spec.display_name.clone());
        Self {
            batch: batch.name.clone(),
            title: title.unwrap_or_else(|| row.metric.to_string()),
            unit: spec.and_then(|spec| spec.unit.clone()),
            tags: batch.tags_of(&row.metric),
            no_score: row.skip_reason.as_ref().map(ToString::to_string),
            row,
        }
    }

    /// Whether a search finds it.
    pub(super) fn matches(&self, wanted: &str) -> bool {
        let holds = |text: &str| text.to_lowercase().contains(wanted);
        holds(self.row.metric.as_str()) || holds(&self.title)
    }
}

/// A model version, and whether it is the one that scores.
#[derive(Debug, Serialize)]
pub(super) struct ModelView {
    #[serde(flatten)]
    pub(super) row: ModelRow,
    pub(super) is_current: bool,
}

impl ModelView {
    pub(super) fn new(row: ModelRow, currents: &BTreeMap<MetricName, ModelVersion>) -> Self {
        let is_current = currents.get(&row.metric) == Some(&row.version);
        Self { row, is_current }
    }
}

/// A job of a batch and its newest run.
#[derive(Debug, Serialize)]
pub(super) struct JobView {
    pub(super) job: JobKind,
    /// What makes it due, in words.
    pub(super) trigger: String,
    pub(super) last: Option<RunView>,
}

/// How a batch is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Health {
    Good,
    /// Something is late or tried again.
    Warn,
    /// Someone must act.
    Bad,
    /// Switched off.
    Off,
}

/// A batch and how it is doing.
#[derive(Debug, Serialize)]
pub(super) struct BatchView {
    pub(super) name: BatchName,
    pub(super) description: String,
    pub(super) owner: Option<String>,
    pub(super) timezone: &'static str,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) source: &'static str,
    pub(super) n_metrics: usize,
    pub(super) newest_at: Option<Timestamp>,
    pub(super) alerts_day: u64,
    pub(super) alerts_week: u64,
    pub(super) jobs: Vec<JobView>,
    pub(super) health: Health,
    pub(super) health_text: String,
}

/// What is known of a batch, from which its health follows.
#[derive(Debug)]
pub(super) struct BatchFacts {
    pub(super) n_metrics: usize,
    pub(super) newest_at: Option<Timestamp>,
    pub(super) alerts_day: u64,
    pub(super) alerts_week: u64,
    pub(super) paused_since: Option<Timestamp>,
    /// The newest run of each job.
    pub(super) runs: BTreeMap<JobKind, RunView>,
}

impl BatchView {
    pub(super) fn new(batch: &BatchSpec, mut facts: BatchFacts, now: Timestamp) -> Self {
        let (health, health_text) = health(batch, &facts, now);
        let jobs = batch.jobs().into_iter().map(|job| JobView {
            job,
            trigger: trigger(batch.schedule.triggers.get(&job)),
            last: facts.runs.remove(&job),
        });
        Self {
            name: batch.name.clone(),
            description: batch.description.clone(),
            owner: batch.owner.clone(),
            timezone: batch.timezone.name(),
            tags: batch.tags.clone(),
            source: batch.source.kind.as_str(),
            n_metrics: facts.n_metrics,
            newest_at: facts.newest_at,
            alerts_day: facts.alerts_day,
            alerts_week: facts.alerts_week,
            jobs: jobs.collect(),
            health,
            health_text,
        }
    }
}

fn trigger(trigger: Option<&Trigger>) -> String {
    match trigger {
        Some(Trigger::Never) | None => "by hand".to_owned(),
        Some(trigger) => trigger.to_string(),
    }
}

/// The worst that is known, in words.
fn health(batch: &BatchSpec, facts: &BatchFacts, now: Timestamp) -> (Health, String) {
    if !batch.enabled {
        return (Health::Off, "Switched off".to_owned());
    }
    if let Some(since) = facts.paused_since {
        return (Health::Off, format!("Paused since {since}"));
    }
    let in_state = |state| facts.runs.values().find(|run| run.row.state == state);
    if let Some(run) = in_state(RunState::Dead) {
        let error = run.row.error.as_deref().unwrap_or("the log says why");
        return (Health::Bad, format!("The last {} failed: {}", run.row.job, shown(error)));
    }
    if let Some(run) = in_state(RunState::RetryWait) {
        let error = run.row.error.as_deref().unwrap_or("the log says why");
        return (Health::Warn, format!("{} will be tried again: {}", run.row.job, shown(error)));
    }
    let Some(newest) = facts.newest_at else {
        return (Health::Warn, "No points yet".to_owned());
    };
    if newest < now - patience(batch) {
        return (Health::Warn, format!("No new points for {}", rough(now - newest)));
    }
    (Health::Good, "Healthy".to_owned())
}

/// Silence longer than this is worth a word: what the batch itself calls absence, else two days
/// or three buckets.
fn patience(batch: &BatchSpec) -> Span {
    if let Some(absence) = &batch.absence {
        return absence.after;
    }
    let bucket = batch.features.resample.unwrap_or(Span::ZERO).micros();
    Span::days(2).max(Span::from_micros(bucket.saturating_mul(3)))
}
