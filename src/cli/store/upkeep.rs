//! Commands that look after stores.

use std::io::Write as _;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::{
    config::Project,
    domain::{Span, words::shown},
    io::{CacheUsage, Listing, Rule, Stores, expired},
    runtime::clock,
};

use super::super::{Global, Outcome, listing, open};

/// What `store retain` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Retain {
    /// The folder
    folder: String,
    /// What is younger stays, as in 30d
    #[arg(long, value_name = "AGE", value_parser = Span::parse, required_unless_present = "keep")]
    older: Option<Span>,
    /// The newest so many of each folder stay
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Only keys that match a glob
    #[arg(long, value_name = "GLOB")]
    pattern: Option<String>,
    /// Remove them; without it, they are only named
    #[arg(long)]
    apply: bool,
}

#[derive(Debug, Serialize)]
struct Retained {
    removed: Vec<String>,
    bytes: u64,
    kept: usize,
    is_dry: bool,
}

pub(super) async fn retain(
    global: &Global,
    stores: &Stores,
    command: Retain,
) -> anyhow::Result<Outcome> {
    let (store, folder) = stores.folder(&command.folder)?;
    let mut wanted = Listing::of(&folder);
    if let Some(pattern) = &command.pattern {
        wanted = wanted.matching(pattern)?;
    }
    let entries = store.list(&wanted).await?;
    let rule = Rule { older_than: command.older, keep: command.keep };
    let gone = expired(&entries, rule, clock::now());
    if command.apply {
        for entry in &gone {
            store.delete_if_exists(&entry.key).await?;
        }
    }
    let retained = Retained {
        removed: gone.iter().map(|entry| entry.key.to_string()).collect(),
        bytes: gone.iter().map(|entry| entry.size).sum(),
        kept: entries.len() - gone.len(),
        is_dry: !command.apply,
    };
    if !global.json {
        let mut out = std::io::stdout().lock();
        for key in &retained.removed {
            writeln!(out, "{}", shown(key))?;
        }
    }
    let verb = if command.apply { "removed" } else { "would be removed (--apply does it)" };
    let size = format!("{} ({})", retained.removed.len(), super::bytes(retained.bytes));
    listing::print_one(global, &retained, &[(verb, size), ("kept", retained.kept.to_string())])
}

/// What `store sweep` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Sweep {
    /// A folder on this machine; without it the project's own storage
    #[arg(default_value = "")]
    folder: String,
    /// No other program is writing there now: what one has not finished is removed too
    #[arg(long, required = true)]
    nobody_writes: bool,
}

pub(super) async fn sweep(
    global: &Global,
    stores: &Stores,
    command: Sweep,
) -> anyhow::Result<Outcome> {
    let (store, _) = stores.folder(&command.folder)?;
    let n_removed = store.sweep_temporary().await?;
    let fields = [("removed", n_removed.to_string())];
    listing::print_one(global, &serde_json::json!({ "removed": n_removed }), &fields)
}

pub(super) async fn probe(
    global: &Global,
    stores: &Stores,
    folder: &str,
) -> anyhow::Result<Outcome> {
    let (store, folder) = stores.folder(folder)?;
    let found = store.probe(&folder).await?;
    listing::print(global, &found, &["TRIED", "FOUND"], |probe| {
        vec![probe.step.to_owned(), probe.failure.clone().unwrap_or_else(|| "ok".into())]
    })?;
    let is_sound = found.iter().all(|probe| probe.failure.is_none());
    Ok(if is_sound { Outcome::Done } else { Outcome::Problems })
}

pub(super) fn backends(global: &Global, stores: &Stores) -> anyhow::Result<Outcome> {
    let names = stores.registry().available();
    listing::print(global, &names, &["BACKEND"], |name| vec![(*name).to_owned()])
}

/// What can be asked of the cache of remote reads.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Cached {
    /// How much is kept, and where
    Stats,
    /// Forget everything
    Clear,
    /// Forget what is too old, and what was not used for longest until the rest fits
    Shrink,
}

#[derive(Debug, Serialize)]
struct CacheStats {
    folder: String,
    ttl: String,
    #[serde(flatten)]
    usage: CacheUsage,
}

pub(super) async fn cache(
    global: &Global,
    project: &Project,
    command: Cached,
) -> anyhow::Result<Outcome> {
    let storage = &project.system.storage;
    let Some(cache) = open::cache(project) else {
        eprintln!("nothing is kept: [io] cache_ttl or cache_size is 0");
        return Ok(Outcome::Done);
    };
    let n_removed = match command {
        Cached::Stats => {
            let usage = cache.usage().await;
            let folder = storage.root.join("data/cache/remote").display().to_string();
            let stats = CacheStats { folder, ttl: storage.cache.ttl.to_string(), usage };
            let size = super::bytes(usage.bytes);
            let fields = [
                ("folder", stats.folder.clone()),
                ("objects", usage.entries.to_string()),
                ("size", format!("{size} of {}", super::bytes(usage.max_bytes))),
                ("time to live", stats.ttl.clone()),
            ];
            return listing::print_one(global, &stats, &fields);
        }
        Cached::Clear => cache.clear().await,
        Cached::Shrink => cache.shrink().await,
    };
    let fields = [("removed", n_removed.to_string())];
    listing::print_one(global, &serde_json::json!({ "removed": n_removed }), &fields)
}
