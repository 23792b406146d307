//! What the jobs' own tests share: a context over a temporary catalog and a store in memory.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use tempfile::TempDir;

use super::{AsOf, JobContext, JobError, Progress, VersionClock};
use crate::{
    catalog::{
        Catalog,
        runs::{self, Claim, Lease, NewRun, RunCause},
    },
    compute::Compute,
    config::{self, Environment},
    domain::{BatchSpec, FileSpec, JobKind, Location, RunReport, SourceKind, Span, Timestamp},
    io::{Store, parquet::Compression},
    series::History,
    telemetry::Metrics,
};

/// A context and a batch with every default.
pub(super) struct Fixture {
    pub(super) ctx: JobContext,
    pub(super) batch: BatchSpec,
    /// Holds the catalog's file and the source's.
    dir: TempDir,
}

impl Fixture {
    /// What the source gives from now on: metric, time and value of each row.
    pub(super) fn source(&self, rows: &[(&str, Timestamp, f64)]) {
        self.file("a.csv", rows);
    }

    /// Makes all files of the project folder the source.
    pub(super) fn read_all_files(&mut self) {
        let all = Location::Local(self.dir.path().join("*.csv"));
        self.batch.source.kind = SourceKind::File(FileSpec::at(vec![all]));
    }

    /// What one file holds from now on: metric, time and value of each row.
    pub(super) fn file(&self, name: &str, rows: &[(&str, Timestamp, f64)]) {
        let lines = rows.iter().map(|(metric, at, value)| format!("{metric},{at},{value}\n"));
        let text = format!("metric,timestamp,value\n{}", lines.collect::<String>());
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }

    /// Runs a job as the program does, as a new attempt where the slot was run before.
    pub(super) async fn run(&self, job: JobKind, as_of: AsOf) -> Result<RunReport, JobError> {
        let claim = self.claim(job, as_of).await?;
        let report = super::run(&self.ctx, &claim, &self.batch, as_of).await?;
        let mut tx = self.ctx.catalog.begin().await?;
        runs::succeed(&mut tx, &claim, &report, (self.ctx.clock)()).await?;
        tx.commit().await?;
        Ok(report)
    }

    /// Claims a run of a job, as a new attempt where the slot was run before.
    pub(super) async fn claim(&self, job: JobKind, as_of: AsOf) -> Result<Claim, JobError> {
        let now = (self.ctx.clock)();
        let new = NewRun {
            batch: self.batch.name.clone(),
            job,
            slot: as_of.now,
            cause: RunCause::Manual,
            due: now,
            config_hash: self.batch.config_hash.clone(),
        };
        let mut tx = self.ctx.catalog.begin().await?;
        let run = runs::materialise_again(&mut tx, &new, now).await?;
        let lease = Lease { worker: "test", length: Span::hours(1) };
        let claim = runs::claim_one(&mut tx, run, now, lease).await?.unwrap();
        tx.commit().await?;
        Ok(claim)
    }
}

/// Opens one; its clock stands still.
pub(super) async fn open() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let batches = dir.path().join("metric_batches");
    std::fs::create_dir_all(&batches).unwrap();
    std::fs::write(batches.join("shop.toml"), "[source]\nkind = \"file\"\npath = \"a.csv\"\n")
        .unwrap();
    let project = config::load(dir.path(), &Environment::default()).unwrap();
    let (store, compute) = (Store::memory(), Compute::new(1).unwrap());
    let ctx = JobContext {
        client: crate::net::Client::new(),
        catalog: Catalog::open(&dir.path().join("catalog.db")).await.unwrap(),
        history: History::new(store.clone(), compute.clone(), Compression::Off),
        store,
        compute,
        metrics: Metrics::new().unwrap(),
        versions: Arc::new(VersionClock::default()),
        clock: || Timestamp::parse("2026-06-01T00:00:00Z").unwrap(),
        program: PathBuf::new(),
        environment: Arc::new(BTreeMap::new()),
        progress: Arc::new(Progress::default()),
        notify: super::Notify::Queue,
        paces: Arc::default(),
    };
    let batch = project.batches.into_iter().next().unwrap();
    Fixture { ctx, batch, dir }
}
