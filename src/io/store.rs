//! The store: whole objects by key, written atomically and durably. A write is staged beside its
//! place, synced, renamed and its folder synced, so after it returns the object survives a power
//! cut, and before that nothing of it is visible.

use std::{fmt, fs, path::Path as FsPath, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{
    ObjectStore, ObjectStoreExt, PutMode, PutPayload, RenameOptions, RenameTargetMode,
    local::LocalFileSystem, memory::InMemory, path::Path,
};

use super::{
    StoreError,
    error::{failure, foreign, two_key_failure},
    integrity::{check_size, verify},
    key::Key,
    local::{is_outside, make_folder, sweep},
};
use crate::domain::{StorageBackend, StorageSpec, Timestamp};

/// Objects by key, on a local disk or in memory. Cheap to clone; clones share the objects.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn ObjectStore>,
    /// The folder objects lie in, symbolic links resolved; `None` in memory.
    root: Option<Arc<FsPath>>,
}

/// What a write does where an object already is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// Replaces it, at once and whole.
    Overwrite,
    /// Leaves it and fails with [`StoreError::AlreadyExists`].
    CreateOnly,
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Timestamp,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            Some(root) => write!(f, "Store({})", root.display()),
            None => f.write_str("Store(memory)"),
        }
    }
}

impl Store {
    /// Opens the store a project asks for; a missing root folder is made.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the root cannot be made or opened.
    pub fn open(spec: &StorageSpec) -> Result<Self, StoreError> {
        match spec.backend {
            StorageBackend::Local => Self::local(&spec.root),
            StorageBackend::Memory => Ok(Self::memory()),
        }
    }

    /// A store in memory, gone with its last clone.
    pub fn memory() -> Self {
        Self { backend: Arc::new(InMemory::new()), root: None }
    }

    fn local(folder: &FsPath) -> Result<Self, StoreError> {
        let failed = |op| {
            let place = folder.display().to_string();
            move |source| StoreError::Io { op, place, source }
        };
        make_folder(folder).map_err(failed("make the storage folder"))?;
        let root = fs::canonicalize(folder).map_err(failed("open the storage folder"))?;
        let backend = LocalFileSystem::new_with_prefix(&root).map_err(|source| {
            let place = folder.display().to_string();
            StoreError::Backend { op: "open the storage folder", place, source: source.into() }
        })?;
        Ok(Self { backend: Arc::new(backend.with_fsync(true)), root: Some(root.into()) })
    }

    /// The folder objects lie in; `None` for a store in memory.
    pub fn root(&self) -> Option<&FsPath> {
        self.root.as_deref()
    }

    /// Writes an object whole. Dropping the future leaves the old object or the new one, and at
    /// most a hidden unfinished file.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] in create-only mode; [`StoreError::Io`] when the disk fails.
    pub async fn put(&self, key: &Key, bytes: Bytes, mode: WriteMode) -> Result<(), StoreError> {
        self.refuse_outside(key).await?;
        let mode = match mode {
            WriteMode::Overwrite => PutMode::Overwrite,
            WriteMode::CreateOnly => PutMode::Create,
        };
        let path = key.path();
        let written = self.backend.put_opts(&path, PutPayload::from(bytes), mode.into()).await;
        written.map(drop).map_err(|error| failure("write", key, error))
    }

    /// Reads an object whole.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn get(&self, key: &Key) -> Result<Bytes, StoreError> {
        self.refuse_outside(key).await?;
        let failed = |error| failure("read", key, error);
        self.backend.get(&key.path()).await.map_err(failed)?.bytes().await.map_err(failed)
    }

    /// Reads an object whole and compares it with what was recorded when it was written.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when size or SHA-256 differ; the size is compared before anything
    /// is read.
    pub async fn get_verified(
        &self,
        key: &Key,
        sha256: &str,
        size: u64,
    ) -> Result<Bytes, StoreError> {
        let bytes = self.get_sized(key, size).await?;
        verify(key, &bytes, sha256, size)?;
        Ok(bytes)
    }

    /// Reads an object of a known size; the checksum is left to [`verify`] on a computing thread.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the size differs.
    pub async fn get_sized(&self, key: &Key, size: u64) -> Result<Bytes, StoreError> {
        self.refuse_outside(key).await?;
        let failed = |error| failure("read", key, error);
        let found = self.backend.get(&key.path()).await.map_err(failed)?;
        check_size(key, found.meta.size, size)?;
        found.bytes().await.map_err(failed)
    }

    /// Size and time of an object.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn stat(&self, key: &Key) -> Result<Stat, StoreError> {
        self.refuse_outside(key).await?;
        let meta = self.backend.head(&key.path()).await;
        let meta = meta.map_err(|error| failure("look up", key, error))?;
        Ok(Stat { size: meta.size, modified: meta.last_modified.into() })
    }

    /// Whether there is an object.
    ///
    /// # Errors
    /// Any failure other than its absence.
    pub async fn exists(&self, key: &Key) -> Result<bool, StoreError> {
        match self.stat(key).await {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes an object. After a power cut it may be back: only what nothing refers to may go.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        // A store in memory deletes what is not there without a word; a disk does not.
        self.stat(key).await?;
        self.backend.delete(&key.path()).await.map_err(|error| failure("delete", key, error))
    }

    /// Removes an object; whether there was one.
    ///
    /// # Errors
    /// Any failure other than its absence.
    pub async fn delete_if_exists(&self, key: &Key) -> Result<bool, StoreError> {
        match self.delete(key).await {
            Ok(()) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Every key in a folder and the folders below it, sorted by bytes; `""` is the whole store.
    /// A folder that does not exist holds nothing.
    ///
    /// # Errors
    /// [`StoreError::InvalidKey`] when the prefix is no folder's name.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<Key>, StoreError> {
        let folder = match prefix.trim_end_matches('/') {
            "" => Path::ROOT,
            folder => Key::parse(folder)?.path(),
        };
        let listed: Vec<_> = self
            .backend
            .list(Some(&folder))
            .map_ok(|meta| meta.location)
            .try_collect()
            .await
            .map_err(|source| foreign("list", prefix.to_owned(), source))?;
        // A file that was put there by hand under a name no key can have is not an object.
        let mut keys: Vec<_> =
            listed.iter().filter_map(|path| Key::parse(path.as_ref()).ok()).collect();
        keys.sort();
        Ok(keys)
    }

    /// Moves an object to a place where there is none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the source, [`StoreError::AlreadyExists`] for the target.
    pub async fn rename(&self, from: &Key, to: &Key) -> Result<(), StoreError> {
        self.stat(from).await?;
        self.refuse_outside(to).await?;
        let options = RenameOptions::new().with_target_mode(RenameTargetMode::Create);
        let renamed = self.backend.rename_opts(&from.path(), &to.path(), options).await;
        renamed.map_err(|error| two_key_failure("rename", from, to, error))
    }

    /// Moves a damaged object out of the way, under `quarantine/`, with its bytes kept for a look.
    /// An object that was quarantined from the same key before stays too.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn quarantine(&self, key: &Key) -> Result<Key, StoreError> {
        let mut n_earlier = 0_u32;
        loop {
            let target = match n_earlier {
                0 => format!("quarantine/{key}"),
                _ => format!("quarantine/{n_earlier}/{key}"),
            };
            let target = Key::parse(&target)?;
            match self.rename(key, &target).await {
                Ok(()) => return Ok(target),
                Err(StoreError::AlreadyExists { .. }) => n_earlier += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes what unfinished writes left behind (`name#1`); how many there were. Only for
    /// start-up, under the lock on the folder: a write of another process is unfinished too.
    ///
    /// # Errors
    /// [`StoreError::Io`] when a folder cannot be read or a file not removed.
    pub async fn sweep_temporary(&self) -> Result<usize, StoreError> {
        let Some(root) = &self.root else { return Ok(0) };
        sweep(root).await.map_err(|source| {
            let place = root.display().to_string();
            StoreError::Io { op: "remove unfinished writes in", place, source }
        })
    }

    /// Refuses a key whose folder really lies outside the root, because a link leads there.
    async fn refuse_outside(&self, key: &Key) -> Result<(), StoreError> {
        let Some(root) = &self.root else { return Ok(()) };
        match is_outside(root, &root.join(key.as_str())).await {
            true => Err(StoreError::Outside { key: key.clone() }),
            false => Ok(()),
        }
    }
}
