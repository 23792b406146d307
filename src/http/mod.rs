//! The HTTP server: health, metrics, JSON API and dashboard. The only module that names axum and
//! hyper.

mod api;
mod ask;
mod assets;
mod attend;
mod auth;
mod dashboard;
mod failure;
mod guard;
mod limits;
mod links;
mod pages;
mod patient;
mod plots;
mod push;
mod routes;
mod seats;
mod server;
mod site;
mod view;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    catalog::Catalog,
    compute::Compute,
    config::Project,
    domain::Timestamp,
    io::Store,
    jobs::Paces,
    net::Client,
    series::History,
    telemetry::{Metrics, Readiness},
};

pub use limits::Limits;

/// The parts of the program the server shows.
#[derive(Debug)]
pub struct App {
    /// Runs, models, alerts.
    pub catalog: Catalog,
    /// Points and scores.
    pub history: History,
    /// Model cards, and rows that are pushed.
    pub store: Store,
    /// The way to the computing threads.
    pub compute: Compute,
    /// How channels that are tried are called.
    pub client: Client,
    /// How fast each channel may be spoken to.
    pub paces: Arc<Paces>,
    /// The program's own metrics.
    pub metrics: Metrics,
    /// The configuration in use.
    pub project: watch::Receiver<Arc<Project>>,
    /// Whether the program can work.
    pub ready: watch::Receiver<Readiness>,
    /// What time it is.
    pub clock: fn() -> Timestamp,
}

/// The server could not start.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The socket has no address.
    #[error("find the address the server listens on")]
    Address {
        /// What the system said.
        source: std::io::Error,
    },
    /// A page template is broken; a test makes sure none is.
    #[error("compile the page templates")]
    Templates {
        /// What is wrong.
        source: minijinja::Error,
    },
}

/// Serves until `stop`; requests under way then have five seconds to finish. Dropping the future
/// closes every connection.
///
/// # Errors
/// [`HttpError`] before the first request; none after it.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    stop: CancellationToken,
) -> Result<(), HttpError> {
    serve_within(listener, app, Limits::default(), stop).await
}

/// [`serve`] with other limits.
///
/// # Errors
/// As [`serve`].
pub async fn serve_within(
    listener: TcpListener,
    app: Arc<App>,
    limits: Limits,
    stop: CancellationToken,
) -> Result<(), HttpError> {
    let address = listener.local_addr().map_err(|source| HttpError::Address { source })?;
    let hosts = guard::Hosts::new(address.ip());
    let pages = pages::Pages::new(assets::stamp());
    let pages = pages.map_err(|source| HttpError::Templates { source })?;
    let (site, clerk) = site::Site::new(app, pages, hosts, limits.clone());
    let serving = server::run(listener, routes::router(Arc::new(site)), limits, stop);
    // The clerk ends once no request can bring anything any more.
    tokio::join!(serving, clerk.work());
    Ok(())
}
