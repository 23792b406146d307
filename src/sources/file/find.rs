//! Which files a source's locations name: bounded, sorted by name, each once.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};

use super::fetch::remote;
use crate::{
    compute::Compute,
    domain::{FileSpec, Location, StorageService},
    io::location::{Bucket, Found},
    sources::{ReadContext, SourceError},
};

/// Folders below the glob's fixed part; more are a loop of mounts.
const MAX_DEPTH: usize = 32;
/// Entries looked at for each file that may be found.
const LOOKS_PER_FILE: usize = 100;

/// A file that is to be read.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    /// How it is called in errors and remembered.
    pub(super) name: String,
    /// What distinguishes its content from an earlier one of the same name; unknown before a web
    /// address was asked.
    pub(super) stamp: Option<String>,
    /// Bytes as they are stored, where that is known.
    pub(super) n_bytes: Option<u64>,
    pub(super) at: At,
}

/// Where it is read.
#[derive(Debug, Clone)]
pub(super) enum At {
    Local(PathBuf),
    Object(Bucket, Found),
    Web(String),
}

/// Every file that the locations name.
pub(super) async fn all(
    spec: &FileSpec,
    ctx: &ReadContext<'_>,
    compute: &Compute,
) -> Result<Vec<Listed>, SourceError> {
    let mut all: Vec<Listed> = Vec::new();
    for location in &spec.locations {
        let left = spec.max_files - all.len();
        let limit = Limit { left, max_files: spec.max_files };
        let mut found = match location {
            Location::Local(pattern) => {
                let pattern = pattern.clone();
                compute.run(move || local(&pattern, limit)).await??
            }
            Location::Bucket { service, bucket, key } => {
                in_bucket(*service, (bucket, key), spec, ctx, limit).await?
            }
            Location::Web(url) => vec![Listed {
                name: location.to_string(),
                stamp: None,
                n_bytes: None,
                at: At::Web(url.reveal().to_owned()),
            }],
        };
        if found.is_empty() && !spec.allow_empty {
            return Err(SourceError::NoFile { pattern: location.to_string() });
        }
        found.retain(|file| all.iter().all(|known| known.name != file.name));
        all.extend(found);
        if spec.max_files < all.len() {
            return Err(SourceError::TooManyFiles { max_files: spec.max_files });
        }
    }
    Ok(all)
}

/// How many files may still be found, of how many in all.
#[derive(Debug, Clone, Copy)]
struct Limit {
    left: usize,
    max_files: usize,
}

impl Limit {
    const fn too_many(self) -> SourceError {
        SourceError::TooManyFiles { max_files: self.max_files }
    }
}

fn is_fixed(part: &str) -> bool {
    !part.contains(['*', '?', '[', '{'])
}

fn matcher(pattern: &str) -> Result<GlobMatcher, SourceError> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    let glob = glob.map_err(|source| SourceError::Glob { pattern: pattern.to_owned(), source })?;
    Ok(glob.compile_matcher())
}

/// The files a path or glob on this machine names. Only a glob may name none.
fn local(pattern: &Path, limit: Limit) -> Result<Vec<Listed>, SourceError> {
    let missing = || SourceError::NoFile { pattern: pattern.display().to_string() };
    // A real file's name may have a glob's characters in it.
    if pattern.is_file() {
        return Ok(vec![listed(pattern)?]);
    }
    let text = pattern.to_str().ok_or_else(missing)?;
    if is_fixed(text) {
        return Err(missing());
    }
    let is_fixed = |part: &&Path| is_fixed(&part.to_string_lossy());
    let root = pattern.ancestors().skip(1).find(is_fixed).ok_or_else(missing)?;
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let n_looks = limit.max_files.saturating_mul(LOOKS_PER_FILE);
    let mut walk = Walk { glob: matcher(text)?, n_looks, limit, found: Vec::new() };
    walk.folder(root, MAX_DEPTH)?;
    walk.found.sort();
    walk.found.iter().map(|path| listed(path)).collect()
}

fn listed(path: &Path) -> Result<Listed, SourceError> {
    let failed = |source| SourceError::File { path: path.to_owned(), source };
    let meta = fs::metadata(path).map_err(failed)?;
    // Renaming another file to this name changes the inode, whatever the clock says.
    let stamp = format!("{} {}.{:09} {}", meta.size(), meta.mtime(), meta.mtime_nsec(), meta.ino());
    Ok(Listed {
        name: path.display().to_string(),
        stamp: Some(stamp),
        n_bytes: Some(meta.size()),
        at: At::Local(path.to_owned()),
    })
}

/// A search for matching files; links to folders are not followed.
struct Walk {
    glob: GlobMatcher,
    n_looks: usize,
    limit: Limit,
    found: Vec<PathBuf>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), SourceError> {
        let failed = |source| SourceError::File { path: folder.to_owned(), source };
        let entries = match fs::read_dir(folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            self.n_looks = self.n_looks.checked_sub(1).ok_or(self.limit.too_many())?;
            let path = entry.path();
            if entry.file_type().map_err(failed)?.is_dir() {
                if 0 < depth {
                    self.folder(&path, depth - 1)?;
                }
            } else if self.glob.is_match(path.strip_prefix("./").unwrap_or(&path)) && path.is_file()
            {
                self.found.push(path);
                if self.limit.left < self.found.len() {
                    return Err(self.limit.too_many());
                }
            }
        }
        Ok(())
    }
}

async fn in_bucket(
    service: StorageService,
    (bucket, key): (&str, &str),
    spec: &FileSpec,
    ctx: &ReadContext<'_>,
    limit: Limit,
) -> Result<Vec<Listed>, SourceError> {
    let place = format!("{service}://{bucket}/{key}");
    let failed = |error| remote(error, &place, &spec.access);
    let open = Bucket::open(service, bucket, &spec.access, ctx.environment, ctx.client);
    let opened = open.map_err(failed)?;
    let found = if is_fixed(key) {
        vec![opened.stat(key).await.map_err(failed)?]
    } else {
        let fixed = key.split('/').take_while(|part| is_fixed(part)).collect::<Vec<_>>().join("/");
        let glob = matcher(key)?;
        let most = limit.max_files.saturating_mul(LOOKS_PER_FILE);
        let found = opened.list(&fixed, most, |key| glob.is_match(key)).await;
        found.map_err(failed)?
    };
    if limit.left < found.len() {
        return Err(limit.too_many());
    }
    let listed = found.into_iter().map(|found| Listed {
        name: format!("{service}://{bucket}/{}", found.key),
        stamp: Some(match &found.etag {
            Some(etag) => format!("{} {etag}", found.size),
            None => format!("{} {}", found.size, found.modified),
        }),
        n_bytes: Some(found.size),
        at: At::Object(opened.clone(), found),
    });
    Ok(listed.collect())
}
