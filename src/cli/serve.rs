//! `anomstack serve`: the daemon with its workers, its deliverer and its pages.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, anyhow};
use clap::Args;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Project,
    domain::BatchSpec,
    http,
    io::Store,
    jobs::JobContext,
    net::Client,
    runtime::{
        self, Daemon, Options, clock,
        lock::{self, DataLock, LockError},
        signals,
    },
    telemetry::Readiness,
};

use super::{
    Global, Outcome,
    daemon::{self, Live},
    open::{self, Opened},
    reload::{Files, Published, Reload},
    upkeep,
};

/// What `serve` takes.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The port, instead of the configured one
    #[arg(long)]
    port: Option<u16>,
}

/// Runs until SIGTERM or Ctrl-C.
pub(super) async fn serve(global: &Global, command: Serve) -> anyhow::Result<Outcome> {
    let (mut project, files) = match open::project_and_files(&global.config) {
        Ok(read) => read,
        Err(outcome) => return Ok(outcome),
    };
    open::logging(global, &project.system.log)?;
    let server = &mut project.system.server;
    server.port = command.port.unwrap_or(server.port);
    let lock = match lock::acquire(&project.system.storage.root, clock::now()) {
        Ok(lock) => lock,
        Err(error @ LockError::Held { .. }) => {
            eprintln!("error: {error}");
            return Ok(Outcome::NotStarted);
        }
        Err(error) => return Err(error.into()),
    };
    let opened = open::open(project).await?;
    try_store(&opened.ctx.store).await?;
    let sweep = opened.ctx.store.sweep_temporary();
    runtime::recover(&opened.ctx.catalog, clock::now(), sweep).await?;
    serve_opened(opened, files, lock).await
}

/// Refuses a store on another machine that would lose data, or that nothing can be written to. One
/// that does not answer now may later: what is due waits for it.
async fn try_store(store: &Store) -> anyhow::Result<()> {
    if !store.location().is_remote() {
        return Ok(());
    }
    let found = store.probe("data/probe").await?;
    for probe in &found {
        let Some(failure) = &probe.failure else { continue };
        if probe.is_unanswered {
            tracing::warn!("{} does not answer: {failure}", store.location());
            return Ok(());
        }
        return Err(anyhow!("{} cannot be used ({}): {failure}", store.location(), probe.step));
    }
    Ok(())
}

/// Serves a project whose folder is locked and recovered.
pub(super) async fn serve_opened(
    opened: Opened,
    files: Files,
    mut lock: DataLock,
) -> anyhow::Result<Outcome> {
    let server = &opened.project.system.server;
    let address = SocketAddr::new(server.host, server.port);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}; choose another with --port"))?;
    let address = listener.local_addr()?;
    lock.describe(Some(&format!("http://{address}")))?;
    daemon::show_state(&opened.ctx, &opened.project.batches).await?;
    opened.ctx.metrics.config_loaded();

    let stop = CancellationToken::new();
    let signals = signals::stop_on_signals(stop.clone())?;
    let Opened { project, ctx, client, scratch: _scratch } = opened;
    let catalog = ctx.catalog.clone();
    let (give_ready, ready) = watch::channel(Readiness::ready());
    let (app, workers) = parts(project, ctx, client, files, (give_ready.clone(), ready));
    tracing::info!("listening on http://{address}");
    let work = async {
        // The pages outlast the workers, to say meanwhile that the end is near.
        let stop_pages = CancellationToken::new();
        let daemon = async {
            let ended = workers.run(stop.clone()).await;
            stop.cancel();
            stop_pages.cancel();
            ended
        };
        let pages = async {
            let served = http::serve(listener, Arc::new(app), stop_pages.clone()).await;
            stop.cancel();
            served
        };
        let (daemon, pages, ()) = tokio::join!(daemon, pages, tell_end(&stop, &give_ready));
        daemon?;
        pages?;
        anyhow::Ok(())
    };
    tokio::select! {
        ended = work => ended?,
        () = signals => {}
    }
    catalog.close().await?;
    drop(lock);
    tracing::info!("ended in order");
    Ok(Outcome::Done)
}

/// Whoever sends work here shall stop as soon as the end has begun.
async fn tell_end(stop: &CancellationToken, ready: &watch::Sender<Readiness>) {
    stop.cancelled().await;
    ready.send_if_modified(|now| now.miss("ending"));
}

/// The server and the daemon, both following one configuration.
fn parts(
    project: Arc<Project>,
    ctx: JobContext,
    client: Client,
    files: Files,
    (give_ready, ready): (watch::Sender<Readiness>, watch::Receiver<Readiness>),
) -> (http::App, Daemon) {
    let batches: Arc<[BatchSpec]> = project.batches.clone().into();
    let (give_batches, batches) = watch::channel(batches);
    let (give_project, project) = watch::channel(project);
    let metrics = ctx.metrics.clone();
    let published = Published {
        project: give_project,
        batches: give_batches,
        ready: give_ready.clone(),
        metrics,
    };
    let reload = Reload::new(files, published, ctx.compute.clone());
    let app = http::App {
        catalog: ctx.catalog.clone(),
        history: ctx.history.clone(),
        store: ctx.store.clone(),
        compute: ctx.compute.clone(),
        client: client.clone(),
        paces: Arc::clone(&ctx.paces),
        metrics: ctx.metrics.clone(),
        project: project.clone(),
        ready,
        clock: clock::now,
    };
    let live = Live { ctx, client, project, ready: give_ready };
    let workers = Daemon {
        catalog: live.ctx.catalog.clone(),
        batches,
        clock: clock::now,
        run_claim: daemon::run_claim(&live),
        deliver: daemon::deliver(&live),
        read: daemon::read(&live),
        maintain: daemon::maintain(&live),
        watch: upkeep::watch(&live),
        reload: reload.on_beats(),
        observe: daemon::observe(&live.ctx.metrics),
        options: Options::default(),
    };
    (app, workers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn once_told_to_end_it_is_not_ready_any_more() {
        let (give_ready, ready) = watch::channel(Readiness::ready());
        let stop = CancellationToken::new();
        stop.cancel();
        tell_end(&stop, &give_ready).await;
        assert_eq!(*ready.borrow(), Readiness::waiting("ending"));
    }
}
