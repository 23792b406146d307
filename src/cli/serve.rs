//! `anomstack serve`: the daemon with its workers, its deliverer and its pages.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use clap::Args;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::BatchSpec,
    http,
    runtime::{
        self, Daemon, Options, clock,
        lock::{self, DataLock, LockError},
        signals,
    },
    telemetry::Readiness,
};

use super::{
    Global, Outcome, daemon,
    open::{self, Opened},
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
    let mut project = match open::project(global) {
        Ok(project) => project,
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
    let sweep = opened.ctx.store.sweep_temporary();
    runtime::recover(&opened.ctx.catalog, clock::now(), sweep).await?;
    serve_opened(opened, lock).await
}

/// Serves a project whose folder is locked and recovered.
pub(super) async fn serve_opened(opened: Opened, mut lock: DataLock) -> anyhow::Result<Outcome> {
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
    let opened = Arc::new(opened);
    // The senders live as long as the server does: nothing reloads the configuration yet.
    let (_project, project) = watch::channel(Arc::clone(&opened.project));
    let (_ready, ready) = watch::channel(Readiness::default());
    let batches: Arc<[BatchSpec]> = opened.project.batches.clone().into();
    let (_batches, batches) = watch::channel(batches);
    let app = http::App {
        catalog: opened.ctx.catalog.clone(),
        history: opened.ctx.history.clone(),
        store: opened.ctx.store.clone(),
        metrics: opened.ctx.metrics.clone(),
        project,
        ready,
        clock: clock::now,
    };
    let workers = Daemon {
        catalog: opened.ctx.catalog.clone(),
        batches,
        clock: clock::now,
        run_claim: daemon::run_claim(&opened),
        deliver: daemon::deliver(&opened),
        maintain: daemon::maintain(&opened),
        observe: daemon::observe(&opened.ctx.metrics),
        options: Options::default(),
    };
    tracing::info!("listening on http://{address}");
    let work = async {
        let pages = http::serve(listener, Arc::new(app), stop.clone());
        let (daemon, pages) = tokio::join!(workers.run(stop.clone()), async {
            let served = pages.await;
            stop.cancel();
            served
        });
        daemon?;
        pages?;
        anyhow::Ok(())
    };
    tokio::select! {
        ended = work => ended?,
        () = signals => {}
    }
    opened.ctx.catalog.close().await?;
    drop(lock);
    tracing::info!("ended in order");
    Ok(Outcome::Done)
}
