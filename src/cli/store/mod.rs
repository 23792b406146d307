//! `anomstack store`: the objects of the project's storage, and of any other place by its address.

mod folders;
mod objects;
mod preview;
mod upkeep;
mod values;

use std::sync::Arc;

use clap::Subcommand;
use serde::Serialize;

use crate::{
    config::Environment,
    domain::Timestamp,
    io::{Key, Stat, Store as Objects},
    net::Client,
};

use super::{Global, Outcome, open};

/// What can be asked of stores.
///
/// KEY is a key of the project's own storage, or an address: a path that begins with `/` or `./`, or
/// memory://, s3://, gs://, az:// or https://. `s3://NAME@bucket/key` uses [storage.profiles.NAME].
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Write a file's bytes, or standard input's with `-`, as one object
    Put(objects::Put),
    /// Write an object's bytes to standard output or a file; they are compared with its checksum
    Get(objects::Get),
    /// Show what an object holds: a frame's columns and first rows, an array's shape, JSON, text
    Show(values::Show),
    /// Read an object as a value and write it in another format, place or both.
    ///
    /// The extension of TO says the format: frames as .parquet, .csv, .arrow; JSON as .json, .yaml, .toml; arrays as
    /// .npy, .zarr; sets of arrays as .npz, .safetensors; images as .png, .jpg.
    Convert(values::Convert),
    /// Read Parquet or CSV objects as one frame, only as much of them as is needed, and print it as CSV
    Scan(values::Scan),
    /// Whether there is an object: exit code 0 when there is, 1 when not
    Exists {
        /// The object
        key: String,
    },
    /// Size, time, etag, checksum and media type of objects
    Stat {
        /// The objects
        #[arg(required = true)]
        keys: Vec<String>,
    },
    /// The keys in a folder, sorted
    Keys(folders::Keys),
    /// Copy an object, also from one store to another
    Copy(objects::Carry),
    /// Move an object, also from one store to another
    Move(objects::Carry),
    /// Remove objects, or with --recursive folders with all that lies in them
    Delete(objects::Delete),
    /// How much lies in a folder, by the folders in it
    Du {
        /// The folder; without it the whole storage
        #[arg(default_value = "")]
        folder: String,
    },
    /// Make a folder hold what another holds: copies what is new or has changed
    Mirror(folders::Mirror),
    /// Read objects and compare them with the checksums they were written with
    Verify(folders::Verify),
    /// Make a folder; where folders are only parts of keys there is nothing to make
    EnsureDir {
        /// The folder
        folder: String,
    },
    /// Whether there is a folder: exit code 0 when there is, 1 when not
    IsDir {
        /// The folder
        folder: String,
    },
    /// Remove old objects by age and count; says which, and removes them with --apply
    Retain(upkeep::Retain),
    /// Remove what unfinished writes left in a folder's store on this machine
    Sweep(upkeep::Sweep),
    /// Try what a store can do: write, read, list, and whether it keeps its word on conditions
    Probe {
        /// A folder of the store; without it the project's own storage
        #[arg(default_value = "")]
        folder: String,
    },
    /// What is kept of remote reads on this machine
    #[command(subcommand)]
    Cache(upkeep::Cached),
    /// The kinds of stores there are
    Backends,
}

/// Does what was asked.
pub(super) async fn store(global: &Global, command: Store) -> anyhow::Result<Outcome> {
    let project = match open::project(global) {
        Ok(project) => project,
        Err(outcome) => return Ok(outcome),
    };
    let environment = Arc::new(Environment::from_process().into_inner());
    let stores = open::stores(&project, &Client::new(), &environment)?;
    match command {
        Store::Put(command) => objects::put(global, &stores, command).await,
        Store::Get(command) => objects::get(&stores, command).await,
        Store::Show(command) => values::show(global, &stores, command).await,
        Store::Convert(command) => values::convert(&stores, command).await,
        Store::Scan(command) => values::scan(&stores, command).await,
        Store::Exists { key } => objects::exists(&stores, &key).await,
        Store::Stat { keys } => objects::stat(global, &stores, &keys).await,
        Store::Keys(command) => folders::keys(global, &stores, command).await,
        Store::Copy(command) => objects::copy(global, &stores, command).await,
        Store::Move(command) => objects::move_to(global, &stores, command).await,
        Store::Delete(command) => objects::delete(global, &stores, command).await,
        Store::Du { folder } => folders::usage(global, &stores, &folder).await,
        Store::Mirror(command) => folders::mirror(global, &stores, command).await,
        Store::Verify(command) => folders::verify(global, &stores, command).await,
        Store::EnsureDir { folder } => folders::ensure_dir(&stores, &folder).await,
        Store::IsDir { folder } => folders::is_dir(&stores, &folder).await,
        Store::Retain(command) => upkeep::retain(global, &stores, command).await,
        Store::Sweep(command) => upkeep::sweep(global, &stores, command).await,
        Store::Probe { folder } => upkeep::probe(global, &stores, &folder).await,
        Store::Cache(command) => upkeep::cache(global, &project, command).await,
        Store::Backends => upkeep::backends(global, &stores),
    }
}

/// What is known of an object, as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    key: String,
    size: u64,
    modified: Timestamp,
    etag: Option<String>,
    sha256: Option<String>,
    content_type: String,
}

impl Shown {
    fn new(store: &Objects, key: &Key, stat: Stat) -> Self {
        let Stat { size, modified, etag, sha256, content_type, .. } = stat;
        Self { key: store.address(key), size, modified, etag, sha256, content_type }
    }
}

/// A number of bytes, short.
fn bytes(n_bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if n_bytes < 1024 {
        return format!("{n_bytes} B");
    }
    let mut size = n_bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    format!("{size:.1} {unit}")
}
