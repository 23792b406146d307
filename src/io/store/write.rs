//! Writing whole objects, removing and renaming them. A write whose answer was lost is looked for: what
//! is there names the write that made it.

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use object_store::{
    Attribute, Attributes, CopyMode, CopyOptions, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    RenameOptions, RenameTargetMode, UpdateVersion,
};

use super::{
    Stat, Store, Transfer, WriteMode, Written,
    stat::{SHA256, WRITE, content_type},
};
use crate::{
    domain::{StorageService, StoreLocation},
    io::{
        Key, StoreError,
        error::{failure, two_key_failure},
        integrity::sha256_aside,
        remote::{Fate, trouble},
    },
};

/// An attempt to write, under way.
pub(super) type Sending<'w> = BoxFuture<'w, object_store::Result<object_store::PutResult>>;

impl Store {
    /// Writes an object whole, with its checksum. Dropping the future leaves the old object or the
    /// new one, and at most a hidden unfinished file.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] in create-only mode, [`StoreError::Changed`] for a write bound
    /// to a content; [`StoreError::Unavailable`] when a store does not answer for as long as it is
    /// asked; [`StoreError::Unknown`] when it is not to be found out whether the object was written;
    /// [`StoreError::Io`] when the disk fails.
    pub async fn put(
        &self,
        key: &Key,
        bytes: Bytes,
        mode: WriteMode<'_>,
    ) -> Result<Written, StoreError> {
        self.refuse_write()?;
        self.refuse_outside(key).await?;
        let sha256 = sha256_aside(bytes.clone()).await;
        let size = bytes.len() as u64;
        let said = self.describe(key, &sha256);
        let payload = PutPayload::from(bytes);
        let send = |mode| self.send(key, &payload, &said, mode);
        let etag = Box::pin(self.settle(key, mode, &said, &send)).await?;
        self.forget_cached(key).await;
        Ok(Written { size, sha256, etag })
    }

    /// One attempt to write an object whole.
    pub(super) fn send<'s>(
        &'s self,
        key: &Key,
        payload: &PutPayload,
        said: &Attributes,
        mode: PutMode,
    ) -> Sending<'s> {
        let options = PutOptions { mode, attributes: said.clone(), ..PutOptions::default() };
        let (path, payload) = (key.path(), payload.clone());
        async move { self.shared.backend.put_opts(&path, payload, options).await }.boxed()
    }

    /// What is said of an object that is about to be written.
    pub(super) fn describe(&self, key: &Key, sha256: &str) -> Attributes {
        Attributes::from_iter([
            (Attribute::ContentType, content_type(key.as_str()).to_owned()),
            (SHA256, sha256.to_owned()),
            (WRITE, self.shared.luck.name()),
        ])
    }

    /// Writes until it is known what became of it; the etag of what was written.
    pub(super) async fn settle<'w>(
        &self,
        key: &Key,
        mode: WriteMode<'_>,
        said: &Attributes,
        write: &(dyn Fn(PutMode) -> Sending<'w> + Send + Sync),
    ) -> Result<Option<String>, StoreError> {
        const MOST_TRIES: usize = 4;
        let own = said.get(&WRITE).map(|name| name.to_string());
        let mut was_lost = None;
        for _ in 0..MOST_TRIES {
            let error = match write(self.bound(key, mode).await?).await {
                Ok(written) => return Ok(written.e_tag),
                Err(error) => error,
            };
            let is_lost = trouble(&error).is_some_and(|trouble| trouble.fate == Fate::Unknown);
            if !is_lost && was_lost.is_none() {
                return Err(refused(key, mode, error));
            }
            let found = match self.stat(key).await {
                Ok(stat) => Some(stat),
                Err(StoreError::NotFound { .. }) => None,
                Err(_) => {
                    return Err(StoreError::Unknown { key: key.clone(), source: error.into() });
                }
            };
            if let Some(stat) = found.as_ref().filter(|stat| stat.write == own) {
                return Ok(stat.etag.clone());
            }
            if !is_lost {
                return Err(refused(key, mode, error));
            }
            match (mode, found) {
                (WriteMode::CreateOnly, Some(_)) => {
                    return Err(StoreError::AlreadyExists { key: key.clone() });
                }
                (WriteMode::IfUnchanged(etag), found) if !is_still(found.as_ref(), etag) => {
                    return Err(StoreError::Unknown { key: key.clone(), source: error.into() });
                }
                // It did not arrive, and doing it now is what was asked for.
                _ => was_lost = Some(error),
            }
        }
        match was_lost {
            Some(error) => Err(StoreError::Unavailable {
                op: "write",
                place: self.address(key),
                source: error.into(),
            }),
            None => Err(StoreError::NotFound { key: key.clone() }),
        }
    }

    /// The mode as the backend takes it. Google's bind a write to a generation, not to an etag.
    async fn bound(&self, key: &Key, mode: WriteMode<'_>) -> Result<PutMode, StoreError> {
        let is_google = matches!(
            self.shared.location,
            StoreLocation::Bucket { service: StorageService::Gcs, .. }
        );
        match mode {
            WriteMode::IfUnchanged(etag) if is_google => match self.stat(key).await {
                Ok(stat) if stat.etag.as_deref() == Some(etag) => {
                    let Stat { etag: e_tag, version, .. } = stat;
                    Ok(PutMode::Update(UpdateVersion { e_tag, version }))
                }
                Ok(_) | Err(StoreError::NotFound { .. }) => {
                    Err(StoreError::Changed { key: key.clone() })
                }
                Err(error) => Err(error),
            },
            mode => Ok(mode.to_library()),
        }
    }

    /// Removes an object. After a power cut it may be back: only what nothing refers to may go.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.refuse_write()?;
        // A store in memory or a bucket deletes what is not there without a word; a disk does not.
        self.stat(key).await?;
        self.remove(key).await
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

    pub(super) async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        let removed = self.shared.backend.delete(&key.path()).await;
        self.forget_cached(key).await;
        removed.map_err(|error| failure("delete", key, error))
    }

    /// Moves an object to a place where there is none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the source, [`StoreError::AlreadyExists`] for the target.
    pub async fn rename(&self, from: &Key, to: &Key) -> Result<(), StoreError> {
        self.refuse_write()?;
        if self.root().is_none() {
            return self.move_to(from, self, to, Transfer::Careful).await.map(drop);
        }
        self.stat(from).await?;
        self.refuse_outside(to).await?;
        let options = RenameOptions::new().with_target_mode(RenameTargetMode::Create);
        let renamed = self.shared.backend.rename_opts(&from.path(), &to.path(), options).await;
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
            match self.set_aside(key, &target).await {
                Ok(()) => return Ok(target),
                Err(StoreError::AlreadyExists { .. }) => n_earlier += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Store {
    /// Moves an object as it is: what is damaged would not pass the look at its checksum that other
    /// copies come with. Where a copy cannot be bound to a free place, it is looked for before.
    async fn set_aside(&self, key: &Key, target: &Key) -> Result<(), StoreError> {
        if self.root().is_some() {
            return self.rename(key, target).await;
        }
        self.refuse_write()?;
        self.stat(key).await?;
        if self.exists(target).await? {
            return Err(StoreError::AlreadyExists { key: target.clone() });
        }
        let options = CopyOptions::new().with_mode(CopyMode::Overwrite);
        let copied = self.shared.backend.copy_opts(&key.path(), &target.path(), options).await;
        copied.map_err(|error| two_key_failure("set aside", key, target, error))?;
        self.remove(key).await
    }
}

fn is_still(found: Option<&Stat>, etag: &str) -> bool {
    found.is_some_and(|stat| stat.etag.as_deref() == Some(etag))
}

fn refused(key: &Key, mode: WriteMode<'_>, error: object_store::Error) -> StoreError {
    use object_store::Error::{AlreadyExists, Precondition};
    match (mode, &error) {
        // What services say differs; what it means does not.
        (WriteMode::IfUnchanged(_), AlreadyExists { .. }) => {
            StoreError::Changed { key: key.clone() }
        }
        (WriteMode::CreateOnly, Precondition { .. }) => {
            StoreError::AlreadyExists { key: key.clone() }
        }
        _ => failure("write", key, error),
    }
}
