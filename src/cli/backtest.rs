//! `anomstack backtest`: the alerts a batch would have raised over a stretch of its history. The jobs
//! themselves run, slot by slot and each as of its slot, but on a catalog and a store of their own,
//! which are gone at the end.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::{
    catalog::{
        Catalog,
        alerts::{self, AlertFilter},
        segments,
    },
    domain::{
        Alert, BatchName, BatchSpec, JobKind, MetricName, RunId, RunReport, ScorePoint,
        SegmentKind, Span, Timestamp, words,
    },
    io::{Key, Store, WriteMode},
    jobs::{self, JobContext, Notify, Progress, VersionClock},
    runtime::replay::{self, Replay},
    series::{History, Range},
    telemetry::Metrics,
};

use super::{
    Global, Outcome,
    foreground::{self, When},
    listing,
    open::{self, Opened, Scratch},
};

/// Slots before the stretch among which its first model is looked for.
const LOOK_BACK: Span = Span::days(35);
/// Many small segments make every later read slower.
const COMPACT_EVERY: usize = 64;
/// Alerts of a stretch that are listed.
const MOST_ALERTS: u32 = 1_000_000;

/// What `backtest` takes.
#[derive(Debug, Args)]
pub(super) struct Backtest {
    /// The batch
    batch: String,
    /// The first slot may lie here (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Timestamp,
    /// All slots lie before it; now, without it
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Only count this metric
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Write every score as CSV
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// List every alert
    #[arg(long)]
    alerts: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    batch: BatchName,
    from: Timestamp,
    to: Timestamp,
    runs: u64,
    models_trained: u64,
    points_scored: u64,
    n_alerts: usize,
    alerts_per_week: f64,
    metrics: Vec<Row>,
    weeks: Vec<Week>,
    alerts: Vec<Alert>,
}

#[derive(Debug, Serialize)]
struct Row {
    metric: MetricName,
    alerts: usize,
    per_week: f64,
    scores: usize,
    highest: f64,
}

#[derive(Debug, Serialize)]
struct Week {
    from: Timestamp,
    alerts: usize,
}

/// Runs what would have run, aside, and says what it would have raised.
pub(super) async fn backtest(global: &Global, command: Backtest) -> anyhow::Result<Outcome> {
    let project = match open::project(global) {
        Ok(project) => project,
        Err(outcome) => return Ok(outcome),
    };
    open::logging_for_foreground(global, &project.system.log)?;
    let found = project.batches.iter().find(|batch| batch.name.as_str() == command.batch);
    let Some(batch) = found.cloned() else {
        eprintln!("error: no batch `{}`", command.batch);
        return Ok(Outcome::NotStarted);
    };
    let opened = open::open(project).await?;
    let to = command.to.unwrap_or_else(|| (opened.ctx.clock)());
    let stretch = (command.from, to);
    let plan = plan(&batch, stretch)?;
    let rehearsal = Rehearsal::begin(&opened, &batch, stretch).await?;
    let mut report = rehearsal.run(&batch, &plan).await?;
    let metric = command.metric.as_deref().map(MetricName::parse).transpose()?;
    let scores = rehearsal.scores(&batch, stretch, metric.as_ref()).await?;
    report.from = command.from;
    report.to = to;
    report.count(rehearsal.alerts(&batch, command.from, metric).await?, &scores);
    if let Some(path) = &command.scores {
        std::fs::write(path, csv(&scores))
            .with_context(|| format!("write `{}`", path.display()))?;
    }
    rehearsal.ctx.catalog.close().await?;
    opened.ctx.catalog.close().await?;
    report.print(global, command.alerts)
}

/// The jobs of the stretch in order, behind the training that was newest when it began.
fn plan(
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
struct Rehearsal {
    ctx: JobContext,
    _scratch: Scratch,
}

impl Rehearsal {
    /// The batch's points, and nothing else of it.
    async fn begin(
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

    async fn run(
        &self,
        batch: &BatchSpec,
        plan: &[(Timestamp, JobKind)],
    ) -> anyhow::Result<Report> {
        let bar = ProgressBar::new(plan.len() as u64);
        if let Ok(style) = ProgressStyle::with_template("  {bar:32} {pos}/{len} {msg} {eta}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        let mut report = Report::empty(&batch.name);
        for (n, (slot, job)) in plan.iter().enumerate() {
            bar.set_message(format!("{slot} {job}"));
            match foreground::record(&self.ctx, batch, *job, When::At(*slot)).await? {
                Ok(done) => report.add(&done),
                Err(error) => bail!("{job} for {slot} failed: {error}"),
            }
            if n % COMPACT_EVERY == COMPACT_EVERY - 1 {
                jobs::compact(&self.ctx, &batch.name, Timestamp::MIN).await?;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(report)
    }

    async fn scores(
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
    async fn alerts(
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
}

impl Report {
    fn empty(batch: &BatchName) -> Self {
        Self {
            batch: batch.clone(),
            from: Timestamp::MIN,
            to: Timestamp::MIN,
            runs: 0,
            models_trained: 0,
            points_scored: 0,
            n_alerts: 0,
            alerts_per_week: 0.0,
            metrics: Vec::new(),
            weeks: Vec::new(),
            alerts: Vec::new(),
        }
    }

    fn add(&mut self, report: &RunReport) {
        self.runs += 1;
        match report {
            RunReport::Train(report) => self.models_trained += report.trained,
            RunReport::Score(report) => self.points_scored += report.scored,
            RunReport::Ingest(_) | RunReport::Alert(_) | RunReport::Change(_) => {}
        }
    }

    fn count(&mut self, found: Vec<Alert>, scores: &BTreeMap<MetricName, Vec<ScorePoint>>) {
        let week = Span::days(7);
        let n_weeks = (self.to - self.from).as_secs_f64() / week.as_secs_f64();
        let of = |metric: &MetricName| found.iter().filter(|one| one.metric == *metric).count();
        let row = |(metric, points): (&MetricName, &Vec<ScorePoint>)| Row {
            metric: metric.clone(),
            alerts: of(metric),
            per_week: of(metric) as f64 / n_weeks,
            scores: points.len(),
            highest: points.iter().map(|point| point.score).fold(0.0, f64::max),
        };
        self.metrics = scores.iter().map(row).collect();
        let mut from = self.from;
        while from < self.to {
            let is_within = |alert: &&Alert| from <= alert.at && alert.at < from + week;
            self.weeks.push(Week { from, alerts: found.iter().filter(is_within).count() });
            from = from + week;
        }
        self.n_alerts = found.len();
        self.alerts_per_week = found.len() as f64 / n_weeks;
        self.alerts = found;
    }

    fn print(&self, global: &Global, with_alerts: bool) -> anyhow::Result<Outcome> {
        if global.json {
            return listing::print_one(global, self, &[]);
        }
        println!(
            "{} runs, {} models, {} scores: {} alerts from {} to {}, {:.2} a week\n",
            words::count(self.runs),
            words::count(self.models_trained),
            words::count(self.points_scored),
            words::count(self.n_alerts as u64),
            self.from,
            self.to,
            self.alerts_per_week,
        );
        let rows = self.metrics.iter().map(|row| {
            vec![
                row.metric.to_string(),
                row.alerts.to_string(),
                format!("{:.2}", row.per_week),
                row.scores.to_string(),
                format!("{:.3}", row.highest),
            ]
        });
        let header = ["METRIC", "ALERTS", "A WEEK", "SCORES", "HIGHEST"];
        println!("{}\n", listing::table(&header, rows.collect()));
        let rows = self.weeks.iter().map(|week| {
            let bar = "\u{2588}".repeat(week.alerts.min(60));
            vec![week.from.to_string(), week.alerts.to_string(), bar]
        });
        println!("{}", listing::table(&["WEEK FROM", "ALERTS", ""], rows.collect()));
        if with_alerts {
            let rows = self.alerts.iter().map(|alert| {
                let score = listing::or_dash(alert.score, |score| format!("{score:.3}"));
                vec![alert.at.to_string(), alert.metric.to_string(), score, alert.reason.clone()]
            });
            println!("\n{}", listing::table(&["WHEN", "METRIC", "SCORE", "WHAT"], rows.collect()));
        }
        Ok(Outcome::Done)
    }
}

/// Every bit of value and score: `{}` of a double reads back as the same double.
fn csv(scores: &BTreeMap<MetricName, Vec<ScorePoint>>) -> String {
    let mut text = String::from("metric,timestamp,value,score\n");
    for (metric, points) in scores {
        let name = format!("\"{}\"", metric.as_str().replace('"', "\"\""));
        for point in points {
            text.push_str(&format!("{name},{},{},{}\n", point.at, point.value, point.score));
        }
    }
    text
}
