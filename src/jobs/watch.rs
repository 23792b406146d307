//! Watch: what is wrong with the program's own work becomes alerts, and is over when it is right
//! again. A plain function of the catalog, the clock and the room that is left.

use std::collections::BTreeSet;

use crate::{
    alerting::{self, Attempted, Turn},
    catalog::{CatalogError, Connection, models, pauses, runs, runs::RunFilter},
    domain::{
        Alert, AlertKind, BatchName, BatchSpec, JobKind, MetricName, RunId, RunState, Timestamp,
        Trigger, WatchSpec,
    },
};

use super::{
    JobContext, JobError, Notify, tell,
    tell::Telling,
    turns::{self, Taken},
};

/// What stands for a batch where the program as a whole is meant.
pub(super) const PROGRAM: &str = "anomstack";
/// Runs looked back at for attempts in a row.
const MOST_RUNS: u32 = 50;
/// What is raised by no run.
const NO_RUN: RunId = RunId(0);

/// What is looked at, and what was found out about it.
#[derive(Debug, Clone, Copy)]
pub struct Watched<'a> {
    /// The batches there are.
    pub batches: &'a [BatchSpec],
    /// What is looked for.
    pub spec: &'a WatchSpec,
    /// Bytes that are free where the data lies, where that is known.
    pub n_free: Option<u64>,
}

/// Looks at everything once; gives how many alerts fired and how many are over.
///
/// Where it is switched off, nothing fires and what fired is closed.
///
/// # Errors
/// [`JobError::Catalog`]; then nothing is changed.
pub async fn watch(ctx: &JobContext, watched: &Watched<'_>) -> Result<(u64, u64), JobError> {
    let now = (ctx.clock)();
    let found = match watched.spec.enabled {
        true => look(ctx, watched, now).await?,
        false => {
            let names = watched.batches.iter().map(|batch| batch.name.clone());
            let names = names.chain(BatchName::parse(PROGRAM).ok());
            names.map(|name| (name, Vec::new())).collect()
        }
    };
    let (mut n_raised, mut n_over) = (0, 0);
    for (batch, subjects) in found {
        let taken = take(ctx, (&batch, watched.spec), subjects, now).await?;
        n_raised += taken.raised.len() as u64;
        n_over += taken.over.len() as u64;
    }
    Ok((n_raised, n_over))
}

/// What there is to be said of each batch and of the program.
async fn look(
    ctx: &JobContext,
    watched: &Watched<'_>,
    now: Timestamp,
) -> Result<Vec<(BatchName, Vec<Subject>)>, JobError> {
    let paused = pauses::all(&mut *ctx.catalog.reader().await?).await?;
    let mut found = Vec::new();
    for batch in watched.batches {
        let is_on = batch.enabled && !paused.contains_key(&batch.name);
        let of_batch = match is_on {
            // Pages wait for a reader no longer than for one batch.
            true => of_batch(&mut *ctx.catalog.reader().await?, batch, watched.spec, now).await?,
            false => Vec::new(),
        };
        found.push((batch.name.clone(), of_batch));
    }
    if let (Some(n_free), Ok(name), Ok(metric)) =
        (watched.n_free, BatchName::parse(PROGRAM), MetricName::parse("pipeline/disk"))
    {
        let who = (name.clone(), metric.clone());
        let alert = alerting::crowded(&who, n_free, watched.spec.disk_low, now);
        let room = (metric, alert);
        match found.iter_mut().find(|(batch, _)| *batch == name) {
            Some((_, of_batch)) => of_batch.push(room),
            None => found.push((name, vec![room])),
        }
    }
    Ok(found)
}

type Subject = (MetricName, Option<Alert>);

async fn of_batch(
    conn: &mut Connection,
    batch: &BatchSpec,
    spec: &WatchSpec,
    now: Timestamp,
) -> Result<Vec<Subject>, CatalogError> {
    let mut subjects = Vec::new();
    let mut add = |name: String, look: &dyn Fn(&(BatchName, MetricName)) -> Option<Alert>| {
        if let Ok(metric) = MetricName::parse(&name) {
            let alert = look(&(batch.name.clone(), metric.clone()));
            subjects.push((metric, alert));
        }
    };
    for job in batch.jobs() {
        let filter = RunFilter {
            batch: Some(batch.name.clone()),
            job: Some(job),
            limit: MOST_RUNS,
            ..RunFilter::default()
        };
        let rows = runs::list(conn, &filter).await?;
        let waiting = rows.iter().filter(|run| run.state == RunState::Pending);
        let due = waiting.map(|run| run.due).min();
        let attempted: Vec<Attempted> = rows
            .into_iter()
            .map(|run| Attempted {
                slot: run.slot,
                state: run.state,
                n_attempts: u64::try_from(run.attempt).unwrap_or(0),
                error: run.error,
            })
            .collect();
        add(format!("pipeline/job-{job}"), &|who| {
            alerting::failing(who, job, &attempted, spec.job_failures, now)
        });
        add(format!("pipeline/late-{job}"), &|who| alerting::late(who, job, due?, now, spec.late));
    }
    let trains = batch.schedule.triggers.get(&JobKind::Train).is_some_and(|t| *t != Trigger::Never);
    if let Some(allowed) = spec.model_max_age.filter(|_| trains) {
        let current = models::currents(conn, &batch.name).await?;
        let newest = current.iter().map(|model| model.trained_at).max();
        add("pipeline/model-age".into(), &|who| alerting::aged(who, newest?, now, allowed));
    }
    Ok(subjects)
}

async fn take(
    ctx: &JobContext,
    (batch, spec): (&BatchName, &WatchSpec),
    subjects: Vec<Subject>,
    now: Timestamp,
) -> Result<Taken, JobError> {
    let mut reader = ctx.catalog.reader().await?;
    let open = turns::open(&mut reader, batch, AlertKind::Pipeline).await?;
    drop(reader);
    let looked_at: BTreeSet<&MetricName> = subjects.iter().map(|(metric, _)| metric).collect();
    // What is not looked at any more, as of a paused batch, is no news.
    let of_metrics = open.iter().map(|(metric, open)| (metric, open));
    let mut turns = turns::closed(of_metrics, now, |metric| Ok(looked_at.contains(metric)))?;
    for (metric, alert) in &subjects {
        let open = open.iter().find(|(name, _)| name == metric).map(|(_, open)| open);
        // That it goes on is written down nowhere: it would be a write every minute.
        let turn = alerting::turn(open, alert.clone(), now);
        turns.extend(turn.filter(|turn| !matches!(turn, Turn::Extend(..))));
    }
    if turns.is_empty() {
        return Ok(Taken::default());
    }
    let mut tx = ctx.catalog.begin().await?;
    let taken = turns::write(&mut tx, NO_RUN, &turns, now).await?;
    for (event, alerts) in taken.events().filter(|_| ctx.notify == Notify::Queue) {
        let telling = Telling {
            event,
            batch: Some(batch.clone()),
            alerts: alerts.into_iter().map(|alert| alert.id.clone()).collect(),
            words: None,
            again: String::new(),
            channels: spec.channels.iter().cloned().collect(),
        };
        tell::tell(&mut tx, &telling, now).await?;
    }
    tx.commit().await?;
    taken.count(ctx, batch);
    Ok(taken)
}
