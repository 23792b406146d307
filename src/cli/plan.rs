//! `anomstack plan`: the alerts that one configuration raises over a stretch of history and another
//! does not, and what the other costs. Nothing that is live is written.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use crate::{
    catalog::models,
    config::{InPlace, Project},
    domain::{Alert, BatchName, BatchSpec, MetricName, Span, Timestamp, words},
    jobs::{self, Difference, JobError},
};

use super::{
    Global, Outcome,
    backtest::{Rehearsal, plan as slots},
    check,
    listing::{self, or_dash},
    open::{self, Opened},
};

/// Alerts that lie no further apart are one where a batch has no buckets.
const SLACK: Span = Span::hours(1);

/// What `plan` takes.
#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The configurations
    #[arg(value_name = "OLD> <NEW", required = true, num_args = 1..=2)]
    sides: Vec<PathBuf>,
    /// How far back
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    last: Span,
    /// The end of the stretch (RFC 3339); now, without it
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Only this batch; a batch file stands for its file
    #[arg(long)]
    batch: Option<String>,
    /// List every alert that is added or removed
    #[arg(long)]
    alerts: bool,
}

/// What a change reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reach {
    /// Nothing that alerts depend on.
    Nothing,
    /// What becomes of scores; they are used as they are stored.
    Alerts,
    /// How scores are made; both sides are run anew.
    Scores,
    /// What models are made of; both sides are run anew.
    Models,
}

/// What a change does.
#[derive(Debug, Serialize)]
struct Planned {
    from: Timestamp,
    to: Timestamp,
    batches: Vec<Changed>,
}

/// What it does to one batch. Of two figures the first is the old side's.
#[derive(Debug, Serialize)]
struct Changed {
    batch: BatchName,
    reach: Reach,
    /// What has to be known beside the figures.
    notes: Vec<String>,
    alerts: [usize; 2],
    messages_per_week: [f64; 2],
    /// Current models that the new settings would not have made.
    models_invalidated: usize,
    cost: Cost,
    metrics: BTreeMap<MetricName, Counts>,
    added: Vec<Alert>,
    removed: Vec<Alert>,
}

/// What judging the stretch took.
#[derive(Debug, Default, Serialize)]
struct Cost {
    /// Scores made or judged.
    rows: [u64; 2],
    /// Seconds on this machine; of a stretch that was judged from stored scores, of both together.
    seconds: [f64; 2],
    /// Bytes of all current models.
    model_bytes: [u64; 2],
}

#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Counts {
    added: usize,
    removed: usize,
    kept: usize,
}

/// Judges the past under both configurations.
pub(super) async fn plan(global: &Global, command: Plan) -> anyhow::Result<Outcome> {
    let (old, new) = match &command.sides[..] {
        [new] => (None, new),
        [old, new] => (Some(old), new),
        _ => bail!("give one configuration or two"),
    };
    // The history is the old project's.
    let home = old.filter(|old| old.is_dir()).map_or(&global.config, |old| old);
    let name = |path: &Path| match (&command.batch, old) {
        (Some(batch), _) => Some(format!("{batch}.toml")),
        (None, Some(old)) if !old.is_dir() => file_name(old),
        _ => file_name(path),
    };
    let read = |path: &Path| -> anyhow::Result<Result<Project, Outcome>> {
        let outcome = match path.is_dir() {
            true => check::load(path),
            false => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("read `{}`", path.display()))?;
                check::load_with(home, InPlace { name: name(path).unwrap_or_default(), text })
            }
        };
        Ok(outcome.map_err(|problems| {
            eprintln!("in {}:", path.display());
            check::print_problems(&problems);
            Outcome::Problems
        }))
    };
    let sides = [read(old.unwrap_or(home))?, read(new)?];
    let [Ok(old), Ok(new)] = sides else { return Ok(Outcome::Problems) };
    open::logging_for_foreground(global, &old.system.log)?;
    let opened = open::open(old).await?;
    let to = command.to.unwrap_or_else(|| (opened.ctx.clock)());
    let mut planned = Planned { from: to - command.last, to, batches: Vec::new() };
    let both = pairs(&opened.project.batches, &new.batches, command.batch.as_deref());
    for (old, new) in &both {
        let stretch = (planned.from, to);
        planned.batches.extend(compare(&opened, (*old, *new), stretch).await?);
    }
    opened.ctx.catalog.close().await?;
    planned.print(global, command.alerts)
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// The batches of both sides, by name.
fn pairs<'a>(
    old: &'a [BatchSpec],
    new: &'a [BatchSpec],
    only: Option<&str>,
) -> Vec<(Option<&'a BatchSpec>, Option<&'a BatchSpec>)> {
    let names: BTreeSet<&BatchName> = old.iter().chain(new).map(|batch| &batch.name).collect();
    let of = |side: &'a [BatchSpec], name: &BatchName| side.iter().find(|one| one.name == *name);
    let is_meant = |name: &&BatchName| only.is_none_or(|only| name.as_str() == only);
    names.into_iter().filter(is_meant).map(|name| (of(old, name), of(new, name))).collect()
}

/// What the change does to a batch; nothing when there is none.
async fn compare(
    opened: &Opened,
    sides: (Option<&BatchSpec>, Option<&BatchSpec>),
    stretch: (Timestamp, Timestamp),
) -> anyhow::Result<Option<Changed>> {
    let (old, new) = match sides {
        (Some(old), Some(new)) => (old, new),
        (Some(old), None) => return Ok(Some(Changed::note(old, "the batch is gone"))),
        (None, Some(new)) => {
            return Ok(Some(Changed::note(new, "the batch is new and has no history")));
        }
        (None, None) => return Ok(None),
    };
    if old.effective == new.effective {
        return Ok(None);
    }
    let reach = reach(old, new);
    let mut changed = Changed { reach, ..Changed::of(old) };
    if old.source != new.source {
        changed.notes.push("the source is another one; the history is that of the old".into());
    }
    let rows = models::currents(&mut *opened.ctx.catalog.reader().await?, &old.name).await?;
    changed.models_invalidated = if reach == Reach::Models { rows.len() } else { 0 };
    changed.cost.model_bytes = [rows.iter().map(|row| row.size).sum(); 2];
    let alerts = match reach {
        Reach::Nothing => Default::default(),
        Reach::Alerts => {
            let began = Instant::now();
            let judged = jobs::judge_stored(&opened.ctx, [old, new], stretch).await?;
            changed.cost.rows = [judged.rows; 2];
            changed.cost.seconds = [began.elapsed().as_secs_f64(); 2];
            judged.alerts
        }
        Reach::Scores | Reach::Models => {
            let mut alerts: [Vec<Alert>; 2] = Default::default();
            for (n, batch) in [old, new].into_iter().enumerate() {
                alerts[n] = rehearse(opened, (batch, n), stretch, &mut changed.cost).await?;
            }
            alerts
        }
    };
    changed.count([old, new], alerts, stretch)?;
    Ok(Some(changed))
}

fn reach(old: &BatchSpec, new: &BatchSpec) -> Reach {
    let models = |batch: &BatchSpec| {
        let BatchSpec { features, detectors, train, timezone, holidays, .. } = batch.clone();
        (features, detectors, train, timezone, holidays)
    };
    if models(old) != models(new) {
        return Reach::Models;
    }
    if old.score != new.score {
        return Reach::Scores;
    }
    let alerts = |batch: &BatchSpec| {
        let own = batch.metrics.iter().map(|(name, spec)| (name.clone(), spec.alert.clone()));
        let own: Vec<_> = own.filter(|(_, alert)| alert.is_some()).collect();
        (batch.alert.clone(), batch.absence.clone(), own)
    };
    if alerts(old) == alerts(new) { Reach::Nothing } else { Reach::Alerts }
}

/// The alerts of the jobs themselves, run aside as of every slot of the stretch.
async fn rehearse(
    opened: &Opened,
    (batch, side): (&BatchSpec, usize),
    stretch: (Timestamp, Timestamp),
    cost: &mut Cost,
) -> anyhow::Result<Vec<Alert>> {
    let slots = slots(batch, stretch)?;
    let began = Instant::now();
    let rehearsal = Rehearsal::begin(opened, batch, stretch).await?;
    let work = rehearsal.run(batch, &slots).await?;
    cost.rows[side] = work.points_scored;
    cost.seconds[side] = began.elapsed().as_secs_f64();
    cost.model_bytes[side] = rehearsal.model_bytes(batch).await?;
    let alerts = rehearsal.alerts(batch, stretch.0, None).await?;
    rehearsal.ctx.catalog.close().await?;
    Ok(alerts)
}

impl Changed {
    fn of(batch: &BatchSpec) -> Self {
        Self {
            batch: batch.name.clone(),
            reach: Reach::Nothing,
            notes: Vec::new(),
            alerts: [0; 2],
            messages_per_week: [0.0; 2],
            models_invalidated: 0,
            cost: Cost::default(),
            metrics: BTreeMap::new(),
            added: Vec::new(),
            removed: Vec::new(),
        }
    }

    fn note(batch: &BatchSpec, text: &str) -> Self {
        Self { notes: vec![text.to_owned()], ..Self::of(batch) }
    }

    fn count(
        &mut self,
        both: [&BatchSpec; 2],
        alerts: [Vec<Alert>; 2],
        (from, to): (Timestamp, Timestamp),
    ) -> Result<(), JobError> {
        let n_weeks = (to - from).as_secs_f64() / Span::days(7).as_secs_f64();
        for (n, batch) in both.iter().enumerate() {
            self.alerts[n] = alerts[n].len();
            self.messages_per_week[n] = jobs::n_messages(batch, &alerts[n])? as f64 / n_weeks;
        }
        let bucket = both[1].features.resample;
        let slack = bucket.map_or(SLACK, |bucket| Span::from_micros(3 * bucket.micros()));
        let [old, new] = alerts;
        let Difference { added, removed, kept } = jobs::difference(old, new, slack);
        for alert in &added {
            self.metrics.entry(alert.metric.clone()).or_default().added += 1;
        }
        for alert in &removed {
            self.metrics.entry(alert.metric.clone()).or_default().removed += 1;
        }
        for alert in &kept {
            self.metrics.entry(alert.metric.clone()).or_default().kept += 1;
        }
        (self.added, self.removed) = (added, removed);
        Ok(())
    }

    fn print(&self, with_alerts: bool) {
        let how = match self.reach {
            Reach::Nothing => "nothing alerts depend on is changed",
            Reach::Alerts => "alert settings are changed; stored scores were judged anew",
            Reach::Scores => "scoring is changed; both sides were run anew",
            Reach::Models => "models are changed; both sides were run anew",
        };
        println!("{}: {how}", self.batch);
        for note in &self.notes {
            println!("  {note}");
        }
        let ([old, new], [old_messages, new_messages]) = (self.alerts, self.messages_per_week);
        println!(
            "  alerts {old} -> {new}: {} added, {} removed; messages a week {old_messages:.2} -> \
             {new_messages:.2}",
            self.added.len(),
            self.removed.len(),
        );
        let Cost { rows, seconds, model_bytes } = &self.cost;
        println!(
            "  models to be made anew {}; rows {} -> {}; seconds {:.2} -> {:.2}; model bytes {} -> {}\n",
            self.models_invalidated,
            words::count(rows[0]),
            words::count(rows[1]),
            seconds[0],
            seconds[1],
            words::count(model_bytes[0]),
            words::count(model_bytes[1]),
        );
        let rows = self.metrics.iter().filter(|(_, counts)| 0 < counts.added + counts.removed);
        let rows: Vec<Vec<String>> = rows
            .map(|(metric, Counts { added, removed, kept })| {
                vec![metric.to_string(), added.to_string(), removed.to_string(), kept.to_string()]
            })
            .collect();
        if !rows.is_empty() {
            println!("{}\n", listing::table(&["METRIC", "ADDED", "REMOVED", "KEPT"], rows));
        }
        let all = self.added.iter().map(|alert| ("+", alert));
        let all = all.chain(self.removed.iter().map(|alert| ("-", alert)));
        let rows: Vec<Vec<String>> = all
            .map(|(sign, alert)| {
                let score = or_dash(alert.score, |score| format!("{score:.3}"));
                let (at, metric) = (alert.at.to_string(), alert.metric.to_string());
                vec![sign.to_owned(), at, metric, score, alert.reason.clone()]
            })
            .collect();
        if with_alerts && !rows.is_empty() {
            println!("{}\n", listing::table(&["", "WHEN", "METRIC", "SCORE", "WHAT"], rows));
        }
    }
}

impl Planned {
    fn print(&self, global: &Global, with_alerts: bool) -> anyhow::Result<Outcome> {
        if global.json {
            return listing::print_one(global, self, &[]);
        }
        println!("from {} to {}\n", self.from, self.to);
        if self.batches.is_empty() {
            println!("no batch is changed");
        }
        for batch in &self.batches {
            batch.print(with_alerts);
        }
        Ok(Outcome::Done)
    }
}
