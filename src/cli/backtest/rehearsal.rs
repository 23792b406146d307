//! The jobs of a stretch of the past, run slot by slot on a catalog and a store of their own.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    catalog::{
        Catalog,
        alerts::{self, AlertFilter},
        models, segments,
    },
    domain::{
        Alert, BatchSpec, JobKind, MetricName, RunId, RunReport, ScorePoint, SegmentKind, Span,
        Timestamp,
    },
    io::{Key, Store, WriteMode},
    jobs::{self, JobContext, Notify, Progress, VersionClock},
    runtime::replay::{self, Replay},
    series::{History, Range},
    telemetry::Metrics,
};

use super::super::{
    foreground::{self, When},
    open::{Opened, Scratch},
};

/// Slots before the stretch among which its first model is looked for.
const LOOK_BACK: Span = Span::days(35);
/// Many small segments make every later read slower.
const COMPACT_EVERY: usize = 64;
/// Alerts of a stretch that are listed.
const MOST_ALERTS: u32 = 1_000_000;

/// What a rehearsal did.
#[derive(Debug, Default)]
pub(in crate::cli) struct Work {
    pub(in crate::cli) runs: u64,
    pub(in crate::cli) models_trained: u64,
    pub(in crate::cli) points_scored: u64,
}

impl Work {
    fn add(&mut self, report: &RunReport) {
        self.runs += 1;
        match report {
            RunReport::Train(report) => self.models_trained += report.trained,
            RunReport::Score(report) => self.points_scored += report.scored,
            RunReport::Ingest(_) | RunReport::Alert(_) | RunReport::Change(_) => {}
        }
    }
}

/// The jobs of the stretch in order, behind the training that was newest when it began.
pub(in crate::cli) fn plan(
    batch: &BatchSpec,
    (from, to): (Timestamp, Timestamp),
) -> anyhow::Result<Vec<(Timestamp, JobKind)>> {
    if to <= from {
        bail!("`--to` does not come after `--from`");
    }
    let jobs = |replays: Vec<Replay>| {
        let one = |replay: Replay| replay.jobs.into_iter().map(move |job| (replay.slot, job));
        replays.into_iter().flat_map(one).filter(|(_, job)| *job != JobKind::Ingest)
    };
    let mut earlier: Vec<_> = jobs(replay::plan(batch, from - LOOK_BACK, from)?).collect();
    earlier.retain(|(_, job)| *job == JobKind::Train);
    let trained = earlier.pop();
    let first = trained.unwrap_or((from, JobKind::Train));
    let mut plan = vec![first];
    plan.extend(jobs(replay::plan(batch, from, to)?));
    if plan.len() == 1 {
        bail!("nothing of this batch is scheduled between {from} and {to}");
    }
    Ok(plan)
}

/// A context for jobs whose effects nobody else sees.
pub(in crate::cli) struct Rehearsal {
    pub(in crate::cli) ctx: JobContext,
    _scratch: Scratch,
}

impl Rehearsal {
    /// The batch's points, and nothing else of it.
    pub(in crate::cli) async fn begin(
        opened: &Opened,
        batch: &BatchSpec,
        (from, to): (Timestamp, Timestamp),
    ) -> anyhow::Result<Self> {
        let root = &opened.project.system.storage.root;
        let scratch = Scratch::below(root, "backtest");
        std::fs::create_dir_all(scratch.path())
            .with_context(|| format!("create {}", scratch.path().display()))?;
        let live = &opened.ctx;
        let store = Store::memory();
        let ctx = JobContext {
            catalog: Catalog::open(&scratch.path().join("catalog.db")).await?,
            history: History::new(
                store.clone(),
                live.compute.clone(),
                opened.project.system.storage.compression.into(),
            ),
            store,
            metrics: Metrics::new()?,
            versions: Arc::new(VersionClock::default()),
            progress: Arc::new(Progress::default()),
            notify: Notify::Keep,
            ..live.clone()
        };
        let oldest = from - batch.train.window.max(batch.score.window) - LOOK_BACK;
        let mut reader = live.catalog.reader().await?;
        let points =
            segments::live(&mut reader, &batch.name, SegmentKind::Points, oldest, to).await?;
        drop(reader);
        if points.is_empty() {
            bail!("batch `{}` has no points before {to}; run its ingest first", batch.name);
        }
        for segment in points {
            let key = Key::parse(&segment.key)?;
            let bytes = live.store.get_verified(&key, &segment.sha256, segment.size).await?;
            ctx.store.put(&key, bytes, WriteMode::CreateOnly).await?;
            let mut tx = ctx.catalog.begin().await?;
            segments::insert(&mut tx, &segment, RunId(0)).await?;
            tx.commit().await?;
        }
        Ok(Self { ctx, _scratch: scratch })
    }

    pub(in crate::cli) async fn run(
        &self,
        batch: &BatchSpec,
        plan: &[(Timestamp, JobKind)],
    ) -> anyhow::Result<Work> {
        let bar = ProgressBar::new(plan.len() as u64);
        if let Ok(style) = ProgressStyle::with_template("  {bar:32} {pos}/{len} {msg} {eta}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        let mut work = Work::default();
        for (n, (slot, job)) in plan.iter().enumerate() {
            bar.set_message(format!("{slot} {job}"));
            match foreground::record(&self.ctx, batch, *job, When::At(*slot)).await? {
                Ok(done) => work.add(&done),
                Err(error) => bail!("{job} for {slot} failed: {error}"),
            }
            if n % COMPACT_EVERY == COMPACT_EVERY - 1 {
                jobs::compact(&self.ctx, &batch.name, Timestamp::MIN).await?;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(work)
    }

    pub(in crate::cli) async fn scores(
        &self,
        batch: &BatchSpec,
        (from, to): (Timestamp, Timestamp),
        metric: Option<&MetricName>,
    ) -> anyhow::Result<BTreeMap<MetricName, Vec<ScorePoint>>> {
        let range = Range { metric: metric.cloned(), ..Range::between(from, to) };
        let mut reader = self.ctx.catalog.reader().await?;
        let kind = SegmentKind::Scores;
        let live = segments::live(&mut reader, &batch.name, kind, range.from, range.to).await?;
        Ok(self.ctx.history.read_scores(&live, &range).await?)
    }

    /// Oldest first.
    pub(in crate::cli) async fn alerts(
        &self,
        batch: &BatchSpec,
        from: Timestamp,
        metric: Option<MetricName>,
    ) -> anyhow::Result<Vec<Alert>> {
        let batch = Some(batch.name.clone());
        let filter = AlertFilter {
            batch,
            metric,
            since: Some(from),
            limit: MOST_ALERTS,
            ..AlertFilter::default()
        };
        let rows = alerts::list(&mut *self.ctx.catalog.reader().await?, &filter).await?;
        Ok(rows.into_iter().rev().map(|row| row.alert).collect())
    }

    /// Bytes of the models that are current at the end.
    pub(in crate::cli) async fn model_bytes(&self, batch: &BatchSpec) -> anyhow::Result<u64> {
        let rows = models::currents(&mut *self.ctx.catalog.reader().await?, &batch.name).await?;
        Ok(rows.iter().map(|row| row.size).sum())
    }
}
