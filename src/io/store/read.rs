//! Reading: whole, in part, and piece by piece. What was recorded with an object when it was written is
//! compared with what comes. A body that breaks off is taken up where it broke, as long as the object
//! is still the same.

use std::{fmt, ops::Range, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream::BoxStream};
use object_store::{Error, GetOptions, GetRange, GetResult, ObjectStoreExt};
use sha2::{Digest, Sha256};

use super::{Stat, Store};
use crate::io::{
    Key, StoreError,
    error::failure,
    integrity::{check_size, differs, hex, verify},
    remote::{Patience, trouble},
};

impl Store {
    /// Reads an object whole. Where a checksum was recorded with it, the bytes are compared.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none; [`StoreError::Corrupt`] when the bytes are not
    /// those that were written, also when asked again.
    pub async fn get(&self, key: &Key) -> Result<Bytes, StoreError> {
        match self.get_once(key, None, None).await {
            // Between the two may have been a write, or a line that flips bits.
            Err(StoreError::Corrupt { .. }) => {
                let again = self.get_once(key, None, None).await;
                if let Err(StoreError::Corrupt { .. }) = again {
                    self.counters().damaged();
                }
                again
            }
            outcome => outcome,
        }
    }

    async fn get_once(
        &self,
        key: &Key,
        size: Option<u64>,
        sha256: Option<&str>,
    ) -> Result<Bytes, StoreError> {
        // Boxed, because the futures of all jobs hold it.
        Box::pin(async { self.reader_from(key, size, sha256).await?.all().await }).await
    }

    /// Reads an object whole and compares it with what was recorded of it elsewhere.
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
        let bytes = self.unchecked(key, size, Some(sha256)).await?;
        verify(key, &bytes, sha256, size)?;
        Ok(bytes)
    }

    /// Reads an object of a known size; the checksum is left to [`verify`] on a computing thread.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the size differs.
    pub async fn get_sized(&self, key: &Key, size: u64) -> Result<Bytes, StoreError> {
        self.unchecked(key, size, None).await
    }

    /// Reads an object of a known size, for who compares it with a checksum known elsewhere.
    async fn unchecked(
        &self,
        key: &Key,
        size: u64,
        sha256: Option<&str>,
    ) -> Result<Bytes, StoreError> {
        Box::pin(async {
            let mut reader = self.reader_from(key, Some(size), sha256).await?;
            reader.expected = None;
            reader.all().await
        })
        .await
    }

    /// Reads some bytes of an object. Nothing is compared.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none, [`StoreError::Backend`] when it is shorter.
    pub async fn get_range(&self, key: &Key, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.refuse_outside(key).await?;
        let read = self.shared.backend.get_range(&key.path(), range).await;
        let bytes = read.map_err(|error| failure("read", key, error))?;
        self.counters().read(bytes.len() as u64);
        Ok(bytes)
    }

    /// Reads an object piece by piece, whatever its size. The checksum is compared at the end: what
    /// came before an error is not to be used.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn reader(&self, key: &Key) -> Result<Reader, StoreError> {
        self.reader_from(key, None, None).await
    }

    async fn reader_from(
        &self,
        key: &Key,
        size: Option<u64>,
        sha256: Option<&str>,
    ) -> Result<Reader, StoreError> {
        self.refuse_outside(key).await?;
        if let Some(reader) = self.cached_reader(key, size, sha256).await? {
            return Ok(reader);
        }
        self.uncached_reader(key, size).await
    }

    /// Past the cache.
    pub(in crate::io) async fn uncached_reader(
        &self,
        key: &Key,
        size: Option<u64>,
    ) -> Result<Reader, StoreError> {
        let found = self.shared.backend.get(&key.path()).await;
        self.opened(key, found.map_err(|error| failure("read", key, error))?, size)
    }

    pub(super) fn opened(
        &self,
        key: &Key,
        found: GetResult,
        size: Option<u64>,
    ) -> Result<Reader, StoreError> {
        if let Some(size) = size {
            check_size(key, found.meta.size, size)?;
        }
        let stat = Stat::new(key, &found.meta, &found.attributes);
        let (store, key) = (self.clone(), key.clone());
        let expected = stat.sha256.clone().map(|sha256| (sha256, Sha256::new()));
        Ok(Reader { store, key, body: found.into_stream(), stat, expected, n_read: 0, n_breaks: 0 })
    }

    /// What is known of an object.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn stat(&self, key: &Key) -> Result<Stat, StoreError> {
        self.refuse_outside(key).await?;
        let options = GetOptions { head: true, ..GetOptions::default() };
        let found = self.shared.backend.get_opts(&key.path(), options).await;
        let found = found.map_err(|error| failure("look up", key, error))?;
        Ok(Stat::new(key, &found.meta, &found.attributes))
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
}

/// An object that is being read.
pub struct Reader {
    pub(super) store: Store,
    pub(super) key: Key,
    pub(super) body: BoxStream<'static, object_store::Result<Bytes>>,
    pub(super) stat: Stat,
    /// The checksum that was recorded, and that of what came so far.
    pub(super) expected: Option<(String, Sha256)>,
    pub(super) n_read: u64,
    pub(super) n_breaks: u32,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({}, {} of {} bytes)", self.key, self.n_read, self.stat.size)
    }
}

impl Reader {
    /// What is known of the object.
    pub fn stat(&self) -> &Stat {
        &self.stat
    }

    /// The next piece; `None` after the last, when all of it is known to be what was written.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] at the end; [`StoreError::Changed`] when the object was replaced
    /// while a broken body was taken up again; [`StoreError::Unavailable`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            let stall = self.store.shared.patience.answer;
            // A disk is waited for as long as it takes.
            let next = match self.store.is_remote() {
                true => tokio::time::timeout(stall, self.body.next()).await,
                false => Ok(self.body.next().await),
            };
            let piece = match next {
                Ok(Some(Ok(piece))) => piece,
                Ok(None) if self.n_read < self.stat.size => {
                    self.resume("the body ended early".into()).await?;
                    continue;
                }
                Ok(None) => return self.end().map(|()| None),
                Ok(Some(Err(error))) if self.store.is_remote() => {
                    self.resume(error.into()).await?;
                    continue;
                }
                Ok(Some(Err(error))) => return Err(failure("read", &self.key, error)),
                Err(_) => {
                    self.resume(format!("nothing came for {} s", stall.as_secs()).into()).await?;
                    continue;
                }
            };
            if piece.is_empty() {
                continue;
            }
            self.n_read += piece.len() as u64;
            self.store.counters().read(piece.len() as u64);
            if let Some((_, so_far)) = &mut self.expected {
                so_far.update(&piece);
            }
            return Ok(Some(piece));
        }
    }

    fn end(&mut self) -> Result<(), StoreError> {
        check_size(&self.key, self.n_read, self.stat.size)?;
        match self.expected.take() {
            Some((expected, so_far)) => differs(&self.key, &expected, &hex(&so_far.finalize())),
            None => Ok(()),
        }
    }

    /// Asks for the rest of the same content.
    async fn resume(
        &mut self,
        why: Box<dyn std::error::Error + Send + Sync>,
    ) -> Result<(), StoreError> {
        self.n_breaks += 1;
        let Patience { first, .. } = self.store.shared.patience;
        let waited = first.saturating_mul(self.n_breaks * self.n_breaks);
        let luck = self.store.shared.luck.unit();
        let wait = self.store.shared.patience.wait(self.n_breaks, None, waited, luck);
        let is_same_known = self.stat.etag.is_some() || self.n_read == 0;
        let Some(wait) = wait.filter(|_| is_same_known && self.n_breaks <= MOST_BREAKS) else {
            let (op, place) = ("read", self.store.address(&self.key));
            return Err(StoreError::Unavailable { op, place, source: why });
        };
        tracing::debug!(key = %self.key, n_read = self.n_read, "a body is taken up again: {why}");
        self.store.counters().retried();
        tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        let options = GetOptions {
            if_match: self.stat.etag.clone(),
            range: (0 < self.n_read).then_some(GetRange::Offset(self.n_read)),
            ..GetOptions::default()
        };
        let found = match self.store.shared.backend.get_opts(&self.key.path(), options).await {
            Ok(found) => found,
            Err(error @ Error::Generic { .. }) if trouble(&error).is_none() => {
                let (op, place) = ("read", self.store.address(&self.key));
                return Err(StoreError::Unavailable { op, place, source: error.into() });
            }
            Err(error) => return Err(failure("read", &self.key, error)),
        };
        self.body = found.into_stream();
        Ok(())
    }

    /// Everything that is left, in memory.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub async fn all(mut self) -> Result<Bytes, StoreError> {
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await? else { return Ok(first) };
        let size = usize::try_from(self.stat.size).unwrap_or_default();
        // A size that is a lie does not take the memory.
        let mut all = BytesMut::with_capacity(size.min(1 << 30));
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }
}

/// A body that breaks more often is not worth asking for.
const MOST_BREAKS: u32 = 20;
