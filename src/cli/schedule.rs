//! `anomstack schedule`: when a batch's jobs come next.

use clap::Args;
use serde::Serialize;

use crate::{
    domain::{JobKind, Timestamp},
    runtime::{clock, preview},
};

use super::{Global, Outcome, listing, open};

/// What `schedule` takes.
#[derive(Debug, Args)]
pub(super) struct Schedule {
    /// The batch
    batch: String,
    /// So many slots of each job
    #[arg(long, value_name = "N", default_value_t = 5)]
    next: usize,
}

/// One slot, or a job that time alone never starts.
#[derive(Debug, Serialize)]
struct Row {
    job: JobKind,
    trigger: String,
    slot: Option<Timestamp>,
    local: Option<String>,
    note: Option<&'static str>,
}

/// Prints the next slots of each job in the batch's own time.
pub(super) fn schedule(global: &Global, command: &Schedule) -> anyhow::Result<Outcome> {
    let project = match open::project(global) {
        Ok(project) => project,
        Err(outcome) => return Ok(outcome),
    };
    let found = project.batches.iter().find(|batch| batch.name.as_str() == command.batch);
    let Some(batch) = found else {
        eprintln!("error: no batch `{}`", command.batch);
        return Ok(Outcome::Problems);
    };
    if !batch.enabled {
        eprintln!("batch `{}` is disabled: none of this happens until it is enabled", batch.name);
    }
    let now = clock::now();
    let mut rows = Vec::new();
    for (job, trigger) in &batch.schedule.triggers {
        let row = |slot, local, note| {
            let (job, trigger) = (*job, trigger.to_string());
            Row { job, trigger, slot, local, note }
        };
        let n_before = rows.len();
        let upcoming = preview::upcoming(trigger, batch.timezone, now).take(command.next);
        rows.extend(upcoming.map(|slot| {
            row(Some(slot.slot), Some(slot.local), slot.peculiarity.map(|note| note.as_str()))
        }));
        if rows.len() == n_before {
            rows.push(row(None, None, None));
        }
    }
    let local = format!("TIME IN {}", batch.timezone);
    listing::print(global, &rows, &["JOB", "TRIGGER", &local, "SLOT", "NOTE"], |row| {
        vec![
            row.job.to_string(),
            row.trigger.clone(),
            listing::or_dash(row.local.clone(), |local| local),
            listing::or_dash(row.slot, |slot| slot.to_string()),
            row.note.unwrap_or_default().to_owned(),
        ]
    })
}
