//! The demo's project folder: two batch files and a SQLite file with the shop's history. Made once;
//! a later demo finds it and goes on.

use std::{fs, path::Path};

use anyhow::Context;

use crate::domain::{Span, Timestamp};

use super::{
    database,
    shop::{self, Incident},
};

/// The seed of the shop that is shown.
pub(super) const SEED: u64 = 20_260_101;

const FILES: [(&str, &str); 4] = [
    ("config/anomstack.toml", include_str!("project/anomstack.toml")),
    ("metric_batches/shop.toml", include_str!("project/shop.toml")),
    ("metric_batches/shop.sql", include_str!("project/shop.sql")),
    ("metric_batches/host.toml", include_str!("project/host.toml")),
];

/// The made-up world: where its history ends and what went wrong in it.
pub(super) struct World {
    pub(super) end: Timestamp,
    pub(super) n_metrics: usize,
    pub(super) n_rows: usize,
    pub(super) incidents: Vec<Incident>,
}

/// Writes what is missing. A history that is there already keeps its end, so nothing shifts.
pub(super) async fn set_up(dir: &Path, now: Timestamp) -> anyhow::Result<World> {
    write_files(dir)?;
    let path = dir.join("data/shop.db");
    let end = match database::newest(&path).await? {
        Some(newest) => newest,
        None => now.floor(Span::hours(1)),
    };
    let history = shop::generate(end, SEED);
    if !path.exists() {
        database::create(&path, end, &history.rows).await?;
    }
    let mut names: Vec<&str> = history.rows.iter().map(|(metric, _, _)| *metric).collect();
    names.sort_unstable();
    names.dedup();
    Ok(World {
        end,
        n_metrics: names.len(),
        n_rows: history.rows.len(),
        incidents: history.incidents,
    })
}

/// The configuration; a file that is there already is the user's.
pub(super) fn write_files(dir: &Path) -> anyhow::Result<()> {
    for (name, text) in FILES {
        let path = dir.join(name);
        if path.exists() {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
        }
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
