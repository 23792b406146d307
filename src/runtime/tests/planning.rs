//! Which runs come to be.

use super::*;
use crate::{
    catalog::{
        pauses,
        runs::{NewRun, RunCause},
    },
    domain::RunState,
};

fn every_ten_minutes() -> Vec<BatchSpec> {
    vec![batch("shop", &[(JobKind::Ingest, cron("*/10 * * * *"))])]
}

/// Slots and states in order of making; the run of a new batch's first look is left out.
async fn made(catalog: &Catalog) -> Vec<(i64, RunState)> {
    let rows = all_runs(catalog).await;
    let scheduled = rows.iter().filter(|row| row.cause == RunCause::Schedule);
    scheduled.map(|row| ((row.slot - at(0)).micros() / 1_000_000, row.state)).collect()
}

#[tokio::test]
async fn a_new_batch_ingests_at_once_and_then_by_its_schedule_each_slot_once() {
    let Fixture { catalog, _folder } = fixture().await;
    let batches: Arc<[BatchSpec]> = every_ten_minutes().into();
    let mut planner = Planner::new(catalog.clone());
    assert_eq!(planner.tick(&batches, at(5)).await.unwrap().n_runs, 1);
    assert_eq!(planner.next_slot(), Some(at(600)));
    assert_eq!(planner.tick(&batches, at(599)).await.unwrap().n_runs, 0);
    assert_eq!(planner.tick(&batches, at(600)).await.unwrap().n_runs, 1);
    assert_eq!(planner.tick(&batches, at(600)).await.unwrap().n_runs, 0);
    let mut second = Planner::new(catalog.clone());
    assert_eq!(second.tick(&batches, at(601)).await.unwrap(), Planned::default());
    let rows = all_runs(&catalog).await;
    assert_eq!(
        rows.iter().map(|row| (row.slot, row.cause)).collect::<Vec<_>>(),
        [(at(5), RunCause::First), (at(600), RunCause::Schedule)]
    );
}

#[tokio::test]
async fn slots_missed_while_down_become_one_run_or_one_skipped_row() {
    for (missed, expected) in [
        (Missed::Latest, vec![(600, RunState::Skipped), (3_600, RunState::Pending)]),
        (Missed::Skip, vec![(600, RunState::Pending), (3_600, RunState::Skipped)]),
    ] {
        let Fixture { catalog, _folder } = fixture().await;
        let mut specs = every_ten_minutes();
        specs[0].schedule.missed = missed;
        let batches: Arc<[BatchSpec]> = specs.into();
        let mut before = Planner::new(catalog.clone());
        before.tick(&batches, at(5)).await.unwrap();
        before.tick(&batches, at(600)).await.unwrap();
        let mut after = Planner::new(catalog.clone());
        let planned = after.tick(&batches, at(3_700)).await.unwrap();
        let n_skipped = if missed == Missed::Latest { 4 } else { 5 };
        assert_eq!(planned.skipped, [(batches[0].name.clone(), JobKind::Ingest, n_skipped)]);
        assert_eq!(made(&catalog).await, expected, "{missed}");
    }
}

#[tokio::test]
async fn an_edited_or_enabled_schedule_takes_effect_from_now() {
    let Fixture { catalog, _folder } = fixture().await;
    let mut specs = every_ten_minutes();
    let mut planner = Planner::new(catalog.clone());
    planner.tick(&specs.clone().into(), at(5)).await.unwrap();
    planner.tick(&specs.clone().into(), at(600)).await.unwrap();
    specs[0].schedule.triggers.insert(JobKind::Ingest, cron("*/1 * * * *"));
    assert_eq!(planner.tick(&specs.clone().into(), at(900)).await.unwrap().n_runs, 0);
    specs[0].enabled = false;
    assert_eq!(planner.tick(&specs.clone().into(), at(1_500)).await.unwrap().n_runs, 0);
    specs[0].enabled = true;
    let enabled: Arc<[BatchSpec]> = specs.into();
    assert_eq!(planner.tick(&enabled, at(3_000)).await.unwrap(), Planned::default());
    planner.tick(&enabled, at(3_060)).await.unwrap();
    let expected = [(600, RunState::Skipped), (3_060, RunState::Pending)];
    assert_eq!(made(&catalog).await, expected);
}

#[tokio::test]
async fn a_clock_put_back_repeats_no_slot_and_the_schedule_goes_on() {
    let Fixture { catalog, _folder } = fixture().await;
    let batches: Arc<[BatchSpec]> = every_ten_minutes().into();
    let mut planner = Planner::new(catalog.clone());
    for secs in [5, 600, 1_200, 590, 600, 1_200, 1_800] {
        planner.tick(&batches, at(secs)).await.unwrap();
    }
    let slots: Vec<i64> = made(&catalog).await.into_iter().map(|(slot, _)| slot).collect();
    assert_eq!(slots, [600, 1_200, 1_800]);
    let mut restarted = Planner::new(catalog.clone());
    restarted.tick(&batches, at(590)).await.unwrap();
    assert_eq!(restarted.next_slot(), Some(at(600)), "not silent until 1,800 has passed again");
}

#[tokio::test]
async fn a_newer_slot_replaces_a_run_that_never_started() {
    let Fixture { catalog, _folder } = fixture().await;
    let batches: Arc<[BatchSpec]> = every_ten_minutes().into();
    let mut planner = Planner::new(catalog.clone());
    for secs in [5, 600, 1_200] {
        planner.tick(&batches, at(secs)).await.unwrap();
    }
    let expected = [(600, RunState::Skipped), (1_200, RunState::Pending)];
    assert_eq!(made(&catalog).await, expected);
}

#[tokio::test]
async fn jitter_delays_a_run_by_the_same_time_on_every_machine() {
    let Fixture { catalog, _folder } = fixture().await;
    let mut specs = every_ten_minutes();
    specs[0].schedule.jitter = Span::secs(100);
    let mut planner = Planner::new(catalog.clone());
    let batches: Arc<[BatchSpec]> = specs.into();
    planner.tick(&batches, at(5)).await.unwrap();
    planner.tick(&batches, at(600)).await.unwrap();
    let row = all_runs(&catalog).await.pop().unwrap();
    assert!(row.slot <= row.due && row.due < row.slot + Span::secs(100), "{}", row.due);
}

#[tokio::test]
async fn start_up_takes_back_the_runs_of_a_process_that_was_killed() {
    let Fixture { catalog, _folder } = fixture().await;
    let mut tx = catalog.begin().await.unwrap();
    let new = NewRun {
        batch: BatchName::parse("shop").unwrap(),
        job: JobKind::Ingest,
        slot: at(0),
        cause: RunCause::Schedule,
        due: at(0),
        config_hash: String::new(),
    };
    runs::materialise(&mut tx, &new, at(0)).await.unwrap();
    let lease = runs::Lease { worker: "gone", length: Span::secs(30) };
    runs::claim(&mut tx, at(0), lease, &runs::Room::unlimited()).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let swept = async { Ok::<_, std::io::Error>(3) };
    let recovered = recover(&catalog, at(1), swept).await.unwrap();
    assert_eq!((recovered.runs.requeued, recovered.n_temporary), (1, 3));
    let row = all_runs(&catalog).await.pop().unwrap();
    assert_eq!((row.state, row.due, row.crash_count), (RunState::RetryWait, at(1), 1));
}

#[tokio::test]
async fn runs_of_a_removed_batch_are_let_go_of_with_the_reason_and_others_kept() {
    let Fixture { catalog, _folder } = fixture().await;
    let specs = |names: &[&str]| -> Batches {
        let hourly = [(JobKind::Ingest, cron("0 * * * *"))];
        names.iter().map(|name| batch(name, &hourly)).collect()
    };
    let mut planner = Planner::new(catalog.clone());
    planner.tick(&specs(&["kept", "removed"]), at(5)).await.unwrap();
    planner.tick(&specs(&["kept"]), at(10)).await.unwrap();
    let rows = all_runs(&catalog).await;
    let found: Vec<_> =
        rows.iter().map(|row| (row.batch.as_str(), row.state, row.error.as_deref())).collect();
    let reason = Some("its batch is not configured any more");
    let expected = [("kept", RunState::Pending, None), ("removed", RunState::Skipped, reason)];
    assert_eq!(found, expected);
    let back = specs(&["kept", "removed"]);
    assert_eq!(planner.tick(&back, at(7_300)).await.unwrap().n_runs, 1, "only of the kept");
}

#[test]
fn a_replay_has_every_slot_in_order_with_what_follows_it() {
    let triggers = [
        (JobKind::Ingest, cron("0 */6 * * *")),
        (JobKind::Train, cron("0 6 * * *")),
        (JobKind::Score, Trigger::After(JobKind::Ingest)),
        (JobKind::Alert, Trigger::After(JobKind::Score)),
    ];
    let plan = replay::plan(&batch("shop", &triggers), at(0), at(43_200)).unwrap();
    let [ingest, train, score, alert] =
        [JobKind::Ingest, JobKind::Train, JobKind::Score, JobKind::Alert];
    let expected = [
        (at(0), Some(at(-21_600)), vec![ingest, score, alert]),
        (at(21_600), Some(at(0)), vec![ingest, train, score, alert]),
    ];
    let found: Vec<_> =
        plan.into_iter().map(|replay| (replay.slot, replay.before, replay.jobs)).collect();
    assert_eq!(found, expected);
    let every_second = batch("shop", &[(JobKind::Ingest, Trigger::Every(Span::secs(1)))]);
    assert!(replay::plan(&every_second, at(0), at(200_000)).is_err());
}

#[tokio::test]
async fn a_paused_batch_gets_no_runs_and_goes_on_from_its_resumption() {
    let Fixture { catalog, _folder } = fixture().await;
    let batches: Batches = every_ten_minutes().into();
    let mut planner = Planner::new(catalog.clone());
    for secs in [5, 600] {
        planner.tick(&batches, at(secs)).await.unwrap();
    }
    let mut tx = catalog.begin().await.unwrap();
    pauses::pause(&mut tx, &batches[0].name, at(700)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(planner.tick(&batches, at(1_200)).await.unwrap(), Planned::default());
    assert_eq!(planner.next_slot(), None);
    let mut tx = catalog.begin().await.unwrap();
    pauses::resume(&mut tx, &batches[0].name).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(planner.tick(&batches, at(3_500)).await.unwrap(), Planned::default());
    planner.tick(&batches, at(3_600)).await.unwrap();
    let slots: Vec<i64> = made(&catalog).await.into_iter().map(|(slot, _)| slot).collect();
    assert_eq!(slots, [600, 3_600], "what lay in the pause is not made up for");
}
