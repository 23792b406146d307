//! Which runs a stretch of the past would have had. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::follow::followers;
use crate::domain::{BatchSpec, JobKind, Span, Timestamp, Trigger, next_after};

/// A slot of the past with the jobs it calls for, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// When the jobs were due.
    pub slot: Timestamp,
    /// The slot before it that had an ingest, or would have had.
    pub before: Option<Timestamp>,
    /// Those that time starts, and those that follow them.
    pub jobs: Vec<JobKind>,
}

/// A stretch with more slots than can be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("replay at most {max} slots at once; choose a shorter stretch")]
pub struct TooMany {
    /// The limit.
    pub max: usize,
}

const MAX_SLOTS: usize = 100_000;
/// The shortest time there is.
const INSTANT: Span = Span::from_micros(1);

/// The slots in `from <= slot < to`, oldest first.
///
/// # Errors
/// [`TooMany`].
pub fn plan(batch: &BatchSpec, from: Timestamp, to: Timestamp) -> Result<Vec<Replay>, TooMany> {
    let mut due: BTreeMap<Timestamp, BTreeSet<JobKind>> = BTreeMap::new();
    let just_before = from - INSTANT;
    for (job, trigger) in &batch.schedule.triggers {
        let mut slot = next_after(trigger, batch.timezone, just_before);
        while let Some(at) = slot.filter(|at| *at < to) {
            add_with_followers(batch, *job, due.entry(at).or_default());
            if MAX_SLOTS < due.len() {
                return Err(TooMany { max: MAX_SLOTS });
            }
            slot = next_after(trigger, batch.timezone, at);
        }
    }
    let mut before = spacing_before(batch, from);
    let replays = due.into_iter().map(|(slot, jobs)| {
        let replay = Replay { slot, before, jobs: jobs.into_iter().collect() };
        if replay.jobs.contains(&JobKind::Ingest) {
            before = Some(slot);
        }
        replay
    });
    Ok(replays.collect())
}

fn add_with_followers(batch: &BatchSpec, job: JobKind, jobs: &mut BTreeSet<JobKind>) {
    if jobs.insert(job) {
        followers(batch, job).for_each(|next| add_with_followers(batch, next, jobs));
    }
}

/// Where the slot before the first one lies, taken from the distance of the first two.
fn spacing_before(batch: &BatchSpec, from: Timestamp) -> Option<Timestamp> {
    let trigger = batch.schedule.triggers.get(&JobKind::Ingest).unwrap_or(&Trigger::Never);
    let first = next_after(trigger, batch.timezone, from - INSTANT)?;
    let second = next_after(trigger, batch.timezone, first)?;
    Some(first - (second - first))
}
