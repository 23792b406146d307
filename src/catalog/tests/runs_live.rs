//! The life of a run.

use super::*;

#[tokio::test]
async fn a_slot_materialised_twice_runs_once() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let new = new_run("shop", JobKind::Ingest, 0);
    assert!(materialise(&catalog, &new).await.is_some());
    assert_eq!(materialise(&catalog, &new).await, None);
    let claimed = claim(&catalog, at(1)).await.unwrap();
    assert_eq!((claimed.attempt, claimed.slot), (1, at(0)));
    assert_eq!(claim(&catalog, at(1)).await, None);
}

#[tokio::test]
async fn what_is_due_longest_is_claimed_first_and_one_batch_never_twice_at_once() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    materialise(&catalog, &new_run("shop", JobKind::Score, 5)).await;
    materialise(&catalog, &new_run("shop", JobKind::Ingest, 0)).await;
    materialise(&catalog, &new_run("host", JobKind::Ingest, 7)).await;
    materialise(&catalog, &new_run("late", JobKind::Ingest, 99)).await;
    let first = claim(&catalog, at(10)).await.unwrap();
    assert_eq!((first.batch.as_str(), first.job), ("shop", JobKind::Ingest));
    let second = claim(&catalog, at(10)).await.unwrap();
    assert_eq!(second.batch.as_str(), "host");
    assert!(first.epoch < second.epoch);
    assert_eq!(claim(&catalog, at(10)).await, None, "shop is busy, late is not due");
    let mut tx = catalog.begin().await.unwrap();
    runs::succeed(&mut tx, &first, &report(), at(11)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim(&catalog, at(11)).await.unwrap().job, JobKind::Score);
}

#[tokio::test]
async fn a_worker_that_lost_its_run_can_write_nothing_for_it() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let run = materialise(&catalog, &new_run("shop", JobKind::Ingest, 0)).await.unwrap();
    let old = claim(&catalog, at(0)).await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    assert_eq!(runs::void_leases(&mut tx, at(1)).await.unwrap(), Voided { requeued: 1, dead: 0 });
    tx.commit().await.unwrap();
    let new = claim(&catalog, at(1)).await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    let fenced = |result| matches!(result, Err(CatalogError::Fenced { run: r }) if r == run);
    assert!(fenced(runs::guard(&mut tx, &old, "store").await));
    assert!(fenced(runs::succeed(&mut tx, &old, &report(), at(2)).await));
    assert!(fenced(runs::renew(&mut tx, &old, at(60)).await));
    runs::guard(&mut tx, &new, "store").await.unwrap();
    runs::succeed(&mut tx, &new, &report(), at(2)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(state(&catalog, run).await, (RunState::Succeeded, 2, 1));
}

#[tokio::test]
async fn a_run_that_ends_its_process_three_times_is_given_up() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let run = materialise(&catalog, &new_run("shop", JobKind::Train, 0)).await.unwrap();
    for crash in 1..=3 {
        claim(&catalog, at(crash)).await.unwrap();
        let mut tx = catalog.begin().await.unwrap();
        let voided = runs::void_leases(&mut tx, at(crash)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(voided.dead, u64::from(crash == 3));
    }
    assert_eq!(state(&catalog, run).await, (RunState::Dead, 3, 3));
}

#[tokio::test]
async fn only_lapsed_leases_are_taken_while_the_owner_lives() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    materialise(&catalog, &new_run("shop", JobKind::Ingest, 0)).await;
    let claimed = claim(&catalog, at(0)).await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    assert_eq!(runs::void_lapsed(&mut tx, at(29)).await.unwrap(), Voided::default());
    runs::renew(&mut tx, &claimed, at(60)).await.unwrap();
    assert_eq!(runs::void_lapsed(&mut tx, at(59)).await.unwrap(), Voided::default());
    assert_eq!(runs::void_lapsed(&mut tx, at(60)).await.unwrap().requeued, 1);
}

#[tokio::test]
async fn a_failed_run_waits_succeeds_later_and_one_handed_back_keeps_its_attempts() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let run = materialise(&catalog, &new_run("shop", JobKind::Ingest, 0)).await.unwrap();
    let first = claim(&catalog, at(0)).await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    let failure = Failure { error_chain: "read: refused".into(), retry_at: Some(at(9)) };
    runs::fail(&mut tx, &first, &failure, at(1)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim(&catalog, at(8)).await, None);
    let second = claim(&catalog, at(9)).await.unwrap();
    assert_eq!(second.attempt, 2);
    let mut tx = catalog.begin().await.unwrap();
    runs::hand_back(&mut tx, &second, at(9)).await.unwrap();
    tx.commit().await.unwrap();
    let third = claim(&catalog, at(9)).await.unwrap();
    assert_eq!(third.attempt, 2);
    let mut tx = catalog.begin().await.unwrap();
    runs::succeed(&mut tx, &third, &report(), at(10)).await.unwrap();
    tx.commit().await.unwrap();
    let row = runs::get(&mut catalog.reader().await.unwrap(), run).await.unwrap().unwrap();
    assert_eq!((row.report, row.error, row.ended_at), (Some(report()), None, Some(at(10))));
}

#[tokio::test]
async fn edges_outside_the_life_of_a_run_are_refused_by_the_schema() {
    let Fixture { catalog, folder } = fixture().await;
    materialise(&catalog, &new_run("shop", JobKind::Ingest, 0)).await;
    let path = folder.path().join("catalog.db");
    for statement in [
        "UPDATE runs SET state = 'succeeded'",
        "UPDATE runs SET state = 'running'",
        "UPDATE runs SET state = 'asleep'",
        "INSERT INTO runs (batch, job, slot, cause, state, due, config_hash, created_at, changed_at)
         VALUES ('b', 'score', 1, 'manual', 'dead', 1, 'x', 1, 1)",
    ] {
        assert!(sql(&path, statement).await.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn a_finished_slot_begins_again_by_hand_with_a_higher_epoch() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let new = new_run("shop", JobKind::Ingest, 0);
    let run = materialise(&catalog, &new).await.unwrap();
    let first = claim(&catalog, at(0)).await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    runs::succeed(&mut tx, &first, &report(), at(1)).await.unwrap();
    let again = runs::materialise_again(&mut tx, &new, at(2)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((again, state(&catalog, run).await), (run, (RunState::Pending, 0, 0)));
    let second = claim(&catalog, at(2)).await.unwrap();
    assert!(first.epoch < second.epoch);
    let mut tx = catalog.begin().await.unwrap();
    assert_eq!(runs::materialise_again(&mut tx, &new, at(3)).await.unwrap(), run);
    tx.commit().await.unwrap();
    assert_eq!(state(&catalog, run).await.0, RunState::Running, "a busy run is left alone");
}

#[tokio::test]
async fn overtaken_and_skipped_slots_say_why_and_the_schedule_goes_on_after_them() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let run = materialise(&catalog, &new_run("shop", JobKind::Ingest, 0)).await.unwrap();
    let newer = new_run("shop", JobKind::Ingest, 60);
    let mut tx = catalog.begin().await.unwrap();
    assert_eq!(runs::supersede(&mut tx, &newer, at(60)).await.unwrap(), 1);
    assert!(runs::skip(&mut tx, &newer, "missed", at(60)).await.unwrap());
    assert!(!runs::skip(&mut tx, &newer, "missed", at(60)).await.unwrap());
    let latest = runs::latest_slot(&mut tx, &newer.batch, JobKind::Ingest).await.unwrap();
    assert_eq!(latest, Some(at(60)));
    assert_eq!(runs::next_due(&mut tx).await.unwrap(), None);
    tx.commit().await.unwrap();
    assert_eq!(state(&catalog, run).await.0, RunState::Skipped);
    let filter = RunFilter { state: Some(RunState::Skipped), ..RunFilter::default() };
    let listed = runs::list(&mut catalog.reader().await.unwrap(), &filter).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.slot).collect::<Vec<_>>(), [at(60), at(0)]);
}

#[tokio::test]
async fn a_run_keeps_its_log_until_it_is_forgotten() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let run = materialise(&catalog, &new_run("shop", JobKind::Ingest, 0)).await.unwrap();
    materialise(&catalog, &new_run("shop", JobKind::Ingest, 60)).await.unwrap();
    let line = run_log::LogLine {
        at: at(1),
        level: run_log::LogLevel::Warn,
        message: "two rows left out".into(),
    };
    let claimed = claim(&catalog, at(1)).await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    run_log::add(&mut tx, run, &line).await.unwrap();
    runs::succeed(&mut tx, &claimed, &report(), at(2)).await.unwrap();
    assert_eq!(run_log::lines(&mut tx, run).await.unwrap(), [line]);
    assert_eq!(runs::forget_before(&mut tx, &claimed.batch, at(100), 9).await.unwrap(), 1);
    assert_eq!(run_log::lines(&mut tx, run).await.unwrap(), []);
}

#[tokio::test]
async fn of_old_runs_the_newest_of_each_job_and_the_newest_its_schedule_made_stay() {
    let Fixture { catalog, folder: _folder } = fixture().await;
    let made = [
        (JobKind::Ingest, RunCause::Schedule, 0),
        (JobKind::Ingest, RunCause::Schedule, 1),
        (JobKind::Ingest, RunCause::Manual, 2),
        (JobKind::Ingest, RunCause::Manual, 3),
        (JobKind::Score, RunCause::After, 4),
        (JobKind::Score, RunCause::After, 5),
        (JobKind::Score, RunCause::After, 6),
    ];
    for (job, cause, secs) in made {
        let new = NewRun { cause, ..new_run("shop", job, secs) };
        materialise(&catalog, &new).await.unwrap();
        let claimed = claim(&catalog, at(10)).await.unwrap();
        let mut tx = catalog.begin().await.unwrap();
        runs::succeed(&mut tx, &claimed, &report(), at(10)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = catalog.begin().await.unwrap();
    assert_eq!(runs::forget_before(&mut tx, &batch("shop"), at(10), 9).await.unwrap(), 0);
    assert_eq!(runs::forget_before(&mut tx, &batch("shop"), at(11), 9).await.unwrap(), 4);
    let left = runs::list(&mut tx, &RunFilter::default()).await.unwrap();
    assert_eq!(left.iter().map(|row| row.slot).collect::<Vec<_>>(), [at(6), at(3), at(1)]);
}
