//! Commands about single objects.

use std::{io::Write as _, path::PathBuf};

use anyhow::Context;
use bytes::BytesMut;
use clap::Args;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::io::{Key, Store, StoreError, Stores, Transfer, WriteMode, Writer};

use super::{
    super::{Global, Outcome, listing},
    Shown,
};

/// What `store put` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Put {
    /// The file, or `-` for standard input
    file: PathBuf,
    /// Where to
    key: String,
    /// Fail where there is an object already
    #[arg(long, conflicts_with = "if_match")]
    if_absent: bool,
    /// Fail unless the object there has this etag (`store stat` shows it)
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
}

/// What `store get` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Get {
    /// The object
    key: String,
    /// The file to write; without it, standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only these bytes, as in 0-99 or 100-; nothing is compared then
    #[arg(long, value_name = "FROM-TO")]
    range: Option<String>,
}

/// What `store copy` and `store move` take.
#[derive(Debug, Args)]
pub(in crate::cli) struct Carry {
    /// The object
    from: String,
    /// Where to
    to: String,
    /// Replace an object that is there
    #[arg(long)]
    force: bool,
}

/// What `store delete` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Delete {
    /// The objects, or folders
    #[arg(required = true)]
    keys: Vec<String>,
    /// They are folders: remove all that lies in them
    #[arg(long, short)]
    recursive: bool,
    /// What is not there is no error
    #[arg(long)]
    missing_ok: bool,
}

/// Bytes read from a file at once.
const PIECE: usize = 1 << 20;

pub(super) async fn put(global: &Global, stores: &Stores, command: Put) -> anyhow::Result<Outcome> {
    let (store, key) = stores.object(&command.key)?;
    let mode = match &command.if_match {
        Some(etag) => WriteMode::IfUnchanged(etag),
        None if command.if_absent => WriteMode::CreateOnly,
        None => WriteMode::Overwrite,
    };
    let writer = store.writer(&key).await?;
    let written = if command.file.as_os_str() == "-" {
        pour(standard(std::io::stdin())?, writer, mode).await
    } else {
        let file = tokio::fs::File::open(&command.file).await;
        let file = file.with_context(|| format!("open {}", command.file.display()))?;
        pour(file, writer, mode).await
    };
    match written {
        Ok(()) => show(global, &store, &key).await,
        Err(error) => refused(error),
    }
}

/// A standard stream as a file that can be waited for.
fn standard(stream: impl std::os::fd::AsFd) -> anyhow::Result<tokio::fs::File> {
    let own = stream.as_fd().try_clone_to_owned().context("use a standard stream")?;
    Ok(tokio::fs::File::from_std(own.into()))
}

async fn pour(
    mut from: impl AsyncRead + Unpin,
    mut writer: Writer,
    mode: WriteMode<'_>,
) -> anyhow::Result<()> {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        if from.read_buf(&mut piece).await.context("read what is to be written")? == 0 {
            break;
        }
        writer.write(piece.freeze()).await?;
    }
    writer.finish(mode).await?;
    Ok(())
}

/// An object in the way, or none where there should be one, is a finding, not a failure to begin.
fn refused(error: anyhow::Error) -> anyhow::Result<Outcome> {
    let is_finding = error.downcast_ref::<StoreError>().is_some_and(|error| {
        matches!(
            error,
            StoreError::AlreadyExists { .. }
                | StoreError::Changed { .. }
                | StoreError::NotFound { .. }
                | StoreError::Corrupt { .. }
        )
    });
    if !is_finding {
        return Err(error);
    }
    eprintln!("error: {}", super::super::chain(&error));
    Ok(Outcome::Problems)
}

async fn show(global: &Global, store: &Store, key: &Key) -> anyhow::Result<Outcome> {
    let shown = Shown::new(store, key, store.stat(key).await?);
    let fields = [
        ("key", shown.key.clone()),
        ("size", format!("{} ({} bytes)", super::bytes(shown.size), shown.size)),
        ("modified", shown.modified.to_string()),
        ("etag", listing::or_dash(shown.etag.clone(), |text| text)),
        ("sha256", listing::or_dash(shown.sha256.clone(), |text| text)),
        ("content type", shown.content_type.clone()),
    ];
    listing::print_one(global, &shown, &fields)
}

pub(super) async fn get(stores: &Stores, command: Get) -> anyhow::Result<Outcome> {
    let (store, key) = stores.object(&command.key)?;
    match fetch(&store, &key, &command).await {
        Ok(()) => Ok(Outcome::Done),
        Err(error) => refused(error),
    }
}

async fn fetch(store: &Store, key: &Key, command: &Get) -> anyhow::Result<()> {
    if let Some(range) = &command.range {
        let stat = store.stat(key).await?;
        let range = parse_range(range, stat.size)?;
        let bytes = store.get_range(key, range).await?;
        match &command.out {
            Some(file) => tokio::fs::write(file, &bytes).await?,
            None => std::io::stdout().lock().write_all(&bytes)?,
        }
        return Ok(());
    }
    let mut reader = store.reader(key).await?;
    let Some(file) = &command.out else {
        let mut out = standard(std::io::stdout())?;
        while let Some(piece) = reader.next().await? {
            out.write_all(&piece).await?;
        }
        return Ok(out.flush().await?);
    };
    // What is damaged does not take the place of what is there.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(std::path::Path::new("."));
    let unfinished = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("write in {}", folder.display()))?;
    let mut out = tokio::fs::File::from_std(unfinished.reopen()?);
    while let Some(piece) = reader.next().await? {
        out.write_all(&piece).await?;
    }
    out.sync_all().await?;
    unfinished.persist(file).with_context(|| format!("write {}", file.display()))?;
    Ok(())
}

/// `0-99`, both ends included, as HTTP has it.
fn parse_range(text: &str, size: u64) -> anyhow::Result<std::ops::Range<u64>> {
    let parsed = text.split_once('-').and_then(|(from, to)| {
        let from = from.trim().parse::<u64>().ok()?;
        let end = match to.trim() {
            "" => size,
            to => to.parse::<u64>().ok()?.checked_add(1)?.min(size),
        };
        (from < end).then_some(from..end)
    });
    parsed.with_context(|| format!("`{text}` is no range of {size} bytes; write it as in 0-99"))
}

pub(super) async fn exists(stores: &Stores, key: &str) -> anyhow::Result<Outcome> {
    let (store, key) = stores.object(key)?;
    Ok(match store.exists(&key).await? {
        true => Outcome::Done,
        false => Outcome::Problems,
    })
}

pub(super) async fn stat(
    global: &Global,
    stores: &Stores,
    keys: &[String],
) -> anyhow::Result<Outcome> {
    let (mut found, mut outcome) = (Vec::new(), Outcome::Done);
    for key in keys {
        let (store, key) = stores.object(key)?;
        match store.stat(&key).await {
            Ok(stat) => found.push(Shown::new(&store, &key, stat)),
            Err(error) => outcome = refused(error.into())?,
        }
    }
    let header = ["KEY", "SIZE", "MODIFIED", "ETAG", "SHA-256", "TYPE"];
    listing::print(global, &found, &header, |shown| {
        vec![
            shown.key.clone(),
            super::bytes(shown.size),
            shown.modified.to_string(),
            listing::or_dash(shown.etag.clone(), |text| text),
            listing::or_dash(shown.sha256.clone(), |text| text),
            shown.content_type.clone(),
        ]
    })?;
    Ok(outcome)
}

pub(super) async fn copy(
    global: &Global,
    stores: &Stores,
    command: Carry,
) -> anyhow::Result<Outcome> {
    carry(global, stores, &command, false).await
}

pub(super) async fn move_to(
    global: &Global,
    stores: &Stores,
    command: Carry,
) -> anyhow::Result<Outcome> {
    carry(global, stores, &command, true).await
}

async fn carry(
    global: &Global,
    stores: &Stores,
    command: &Carry,
    is_move: bool,
) -> anyhow::Result<Outcome> {
    let (from, key) = stores.object(&command.from)?;
    let (to, target) = stores.object(&command.to)?;
    let how = if command.force { Transfer::Replace } else { Transfer::Careful };
    let carried = match is_move {
        true => from.move_to(&key, &to, &target, how).await,
        false => from.copy(&key, &to, &target, how).await,
    };
    match carried {
        Ok(_) => show(global, &to, &target).await,
        Err(error) => refused(error.into()),
    }
}

pub(super) async fn delete(
    global: &Global,
    stores: &Stores,
    command: Delete,
) -> anyhow::Result<Outcome> {
    let (mut n_removed, mut outcome) = (0, Outcome::Done);
    for text in &command.keys {
        let removed = match command.recursive {
            true => {
                let (store, folder) = stores.folder(text)?;
                store.delete_tree(&folder).await
            }
            false => {
                let (store, key) = stores.object(text)?;
                store.delete(&key).await.map(|()| 1)
            }
        };
        match removed {
            Ok(n) => n_removed += n,
            Err(StoreError::NotFound { .. }) if command.missing_ok => {}
            Err(error) => outcome = refused(error.into())?,
        }
    }
    let fields = [("removed", n_removed.to_string())];
    listing::print_one(global, &serde_json::json!({ "removed": n_removed }), &fields)?;
    Ok(outcome)
}
