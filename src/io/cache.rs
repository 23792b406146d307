//! What was read from other machines, kept on this one. An entry is one file, with what is known of the
//! object before its bytes, and appears and goes as a whole: several processes may share a folder.
//!
//! An entry is used when the store says that the object still has its etag, or when who reads knows the
//! checksum already; never when it is older than its time to live or its own bytes have changed.

use std::{
    fs::{self, File, FileTimes},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{aside::aside, sha256_hex};
use crate::domain::Timestamp;

/// Entries of remote objects in a folder.
#[derive(Debug)]
pub struct Cache {
    root: PathBuf,
    ttl: Duration,
    max_bytes: u64,
    clock: fn() -> Timestamp,
    /// Bytes added since the folder was last looked through.
    n_added: AtomicU64,
}

/// How much lies in a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CacheUsage {
    /// Objects.
    pub entries: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// The most there may be.
    pub max_bytes: u64,
}

/// What is known of an object that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    /// The full address: two names with one hash are told apart by it.
    pub(super) address: String,
    pub(super) etag: String,
    pub(super) sha256: String,
    pub(super) modified: i64,
    pub(super) content_type: String,
    /// Whether the checksum was recorded with the object, or is only what came.
    pub(super) is_recorded: bool,
}

/// An object that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) about: About,
    pub(super) bytes: Bytes,
}

/// How full a cache is after it was made smaller, in per cent of what it may hold.
const LEFT_PERCENT: u64 = 90;
const MAX_ABOUT_BYTES: usize = 16 * 1024;

impl Cache {
    /// A cache in a folder, which is made when something is kept; `None` when nothing is to be kept.
    pub fn new(
        root: PathBuf,
        ttl: Duration,
        max_bytes: u64,
        clock: fn() -> Timestamp,
    ) -> Option<Self> {
        let is_on = 0 < max_bytes && !ttl.is_zero();
        is_on.then(|| Self { root, ttl, max_bytes, clock, n_added: AtomicU64::new(u64::MAX / 2) })
    }

    fn file(&self, address: &str) -> PathBuf {
        let name = sha256_hex(address.as_bytes());
        self.root.join(&name[..2]).join(name)
    }

    /// What is kept under an address and not too old.
    pub(super) async fn find(&self, address: &str) -> Option<Kept> {
        let (file, address) = (self.file(address), address.to_owned());
        let (now, ttl) = (self.now(), self.ttl);
        let found = aside(move || read(&file, &address, now, ttl)).await;
        match found {
            Ok(Ok(kept)) => kept,
            Ok(Err(error)) => {
                tracing::debug!("the cache could not be read: {error}");
                None
            }
            Err(_) => None,
        }
    }

    /// Keeps an object. What goes wrong costs speed and nothing else.
    pub(super) async fn keep(&self, kept: Kept) {
        let size = kept.bytes.len() as u64;
        if self.max_bytes / 4 < size {
            return;
        }
        let (file, now) = (self.file(&kept.about.address), self.now());
        let written = aside(move || write(&file, &kept, now)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!("nothing is kept of remote reads: {error}");
            return;
        }
        let n_added = self.n_added.fetch_add(size, Ordering::Relaxed);
        if self.max_bytes / 10 < n_added.saturating_add(size) {
            self.n_added.store(0, Ordering::Relaxed);
            self.shrink().await;
        }
    }

    /// Forgets what is kept under an address.
    pub(super) async fn forget(&self, address: &str) {
        match tokio::fs::remove_file(self.file(address)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("a kept object could not be forgotten: {error}");
            }
            _ => {}
        }
    }

    /// Removes what is too old, and then what was not used for longest, until the rest fits; how many
    /// entries went.
    pub async fn shrink(&self) -> u64 {
        let (root, now, ttl, most) = (self.root.clone(), self.now(), self.ttl, self.max_bytes);
        aside(move || shrink(&root, now, ttl, most)).await.unwrap_or(0)
    }

    /// Removes everything; how many entries that were.
    pub async fn clear(&self) -> u64 {
        let root = self.root.clone();
        let now = self.now();
        aside(move || shrink(&root, now, Duration::ZERO, 0)).await.unwrap_or(0)
    }

    /// How much there is.
    pub async fn usage(&self) -> CacheUsage {
        let root = self.root.clone();
        let files = aside(move || entries(&root)).await.unwrap_or_default();
        CacheUsage {
            entries: files.len() as u64,
            bytes: files.iter().map(|entry| entry.n_bytes).sum(),
            max_bytes: self.max_bytes,
        }
    }

    fn now(&self) -> SystemTime {
        let micros = u64::try_from((self.clock)().micros()).unwrap_or_default();
        SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
    }
}

/// An entry whose bytes are not those that were kept is removed.
fn read(path: &Path, address: &str, now: SystemTime, ttl: Duration) -> io::Result<Option<Kept>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if is_old(file.metadata()?.modified()?, now, ttl) {
        return Ok(None);
    }
    let mut all = Vec::new();
    file.read_to_end(&mut all)?;
    let all = Bytes::from(all);
    let kept = parse(&all).filter(|kept| kept.about.address == address);
    match &kept {
        Some(_) => file.set_times(FileTimes::new().set_accessed(now))?,
        None => fs::remove_file(path)?,
    }
    Ok(kept)
}

fn parse(all: &Bytes) -> Option<Kept> {
    let end = all.iter().take(MAX_ABOUT_BYTES).position(|byte| *byte == b'\n')?;
    let about: About = serde_json::from_slice(&all[..end]).ok()?;
    let bytes = all.slice(end + 1..);
    (sha256_hex(&bytes) == about.sha256).then_some(Kept { about, bytes })
}

fn write(path: &Path, kept: &Kept, now: SystemTime) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, &kept.about)?;
    file.write_all(b"\n")?;
    file.write_all(&kept.bytes)?;
    file.as_file().set_times(FileTimes::new().set_accessed(now).set_modified(now))?;
    file.persist(path)?;
    Ok(())
}

fn is_old(since: SystemTime, now: SystemTime, ttl: Duration) -> bool {
    // An entry of the future is of a clock that was put back, and of no known age.
    now.duration_since(since).map_or(true, |age| ttl <= age)
}

#[derive(Debug)]
struct Entry {
    path: PathBuf,
    n_bytes: u64,
    kept_at: SystemTime,
    used_at: SystemTime,
}

fn entries(root: &Path) -> Vec<Entry> {
    let folders = fs::read_dir(root).into_iter().flatten().flatten();
    let files = folders.filter_map(|folder| fs::read_dir(folder.path()).ok()).flatten().flatten();
    files
        .filter_map(|file| {
            let about = file.metadata().ok().filter(fs::Metadata::is_file)?;
            Some(Entry {
                path: file.path(),
                n_bytes: about.len(),
                kept_at: about.modified().ok()?,
                used_at: about.accessed().or_else(|_| about.modified()).ok()?,
            })
        })
        .collect()
}

fn shrink(root: &Path, now: SystemTime, ttl: Duration, most: u64) -> u64 {
    let mut files = entries(root);
    files.sort_by_key(|entry| entry.used_at);
    let mut n_bytes: u64 = files.iter().map(|entry| entry.n_bytes).sum();
    let left = if n_bytes <= most { most } else { most / 100 * LEFT_PERCENT };
    let mut n_removed = 0;
    for entry in files {
        if n_bytes <= left && !is_old(entry.kept_at, now, ttl) {
            continue;
        }
        match fs::remove_file(&entry.path) {
            Ok(()) => n_removed += 1,
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!("could not remove {}: {error}", entry.path.display());
                continue;
            }
        }
        n_bytes -= entry.n_bytes;
    }
    n_removed
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn early() -> Timestamp {
        Timestamp::parse(NOW).unwrap()
    }

    fn late() -> Timestamp {
        Timestamp::parse("2026-01-01T01:00:00Z").unwrap()
    }

    fn cache(root: &Path, max_bytes: u64, clock: fn() -> Timestamp) -> Cache {
        Cache::new(root.to_path_buf(), Duration::from_secs(3_600), max_bytes, clock).unwrap()
    }

    fn object(address: &str, text: &str) -> Kept {
        let about = About {
            address: address.to_owned(),
            etag: "e".into(),
            sha256: sha256_hex(text.as_bytes()),
            modified: 0,
            content_type: "text/plain".into(),
            is_recorded: true,
        };
        Kept { about, bytes: Bytes::from(text.to_owned()) }
    }

    #[tokio::test]
    async fn what_is_kept_is_found_until_it_is_too_old_or_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let now = cache(dir.path(), 1_000_000, early);
        assert_eq!(now.find("s3://b/k").await, None);
        now.keep(object("s3://b/k", "text")).await;
        assert_eq!(now.find("s3://b/k").await, Some(object("s3://b/k", "text")));
        // Another process with the same folder.
        let other = cache(dir.path(), 1_000_000, early);
        assert_eq!(other.find("s3://b/k").await, Some(object("s3://b/k", "text")));
        assert_eq!(cache(dir.path(), 1_000_000, late).find("s3://b/k").await, None);
        now.forget("s3://b/k").await;
        assert_eq!(other.find("s3://b/k").await, None);
    }

    #[tokio::test]
    async fn an_entry_that_was_changed_on_the_disk_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path(), 1_000_000, early);
        cache.keep(object("s3://b/k", "text")).await;
        let file = cache.file("s3://b/k");
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&file, bytes).unwrap();
        File::options().write(true).open(&file).unwrap().set_modified(cache.now()).unwrap();
        assert_eq!(cache.find("s3://b/k").await, None);
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn what_was_not_used_for_longest_goes_first_and_the_rest_fits() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path(), 10_000, early);
        let text = "x".repeat(2_000);
        for name in ["a", "b", "c"] {
            cache.keep(object(name, &text)).await;
        }
        for (name, second) in [("a", 3), ("b", 1), ("c", 2)] {
            let used = cache.now() + Duration::from_secs(second);
            let file = File::options().write(true).open(cache.file(name)).unwrap();
            file.set_times(FileTimes::new().set_accessed(used)).unwrap();
        }
        let small = Cache { max_bytes: 5_000, ..cache };
        assert_eq!(small.shrink().await, 1);
        assert_eq!(small.find("b").await, None);
        assert!(small.find("a").await.is_some() && small.find("c").await.is_some());
        let usage = small.usage().await;
        assert!(usage.entries == 2 && usage.bytes <= 5_000, "{usage:?}");
        assert_eq!(small.clear().await, 2);
        assert_eq!(small.usage().await.entries, 0);
    }

    #[test]
    fn nothing_is_kept_without_room_or_time() {
        assert!(Cache::new("x".into(), Duration::ZERO, 1, early).is_none());
        assert!(Cache::new("x".into(), Duration::from_secs(1), 0, early).is_none());
    }
}
