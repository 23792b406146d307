//! Objects from one place to another, within a store or between two; folders as a whole; and whether
//! what lies there is what was written.

use futures::{StreamExt, stream};
use object_store::{CopyMode, CopyOptions};

use super::{Listing, Stat, Store, WriteMode, Written};
use crate::{
    domain::{StorageService, StoreLocation},
    io::{Key, StoreError, error::two_key_failure},
};

/// How objects are carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// An object in the way stays, and the transfer fails.
    Careful,
    /// It is replaced.
    Replace,
}

impl Transfer {
    fn mode(self) -> WriteMode<'static> {
        match self {
            Self::Careful => WriteMode::CreateOnly,
            Self::Replace => WriteMode::Overwrite,
        }
    }
}

/// What mirroring a folder did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Mirrored {
    /// Copied, by key.
    pub copied: Vec<String>,
    /// Left alone, because it is there already with the same content.
    pub unchanged: u64,
    /// Removed, because the source has it no more.
    pub removed: Vec<String>,
    /// Bytes copied.
    pub bytes: u64,
}

/// What a look at an object's bytes came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// They are those that were written.
    Whole,
    /// Nothing was recorded to compare them with; they could be read.
    Unrecorded,
    /// They are not.
    Damaged(String),
}

impl Store {
    /// Copies an object, within this store or into another.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the source, [`StoreError::AlreadyExists`] for the target,
    /// [`StoreError::Corrupt`] when the source is damaged: nothing is then written.
    pub async fn copy(
        &self,
        from: &Key,
        target: &Store,
        to: &Key,
        how: Transfer,
    ) -> Result<Stat, StoreError> {
        target.refuse_write()?;
        target.refuse_outside(to).await?;
        if self.is_same(target) && from == to {
            let stat = self.stat(from).await?;
            return match how {
                Transfer::Careful => Err(StoreError::AlreadyExists { key: to.clone() }),
                Transfer::Replace => Ok(stat),
            };
        }
        if self.is_same(target) && self.copies_within(how) {
            let stat = self.stat(from).await?;
            let mode = match how {
                Transfer::Careful => CopyMode::Create,
                Transfer::Replace => CopyMode::Overwrite,
            };
            let options = CopyOptions::new().with_mode(mode);
            let copied = self.shared.backend.copy_opts(&from.path(), &to.path(), options).await;
            target.forget_cached(to).await;
            copied.map_err(|error| two_key_failure("copy", from, to, error))?;
            return Ok(stat);
        }
        let mut reader = self.uncached_reader_checked(from).await?;
        let stat = reader.stat().clone();
        let mut writer = target.writer_of(to, stat.size, stat.sha256.clone()).await?;
        loop {
            match reader.next().await {
                Ok(Some(piece)) => writer.write(piece).await?,
                Ok(None) => break,
                Err(error) => {
                    writer.abandon().await;
                    return Err(error);
                }
            }
        }
        writer.finish(how.mode()).await?;
        Ok(stat)
    }

    async fn uncached_reader_checked(&self, key: &Key) -> Result<super::Reader, StoreError> {
        self.refuse_outside(key).await?;
        self.uncached_reader(key, None).await
    }

    /// Moves an object: copies it, looks whether the copy is there, removes the source.
    ///
    /// # Errors
    /// As [`Store::copy`]; the source stays then.
    pub async fn move_to(
        &self,
        from: &Key,
        target: &Store,
        to: &Key,
        how: Transfer,
    ) -> Result<Stat, StoreError> {
        self.refuse_write()?;
        let stat = self.copy(from, target, to, how).await?;
        if self.is_same(target) && from == to {
            return Ok(stat);
        }
        target.stat(to).await?;
        self.remove(from).await?;
        Ok(stat)
    }

    /// Removes a folder with all that lies in it; how many objects that were. A folder that is not
    /// there is [`StoreError::NotFound`]; an empty one is removed.
    ///
    /// # Errors
    /// [`StoreError::InvalidKey`] for the whole store, which is nothing to remove.
    pub async fn delete_tree(&self, folder: &str) -> Result<usize, StoreError> {
        self.refuse_write()?;
        let key = Key::parse(folder.trim_end_matches('/'))?;
        if !self.is_dir(key.as_str()).await? {
            return Err(StoreError::NotFound { key });
        }
        let keys = self.keys(key.as_str()).await?;
        let removed: Vec<Result<(), StoreError>> = stream::iter(&keys)
            .map(|key| self.remove(key))
            .buffer_unordered(self.shared.limits.concurrency.max(1))
            .collect()
            .await;
        removed.into_iter().collect::<Result<(), _>>()?;
        self.remove_empty_folders(&key).await?;
        Ok(keys.len())
    }

    /// On a disk, folders are things of their own. One that is not empty holds what is no object,
    /// and stays.
    async fn remove_empty_folders(&self, folder: &Key) -> Result<(), StoreError> {
        let Some(root) = self.root() else { return Ok(()) };
        let mut folders = vec![root.join(folder.as_str())];
        let mut nth = 0;
        while let Some(folder) = folders.get(nth).cloned() {
            nth += 1;
            let Ok(mut entries) = tokio::fs::read_dir(&folder).await else { continue };
            while let Ok(Some(entry)) = entries.next_entry().await {
                if entry.file_type().await.is_ok_and(|kind| kind.is_dir()) {
                    folders.push(entry.path());
                }
            }
        }
        for folder in folders.iter().rev() {
            match tokio::fs::remove_dir(folder).await {
                Ok(()) => {}
                Err(error) => tracing::debug!("{} stays: {error}", folder.display()),
            }
        }
        Ok(())
    }

    /// Makes a folder of another store hold what a folder of this one holds: what is not there, or
    /// there with another content, is copied and compared on the way. With `prune`, what only the
    /// target has is removed; with `dry`, nothing is done.
    ///
    /// # Errors
    /// The first failure; what was copied until then stays, and the next time is left alone.
    pub async fn mirror(
        &self,
        from: &str,
        target: &Store,
        to: &str,
        (prune, dry): (bool, bool),
    ) -> Result<Mirrored, StoreError> {
        let sources = self.list(&Listing::of(from)).await?;
        let mut stray: std::collections::BTreeMap<String, super::Entry> = target
            .list(&Listing::of(to))
            .await?
            .into_iter()
            .map(|e| (e.key.to_string(), e))
            .collect();
        let mut mirrored = Mirrored::default();
        let mut wanted = Vec::new();
        for source in sources {
            let below =
                source.key.as_str()[from.trim_end_matches('/').len()..].trim_start_matches('/');
            let key = match to.trim_end_matches('/') {
                "" => Key::parse(below)?,
                folder => Key::parse(&format!("{folder}/{below}"))?,
            };
            let is_same = match stray.remove(key.as_str()) {
                Some(there) if there.size == source.size => {
                    self.holds_same(&source.key, target, &key).await?
                }
                Some(_) | None => false,
            };
            match is_same {
                true => mirrored.unchanged += 1,
                false => wanted.push((source, key)),
            }
        }
        if !dry {
            let copied: Vec<Result<Stat, StoreError>> = stream::iter(&wanted)
                .map(|(source, key)| self.copy(&source.key, target, key, Transfer::Replace))
                .buffer_unordered(self.shared.limits.concurrency.clamp(1, 4))
                .collect()
                .await;
            copied.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        for (source, key) in wanted {
            mirrored.bytes += source.size;
            mirrored.copied.push(key.to_string());
        }
        if prune {
            for (text, entry) in stray {
                if !dry {
                    target.remove(&entry.key).await?;
                }
                mirrored.removed.push(text);
            }
        }
        Ok(mirrored)
    }

    /// Whether two objects of the same size hold the same bytes: by what was recorded with them, or
    /// else by reading both.
    async fn holds_same(&self, from: &Key, target: &Store, to: &Key) -> Result<bool, StoreError> {
        let (source, there) = (self.stat(from).await?, target.stat(to).await?);
        let source = match source.sha256 {
            Some(sha256) => sha256,
            None => self.digest(from).await?,
        };
        let there = match there.sha256 {
            Some(sha256) => sha256,
            None => target.digest(to).await?,
        };
        Ok(source == there)
    }

    /// The SHA-256 of the bytes as they are.
    async fn digest(&self, key: &Key) -> Result<String, StoreError> {
        use sha2::{Digest, Sha256};
        let mut reader = self.uncached_reader_checked(key).await?;
        let mut digest = Sha256::new();
        while let Some(piece) = reader.next().await? {
            digest.update(&piece);
        }
        Ok(crate::io::integrity::hex(&digest.finalize()))
    }

    /// Reads an object, past every cache, and compares it with what was recorded with it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and what says nothing about the object's bytes.
    pub async fn health(&self, key: &Key) -> Result<Health, StoreError> {
        let mut reader = self.uncached_reader_checked(key).await?;
        let is_recorded = reader.stat().sha256.is_some();
        loop {
            match reader.next().await {
                Ok(Some(_)) => {}
                Ok(None) if is_recorded => return Ok(Health::Whole),
                Ok(None) => return Ok(Health::Unrecorded),
                Err(error @ StoreError::Corrupt { .. }) => {
                    return Ok(Health::Damaged(error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes several objects, a bounded number at once; what came of each, in order.
    pub async fn put_all(
        &self,
        objects: Vec<(Key, bytes::Bytes)>,
        mode: WriteMode<'_>,
    ) -> Vec<Result<Written, StoreError>> {
        let put =
            |(key, bytes): (Key, bytes::Bytes)| async move { self.put(&key, bytes, mode).await };
        stream::iter(objects)
            .map(put)
            .buffered(self.shared.limits.concurrency.max(1))
            .collect()
            .await
    }

    /// Reads several objects, a bounded number at once; what came of each, in order.
    pub async fn get_all(&self, keys: &[Key]) -> Vec<Result<bytes::Bytes, StoreError>> {
        let concurrency = self.shared.limits.concurrency.max(1);
        stream::iter(keys).map(|key| self.get(key)).buffered(concurrency).collect().await
    }

    /// Whether the store itself copies so. S3 either overlooks what is in the way or forgets what was
    /// said of the source.
    fn copies_within(&self, how: Transfer) -> bool {
        let is_s3 =
            matches!(self.location(), StoreLocation::Bucket { service: StorageService::S3, .. });
        how == Transfer::Replace || !is_s3
    }

    /// Whether both stand for the same objects.
    fn is_same(&self, other: &Store) -> bool {
        std::sync::Arc::ptr_eq(&self.shared, &other.shared)
    }
}
