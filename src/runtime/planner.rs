//! Makes the runs whose time has come. Which slots are due is decided by `schedule`; here they are
//! written down, once each, and what was missed is said.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use chrono_tz::Tz;

use super::schedule::{Slots, due_slots};
use crate::{
    catalog::{
        Catalog, CatalogError, Tx, inbox, pauses, runs,
        runs::{NewRun, RunCause},
    },
    domain::{BatchName, BatchSpec, JobKind, SourceKind, Span, Timestamp, Trigger, next_after},
};

/// Rows that are pushed without end are ingested so often.
const PUSH_SPACING: Span = Span::secs(10);

/// Follows the schedules of all batches.
#[derive(Debug)]
pub struct Planner {
    catalog: Catalog,
    plans: BTreeMap<(BatchName, JobKind), Plan>,
    /// Batches that are followed no more than disabled ones.
    paused: BTreeSet<BatchName>,
    /// What the plans were made from, and the last look at the clock.
    seen: Option<(Arc<[BatchSpec]>, Timestamp)>,
}

#[derive(Debug)]
struct Plan {
    trigger: Trigger,
    zone: Tz,
    /// The newest instant whose slots are settled.
    after: Timestamp,
    /// The next slot.
    next: Option<Timestamp>,
}

/// What one look at the clock led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    /// Runs made.
    pub n_runs: usize,
    /// Missed slots left out, by batch and job.
    pub skipped: Vec<(BatchName, JobKind, u32)>,
}

impl Planner {
    /// A planner that goes on from the runs the catalog knows.
    pub fn new(catalog: Catalog) -> Self {
        Self { catalog, plans: BTreeMap::new(), paused: BTreeSet::new(), seen: None }
    }

    /// Makes the runs that became due since the last look. Nothing is lost when it fails: the next
    /// look makes them.
    ///
    /// # Errors
    /// [`CatalogError::Query`].
    pub async fn tick(
        &mut self,
        batches: &Arc<[BatchSpec]>,
        now: Timestamp,
    ) -> Result<Planned, CatalogError> {
        let mut planned = Planned::default();
        let is_known = self.seen.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, batches));
        let was_put_back = self.seen.as_ref().is_some_and(|(_, last)| now < *last);
        if !is_known {
            self.release(batches, now).await?;
        }
        let paused = pauses::all(&mut *self.catalog.reader().await?).await?;
        let paused: BTreeSet<BatchName> = paused.into_keys().collect();
        let pauses_differ = paused != self.paused;
        self.paused = paused;
        if !is_known || was_put_back || pauses_differ {
            planned.n_runs += self.adopt(batches, now).await?;
        }
        self.seen = Some((Arc::clone(batches), now));
        planned.n_runs += self.ingest_pushed(batches, now).await?;
        let due: Vec<_> = batches
            .iter()
            .filter(|batch| self.follows(batch))
            .flat_map(|batch| batch.schedule.triggers.keys().map(move |job| (batch, *job)))
            .filter_map(|(batch, job)| {
                let plan = self.plans.get(&(batch.name.clone(), job))?;
                let slots = plan.due(batch, now)?;
                Some((batch, job, slots))
            })
            .collect();
        if due.is_empty() {
            return Ok(planned);
        }
        let mut tx = self.catalog.begin().await?;
        for (batch, job, slots) in &due {
            planned.n_runs += write(&mut tx, batch, *job, slots, now).await?;
        }
        tx.commit().await?;
        for (batch, job, slots) in due {
            if 0 < slots.n_skipped {
                planned.skipped.push((batch.name.clone(), job, slots.n_skipped));
            }
            if let Some(plan) = self.plans.get_mut(&(batch.name.clone(), job)) {
                plan.settle(now);
            }
        }
        Ok(planned)
    }

    fn follows(&self, batch: &BatchSpec) -> bool {
        batch.enabled && !self.paused.contains(&batch.name)
    }

    /// Makes an ingest for each batch whose inbox has rows, beside its schedule.
    async fn ingest_pushed(
        &self,
        batches: &[BatchSpec],
        now: Timestamp,
    ) -> Result<usize, CatalogError> {
        let is_followed = |batch: &&BatchSpec| {
            let is_off = batch.schedule.triggers.get(&JobKind::Ingest) == Some(&Trigger::Never);
            matches!(batch.source.kind, SourceKind::Push(_)) && self.follows(batch) && !is_off
        };
        let followed: Vec<&BatchSpec> = batches.iter().filter(is_followed).collect();
        if followed.is_empty() {
            return Ok(0);
        }
        let due = inbox::due(&mut *self.catalog.reader().await?, now, PUSH_SPACING).await?;
        let mut n_runs = 0;
        for batch in followed.into_iter().filter(|batch| due.contains(&batch.name)) {
            let new = new_run(batch, JobKind::Ingest, now.floor(Span::secs(1)), RunCause::Schedule);
            let mut tx = self.catalog.begin().await?;
            n_runs += usize::from(runs::materialise(&mut tx, &new, now).await?.is_some());
            tx.commit().await?;
        }
        Ok(n_runs)
    }

    /// The earliest slot ahead.
    #[cfg(test)]
    pub(super) fn next_slot(&self) -> Option<Timestamp> {
        self.plans.values().filter_map(|plan| plan.next).min()
    }

    /// Lets go of what waits for batches that are gone.
    async fn release(&self, batches: &[BatchSpec], now: Timestamp) -> Result<(), CatalogError> {
        let configured: Vec<&BatchName> = batches.iter().map(|batch| &batch.name).collect();
        let mut tx = self.catalog.begin().await?;
        let n_runs = runs::release_unconfigured(&mut tx, &configured, now).await?;
        tx.commit().await?;
        if 0 < n_runs {
            tracing::warn!(
                "{n_runs} runs are let go of: their batches are not configured any more"
            );
        }
        Ok(())
    }

    /// Starts to follow triggers that are new or changed, forgets those that are gone, and lets a
    /// batch that never ran begin at once. Gives how many runs that made.
    async fn adopt(
        &mut self,
        batches: &[BatchSpec],
        now: Timestamp,
    ) -> Result<usize, CatalogError> {
        let wanted = |(name, job): &(BatchName, JobKind)| {
            let batch = batches.iter().find(|batch| batch.name == *name && self.follows(batch));
            batch.is_some_and(|batch| batch.schedule.triggers.contains_key(job))
        };
        let gone: Vec<_> = self.plans.keys().filter(|key| !wanted(key)).cloned().collect();
        gone.iter().for_each(|key| drop(self.plans.remove(key)));
        let mut n_runs = 0;
        for batch in batches {
            if !self.follows(batch) {
                continue;
            }
            for (job, trigger) in &batch.schedule.triggers {
                let key = (batch.name.clone(), *job);
                let known = self.plans.get(&key);
                if known.is_some_and(|plan| plan.follows(batch, trigger, now)) {
                    continue;
                }
                let is_new = known.is_none();
                let after = self.last_settled(batch, *job, now).await?;
                let plan = Plan::new(trigger.clone(), batch.timezone, after);
                if *job == JobKind::Ingest && is_new {
                    n_runs += self.begin_at_once(batch, now).await?;
                }
                self.plans.insert(key, plan);
            }
        }
        Ok(n_runs)
    }

    /// At start-up the schedule goes on after the last slot the catalog knows; what is new or
    /// changed later, or was disabled, goes on from now.
    async fn last_settled(
        &self,
        batch: &BatchSpec,
        job: JobKind,
        now: Timestamp,
    ) -> Result<Timestamp, CatalogError> {
        if self.seen.is_some() {
            return Ok(now);
        }
        let mut conn = self.catalog.reader().await?;
        let latest = runs::latest_slot(&mut conn, &batch.name, job).await?;
        // A slot ahead of a clock that was put back must not silence the schedule until then.
        Ok(latest.map_or(now, |slot| slot.min(now)))
    }

    async fn begin_at_once(
        &self,
        batch: &BatchSpec,
        now: Timestamp,
    ) -> Result<usize, CatalogError> {
        if batch.schedule.triggers.get(&JobKind::Ingest) == Some(&Trigger::Never) {
            return Ok(0);
        }
        let mut conn = self.catalog.reader().await?;
        if runs::has_any(&mut conn, &batch.name, None, Timestamp::MIN).await? {
            return Ok(0);
        }
        let slot = now.floor(Span::secs(1));
        let new = new_run(batch, JobKind::Ingest, slot, RunCause::First);
        let mut tx = self.catalog.begin().await?;
        let made = runs::materialise(&mut tx, &new, now).await?;
        tx.commit().await?;
        Ok(usize::from(made.is_some()))
    }
}

impl Plan {
    fn new(trigger: Trigger, zone: Tz, after: Timestamp) -> Self {
        let next = next_after(&trigger, zone, after);
        Self { trigger, zone, after, next }
    }

    /// Whether it is still the plan for a trigger; not when the clock was put back behind it.
    fn follows(&self, batch: &BatchSpec, trigger: &Trigger, now: Timestamp) -> bool {
        self.trigger == *trigger && self.zone == batch.timezone && self.after <= now
    }

    fn due(&self, batch: &BatchSpec, now: Timestamp) -> Option<Slots> {
        self.next.filter(|next| *next <= now)?;
        Some(due_slots(&self.trigger, self.zone, self.after, now, batch.schedule.missed))
    }

    fn settle(&mut self, now: Timestamp) {
        self.after = now;
        self.next = next_after(&self.trigger, self.zone, now);
    }
}

async fn write(
    tx: &mut Tx,
    batch: &BatchSpec,
    job: JobKind,
    slots: &Slots,
    now: Timestamp,
) -> Result<usize, CatalogError> {
    let n_skipped = slots.n_skipped;
    if 0 < n_skipped {
        tracing::warn!(
            batch = %batch.name, %job,
            "{n_skipped} slots of {job} for batch `{}` were missed and are left out", batch.name
        );
    }
    if let Some(slot) = slots.run {
        let new = new_run(batch, job, slot, RunCause::Schedule);
        runs::supersede(tx, &new, now).await?;
        return Ok(usize::from(runs::materialise(tx, &new, now).await?.is_some()));
    }
    if let Some(slot) = slots.newest_skipped {
        let new = new_run(batch, job, slot, RunCause::Schedule);
        let reason = format!("{n_skipped} slots were missed; the newest stands for them");
        runs::skip(tx, &new, &reason, now).await?;
    }
    Ok(0)
}

fn new_run(batch: &BatchSpec, job: JobKind, slot: Timestamp, cause: RunCause) -> NewRun {
    NewRun {
        batch: batch.name.clone(),
        job,
        slot,
        cause,
        due: slot + delay(batch, job, slot),
        config_hash: batch.config_hash.clone(),
    }
}

/// Spreads runs over the batch's jitter: by chance, and the same for the same slot.
fn delay(batch: &BatchSpec, job: JobKind, slot: Timestamp) -> Span {
    let jitter = u64::try_from(batch.schedule.jitter.micros()).unwrap_or(0);
    if jitter == 0 {
        return Span::ZERO;
    }
    let mut hasher = DefaultHasher::new();
    (batch.name.as_str(), job.as_str(), slot.micros()).hash(&mut hasher);
    Span::from_micros(i64::try_from(hasher.finish() % jitter).unwrap_or(0))
}
