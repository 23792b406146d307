//! The store: whole objects by key, written atomically and durably. After a write returns, the object
//! survives a power cut; before, nothing of it is visible. What a store is asked means the same on a
//! disk, in memory and in a bucket.

mod cached;
mod list;
mod order;
mod probe;
mod read;
mod stat;
mod transfer;
mod write;
mod writer;

use std::{fmt, fs, path::Path as FsPath, sync::Arc};

use object_store::{ObjectStore, memory::InMemory};

pub use list::{Listing, Usage};
pub use order::Order;
pub use probe::Probe;
pub use read::Reader;
pub use stat::{Entry, Stat, WriteMode, Written};
pub use transfer::{Health, Mirrored, Transfer};
pub use writer::Writer;

use super::{
    StoreError,
    cache::Cache,
    counters::Counters,
    disk::{Disk, is_outside, make_folder, sweep},
    key::Key,
    luck::Luck,
    remote::Patience,
};
use crate::domain::StoreLocation;

/// Objects by key. Cheap to clone; clones share the objects.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    backend: Arc<dyn ObjectStore>,
    location: StoreLocation,
    /// The folder objects lie in, symbolic links resolved; `None` elsewhere.
    root: Option<Arc<FsPath>>,
    limits: Limits,
    patience: Patience,
    luck: Luck,
    counters: Arc<Counters>,
    can_write: bool,
    cache: Option<Arc<Cache>>,
    /// The endpoint, where it is not the service's own.
    realm: String,
}

/// How large objects travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What is larger goes in pieces, bytes.
    pub threshold: u64,
    /// A piece, bytes; at least 5 MiB where pieces are sent to S3.
    pub chunk: u64,
    /// Pieces, and objects of a batch, at once.
    pub concurrency: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self { threshold: 64 * MIB, chunk: 16 * MIB, concurrency: 10 }
    }
}

/// What a store is made of, beside its objects.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub(super) location: StoreLocation,
    pub(super) limits: Limits,
    pub(super) patience: Patience,
    pub(super) counters: Arc<Counters>,
    pub(super) can_write: bool,
    pub(super) cache: Option<Arc<Cache>>,
    pub(super) realm: String,
}

impl Parts {
    fn of(location: StoreLocation) -> Self {
        Self {
            location,
            limits: Limits::default(),
            patience: Patience::default(),
            counters: Arc::default(),
            can_write: true,
            cache: None,
            realm: String::new(),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.shared.location)
    }
}

impl Store {
    /// A store in memory, gone with its last clone.
    pub fn memory() -> Self {
        let parts = Parts::of(StoreLocation::Memory(String::new()));
        Self::over(Arc::new(InMemory::new()), parts)
    }

    /// A store in a folder, which is made when missing.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder cannot be made or opened.
    pub fn local(folder: &FsPath) -> Result<Self, StoreError> {
        Self::disk(folder, Parts::of(StoreLocation::Disk(folder.to_path_buf())))
    }

    pub(super) fn disk(folder: &FsPath, parts: Parts) -> Result<Self, StoreError> {
        let failed = |op| {
            let place = folder.display().to_string();
            move |source| StoreError::Io { op, place, source }
        };
        make_folder(folder).map_err(failed("make the storage folder"))?;
        let root = fs::canonicalize(folder).map_err(failed("open the storage folder"))?;
        let backend = Disk::open(&root).map_err(|source| {
            let place = folder.display().to_string();
            StoreError::Backend { op: "open the storage folder", place, source: source.into() }
        })?;
        let parts = Parts { location: StoreLocation::Disk(root.clone()), ..parts };
        Ok(Self::new(Arc::new(backend), parts, Some(root.into())))
    }

    /// A store over any backend.
    pub(super) fn over(backend: Arc<dyn ObjectStore>, parts: Parts) -> Self {
        Self::new(backend, parts, None)
    }

    fn new(backend: Arc<dyn ObjectStore>, parts: Parts, root: Option<Arc<FsPath>>) -> Self {
        let Parts { location, limits, patience, counters, can_write, cache, realm } = parts;
        let shared = Shared {
            backend,
            location,
            root,
            limits,
            patience,
            luck: Luck::new(),
            counters,
            can_write,
            cache,
            realm,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The folder objects lie in; `None` where they are not files of this machine.
    pub fn root(&self) -> Option<&FsPath> {
        self.shared.root.as_deref()
    }

    /// Where the objects lie.
    pub fn location(&self) -> &StoreLocation {
        &self.shared.location
    }

    /// An object's full address, as people read it.
    pub fn address(&self, key: &Key) -> String {
        match &self.shared.location {
            StoreLocation::Disk(root) => root.join(key.as_str()).display().to_string(),
            location => format!("{}/{key}", location.to_string().trim_end_matches('/')),
        }
    }

    /// What this store did, counted.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// The library's own view of the objects, for what speaks to it directly. Keys mean the same;
    /// checksums are neither written nor checked.
    pub fn backend(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.shared.backend)
    }

    /// Whether asking means asking another machine.
    fn is_remote(&self) -> bool {
        self.shared.location.is_remote()
    }

    /// Removes what unfinished writes left behind (`name#1`); how many there were. Only for
    /// start-up, under the lock on the folder: a write of another process is unfinished too.
    ///
    /// # Errors
    /// [`StoreError::Io`] when a folder cannot be read or a file not removed.
    pub async fn sweep_temporary(&self) -> Result<usize, StoreError> {
        let Some(root) = &self.shared.root else { return Ok(0) };
        sweep(root).await.map_err(|source| {
            let place = root.display().to_string();
            StoreError::Io { op: "remove unfinished writes in", place, source }
        })
    }

    fn refuse_write(&self) -> Result<(), StoreError> {
        match self.shared.can_write {
            true => Ok(()),
            false => Err(StoreError::ReadOnly { place: self.shared.location.to_string() }),
        }
    }

    /// Refuses a key whose folder really lies outside the root, because a link leads there.
    async fn refuse_outside(&self, key: &Key) -> Result<(), StoreError> {
        let Some(root) = &self.shared.root else { return Ok(()) };
        match is_outside(root, &root.join(key.as_str())).await {
            true => Err(StoreError::Outside { key: key.clone() }),
            false => Ok(()),
        }
    }
}
