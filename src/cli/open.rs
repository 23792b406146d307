//! The composition root: a project folder becomes a job context. Nothing else builds these parts.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};

use crate::{
    catalog::{Catalog, links},
    compute::Compute,
    config::{self, Environment, Project, Reading},
    domain::{LinkKey, LogSpec, StorageBackend},
    io::{Cache, Registry, Settings, Stores},
    jobs::{JobContext, Notify, Progress, VersionClock},
    net::Client,
    runtime::{clock, random_bytes},
    series::History,
    telemetry::{self, Metrics},
};

use super::{Global, Outcome, check, reload::Files};

/// A project with everything its jobs need.
pub(super) struct Opened {
    pub(super) project: Arc<Project>,
    pub(super) ctx: JobContext,
    pub(super) client: Client,
    /// Removed when this is dropped.
    pub(super) scratch: Option<Scratch>,
}

/// A catalog's folder while its objects are in memory: gone with the process, as they are.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A folder for one purpose of this process.
    pub(super) fn below(root: &Path, purpose: &str) -> Self {
        Self(root.join(format!("{purpose}-{}", std::process::id())))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!("could not remove {}: {error}", self.0.display());
        }
    }
}

/// Reads the configuration, or prints its problems: nothing is begun on a broken one.
pub(super) fn project(global: &Global) -> Result<Project, Outcome> {
    check::load(&global.config).map_err(|problems| {
        check::print_problems(&problems);
        Outcome::NotStarted
    })
}

/// [`project`], with the files it came from, for a program that goes on to follow them.
pub(super) fn project_and_files(dir: &Path) -> Result<(Project, Files), Outcome> {
    let Reading { outcome, snapshot } = check::read(dir);
    let project = outcome.map_err(|problems| {
        check::print_problems(&problems);
        Outcome::NotStarted
    })?;
    let (dir, system) = (project.dir.clone(), project.system.clone());
    Ok((project, Files { dir, snapshot, system }))
}

/// Makes the key of the signed links in messages, once in a catalog's life.
async fn make_link_key(catalog: &Catalog) -> anyhow::Result<()> {
    if links::key(&mut *catalog.reader().await?).await?.is_some() {
        return Ok(());
    }
    let bytes =
        random_bytes().map_err(|error| anyhow!("the system gives no randomness: {error}"))?;
    let key = LinkKey::new(bytes);
    let mut tx = catalog.begin().await?;
    links::keep_key(&mut tx, &key).await?;
    Ok(tx.commit().await?)
}

/// The stores of a project, around the one its objects lie in.
pub(super) fn stores(
    project: &Project,
    client: &Client,
    environment: &Arc<BTreeMap<String, String>>,
) -> anyhow::Result<Stores> {
    let settings = Settings {
        dir: project.dir.clone(),
        profiles: project.system.profiles.clone(),
        environment: Arc::clone(environment),
        client: client.clone(),
        cache: cache(project).map(Arc::new),
        ..Settings::default()
    };
    Stores::of_project(Registry::default(), &project.system.storage, settings)
        .context("open the storage")
}

/// What a project keeps of remote reads on this machine.
pub(super) fn cache(project: &Project) -> Option<Cache> {
    let storage = &project.system.storage;
    let ttl = u64::try_from(storage.cache.ttl.micros()).unwrap_or_default();
    let root = storage.root.join("data/cache/remote");
    Cache::new(root, Duration::from_micros(ttl), storage.cache.max_bytes, clock::now)
}

/// Starts logging as the configuration and the command line say.
pub(super) fn logging(global: &Global, spec: &LogSpec) -> anyhow::Result<()> {
    let format = global.log_format.unwrap_or(spec.format);
    let spec = LogSpec { format, ..spec.clone() };
    Ok(telemetry::init_logging(&spec, global.verbose)?)
}

/// For commands whose own lines are what a person reads: only warnings, unless more is asked for.
pub(super) fn logging_for_foreground(global: &Global, spec: &LogSpec) -> anyhow::Result<()> {
    let filter = if global.verbose == 0 { "warn".to_owned() } else { spec.filter.clone() };
    logging(global, &LogSpec { filter, ..spec.clone() })
}

/// Opens the store and the catalog.
pub(super) async fn open(project: Project) -> anyhow::Result<Opened> {
    let storage = &project.system.storage;
    let environment = Arc::new(Environment::from_process().into_inner());
    let client = Client::new();
    let stores = stores(&project, &client, &environment)?;
    let store = stores.own().clone();
    let scratch = match storage.backend {
        // What the catalog would say of objects that are gone with their process.
        StorageBackend::Memory => Some(Scratch::below(&storage.root, "memory")),
        _ => None,
    };
    let home = scratch.as_ref().map_or(storage.root.as_path(), |scratch| &scratch.0);
    std::fs::create_dir_all(home).with_context(|| format!("create {}", home.display()))?;
    let catalog = Catalog::open(&home.join("catalog.db")).await.context("open the catalog")?;
    make_link_key(&catalog).await.context("make the key of signed links")?;
    let compute = Compute::new(0)?;
    let ctx = JobContext {
        client: client.clone(),
        history: History::new(store.clone(), compute.clone(), storage.compression.into()),
        catalog,
        store,
        compute,
        metrics: Metrics::new()?,
        versions: Arc::new(VersionClock::default()),
        clock: clock::now,
        program: config::program().context("find this program's own file")?,
        environment,
        progress: Arc::new(Progress::default()),
        notify: Notify::Queue,
        paces: Arc::default(),
    };
    Ok(Opened { project: Arc::new(project), ctx, client, scratch })
}
