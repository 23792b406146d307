//! The daemon: timed work, workers, and an orderly end. Everything it does can end at any moment;
//! what is lost is only time, because the catalog knows what was to be done.

use std::{sync::Arc, time::Duration};

use futures::FutureExt as _;
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
    time,
};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use super::{
    clock::Clock,
    options::{Chore, Event, Observer, OnBeats, Options, RunClaim},
    planner::Planner,
    worker::{Signal, Workers, chain},
};
use crate::{
    catalog::Catalog,
    domain::{BatchSpec, Span},
};

const TICK: Duration = Duration::from_secs(1);
/// A third of a lease, so that two renewals may fail.
const HEARTBEAT: Duration = Duration::from_secs(10);
const RELOAD: Duration = Duration::from_secs(5);
const MINUTELY: Duration = Duration::from_secs(60);
const HOURLY: Duration = Duration::from_secs(3_600);
/// A clock that differs from elapsed time by more was set, or the machine slept.
const JUMP: Span = Span::secs(5);
/// After the grace, for handing back what is still running.
const HAND_BACK: Duration = Duration::from_millis(1_500);

/// Everything the daemon needs.
pub struct Daemon {
    /// Where runs are.
    pub catalog: Catalog,
    /// The batches as configured now; a new value takes effect at the next tick.
    pub batches: watch::Receiver<Arc<[BatchSpec]>>,
    /// Tells the time.
    pub clock: Clock,
    /// Does the work of a run.
    pub run_claim: RunClaim,
    /// Empties the outbox as far as it is due; called every second and whenever a run has ended, and
    /// never twice at once.
    pub deliver: Chore,
    /// Asks a language model about alerts that wait for its words; called every second and whenever a
    /// run has ended, and never twice at once.
    pub read: Chore,
    /// Compacts history and sweeps what is doomed; called at the start, then every
    /// hour, and never twice at once.
    pub maintain: Chore,
    /// Looks after the program itself; called at the start, then every minute, and never twice at once.
    pub watch: Chore,
    /// Looks for changed configuration; gets a beat every five seconds.
    pub reload: OnBeats,
    /// Is told what happens.
    pub observe: Observer,
    /// How.
    pub options: Options,
}

/// A daemon that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The timed work cannot be set up.
    #[error("start the timed work")]
    Timer(#[source] JobSchedulerError),
    /// A part of the daemon ended although nobody asked it to.
    #[error("keep the {part} running: it ended")]
    PartEnded {
        /// Which.
        part: &'static str,
    },
    /// A part of the daemon has a defect.
    #[error("keep every part of the daemon running")]
    Panicked(#[source] JoinError),
}

/// Where beats of the timer go. A beat that finds the last one still waiting is dropped.
#[derive(Clone)]
struct Beats {
    tick: mpsc::Sender<()>,
    deliver: mpsc::Sender<()>,
    read: mpsc::Sender<()>,
    maintain: mpsc::Sender<()>,
    watch: mpsc::Sender<()>,
    reload: mpsc::Sender<()>,
    workers: mpsc::Sender<Signal>,
}

impl Daemon {
    /// Runs until told to stop, then ends within the grace and two seconds more: nothing new is
    /// begun, what runs may finish, the rest is handed back. The catalog stays open.
    ///
    /// # Errors
    /// [`DaemonError`]; then everything has been stopped as well.
    pub async fn run(self, stop: CancellationToken) -> Result<(), DaemonError> {
        let (tick, ticks) = mpsc::channel(1);
        let (deliver, deliveries) = mpsc::channel(1);
        let (read, readings) = mpsc::channel(1);
        let (maintain, maintenances) = mpsc::channel(1);
        let (watch, watches) = mpsc::channel(1);
        let (reload, reloads) = mpsc::channel(1);
        let (workers, signals) = mpsc::channel(16);
        let beats = Beats { tick, deliver, read, maintain, watch, reload, workers };
        // A daemon that never lives for an hour tidies up too.
        beat(&beats.maintain, ());
        beat(&beats.watch, ());
        let ends = self.options.grace + HAND_BACK;
        let mut parts = JoinSet::new();
        let own = stop.child_token();
        let (catalog, batches) = (self.catalog.clone(), self.batches.clone());
        let clock = self.clock;
        let chores = [beats.deliver.clone(), beats.read.clone()];
        let observe = also_tell(Arc::clone(&self.observe), chores);
        let planning = Planning {
            planner: Planner::new(catalog.clone()),
            batches: batches.clone(),
            clock,
            observe: Arc::clone(&observe),
            workers: beats.workers.clone(),
        };
        let staff = Workers {
            catalog,
            batches,
            clock,
            run_claim: self.run_claim,
            observe: Arc::clone(&observe),
            options: self.options,
        };
        let timing = keep_time(beats, clock, observe, own.clone());
        parts.spawn(part("timer", timing));
        parts.spawn(part("schedule", planning.plan(ticks, own.clone()).map(Ok)));
        parts.spawn(part("workers", staff.work(signals, own.clone()).map(Ok)));
        let delivering = on_beats(deliveries, own.clone(), self.deliver);
        parts.spawn(part("deliveries", delivering.map(Ok)));
        parts.spawn(part("readings", on_beats(readings, own.clone(), self.read).map(Ok)));
        let maintaining = on_beats(maintenances, own.clone(), self.maintain);
        parts.spawn(part("maintenance", maintaining.map(Ok)));
        let watching = on_beats(watches, own.clone(), self.watch);
        parts.spawn(part("watch", watching.map(Ok)));
        let reloading = (self.reload)(reloads);
        let reloading = own.clone().run_until_cancelled_owned(reloading).map(drop);
        parts.spawn(part("reload", reloading.map(Ok)));
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            ended = parts.join_next() => ended_early(ended),
        };
        own.cancel();
        let all_ended = async { while parts.join_next().await.is_some() {} };
        if time::timeout(ends, all_ended).await.is_err() {
            tracing::warn!("some work did not end in time and is cut off");
            parts.shutdown().await;
        }
        ended
    }
}

/// A run that has ended may have left messages in the outbox: they need not wait for the timer.
fn also_tell(observe: Observer, chores: [mpsc::Sender<()>; 2]) -> Observer {
    Arc::new(move |event| {
        if matches!(event, Event::Ended { .. }) {
            chores.iter().for_each(|chore| beat(chore, ()));
        }
        observe(event);
    })
}

type Ended = (&'static str, Result<(), JobSchedulerError>);

async fn part(
    name: &'static str,
    work: impl Future<Output = Result<(), JobSchedulerError>>,
) -> Ended {
    (name, work.await)
}

fn ended_early(ended: Option<Result<Ended, JoinError>>) -> Result<(), DaemonError> {
    match ended {
        Some(Ok((_, Err(error)))) => Err(DaemonError::Timer(error)),
        Some(Ok((part, Ok(())))) => Err(DaemonError::PartEnded { part }),
        Some(Err(error)) => Err(DaemonError::Panicked(error)),
        None => Err(DaemonError::PartEnded { part: "daemon" }),
    }
}

struct Planning {
    planner: Planner,
    batches: watch::Receiver<Arc<[BatchSpec]>>,
    clock: Clock,
    observe: Observer,
    workers: mpsc::Sender<Signal>,
}

impl Planning {
    async fn plan(mut self, mut ticks: mpsc::Receiver<()>, stop: CancellationToken) {
        loop {
            self.tick().await;
            tokio::select! {
                () = stop.cancelled() => return,
                Some(()) = ticks.recv() => {}
                Ok(()) = self.batches.changed() => {}
                else => return,
            }
        }
    }

    async fn tick(&mut self) {
        let batches = Arc::clone(&self.batches.borrow_and_update());
        match self.planner.tick(&batches, (self.clock)()).await {
            Ok(planned) => {
                for (batch, job, n) in &planned.skipped {
                    (self.observe)(Event::SlotsSkipped { batch, job: *job, n: *n });
                }
                // Also without new runs: retries become due by time alone.
                beat(&self.workers, Signal::Wake);
            }
            Err(error) => tracing::error!("could not plan runs: {}", chain(&error)),
        }
    }
}

async fn on_beats(mut beats: mpsc::Receiver<()>, stop: CancellationToken, chore: Chore) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            beat = beats.recv() => match beat {
                Some(()) => chore().await,
                None => return,
            },
        }
    }
}

/// Keeps the timer going. It follows the machine's clock, so it is set up anew when that jumps:
/// otherwise it would be silent for as long as the clock was put back.
async fn keep_time(
    beats: Beats,
    clock: Clock,
    observe: Observer,
    stop: CancellationToken,
) -> Result<(), JobSchedulerError> {
    while !stop.is_cancelled() {
        let mut timer = start_timer(&beats).await?;
        tokio::select! {
            () = stop.cancelled() => {}
            by = until_jump(clock) => {
                tracing::warn!("the clock jumped by {by}; the timer is set up anew");
                (observe)(Event::ClockJumped { by });
            }
        }
        timer.shutdown().await?;
    }
    Ok(())
}

async fn start_timer(beats: &Beats) -> Result<JobScheduler, JobSchedulerError> {
    let timer = JobScheduler::new().await?;
    let Beats { tick, deliver, read, maintain, watch, reload, workers } = beats.clone();
    timer.add(every(TICK, move || beat(&tick, ()))?).await?;
    timer.add(every(TICK, move || beat(&deliver, ()))?).await?;
    timer.add(every(TICK, move || beat(&read, ()))?).await?;
    timer.add(every(HEARTBEAT, move || beat(&workers, Signal::Renew))?).await?;
    timer.add(every(RELOAD, move || beat(&reload, ()))?).await?;
    timer.add(every(MINUTELY, move || beat(&watch, ()))?).await?;
    timer.add(every(HOURLY, move || beat(&maintain, ()))?).await?;
    timer.start().await?;
    Ok(timer)
}

fn every(
    spacing: Duration,
    send: impl Fn() + Send + Sync + 'static,
) -> Result<Job, JobSchedulerError> {
    Job::new_repeated(spacing, move |_, _| send())
}

fn beat<T>(to: &mpsc::Sender<T>, signal: T) {
    // Full: the last beat still waits, and one is enough. Closed: the daemon is ending.
    drop(to.try_send(signal));
}

/// Waits until the clock has gone another way than time does; gives how far.
async fn until_jump(clock: Clock) -> Span {
    let (mut last, mut last_instant) = (clock(), time::Instant::now());
    loop {
        time::sleep(TICK).await;
        let (now, instant) = (clock(), time::Instant::now());
        let by = jump(now - last, instant - last_instant);
        if let Some(by) = by {
            return by;
        }
        (last, last_instant) = (now, instant);
    }
}

fn jump(by_clock: Span, elapsed: Duration) -> Option<Span> {
    let elapsed = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
    let by = by_clock.micros().saturating_sub(elapsed);
    (JUMP.micros() < by.saturating_abs()).then_some(Span::from_micros(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_told_from_one_that_was_read_late() {
        let check = |clock_secs, elapsed_secs, expected: Option<i64>| {
            let found = jump(Span::secs(clock_secs), Duration::from_secs(elapsed_secs));
            assert_eq!(found, expected.map(Span::secs));
        };
        check(1, 1, None);
        check(60, 60, None);
        check(5, 0, None);
        check(7_201, 1, Some(7_200));
        check(-3_599, 1, Some(-3_600));
    }
}
