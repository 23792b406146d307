//! One daemon per data folder: a lock the operating system holds for the process and gives back
//! when it ends, however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use crate::domain::Timestamp;

/// The lock's file in the data folder.
const FILE_NAME: &str = "daemon.lock";
/// Nothing longer is read from a lock file.
const MAX_HOLDER_BYTES: u64 = 1_024;

/// The right to write to a data folder, until dropped.
#[derive(Debug)]
pub struct DataLock {
    file: File,
    path: PathBuf,
    since: Timestamp,
}

/// A data folder that cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("`{path}` is in use by {holder}; stop it first, or use another data folder")]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who has it, in words.
        holder: String,
    },
    /// The lock file cannot be made, locked or written.
    #[error("lock `{path}`")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Takes a data folder, which is made when missing.
///
/// # Errors
/// [`LockError::Held`], naming process, machine and start of the one that has it.
pub fn acquire(root: &Path, now: Timestamp) -> Result<DataLock, LockError> {
    let path = root.join(FILE_NAME);
    let io = |source| LockError::Io { path: path.clone(), source };
    std::fs::create_dir_all(root).map_err(io)?;
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(LockError::Held { holder: holder(&mut file), path });
        }
        Err(TryLockError::Error(source)) => return Err(LockError::Io { path, source }),
    }
    let mut lock = DataLock { file, path, since: now };
    lock.describe(None)?;
    Ok(lock)
}

impl DataLock {
    /// Writes into the lock file who holds it, for the one that finds it locked: once at first, and
    /// again when the address it can be reached at is known.
    ///
    /// # Errors
    /// [`LockError::Io`].
    pub fn describe(&mut self, address: Option<&str>) -> Result<(), LockError> {
        let mut text = format!("process {}", std::process::id());
        if let Ok(host) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
            text.push_str(&format!(" on {}", host.trim()));
        }
        text.push_str(&format!(", running since {}", self.since));
        if let Some(address) = address {
            text.push_str(&format!(", at {address}"));
        }
        let written = self.file.set_len(0).and_then(|()| self.file.rewind());
        let written = written.and_then(|()| self.file.write_all(text.as_bytes()));
        written.map_err(|source| LockError::Io { path: self.path.clone(), source })
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(MAX_HOLDER_BYTES).read_to_string(&mut text) {
        Ok(n_bytes) if 0 < n_bytes => text,
        // It has locked the file and not written to it yet.
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_refused_and_told_who_has_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("new");
        let now = Timestamp::from_secs(0).unwrap();
        let mut first = acquire(&root, now).unwrap();
        first.describe(Some("http://127.0.0.1:8087")).unwrap();
        let LockError::Held { holder, .. } = acquire(&root, now).unwrap_err() else { panic!() };
        assert!(holder.starts_with(&format!("process {}", std::process::id())), "{holder}");
        assert!(
            holder.ends_with("running since 1970-01-01T00:00:00Z, at http://127.0.0.1:8087"),
            "{holder}"
        );
        drop(first);
        acquire(&root, now).unwrap();
    }
}
