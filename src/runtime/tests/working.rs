//! What becomes of runs.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::FutureExt as _;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    catalog::{
        run_log,
        runs::{Claim, NewRun, RunCause},
    },
    domain::{RunReport, RunState, TrainReport},
};

pub(super) type Outcome = Result<RunReport, JobFailure>;

/// Workers on a catalog, with everything they tell.
pub(super) struct Staff {
    pub(super) catalog: Catalog,
    _folder: tempfile::TempDir,
    _batches: watch::Sender<Arc<[BatchSpec]>>,
    signals: mpsc::Sender<Signal>,
    ended: mpsc::UnboundedReceiver<(Claim, RunState)>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

pub(super) async fn staff(
    batches: Vec<BatchSpec>,
    options: Options,
    run_claim: impl Fn(Claim) -> BoxFuture<Outcome> + Send + Sync + 'static,
) -> Staff {
    turn_clock(0);
    let Fixture { catalog, _folder } = fixture().await;
    let (tell, ended) = mpsc::unbounded_channel();
    let (keep, batches) = watching(batches);
    let workers = Workers {
        catalog: catalog.clone(),
        batches,
        clock,
        run_claim: Arc::new(run_claim),
        observe: Arc::new(move |event| {
            if let Event::Ended { claim, state, .. } = event {
                tell.send((claim.clone(), state)).unwrap();
            }
        }),
        options,
    };
    let (signals, inbox) = mpsc::channel(16);
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(workers.work(inbox, stop.clone()));
    Staff { catalog, _folder, _batches: keep, signals, ended, stop, tasks }
}

impl Staff {
    pub(super) async fn order(&self, name: &str, job: JobKind) {
        let mut tx = self.catalog.begin().await.unwrap();
        let new = NewRun {
            batch: BatchName::parse(name).unwrap(),
            job,
            slot: at(0),
            cause: RunCause::Schedule,
            due: at(0),
            config_hash: "c0ffee".into(),
        };
        runs::materialise(&mut tx, &new, at(0)).await.unwrap();
        tx.commit().await.unwrap();
        self.signals.send(Signal::Wake).await.unwrap();
    }

    pub(super) async fn next(&mut self) -> (Claim, RunState) {
        self.ended.recv().await.unwrap()
    }

    pub(super) async fn end(mut self) -> Vec<RunRow> {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        all_runs(&self.catalog).await
    }
}

pub(super) fn done() -> BoxFuture<Outcome> {
    async { Ok(RunReport::Train(TrainReport::default())) }.boxed()
}

fn failing(kind: FailureKind) -> BoxFuture<Outcome> {
    let error_chain = "read the source: refused".into();
    async move { Err(JobFailure { error_chain, kind, not_before: None }) }.boxed()
}

pub(super) fn grace(millis: u64) -> Options {
    Options { n_workers: 4, grace: Duration::from_millis(millis), ..Options::default() }
}

#[tokio::test]
async fn a_new_batch_trains_before_its_first_scores_and_not_after_every_ingest() {
    let triggers = [
        (JobKind::Ingest, cron("*/10 * * * *")),
        (JobKind::Train, cron("0 3 * * *")),
        (JobKind::Score, Trigger::After(JobKind::Ingest)),
        (JobKind::Alert, Trigger::After(JobKind::Score)),
    ];
    let mut staff = staff(vec![batch("shop", &triggers)], grace(1_000), |_| done()).await;
    staff.order("shop", JobKind::Ingest).await;
    for job in [JobKind::Ingest, JobKind::Train, JobKind::Score, JobKind::Alert] {
        let (claim, state) = staff.next().await;
        assert_eq!((claim.job, claim.slot, state), (job, at(0), RunState::Succeeded));
    }
    let mut tx = staff.catalog.begin().await.unwrap();
    let claim = Claim { slot: at(600), ..claim_like(JobKind::Ingest) };
    follow::materialise(&mut tx, &batch("shop", &triggers), &claim, at(601)).await.unwrap();
    tx.commit().await.unwrap();
    let rows = staff.end().await;
    assert_eq!(rows.last().map(|row| (row.job, row.slot)), Some((JobKind::Score, at(600))));
    assert_eq!(rows.len(), 5);
}

fn claim_like(job: JobKind) -> Claim {
    Claim {
        run: crate::domain::RunId(0),
        batch: BatchName::parse("shop").unwrap(),
        job,
        slot: at(0),
        cause: RunCause::Schedule,
        attempt: 1,
        epoch: 1,
        config_hash: String::new(),
    }
}

#[tokio::test]
async fn a_failed_run_is_tried_again_and_succeeds() {
    let tries = AtomicUsize::new(0);
    let mut staff = staff(Vec::new(), grace(1_000), move |_| {
        if tries.fetch_add(1, Ordering::SeqCst) < 2 {
            failing(FailureKind::Transient)
        } else {
            done()
        }
    })
    .await;
    staff.order("shop", JobKind::Ingest).await;
    for (secs, expected) in
        [(10, RunState::RetryWait), (20, RunState::RetryWait), (30, RunState::Succeeded)]
    {
        assert_eq!(staff.next().await.1, expected);
        turn_clock(secs);
        staff.signals.send(Signal::Wake).await.unwrap();
    }
    assert_eq!(staff.end().await[0].attempt, 3);
}

#[tokio::test]
async fn what_no_retry_mends_and_what_panics_twice_is_given_up() {
    let mut staff = staff(Vec::new(), grace(1_000), |claim| {
        assert!(claim.batch.as_str() != "defect", "index out of range");
        if claim.batch.as_str() == "async" {
            return async { panic!("later") }.boxed();
        }
        failing(FailureKind::Permanent)
    })
    .await;
    staff.order("shop", JobKind::Ingest).await;
    assert_eq!(staff.next().await.1, RunState::Dead);
    for name in ["async", "defect"] {
        staff.order(name, JobKind::Ingest).await;
        assert_eq!(staff.next().await.1, RunState::RetryWait);
        turn_clock(10);
        staff.signals.send(Signal::Wake).await.unwrap();
        assert_eq!(staff.next().await.1, RunState::Dead);
        turn_clock(0);
    }
    let rows = staff.end().await;
    assert_eq!(rows[0].error.as_deref(), Some("read the source: refused"));
    assert_eq!(rows[1].error.as_deref(), Some("the job panicked: later"));
    assert_eq!(rows[2].error.as_deref(), Some("the job panicked: index out of range"));
}

#[tokio::test]
async fn a_run_that_hangs_is_stopped_at_its_deadline() {
    let options = Options { deadline: Duration::from_millis(5), ..grace(1_000) };
    let mut staff = staff(Vec::new(), options, |_| std::future::pending().boxed()).await;
    staff.order("shop", JobKind::Ingest).await;
    assert_eq!(staff.next().await.1, RunState::RetryWait);
    assert_eq!(staff.end().await[0].error.as_deref(), Some("stopped after 0 seconds"));
}

#[tokio::test]
async fn runs_of_one_batch_never_overlap_and_others_go_on_beside() {
    let busy: Arc<[AtomicUsize; 3]> = Arc::default();
    let together = Arc::new(tokio::sync::Barrier::new(3));
    let mut staff = staff(Vec::new(), grace(1_000), move |claim| {
        let (busy, together) = (Arc::clone(&busy), Arc::clone(&together));
        async move {
            let n: usize = claim.batch.as_str().parse().unwrap();
            assert_eq!(busy[n].fetch_add(1, Ordering::SeqCst), 0, "two runs of one batch");
            // Goes on only when all three batches are being worked on.
            together.wait().await;
            busy[n].fetch_sub(1, Ordering::SeqCst);
            done().await
        }
        .boxed()
    })
    .await;
    for name in ["0", "1", "2"] {
        for job in JobKind::ALL {
            staff.order(name, *job).await;
        }
    }
    for _ in 0..12 {
        assert_eq!(staff.next().await.1, RunState::Succeeded);
    }
    staff.end().await;
}

#[tokio::test]
async fn told_to_stop_running_work_may_finish_and_the_rest_is_handed_back_uncounted() {
    let stop: Arc<std::sync::OnceLock<CancellationToken>> = Arc::default();
    let token = Arc::clone(&stop);
    let (began, mut begun) = mpsc::unbounded_channel();
    let staff = staff(Vec::new(), grace(200), move |claim| {
        began.send(()).unwrap();
        let token = Arc::clone(&token);
        async move {
            match claim.batch.as_str() {
                "quick" => {
                    token.get().unwrap().cancelled().await;
                    done().await
                }
                _ => std::future::pending().await,
            }
        }
        .boxed()
    })
    .await;
    stop.set(staff.stop.clone()).unwrap();
    for name in ["quick", "endless"] {
        staff.order(name, JobKind::Ingest).await;
        begun.recv().await.unwrap();
    }
    let catalog = staff.catalog.clone();
    staff.stop.cancel();
    let rows = staff.end().await;
    assert_eq!((rows[0].state, rows[0].attempt), (RunState::Succeeded, 1));
    assert_eq!((rows[1].state, rows[1].attempt, rows[1].crash_count), (RunState::RetryWait, 0, 0));
    assert_eq!(rows[1].due, at(0));
    catalog.close().await.unwrap();
}

#[tokio::test]
async fn the_daemon_runs_what_is_due_delivers_without_runs_tidies_up_and_ends_when_told() {
    let Fixture { catalog, _folder } = fixture().await;
    let (keep, batches) = watching(vec![batch("shop", &[(JobKind::Ingest, cron("0 0 1 1 *"))])]);
    let (tell, mut told) = mpsc::unbounded_channel();
    let (ran, tidied, watched) = (tell.clone(), tell.clone(), tell.clone());
    let daemon = Daemon {
        catalog: catalog.clone(),
        batches,
        clock: clock::now,
        run_claim: Arc::new(move |_| {
            ran.send("run").unwrap();
            done()
        }),
        deliver: Arc::new(move || {
            tell.send("deliver").unwrap();
            async {}.boxed()
        }),
        read: Arc::new(|| async {}.boxed()),
        maintain: Arc::new(move || {
            tidied.send("maintain").unwrap();
            async {}.boxed()
        }),
        watch: Arc::new(move || {
            watched.send("watch").unwrap();
            async {}.boxed()
        }),
        reload: Box::new(|_| std::future::pending().boxed()),
        observe: Arc::new(|_| ()),
        options: grace(1_000),
    };
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(daemon.run(stop.clone()));
    let mut heard = std::collections::BTreeSet::new();
    while heard.len() < 4 {
        heard.insert(told.recv().await.unwrap());
    }
    drop(keep);
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(all_runs(&catalog).await[0].state, RunState::Succeeded);
}

#[tokio::test]
async fn a_run_keeps_lines_about_every_attempt() {
    let once = AtomicUsize::new(0);
    let mut staff = staff(vec![batch("shop", &[])], grace(1_000), move |_| {
        match once.fetch_add(1, Ordering::Relaxed) {
            0 => failing(FailureKind::Transient),
            _ => done(),
        }
    })
    .await;
    staff.order("shop", JobKind::Ingest).await;
    let (claim, state) = staff.next().await;
    assert_eq!(state, RunState::RetryWait);
    turn_clock(3_600);
    staff.signals.send(Signal::Wake).await.unwrap();
    assert_eq!(staff.next().await.1, RunState::Succeeded);
    let mut reader = staff.catalog.reader().await.unwrap();
    let lines = run_log::lines(&mut reader, claim.run).await.unwrap();
    drop(reader);
    let begins: Vec<&str> =
        lines.iter().map(|line| line.message.split(" for ").next().unwrap()).collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert_eq!([begins[0], begins[3]], ["attempt 1 of ingest", "attempt 2 of ingest"]);
    assert_eq!(begins[1], "read the source: refused");
    assert!(begins[2].starts_with("it is tried again at "), "{lines:?}");
    assert_eq!(begins[4], "0 metrics trained, 0 skipped");
    staff.end().await;
}

#[tokio::test]
async fn a_cancelled_run_is_stopped_at_the_next_renewal_and_stays_cancelled() {
    struct Dropped(mpsc::UnboundedSender<()>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    let (began, mut begun) = mpsc::unbounded_channel();
    let (dropped, mut gone) = mpsc::unbounded_channel();
    let staff = staff(vec![batch("shop", &[])], grace(1_000), move |claim| {
        began.send(claim).unwrap();
        let guard = Dropped(dropped.clone());
        async move {
            let _kept = guard;
            std::future::pending().await
        }
        .boxed()
    })
    .await;
    staff.order("shop", JobKind::Ingest).await;
    let claim = begun.recv().await.unwrap();
    let mut tx = staff.catalog.begin().await.unwrap();
    assert!(runs::cancel(&mut tx, claim.run, at(1)).await.unwrap());
    assert!(!runs::cancel(&mut tx, claim.run, at(1)).await.unwrap(), "it has ended");
    tx.commit().await.unwrap();
    staff.signals.send(Signal::Renew).await.unwrap();
    gone.recv().await.unwrap();
    let rows = staff.end().await;
    assert_eq!((rows[0].state, rows[0].attempt), (RunState::Cancelled, 1));
    assert_eq!(rows[0].error.as_deref(), Some("cancelled by hand"));
}
