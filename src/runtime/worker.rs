//! Works on due runs, so many at once: claims them, runs them under a deadline, ends them in the
//! catalog. One task owns all of this; others reach it by [`Signal`].

use std::{collections::HashMap, sync::Arc};

use tokio::{
    sync::{mpsc, watch},
    task::{self, AbortHandle, JoinError, JoinSet},
    time,
};
use tokio_util::sync::CancellationToken;

use super::{
    clock::Clock,
    follow, lines,
    options::{Event, Observer, Options, RunClaim},
    retry::{FailureKind, JobFailure, retry_at},
    room::room_left,
};
use crate::{
    catalog::{
        Catalog, CatalogError,
        run_log::LogLevel,
        runs,
        runs::{Claim, Failure, Lease, Room},
    },
    domain::{BatchSpec, RunReport, RunState, Timestamp},
};

/// What others ask of the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Look for due runs.
    Wake,
    /// Prolong the leases of what is running.
    Renew,
}

/// Everything the workers need.
#[derive(Clone)]
pub struct Workers {
    /// Where runs are.
    pub catalog: Catalog,
    /// The batches as configured now.
    pub batches: watch::Receiver<Arc<[BatchSpec]>>,
    /// Tells the time.
    pub clock: Clock,
    /// Does the work.
    pub run_claim: RunClaim,
    /// Is told what happens.
    pub observe: Observer,
    /// How.
    pub options: Options,
}

#[derive(Default)]
struct Running {
    tasks: JoinSet<Result<RunReport, JobFailure>>,
    claims: HashMap<task::Id, Begun>,
}

/// An attempt under way.
struct Begun {
    claim: Claim,
    at: Timestamp,
    task: AbortHandle,
}

type Joined = Result<(task::Id, Result<RunReport, JobFailure>), JoinError>;

impl Workers {
    /// Works until told to stop; then lets running work go on for the grace, and hands back what is
    /// not done by then.
    pub async fn work(self, mut signals: mpsc::Receiver<Signal>, stop: CancellationToken) {
        let mut running = Running::default();
        while !stop.is_cancelled() {
            self.fill(&mut running).await;
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Some(joined) = running.tasks.join_next_with_id() => {
                    self.settle(&mut running, joined).await;
                }
                signal = signals.recv() => match signal {
                    Some(Signal::Renew) => self.renew(&running).await,
                    Some(Signal::Wake) => {}
                    None => break,
                }
            }
        }
        self.drain(running).await;
    }

    /// Claims until there is no room for what is due.
    async fn fill(&self, running: &mut Running) {
        loop {
            let claims = running.claims.values().map(|begun| &begun.claim);
            let room = room_left(claims, &self.batches.borrow(), &self.options);
            if room.jobs.is_empty() {
                return;
            }
            let now = (self.clock)();
            match self.claim(now, &room).await {
                Ok(Some(claim)) => self.start(running, claim, now),
                Ok(None) => return,
                Err(error) => {
                    tracing::error!("could not claim a run: {}", chain(&error));
                    return;
                }
            }
        }
    }

    async fn claim(&self, now: Timestamp, room: &Room) -> Result<Option<Claim>, CatalogError> {
        let next_due = runs::next_due(&mut *self.catalog.reader().await?).await?;
        if next_due.is_none_or(|due| now < due) {
            return Ok(None);
        }
        let mut tx = self.catalog.begin().await?;
        let lease = Lease { worker: &self.options.name, length: self.options.lease };
        let claim = runs::claim(&mut tx, now, lease, room).await?;
        if let Some(claim) = &claim {
            lines::add(&mut tx, claim.run, now, lines::begun(claim, &self.options.name)).await?;
            tx.commit().await?;
        }
        Ok(claim)
    }

    fn start(&self, running: &mut Running, claim: Claim, now: Timestamp) {
        (self.observe)(Event::Started { claim: &claim, late: now - claim.slot });
        let (run_claim, own) = (Arc::clone(&self.run_claim), claim.clone());
        let deadline = self.options.deadline;
        let task = running.tasks.spawn(async move {
            let expired = |_| JobFailure {
                error_chain: format!("stopped after {} seconds", deadline.as_secs()),
                kind: FailureKind::Transient,
                not_before: None,
            };
            time::timeout(deadline, run_claim(own)).await.map_err(expired)?
        });
        running.claims.insert(task.id(), Begun { claim, at: now, task });
    }

    /// Writes down how an attempt ended. When that fails the run keeps its lease until it lapses,
    /// and is then worked on again.
    async fn settle(&self, running: &mut Running, joined: Joined) {
        let (id, outcome) = match joined {
            Ok((id, outcome)) => (id, Some(outcome)),
            Err(error) if error.is_cancelled() => (error.id(), None),
            Err(error) => (error.id(), Some(Err(panicked(error)))),
        };
        let Some(Begun { claim, at: started, .. }) = running.claims.remove(&id) else { return };
        let ended = match outcome {
            Some(Ok(report)) => self.succeed(&claim, &report).await,
            Some(Err(failure)) => self.fail(&claim, &failure).await,
            None => self.hand_back(&claim).await,
        };
        match ended {
            Ok(state) => {
                let took = (self.clock)() - started;
                (self.observe)(Event::Ended { claim: &claim, state, took });
            }
            Err(CatalogError::Fenced { run }) => {
                tracing::warn!(%run, "run {run} was cancelled or taken over; its result is dropped");
                (self.observe)(Event::Fenced { claim: &claim });
            }
            Err(error) => {
                tracing::error!(run = %claim.run, "could not end run: {}", chain(&error));
            }
        }
    }

    async fn succeed(&self, claim: &Claim, report: &RunReport) -> Result<RunState, CatalogError> {
        let now = (self.clock)();
        let batches = Arc::clone(&self.batches.borrow());
        let mut tx = self.catalog.begin().await?;
        runs::succeed(&mut tx, claim, report, now).await?;
        lines::add(&mut tx, claim.run, now, lines::of_report(report)).await?;
        if let Some(batch) = batches.iter().find(|batch| batch.name == claim.batch) {
            follow::materialise(&mut tx, batch, claim, now).await?;
        }
        tx.commit().await?;
        tracing::info!(
            batch = %claim.batch, job = %claim.job, run = %claim.run,
            "{} of batch `{}`: {}", claim.job, claim.batch, report.summary()
        );
        Ok(RunState::Succeeded)
    }

    async fn fail(&self, claim: &Claim, failure: &JobFailure) -> Result<RunState, CatalogError> {
        if failure.kind == FailureKind::Fenced {
            return Err(CatalogError::Fenced { run: claim.run });
        }
        let now = (self.clock)();
        let max_attempts = self.options.max_attempts;
        let retry_at = retry_at(failure, claim.attempt, max_attempts, chance(), now);
        let failure = Failure { error_chain: failure.error_chain.clone(), retry_at };
        let mut tx = self.catalog.begin().await?;
        runs::fail(&mut tx, claim, &failure, now).await?;
        let told = lines::failed(&failure.error_chain, retry_at);
        lines::add(&mut tx, claim.run, now, told).await?;
        tx.commit().await?;
        let next = retry_at.map_or("given up".into(), |at| format!("again at {at}"));
        tracing::warn!(
            batch = %claim.batch, job = %claim.job, run = %claim.run,
            "{} of batch `{}` failed ({next}): {}", claim.job, claim.batch, failure.error_chain
        );
        Ok(if retry_at.is_some() { RunState::RetryWait } else { RunState::Dead })
    }

    async fn hand_back(&self, claim: &Claim) -> Result<RunState, CatalogError> {
        let now = (self.clock)();
        let mut tx = self.catalog.begin().await?;
        runs::hand_back(&mut tx, claim, now).await?;
        let told = vec![(LogLevel::Info, "handed back unfinished; it begins again".to_owned())];
        lines::add(&mut tx, claim.run, now, told).await?;
        tx.commit().await?;
        tracing::info!(run = %claim.run, "run {} is handed back unfinished", claim.run);
        Ok(RunState::RetryWait)
    }

    /// Prolongs the leases of running work, then takes back what other processes let lapse.
    async fn renew(&self, running: &Running) {
        if let Err(error) = self.prolong(running).await {
            tracing::error!("could not renew leases: {}", chain(&error));
        }
    }

    async fn prolong(&self, running: &Running) -> Result<(), CatalogError> {
        let now = (self.clock)();
        let mut tx = self.catalog.begin().await?;
        for Begun { claim, task, .. } in running.claims.values() {
            match runs::renew(&mut tx, claim, now + self.options.lease).await {
                Ok(()) => {}
                // Somebody cancelled it; it could not commit anything more in any case.
                Err(CatalogError::Fenced { .. }) => task.abort(),
                Err(error) => return Err(error),
            }
        }
        let lapsed = runs::void_lapsed(&mut tx, now).await?;
        tx.commit().await?;
        if 0 < lapsed.requeued + lapsed.dead {
            tracing::warn!("{} runs lost their worker and begin again", lapsed.requeued);
        }
        Ok(())
    }

    async fn drain(&self, mut running: Running) {
        let ends = time::Instant::now() + self.options.grace;
        while let Ok(Some(joined)) = time::timeout_at(ends, running.tasks.join_next_with_id()).await
        {
            self.settle(&mut running, joined).await;
        }
        running.tasks.abort_all();
        while let Some(joined) = running.tasks.join_next_with_id().await {
            self.settle(&mut running, joined).await;
        }
    }
}

fn panicked(error: JoinError) -> JobFailure {
    let text = match error.try_into_panic() {
        Ok(panic) => match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or("no message").to_owned(),
        },
        Err(error) => error.to_string(),
    };
    let error_chain = format!("the job panicked: {text}");
    JobFailure { error_chain, kind: FailureKind::Panic, not_before: None }
}

/// In [0, 1); the middle when the system gives no randomness, which only makes retries less spread.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |bits| f64::from(bits) / (f64::from(u32::MAX) + 1.0))
}

/// An error with all its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
