//! What is known of an object without reading it, and what a write is bound to.

use object_store::{Attribute, Attributes, ObjectMeta, PutMode, UpdateVersion};

use crate::{domain::Timestamp, io::Key};

/// The name of the checksum among what is said of an object.
pub(super) const SHA256: Attribute = Attribute::Metadata(std::borrow::Cow::Borrowed("sha256"));
/// The name of the write that made an object.
pub(super) const WRITE: Attribute = Attribute::Metadata(std::borrow::Cow::Borrowed("write"));

/// What a write does where an object already is, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode<'e> {
    /// Replaces it, at once and whole.
    Overwrite,
    /// Leaves it and fails with [`StoreError::AlreadyExists`](super::StoreError::AlreadyExists).
    CreateOnly,
    /// Replaces it if its etag is still this one, and fails with
    /// [`StoreError::Changed`](super::StoreError::Changed) otherwise, also when it is gone.
    IfUnchanged(&'e str),
}

impl WriteMode<'_> {
    pub(super) fn to_library(self) -> PutMode {
        match self {
            Self::Overwrite => PutMode::Overwrite,
            Self::CreateOnly => PutMode::Create,
            Self::IfUnchanged(etag) => {
                PutMode::Update(UpdateVersion { e_tag: Some(etag.to_owned()), version: None })
            }
        }
    }
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Timestamp,
    /// What the store calls this content of it; another content has another.
    pub etag: Option<String>,
    /// Hex SHA-256 as recorded with the object when it was written.
    pub sha256: Option<String>,
    /// Media type.
    pub content_type: String,
    /// The version, where the store keeps several (Google's generation).
    pub(super) version: Option<String>,
    /// The write that made it.
    pub(super) write: Option<String>,
}

impl Stat {
    pub(super) fn new(key: &Key, meta: &ObjectMeta, said: &Attributes) -> Self {
        let text = |attribute: &Attribute| said.get(attribute).map(|value| value.to_string());
        Self {
            size: meta.size,
            modified: meta.last_modified.into(),
            etag: meta.e_tag.clone(),
            sha256: text(&SHA256),
            content_type: text(&Attribute::ContentType)
                .unwrap_or_else(|| content_type(key.as_str()).to_owned()),
            version: meta.version.clone(),
            write: text(&WRITE),
        }
    }
}

/// What a write left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Bytes.
    pub size: u64,
    /// Hex SHA-256.
    pub sha256: String,
    /// What the store calls this content.
    pub etag: Option<String>,
}

/// An object as a listing names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: Key,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Timestamp,
    /// What the store calls this content of it.
    pub etag: Option<String>,
}

/// The media type that goes with an extension.
pub(super) fn content_type(key: &str) -> &'static str {
    let extension = key.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "json" => "application/json",
        "jsonl" | "ndjson" => "application/x-ndjson",
        "csv" => "text/csv",
        "txt" | "log" | "sql" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "yaml" | "yml" => "application/yaml",
        "toml" => "application/toml",
        "parquet" => "application/vnd.apache.parquet",
        "arrow" | "ipc" => "application/vnd.apache.arrow.file",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "svg" => "image/svg+xml",
        "gz" => "application/gzip",
        "zst" => "application/zstd",
        "zip" | "npz" => "application/zip",
        "h5" => "application/x-hdf5",
        _ => "application/octet-stream",
    }
}
