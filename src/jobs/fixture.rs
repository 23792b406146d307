//! What the jobs' own tests share: a context over a temporary catalog and a store in memory.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use tempfile::TempDir;

use super::{JobContext, Progress, VersionClock};
use crate::{
    catalog::Catalog,
    compute::Compute,
    config::{self, Environment},
    domain::{BatchSpec, Timestamp},
    io::{Store, parquet::Compression},
    series::History,
    telemetry::Metrics,
};

/// A context and a batch with every default.
pub(super) struct Fixture {
    pub(super) ctx: JobContext,
    pub(super) batch: BatchSpec,
    /// Holds the catalog's file.
    _dir: TempDir,
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
    };
    let batch = project.batches.into_iter().next().unwrap();
    Fixture { ctx, batch, _dir: dir }
}
