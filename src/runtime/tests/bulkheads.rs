//! Sources that never answer, and the batches beside them.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use futures::FutureExt as _;
use tokio::sync::mpsc;

use super::{
    working::{done, grace, staff},
    *,
};
use crate::domain::{RunState, Secret};

/// A batch that asks a server.
fn asking(name: &str, server: &str) -> BatchSpec {
    let mut batch = batch(name, &[(JobKind::Score, Trigger::After(JobKind::Ingest))]);
    let url = Secret::new(format!("postgres://me:word@{server}/shop"));
    let (query, query_origin) = ("SELECT 1".into(), String::new());
    batch.source.kind = SourceKind::Sql { url, query, query_origin, params: BTreeMap::new() };
    batch
}

#[tokio::test]
async fn fifty_batches_on_a_server_that_never_answers_leave_the_others_alone() {
    let hung: Vec<String> = (0..50).map(|n| format!("hung{n}")).collect();
    let mut batches: Vec<BatchSpec> = hung.iter().map(|name| asking(name, "hole:1")).collect();
    batches.push(asking("well", "db:1"));
    let options = Options { n_workers: 1, n_reads: 6, n_reads_per_server: 4, ..grace(50) };
    let (began, mut begun) = mpsc::unbounded_channel();
    let mut staff = staff(batches, options, move |claim| match claim.batch.as_str() {
        "well" => done(),
        _ => {
            began.send(()).unwrap();
            std::future::pending().boxed()
        }
    })
    .await;
    for name in &hung {
        staff.order(name, JobKind::Ingest).await;
    }
    for _ in 0..4 {
        begun.recv().await.unwrap();
    }
    staff.order("well", JobKind::Ingest).await;
    for job in [JobKind::Ingest, JobKind::Score] {
        assert_eq!(staff.next().await.0.job, job);
    }
    assert!(begun.try_recv().is_err(), "a fifth read of the server");
    staff.end().await;
}

#[tokio::test]
async fn a_server_s_next_read_begins_when_one_ends_and_never_sooner() {
    let batches: Vec<BatchSpec> = (0..6).map(|n| asking(&n.to_string(), "db:1")).collect();
    let options = Options { n_workers: 1, n_reads: 6, n_reads_per_server: 2, ..grace(1_000) };
    let busy: Arc<AtomicUsize> = Arc::default();
    let mut staff = staff(batches, options, move |_| {
        let busy = Arc::clone(&busy);
        async move {
            assert!(busy.fetch_add(1, Ordering::SeqCst) < 2, "three at once");
            tokio::task::yield_now().await;
            busy.fetch_sub(1, Ordering::SeqCst);
            done().await
        }
        .boxed()
    })
    .await;
    for n in 0..6 {
        staff.order(&n.to_string(), JobKind::Ingest).await;
    }
    let mut n_read = 0;
    while n_read < 6 {
        let (claim, state) = staff.next().await;
        assert_eq!(state, RunState::Succeeded);
        n_read += usize::from(claim.job == JobKind::Ingest);
    }
    staff.end().await;
}
