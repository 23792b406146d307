//! Writing piece by piece, whatever the size, in bounded memory. Nothing is visible before the end.
//!
//! A checksum is stored with the bytes it belongs to, and to a bucket it has to be told before them. So
//! what is too large for memory, and whose checksum is not known beforehand, is first kept in a file
//! without a name, and sent from there; in a folder it is written in place.

use std::{collections::VecDeque, fmt, io::SeekFrom, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use object_store::{
    Attributes, MultipartUpload, PutMode, PutMultipartOptions, PutPayload, UploadPart,
};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
    sync::Mutex,
};

use super::{Store, WriteMode, Written, stat::SHA256};
use crate::{
    domain::{StorageService, StoreLocation},
    io::{
        Key, StoreError, condition,
        error::failure,
        integrity::{check_size, differs, hex},
    },
};

/// S3 takes no smaller pieces but the last.
const LEAST_CHUNK: u64 = 5 * 1024 * 1024;
/// Bytes of pieces under way: memory stays bounded whatever their size.
const MOST_UNDER_WAY: u64 = 96 * 1024 * 1024;
/// More at once make no disk faster.
const MOST_ON_DISK: u64 = 2;
/// No service takes more pieces of one object.
const MOST_PIECES: u64 = 10_000;

/// An object that is being written. Dropped before [`Writer::finish`], it leaves nothing.
pub struct Writer {
    store: Store,
    key: Key,
    kept: Kept,
    so_far: Sha256,
    n_bytes: u64,
    known: Option<Known>,
}

/// What is known of an object before its bytes come.
#[derive(Debug, Clone)]
struct Known {
    size: u64,
    sha256: Option<String>,
}

/// Where the bytes are while more may come.
enum Kept {
    Memory(Vec<Bytes>),
    Pieces(Box<Pieces>),
    File(tokio::fs::File),
}

/// An upload under way.
struct Pieces {
    upload: Box<dyn MultipartUpload>,
    under_way: FuturesUnordered<UploadPart>,
    waiting: VecDeque<Bytes>,
    n_waiting: u64,
    chunk: u64,
    /// Pieces at once.
    most: usize,
    said: Attributes,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({}, {} bytes)", self.key, self.n_bytes)
    }
}

impl Store {
    /// Begins an object of unknown size and content.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Outside`].
    pub async fn writer(&self, key: &Key) -> Result<Writer, StoreError> {
        self.begin(key, None).await
    }

    /// Begins an object that is known already: its checksum is compared before it becomes visible.
    ///
    /// # Errors
    /// As [`Store::writer`].
    pub async fn writer_of(
        &self,
        key: &Key,
        size: u64,
        sha256: Option<String>,
    ) -> Result<Writer, StoreError> {
        self.begin(key, Some(Known { size, sha256 })).await
    }

    async fn begin(&self, key: &Key, known: Option<Known>) -> Result<Writer, StoreError> {
        self.refuse_write()?;
        self.refuse_outside(key).await?;
        let (store, key, kept) = (self.clone(), key.clone(), Kept::Memory(Vec::new()));
        Ok(Writer { store, key, kept, so_far: Sha256::new(), n_bytes: 0, known })
    }
}

impl Writer {
    /// Takes the next bytes, and waits while enough are under way.
    ///
    /// # Errors
    /// Whatever the store or the disk says; the object is then not written.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.so_far.update(&bytes);
        self.n_bytes += bytes.len() as u64;
        if let Kept::Memory(pieces) = &mut self.kept {
            pieces.push(bytes.clone());
            if self.n_bytes <= self.store.shared.limits.threshold {
                return Ok(());
            }
            let pieces = std::mem::take(pieces);
            self.kept = self.spill().await?;
            for piece in pieces {
                self.keep(piece).await?;
            }
            return Ok(());
        }
        self.keep(bytes).await
    }

    async fn keep(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        match &mut self.kept {
            Kept::Memory(pieces) => pieces.push(bytes),
            Kept::Pieces(pieces) => {
                pieces.push(bytes, &self.key).await?;
            }
            Kept::File(file) => {
                file.write_all(&bytes).await.map_err(|error| aside(&self.key, error))?;
            }
        }
        Ok(())
    }

    /// Where the bytes go that are too many for memory.
    async fn spill(&mut self) -> Result<Kept, StoreError> {
        let (size, sha256) = match &self.known {
            Some(Known { size, sha256 }) => (*size, sha256.clone()),
            None => (0, None),
        };
        match self.store.location() {
            // Its one place for them is memory.
            StoreLocation::Memory(_) => Ok(Kept::Memory(Vec::new())),
            // What is said of a file may be said last.
            StoreLocation::Disk(_) => {
                let said = self.store.describe(&self.key, "");
                Ok(Kept::Pieces(Box::new(self.upload(size, said).await?)))
            }
            _ => match sha256 {
                Some(sha256) => {
                    let said = self.store.describe(&self.key, &sha256);
                    Ok(Kept::Pieces(Box::new(self.upload(size, said).await?)))
                }
                None => {
                    let file = tempfile::tempfile().map_err(|error| aside(&self.key, error))?;
                    Ok(Kept::File(tokio::fs::File::from_std(file)))
                }
            },
        }
    }

    async fn upload(&mut self, size: u64, said: Attributes) -> Result<Pieces, StoreError> {
        let options = PutMultipartOptions { attributes: said.clone(), ..Default::default() };
        let upload = self.store.shared.backend.put_multipart_opts(&self.key.path(), options).await;
        let upload = upload.map_err(|error| failure("write", &self.key, error))?;
        let least = if self.store.is_remote() { LEAST_CHUNK } else { 1 };
        let chunk = self.store.shared.limits.chunk.max(least).max(size.div_ceil(MOST_PIECES));
        let at_once = match self.store.is_remote() {
            true => self.store.shared.limits.concurrency as u64,
            false => MOST_ON_DISK,
        };
        let most = usize::try_from(at_once.min(MOST_UNDER_WAY / chunk).max(1)).unwrap_or(1);
        let (under_way, waiting) = (FuturesUnordered::new(), VecDeque::new());
        Ok(Pieces { upload, under_way, waiting, n_waiting: 0, chunk, most, said })
    }

    /// Makes the object visible, whole and durable.
    ///
    /// # Errors
    /// As [`Store::put`]; [`StoreError::Corrupt`] when what came is not what was said to come.
    pub async fn finish(mut self, mode: WriteMode<'_>) -> Result<Written, StoreError> {
        let sha256 = hex(&std::mem::take(&mut self.so_far).finalize());
        if let Some(Known { size, sha256: expected }) = self.known.take() {
            let compared = check_size(&self.key, self.n_bytes, size).and_then(|()| {
                expected.map_or(Ok(()), |expected| differs(&self.key, &expected, &sha256))
            });
            if let Err(error) = compared {
                self.abandon().await;
                return Err(error);
            }
        }
        let size = self.n_bytes;
        let etag = match std::mem::replace(&mut self.kept, Kept::Memory(Vec::new())) {
            Kept::Memory(pieces) => self.put(pieces, mode, &sha256).await?,
            Kept::Pieces(pieces) => self.complete(*pieces, mode, &sha256).await?,
            Kept::File(file) => self.send(file, mode, &sha256).await?,
        };
        self.store.forget_cached(&self.key).await;
        Ok(Written { size, sha256, etag })
    }

    /// Leaves nothing behind, which dropping leaves to the service's own sweeping.
    pub async fn abandon(&mut self) {
        if let Kept::Pieces(pieces) = &mut self.kept {
            pieces.abort(&self.key).await;
        }
        self.kept = Kept::Memory(Vec::new());
    }

    async fn put(
        &mut self,
        pieces: Vec<Bytes>,
        mode: WriteMode<'_>,
        sha256: &str,
    ) -> Result<Option<String>, StoreError> {
        let said = self.store.describe(&self.key, sha256);
        let payload = PutPayload::from_iter(pieces);
        let (store, key) = (&self.store, &self.key);
        let write = |mode| store.send(key, &payload, &said, mode);
        store.settle(key, mode, &said, &write).await
    }

    async fn complete(
        &mut self,
        mut pieces: Pieces,
        mode: WriteMode<'_>,
        sha256: &str,
    ) -> Result<Option<String>, StoreError> {
        pieces.flush(&self.key).await?;
        pieces.said.insert(SHA256, sha256.to_owned().into());
        if let Err(error) = self.check_before_end(mode).await {
            pieces.abort(&self.key).await;
            return Err(error);
        }
        let Pieces { upload, said, .. } = pieces;
        let upload = Arc::new(Mutex::new(upload));
        let is_bound = self.binds_the_end();
        let end = |mode| {
            let mode = if is_bound { mode } else { PutMode::Overwrite };
            let (upload, said) = (Arc::clone(&upload), said.clone());
            async move { condition::under(mode, said, upload.lock().await.complete()).await }
                .boxed()
        };
        let (store, key) = (&self.store, &self.key);
        let settled = store.settle(key, mode, &said, &end).await;
        if settled.as_ref().is_err_and(|error| !error.is_transient()) {
            give_up(&mut **upload.lock().await, key).await;
        }
        settled
    }

    fn binds_the_end(&self) -> bool {
        match self.store.location() {
            StoreLocation::Bucket { service, .. } => *service == StorageService::S3,
            _ => true,
        }
    }

    /// Before the end of an upload it is looked whether its condition holds: not every store binds the
    /// end to it, or keeps it when told.
    async fn check_before_end(&mut self, mode: WriteMode<'_>) -> Result<(), StoreError> {
        if !self.store.is_remote() {
            return Ok(());
        }
        let key = &self.key;
        match mode {
            WriteMode::CreateOnly if self.store.exists(key).await? => {
                Err(StoreError::AlreadyExists { key: key.clone() })
            }
            WriteMode::IfUnchanged(etag) => match self.store.stat(key).await {
                Ok(stat) if stat.etag.as_deref() == Some(etag) => Ok(()),
                Ok(_) | Err(StoreError::NotFound { .. }) => {
                    Err(StoreError::Changed { key: key.clone() })
                }
                Err(error) => Err(error),
            },
            _ => Ok(()),
        }
    }

    /// Sends what was kept aside, now that its checksum is known.
    async fn send(
        &mut self,
        mut file: tokio::fs::File,
        mode: WriteMode<'_>,
        sha256: &str,
    ) -> Result<Option<String>, StoreError> {
        let key = self.key.clone();
        let failed = |error| aside(&key, error);
        file.flush().await.map_err(failed)?;
        file.seek(SeekFrom::Start(0)).await.map_err(failed)?;
        let said = self.store.describe(&key, sha256);
        let mut pieces = self.upload(self.n_bytes, said).await?;
        loop {
            let mut buffer = BytesMut::with_capacity(1 << 20);
            if file.read_buf(&mut buffer).await.map_err(failed)? == 0 {
                break;
            }
            pieces.push(buffer.freeze(), &key).await?;
        }
        self.complete(pieces, mode, sha256).await
    }
}

impl Pieces {
    async fn push(&mut self, bytes: Bytes, key: &Key) -> Result<(), StoreError> {
        self.n_waiting += bytes.len() as u64;
        self.waiting.push_back(bytes);
        while self.chunk <= self.n_waiting {
            self.part(self.chunk);
            while self.most <= self.under_way.len() {
                self.one_arrived(key).await?;
            }
        }
        Ok(())
    }

    /// Sends so many of the waiting bytes.
    fn part(&mut self, n_bytes: u64) {
        let mut left = usize::try_from(n_bytes.min(self.n_waiting)).unwrap_or(usize::MAX);
        self.n_waiting -= left as u64;
        let mut piece = Vec::new();
        while let Some(mut front) = self.waiting.pop_front() {
            if left < front.len() {
                self.waiting.push_front(front.split_off(left));
            }
            left -= front.len();
            piece.push(front);
            if left == 0 {
                break;
            }
        }
        self.under_way.push(self.upload.put_part(PutPayload::from_iter(piece)));
    }

    async fn flush(&mut self, key: &Key) -> Result<(), StoreError> {
        if 0 < self.n_waiting {
            self.part(self.n_waiting);
        }
        while !self.under_way.is_empty() {
            self.one_arrived(key).await?;
        }
        Ok(())
    }

    async fn one_arrived(&mut self, key: &Key) -> Result<(), StoreError> {
        let Some(Err(error)) = self.under_way.next().await else { return Ok(()) };
        self.abort(key).await;
        Err(failure("write", key, error))
    }

    async fn abort(&mut self, key: &Key) {
        self.under_way.clear();
        give_up(&mut *self.upload, key).await;
    }
}

async fn give_up(upload: &mut dyn MultipartUpload, key: &Key) {
    if let Err(error) = upload.abort().await {
        tracing::warn!(%key, "pieces of an upload that failed are left: {error}");
    }
}

fn aside(key: &Key, source: std::io::Error) -> StoreError {
    StoreError::Io { op: "keep aside what is to be written to", place: key.to_string(), source }
}
