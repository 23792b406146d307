//! Commands about folders.

use clap::Args;
use serde::Serialize;

use crate::{
    domain::Timestamp,
    io::{Health, Listing, Order, StoreError, Stores},
};

use super::super::{Global, Outcome, chain, listing};

/// What `store keys` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Keys {
    /// The folder; without it the whole storage
    #[arg(default_value = "")]
    folder: String,
    /// Only keys that match a glob: of the name, or with a slash in it of the key below the folder
    #[arg(long, value_name = "GLOB")]
    pattern: Option<String>,
    /// Only keys with one of these extensions, whatever the case
    #[arg(long, value_delimiter = ',', value_name = "EXT")]
    ext: Vec<String>,
    /// Only what lies in the folder itself, and the folders in it
    #[arg(long)]
    flat: bool,
    /// bytes (f10 before f2) or natural (f2 before f10)
    #[arg(long, default_value_t)]
    sort: Order,
    /// Sizes, times and etags too
    #[arg(long, short)]
    long: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
}

pub(super) async fn keys(
    global: &Global,
    stores: &Stores,
    command: Keys,
) -> anyhow::Result<Outcome> {
    let (store, folder) = stores.folder(&command.folder)?;
    let mut wanted = Listing::of(&folder)
        .with_extensions(command.ext.iter().map(String::as_str))
        .sorted(command.sort);
    if let Some(pattern) = &command.pattern {
        wanted = wanted.matching(pattern)?;
    }
    let mut rows = Vec::new();
    if command.flat {
        wanted = wanted.flat();
        for folder in store.folders(&folder, command.sort).await? {
            rows.push(Row { key: format!("{folder}/"), size: None, modified: None, etag: None });
        }
    }
    rows.extend(store.list(&wanted).await?.into_iter().map(|entry| Row {
        key: entry.key.to_string(),
        size: Some(entry.size),
        modified: Some(entry.modified),
        etag: entry.etag,
    }));
    if !global.json && !command.long {
        use std::io::Write as _;
        let mut out = std::io::stdout().lock();
        for row in rows {
            writeln!(out, "{}", crate::domain::words::shown(&row.key))?;
        }
        return Ok(Outcome::Done);
    }
    listing::print(global, &rows, &["KEY", "SIZE", "MODIFIED", "ETAG"], |row| {
        vec![
            row.key.clone(),
            listing::or_dash(row.size, super::bytes),
            listing::or_dash(row.modified, |at| at.to_string()),
            listing::or_dash(row.etag.clone(), |text| text),
        ]
    })
}

pub(super) async fn usage(
    global: &Global,
    stores: &Stores,
    folder: &str,
) -> anyhow::Result<Outcome> {
    let (store, folder) = stores.folder(folder)?;
    let usage = store.usage(&folder).await?;
    listing::print(global, &usage, &["FOLDER", "OBJECTS", "SIZE"], |usage| {
        let name = if usage.folder.is_empty() { "(here)" } else { &usage.folder };
        vec![name.to_owned(), usage.objects.to_string(), super::bytes(usage.bytes)]
    })
}

/// What `store mirror` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Mirror {
    /// The folder to copy
    from: String,
    /// The folder that is to hold the same
    to: String,
    /// Remove what only the target has
    #[arg(long)]
    prune: bool,
    /// Say what would be done
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn mirror(
    global: &Global,
    stores: &Stores,
    command: Mirror,
) -> anyhow::Result<Outcome> {
    let (from, source) = stores.folder(&command.from)?;
    let (to, target) = stores.folder(&command.to)?;
    let how = (command.prune, command.dry_run);
    let mirrored = from.mirror(&source, &to, &target, how).await?;
    let would = if command.dry_run { "would be " } else { "" };
    let copied = format!("{} ({})", mirrored.copied.len(), super::bytes(mirrored.bytes));
    let fields = [
        (format!("{would}copied"), copied),
        ("unchanged".to_owned(), mirrored.unchanged.to_string()),
        (format!("{would}removed"), mirrored.removed.len().to_string()),
    ];
    let fields: Vec<(&str, String)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    listing::print_one(global, &mirrored, &fields)
}

/// What `store verify` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The folder; without it the whole storage
    #[arg(default_value = "")]
    folder: String,
    /// Move what is damaged to quarantine/, with its bytes
    #[arg(long)]
    quarantine: bool,
}

#[derive(Debug, Default, Serialize)]
struct Verified {
    whole: u64,
    unrecorded: u64,
    damaged: Vec<Damage>,
}

#[derive(Debug, Serialize)]
struct Damage {
    key: String,
    reason: String,
    quarantined: Option<String>,
}

pub(super) async fn verify(
    global: &Global,
    stores: &Stores,
    command: Verify,
) -> anyhow::Result<Outcome> {
    let (store, folder) = stores.folder(&command.folder)?;
    let mut verified = Verified::default();
    for key in store.keys(&folder).await? {
        match store.health(&key).await {
            Ok(Health::Whole) => verified.whole += 1,
            Ok(Health::Unrecorded) => verified.unrecorded += 1,
            // It was removed while others were read.
            Err(StoreError::NotFound { .. }) => {}
            Ok(Health::Damaged(reason)) => {
                let is_there = key.as_str().starts_with("quarantine/");
                let quarantined = match command.quarantine && !is_there {
                    true => Some(store.quarantine(&key).await?.to_string()),
                    false => None,
                };
                verified.damaged.push(Damage { key: key.to_string(), reason, quarantined });
            }
            Err(error) => return Err(error.into()),
        }
    }
    for damage in &verified.damaged {
        eprintln!("damaged: {}", crate::domain::words::shown(&damage.reason));
    }
    let fields = [
        ("whole", verified.whole.to_string()),
        ("without a checksum", verified.unrecorded.to_string()),
        ("damaged", verified.damaged.len().to_string()),
    ];
    listing::print_one(global, &verified, &fields)?;
    Ok(if verified.damaged.is_empty() { Outcome::Done } else { Outcome::Problems })
}

pub(super) async fn ensure_dir(stores: &Stores, folder: &str) -> anyhow::Result<Outcome> {
    let (store, folder) = stores.folder(folder)?;
    match store.ensure_dir(&folder).await {
        Ok(()) => Ok(Outcome::Done),
        Err(error @ StoreError::Io { .. }) => {
            eprintln!("error: {}", chain(&error.into()));
            Ok(Outcome::Problems)
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn is_dir(stores: &Stores, folder: &str) -> anyhow::Result<Outcome> {
    let (store, folder) = stores.folder(folder)?;
    Ok(if store.is_dir(&folder).await? { Outcome::Done } else { Outcome::Problems })
}
