//! A folder of a store as the Zarr library wants it: plain blocking calls, made on computing threads
//! while the runtime does the work.

use bytes::Bytes;
use tokio::runtime::Handle;
use zarrs::storage::{
    ListableStorageTraits, MaybeBytes, MaybeBytesIterator, OffsetBytesIterator,
    ReadableStorageTraits, StorageError, StoreKey, StoreKeys, StoreKeysPrefixes, StorePrefix,
    StorePrefixes, WritableStorageTraits,
    byte_range::{ByteRange, ByteRangeIterator},
};

use crate::{
    io::{Key, Listing, Order, Store, StoreError, WriteMode},
    net::chain,
};

/// The objects of one array.
#[derive(Debug)]
pub(super) struct Objects {
    store: Store,
    folder: Key,
    runtime: Handle,
}

impl Objects {
    /// The objects in a folder. To be made inside a runtime.
    pub(super) fn new(store: Store, folder: Key) -> Self {
        Self { store, folder, runtime: Handle::current() }
    }

    fn key(&self, key: &StoreKey) -> Result<Key, StorageError> {
        Key::parse(&format!("{}/{}", self.folder, key.as_str())).map_err(|e| failure(&e.into()))
    }

    fn folder(&self, prefix: &StorePrefix) -> String {
        format!("{}/{}", self.folder, prefix.as_str()).trim_end_matches('/').to_owned()
    }

    /// A key as the library knows it.
    fn known(&self, key: &Key) -> Option<StoreKey> {
        let below = key.as_str().strip_prefix(self.folder.as_str())?.strip_prefix('/')?;
        StoreKey::new(below).ok()
    }

    fn read(&self, key: &StoreKey, range: ByteRange) -> Result<MaybeBytes, StorageError> {
        let key = self.key(key)?;
        let read = self.runtime.block_on(async {
            let (start, end) = match range {
                ByteRange::FromStart(0, None) => return self.store.get(&key).await,
                ByteRange::FromStart(start, Some(n)) => (start, start.saturating_add(n)),
                ByteRange::FromStart(start, None) => (start, self.store.stat(&key).await?.size),
                ByteRange::Suffix(n) => {
                    let size = self.store.stat(&key).await?.size;
                    (size.saturating_sub(n), size)
                }
            };
            self.store.get_range(&key, start..end).await
        });
        found(read)
    }
}

fn failure(error: &StoreError) -> StorageError {
    StorageError::Other(chain(error))
}

fn found<T>(result: Result<T, StoreError>) -> Result<Option<T>, StorageError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(failure(&error)),
    }
}

impl ReadableStorageTraits for Objects {
    fn get(&self, key: &StoreKey) -> Result<MaybeBytes, StorageError> {
        self.read(key, ByteRange::FromStart(0, None))
    }

    fn get_partial_many<'a>(
        &'a self,
        key: &StoreKey,
        ranges: ByteRangeIterator<'a>,
    ) -> Result<MaybeBytesIterator<'a>, StorageError> {
        let mut parts = Vec::new();
        for range in ranges {
            match self.read(key, range)? {
                Some(bytes) => parts.push(Ok(bytes)),
                None => return Ok(None),
            }
        }
        Ok(Some(Box::new(parts.into_iter())))
    }

    fn size_key(&self, key: &StoreKey) -> Result<Option<u64>, StorageError> {
        let key = self.key(key)?;
        found(self.runtime.block_on(self.store.stat(&key))).map(|stat| stat.map(|stat| stat.size))
    }

    fn supports_get_partial(&self) -> bool {
        true
    }
}

impl WritableStorageTraits for Objects {
    fn set(&self, key: &StoreKey, value: Bytes) -> Result<(), StorageError> {
        let key = self.key(key)?;
        let written = self.runtime.block_on(self.store.put(&key, value, WriteMode::Overwrite));
        written.map(drop).map_err(|error| failure(&error))
    }

    fn set_partial_many(
        &self,
        key: &StoreKey,
        values: OffsetBytesIterator<'_>,
    ) -> Result<(), StorageError> {
        zarrs::storage::store_set_partial_many(self, key, values)
    }

    fn erase(&self, key: &StoreKey) -> Result<(), StorageError> {
        let key = self.key(key)?;
        let erased = self.runtime.block_on(self.store.delete_if_exists(&key));
        erased.map(drop).map_err(|error| failure(&error))
    }

    fn erase_prefix(&self, prefix: &StorePrefix) -> Result<(), StorageError> {
        let folder = self.folder(prefix);
        found(self.runtime.block_on(self.store.delete_tree(&folder))).map(drop)
    }

    fn supports_set_partial(&self) -> bool {
        false
    }
}

impl ListableStorageTraits for Objects {
    fn list(&self) -> Result<StoreKeys, StorageError> {
        self.list_prefix(&StorePrefix::root())
    }

    fn list_prefix(&self, prefix: &StorePrefix) -> Result<StoreKeys, StorageError> {
        let keys = self.runtime.block_on(self.store.keys(&self.folder(prefix)));
        let keys = keys.map_err(|error| failure(&error))?;
        Ok(keys.iter().filter_map(|key| self.known(key)).collect())
    }

    fn list_dir(&self, prefix: &StorePrefix) -> Result<StoreKeysPrefixes, StorageError> {
        let folder = self.folder(prefix);
        let (entries, folders) = self.runtime.block_on(async {
            let entries = self.store.list(&Listing::of(&folder).flat()).await;
            (entries, self.store.folders(&folder, Order::default()).await)
        });
        let entries = entries.map_err(|error| failure(&error))?;
        let folders = folders.map_err(|error| failure(&error))?;
        let prefixes: StorePrefixes = folders
            .iter()
            .filter_map(|key| self.known(key))
            .filter_map(|key| StorePrefix::new(format!("{}/", key.as_str())).ok())
            .collect();
        let keys = entries.iter().filter_map(|entry| self.known(&entry.key)).collect();
        Ok(StoreKeysPrefixes::new(keys, prefixes))
    }

    fn size_prefix(&self, prefix: &StorePrefix) -> Result<u64, StorageError> {
        let listing = Listing::of(self.folder(prefix));
        let entries = self.runtime.block_on(self.store.list(&listing));
        let entries = entries.map_err(|error| failure(&error))?;
        Ok(entries.iter().map(|entry| entry.size).sum())
    }
}
