//! The daemon's parts on a real catalog, with a clock that the tests turn.

mod bulkheads;
mod planning;
mod slots;
mod working;

use std::{cell::Cell, collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

use super::*;
use crate::{
    catalog::{
        Catalog,
        runs::{self, RunFilter, RunRow},
    },
    domain::{
        Aggregate, AlertSpec, BatchName, BatchSpec, Combine, CronExpr, DetectorKind, DetectorRole,
        DetectorSpec, FeatureSpec, FileSpec, HistorySpec, JobKind, Location, Missed, RuleSpec,
        ScheduleSpec, ScoreSpec, Snooze, SourceKind, SourceSpec, Span, Timestamp, TrainSpec,
        Trigger,
    },
};

thread_local! {
    static SECONDS: Cell<i64> = const { Cell::new(0) };
}

/// The clock of the thread's test; it stands still until turned.
fn clock() -> Timestamp {
    at(SECONDS.get())
}

fn turn_clock(secs: i64) {
    SECONDS.set(secs);
}

/// So many seconds after a midnight.
fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_767_225_600 + secs).unwrap()
}

struct Fixture {
    catalog: Catalog,
    _folder: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&folder.path().join("catalog.db")).await.unwrap();
    Fixture { catalog, _folder: folder }
}

/// Every run in order of its making.
async fn all_runs(catalog: &Catalog) -> Vec<RunRow> {
    let mut conn = catalog.reader().await.unwrap();
    let mut rows = runs::list(&mut conn, &RunFilter::default()).await.unwrap();
    rows.reverse();
    rows
}

fn cron(text: &str) -> Trigger {
    Trigger::Cron(CronExpr::parse(text).unwrap())
}

type Batches = Arc<[BatchSpec]>;

fn watching(batches: Vec<BatchSpec>) -> (watch::Sender<Batches>, watch::Receiver<Batches>) {
    watch::channel(batches.into())
}

fn batch(name: &str, triggers: &[(JobKind, Trigger)]) -> BatchSpec {
    let span = Span::secs(60);
    BatchSpec {
        routes: [].into(),
        explain: None,
        name: BatchName::parse(name).unwrap(),
        description: String::new(),
        owner: None,
        timezone: chrono_tz::UTC,
        enabled: true,
        tags: BTreeMap::new(),
        source: SourceSpec {
            kind: SourceKind::File(FileSpec::at(vec![Location::Local("x.csv".into())])),
            timeout: span,
            lateness: span,
            drop_incomplete: false,
            max_rows: 1,
            max_bytes: 1,
            naming: crate::domain::Naming::default(),
        },
        schedule: ScheduleSpec {
            triggers: triggers.iter().cloned().collect(),
            missed: Missed::Latest,
            jitter: Span::ZERO,
        },
        history: HistorySpec { retention: span },
        features: FeatureSpec {
            resample: None,
            aggregate: Aggregate::Mean,
            difference: 0,
            smooth: 0,
            lags: 0,
        },
        holidays: Vec::new(),
        maintenance: Vec::new(),
        train: TrainSpec {
            window: span,
            min_points: 1,
            max_points: 1,
            exclude: Vec::new(),
            exclude_periods: Vec::new(),
        },
        detectors: vec![DetectorSpec {
            kind: DetectorKind::Auto,
            tag: "auto".into(),
            role: DetectorRole::Champion,
            params: BTreeMap::new(),
        }],
        score: ScoreSpec {
            combine: Combine::Mean,
            window: span,
            max_points: 1,
            exclude: Vec::new(),
        },
        alert: alert_spec(),
        absence: None,
        rules: RuleSpec::default(),
        metrics: BTreeMap::new(),
        config_hash: "c0ffee".into(),
        effective: String::new(),
    }
}

fn alert_spec() -> AlertSpec {
    AlertSpec { recent: 1, snooze: Snooze::Points(1), ..AlertSpec::at(0.8) }
}
