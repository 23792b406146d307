//! `anomstack demo`: a made-up shop with eight known incidents and this machine's own figures,
//! through the same jobs as everything else, then the dashboard.

mod database;
mod project;
mod report;
mod shop;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::domain::BatchSpec;

use super::{
    Global, Outcome,
    foreground::{self, When},
    open::{self, Opened},
    run, serve,
};

/// What `demo` takes.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The folder the demo lives in; kept, so that the next demo goes on from it
    #[arg(long, value_name = "DIR", default_value = "anomstack-demo")]
    dir: PathBuf,
    /// The dashboard's port
    #[arg(long, default_value_t = 8087)]
    port: u16,
    /// Exit after the pass instead of serving the dashboard
    #[arg(long)]
    once: bool,
}

/// Sets up, runs every job once, reports, serves.
pub(super) async fn demo(global: &Global, command: Demo) -> anyhow::Result<Outcome> {
    let now = crate::runtime::clock::now();
    let world = project::set_up(&command.dir, now).await.context("set up the demo")?;
    let (mut loaded, files) = match open::project_and_files(&command.dir) {
        Ok(read) => read,
        Err(outcome) => return Ok(outcome),
    };
    loaded.system.server.port = command.port;
    open::logging_for_foreground(global, &loaded.system.log)?;
    let opened = open::open(loaded).await?;
    let Some(lock) = run::take_over(&opened).await? else {
        let dir = command.dir.display();
        anyhow::bail!("another demo is serving {dir}; stop it or choose another --dir");
    };
    report::introduce(&command.dir, &world);
    let is_complete = Box::pin(run_pass(&opened, &world)).await?;
    run::deliver(&opened, now).await?;
    report::print(&opened, &world).await?;
    if command.once || !is_complete {
        opened.ctx.catalog.close().await?;
        return Ok(if is_complete { Outcome::Done } else { Outcome::Problems });
    }
    println!("\nDashboard: http://127.0.0.1:{}   (Ctrl-C ends)", command.port);
    serve::serve_opened(opened, files, lock).await
}

/// Every job of both batches once: the shop as of the end of its history, this machine as of now.
async fn run_pass(opened: &Opened, world: &project::World) -> anyhow::Result<bool> {
    let mut is_complete = true;
    for batch in batches(opened) {
        let when = if batch.name.as_str() == "shop" { When::At(world.end) } else { When::Now };
        for job in batch.jobs() {
            if foreground::run_job(&opened.ctx, &batch, job, when).await?.is_none() {
                is_complete = false;
                break;
            }
        }
    }
    Ok(is_complete)
}

/// The shop first: it is what the report is about.
fn batches(opened: &Opened) -> Vec<BatchSpec> {
    let mut batches = opened.project.batches.clone();
    batches.sort_by_key(|batch| batch.name.as_str() != "shop");
    batches
}

#[cfg(test)]
mod tests;
