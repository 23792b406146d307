//! What is in a store: keys by folder, pattern and extension, always sorted; folders, and how much
//! lies in them.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use globset::{GlobBuilder, GlobMatcher};
use object_store::{ObjectMeta, path::Path};

use super::{Entry, Order, Store};
use crate::{
    domain::StoreLocation,
    io::{Key, StoreError, aside::aside, disk::make_folder, error::foreign},
};

/// Which objects a listing names.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    prefix: String,
    pattern: Option<GlobMatcher>,
    extensions: Vec<String>,
    is_flat: bool,
    order: Order,
}

impl Listing {
    /// Everything in a folder and below it; `""` is the whole store.
    pub fn of(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..Self::default() }
    }

    /// Only keys that match: `*`, `?`, `[…]` and `{a,b}` within one part, `**` across parts. A
    /// pattern without a slash is compared with the name alone, any other with the key below the
    /// folder.
    ///
    /// # Errors
    /// [`StoreError::Settings`] for a text that is no pattern.
    pub fn matching(mut self, pattern: &str) -> Result<Self, StoreError> {
        let text = match pattern.contains('/') {
            true => pattern.to_owned(),
            false => format!("**/{pattern}"),
        };
        let glob = GlobBuilder::new(&text).literal_separator(true).build();
        let glob = glob.map_err(|error| StoreError::Settings {
            place: format!("the pattern `{pattern}`"),
            message: error.kind().to_string(),
        })?;
        self.pattern = Some(glob.compile_matcher());
        Ok(self)
    }

    /// Only keys with one of these extensions, whatever the case, with or without the dot.
    pub fn with_extensions<'e>(mut self, extensions: impl IntoIterator<Item = &'e str>) -> Self {
        let plain = |text: &str| format!(".{}", text.trim_start_matches('.').to_lowercase());
        self.extensions = extensions.into_iter().map(plain).collect();
        self
    }

    /// Only what lies in the folder itself.
    pub fn flat(mut self) -> Self {
        self.is_flat = true;
        self
    }

    /// Sorted so.
    pub fn sorted(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    fn takes(&self, key: &Key) -> bool {
        let key = key.as_str();
        let folder = self.prefix.trim_end_matches('/');
        let below = match folder {
            "" => key,
            folder => key.strip_prefix(folder).unwrap_or(key).trim_start_matches('/'),
        };
        let lower = key.to_lowercase();
        let has_extension = |extension: &String| lower.ends_with(extension.as_str());
        (self.extensions.is_empty() || self.extensions.iter().any(has_extension))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(below))
    }
}

/// How much lies in a folder.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// The folder, below the one that was asked for; `""` for what lies in it itself.
    pub folder: String,
    /// Objects.
    pub objects: u64,
    /// Bytes of them.
    pub bytes: u64,
}

impl Store {
    /// Every key in a folder and the folders below it, sorted by bytes; `""` is the whole store.
    /// A folder that does not exist holds nothing.
    ///
    /// # Errors
    /// [`StoreError::InvalidKey`] when the prefix is no folder's name.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<Key>, StoreError> {
        let found = self.list(&Listing::of(prefix)).await?;
        Ok(found.into_iter().map(|entry| entry.key).collect())
    }

    /// The objects a listing names, with what is known of them, in its order.
    ///
    /// # Errors
    /// [`StoreError::InvalidKey`] when the prefix is no folder's name.
    pub async fn list(&self, listing: &Listing) -> Result<Vec<Entry>, StoreError> {
        let folder = self.folder(&listing.prefix).await?;
        let failed = |source| self.not_listed(&listing.prefix, source);
        let listed: Vec<ObjectMeta> = match listing.is_flat {
            true => self.level(&folder).await.map_err(failed)?.objects,
            false => self.shared.backend.list(Some(&folder)).try_collect().await.map_err(failed)?,
        };
        // A file that was put there by hand under a name no key can have is not an object.
        let mut found: Vec<Entry> = listed.into_iter().filter_map(entry).collect();
        found.retain(|entry| listing.takes(&entry.key));
        found.sort_by(|a, b| listing.order.compare(&a.key, &b.key));
        Ok(found)
    }

    /// The folders in a folder, by their keys, sorted.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn folders(&self, prefix: &str, order: Order) -> Result<Vec<Key>, StoreError> {
        let folder = self.folder(prefix).await?;
        let level = self.level(&folder).await;
        let level = level.map_err(|source| self.not_listed(prefix, source))?;
        let as_key = |path: &Path| Key::parse(path.as_ref().trim_end_matches('/')).ok();
        let mut folders: Vec<Key> = level.common_prefixes.iter().filter_map(as_key).collect();
        folders.sort_by(|a, b| order.compare(a, b));
        folders.dedup();
        Ok(folders)
    }

    async fn level(&self, folder: &Path) -> object_store::Result<object_store::ListResult> {
        if self.root().is_some_and(|root| !root.join(folder.as_ref()).is_dir()) {
            return Ok(object_store::ListResult {
                common_prefixes: Vec::new(),
                objects: Vec::new(),
                extensions: Default::default(),
            });
        }
        self.shared.backend.list_with_delimiter(Some(folder)).await
    }

    /// Makes a folder. Where folders are only parts of keys there is nothing to make.
    ///
    /// # Errors
    /// [`StoreError::Io`] when an object is in the way or the disk fails.
    pub async fn ensure_dir(&self, folder: &str) -> Result<(), StoreError> {
        self.refuse_write()?;
        self.folder(folder).await?;
        let Some(root) = self.root() else { return Ok(()) };
        let place = root.join(folder.trim_matches('/'));
        let made = {
            let place = place.clone();
            aside(move || make_folder(&place)).await
        };
        let made = made.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        made.map_err(|source| {
            let place = place.display().to_string();
            StoreError::Io { op: "make the folder", place, source }
        })
    }

    /// Whether there is a folder: on a disk one that was made, elsewhere one with an object in it.
    /// The whole store is one.
    ///
    /// # Errors
    /// Any failure other than its absence.
    pub async fn is_dir(&self, folder: &str) -> Result<bool, StoreError> {
        let path = self.folder(folder).await?;
        if path == Path::ROOT {
            return Ok(true);
        }
        if let Some(root) = self.root() {
            return Ok(root.join(path.as_ref()).is_dir());
        }
        let mut listed = self.shared.backend.list(Some(&path));
        let first = listed.try_next().await;
        let first = first.map_err(|source| self.not_listed(folder, source))?;
        Ok(first.is_some())
    }

    /// How much lies in a folder, by the folders in it; the last entry is all of it, with `.` for a
    /// name.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn usage(&self, prefix: &str) -> Result<Vec<Usage>, StoreError> {
        let found = self.list(&Listing::of(prefix)).await?;
        let n_above = prefix.trim_matches('/').len();
        let mut folders: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let (mut n_all, mut bytes_all) = (0, 0);
        for entry in &found {
            let below = entry.key.as_str()[n_above..].trim_start_matches('/');
            let folder = below.split_once('/').map_or("", |(folder, _)| folder);
            let of = folders.entry(folder.to_owned()).or_default();
            *of = (of.0 + 1, of.1 + entry.size);
            (n_all, bytes_all) = (n_all + 1, bytes_all + entry.size);
        }
        let of = |(folder, (objects, bytes))| Usage { folder, objects, bytes };
        let mut usage: Vec<Usage> = folders.into_iter().map(of).collect();
        usage.push(Usage { folder: ".".into(), objects: n_all, bytes: bytes_all });
        Ok(usage)
    }

    fn not_listed(&self, folder: &str, source: object_store::Error) -> StoreError {
        let place = format!("{}/{folder}", self.location().to_string().trim_end_matches('/'));
        match (self.location(), foreign("list", place, source)) {
            (StoreLocation::Web(_), StoreError::Backend { place, .. }) => {
                let reason = "a web server can be listed only where it speaks WebDAV".to_owned();
                StoreError::NotSupported { place, reason }
            }
            (_, error) => error,
        }
    }

    /// A folder's path, checked; `""` is the root.
    async fn folder(&self, prefix: &str) -> Result<Path, StoreError> {
        match prefix.trim_end_matches('/') {
            "" => Ok(Path::ROOT),
            folder => {
                let key = Key::parse(folder)?;
                self.refuse_outside(&key).await?;
                Ok(key.path())
            }
        }
    }
}

fn entry(meta: ObjectMeta) -> Option<Entry> {
    Some(Entry {
        key: Key::parse(meta.location.as_ref()).ok()?,
        size: meta.size,
        modified: meta.last_modified.into(),
        etag: meta.e_tag,
    })
}
