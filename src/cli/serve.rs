//! `anomstack serve`: the daemon with its workers, its deliverer and its pages.

use clap::Args;

use crate::runtime::lock::DataLock;

use super::{Global, Outcome, open::Opened};

/// What `serve` takes.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The port, instead of the configured one
    #[arg(long)]
    port: Option<u16>,
}

pub(super) async fn serve(_global: &Global, _command: Serve) -> anyhow::Result<Outcome> {
    anyhow::bail!("no daemon yet")
}

pub(super) async fn serve_opened(_opened: Opened, _lock: DataLock) -> anyhow::Result<Outcome> {
    anyhow::bail!("no daemon yet")
}
