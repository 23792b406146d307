//! A file that is being written, beside its place and hidden, until it is whole: then it is synced, gets
//! its name in one step, and its folder is synced. Dropped before, it is removed.
//!
//! Writers of one folder lock it for the moment in which names change: those bound to a content alone,
//! all others together. So nothing comes between the look at what is there and its replacement.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use object_store::{Attributes, Error, PutMode, PutResult, Result};
use rustix::{
    fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with},
    io::Errno,
};

use super::{attributes, failed, make_folder};

/// An unfinished file.
#[derive(Debug)]
pub(super) struct Staged {
    file: File,
    path: PathBuf,
    target: PathBuf,
    is_published: bool,
}

impl Staged {
    /// Makes the file, and the folders above it.
    pub(super) fn create(target: &Path) -> Result<Self> {
        // Listings hide a name whose first `#` is followed by digits alone.
        let name = target.file_name().unwrap_or_default().to_string_lossy().replace('#', "_");
        for nth in 0_u32.. {
            let path = target.with_file_name(format!("{name}#{nth}"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let target = target.to_path_buf();
                    return Ok(Self { file, path, target, is_published: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    make_folder(folder_of(target)).map_err(|error| broken(target, error))?;
                }
                Err(error) => return Err(broken(target, error)),
            }
        }
        Err(broken(target, io::ErrorKind::AlreadyExists.into()))
    }

    /// Writes at the end.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| broken(&self.target, error))
    }

    /// Writes at a place; others may be written at the same time.
    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_all_at(bytes, offset).map_err(|error| broken(&self.target, error))
    }

    /// Gives the file its name, durably.
    pub(super) fn publish(mut self, said: &Attributes, mode: &PutMode) -> Result<PutResult> {
        let target = self.target.clone();
        let io = |error| broken(&target, error);
        attributes::write(&self.file, said).map_err(io)?;
        self.file.sync_all().map_err(io)?;
        let e_tag = etag(&self.file.metadata().map_err(io)?);
        let folder = File::open(folder_of(&target)).map_err(io)?;
        let lock = match mode {
            PutMode::Update(_) => FlockOperation::LockExclusive,
            PutMode::Overwrite | PutMode::Create => FlockOperation::LockShared,
        };
        let locked = flock(&folder, lock);
        if matches!(mode, PutMode::Update(_)) {
            // Others do without where the file system has no locks.
            locked.map_err(|error| io(error.into()))?;
        }
        self.name(mode)?;
        self.is_published = true;
        folder.sync_all().map_err(io)?;
        Ok(PutResult { e_tag: Some(e_tag), version: None, extensions: Default::default() })
    }

    fn name(&self, mode: &PutMode) -> Result<()> {
        let io = |error: io::Error| failed(&self.target, error);
        match mode {
            PutMode::Overwrite => {}
            PutMode::Create => return self.name_new().map_err(io),
            PutMode::Update(expected) => {
                let found = match std::fs::metadata(&self.target) {
                    Ok(found) => Some(etag(&found)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                    Err(error) => return Err(io(error)),
                };
                if found.is_none() || found != expected.e_tag {
                    let path = self.target.display().to_string();
                    return Err(Error::Precondition { path, source: "it has changed".into() });
                }
            }
        }
        std::fs::rename(&self.path, &self.target).map_err(io)
    }

    /// Fails where there is a file, also where two come at once.
    fn name_new(&self) -> io::Result<()> {
        match renameat_with(CWD, &self.path, CWD, &self.target, RenameFlags::NOREPLACE) {
            // Not every file system can.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                std::fs::hard_link(&self.path, &self.target)?;
                std::fs::remove_file(&self.path)
            }
            outcome => Ok(outcome?),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_published
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!("could not remove {}: {error}", self.path.display());
        }
    }
}

/// Removes a file, never while a write is bound to what it holds.
pub(super) fn remove(file: &Path) -> Result<()> {
    let io = |error| failed(file, error);
    let folder = File::open(folder_of(file)).map_err(io)?;
    // Without locks nothing can be bound to a content either.
    let _locked = flock(&folder, FlockOperation::LockShared).is_ok();
    std::fs::remove_file(file).map_err(io)
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("/"))
}

/// A failure of which no file in the way or missing is the cause.
fn broken(target: &Path, error: io::Error) -> Error {
    match failed(target, error) {
        Error::NotFound { source, .. } | Error::AlreadyExists { source, .. } => {
            Error::Generic { store: super::NAME, source }
        }
        error => error,
    }
}

/// What the library calls a file's content: a test holds it to that.
fn etag(file: &Metadata) -> String {
    let modified = file.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let micros = modified.unwrap_or_default().as_micros();
    format!("\"{:x}-{micros:x}-{:x}\"", file.ino(), file.len())
}
