//! What can go wrong between a name and a value.

use crate::{
    compute::ComputeError,
    io::{
        Key, StoreError,
        codec::{Cause, CodecError},
        zarr::ZarrError,
    },
};

/// A value that could not be put, found or got.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The store failed, or holds no such object.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Several objects have the name.
    #[error("`{name}` may be any of {}; give the extension", listed(candidates))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// The objects, by name.
        candidates: Vec<Key>,
    },
    /// No codec reads the object's extension.
    #[error("`{key}` has no extension of a format that is known here")]
    UnknownFormat {
        /// Which object.
        key: Key,
    },
    /// The extension of the key is not one that the value can have.
    #[error("a {got} is not written as `.{extension}` (`{key}`); it can be {}", dotted(possible))]
    Mismatch {
        /// Which key.
        key: Key,
        /// What it asks for.
        extension: &'static str,
        /// What was given.
        got: &'static str,
        /// The extensions that would do.
        possible: Vec<&'static str>,
    },
    /// No codec writes such values.
    #[error("no format is known for a {got}")]
    NoFormat {
        /// What was given.
        got: &'static str,
    },
    /// The object holds something else.
    #[error("`{key}` holds a {got}, not a {wanted}")]
    WrongType {
        /// Which object.
        key: Key,
        /// What it holds.
        got: String,
        /// What it was asked for as.
        wanted: &'static str,
    },
    /// The object is too large to be read whole.
    #[error("`{key}` has {size} bytes; at most {max_bytes} are read whole")]
    TooLarge {
        /// Which object.
        key: Key,
        /// Its bytes.
        size: u64,
        /// How many may be read.
        max_bytes: u64,
    },
    /// The value does not fit its format.
    #[error("write `{key}` as {format}")]
    Encode {
        /// Where it was to be written.
        key: Key,
        /// The format.
        format: &'static str,
        /// What does not fit.
        source: CodecError,
    },
    /// The bytes are no value of their format.
    #[error("read `{key}` as {format}")]
    Decode {
        /// Which object.
        key: Key,
        /// The format its extension names.
        format: &'static str,
        /// What is wrong with it.
        source: CodecError,
    },
    /// The objects cannot be read as one frame.
    #[error("scan `{pattern}`")]
    Scan {
        /// What was asked for.
        pattern: String,
        /// What is in the way.
        source: Cause,
    },
    /// An array in chunks could not be read or written.
    #[error(transparent)]
    Zarr(#[from] ZarrError),
    /// The computation did not end well.
    #[error("compute")]
    Compute(#[from] ComputeError),
}

fn listed(keys: &[Key]) -> String {
    let names: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
    names.join(", ")
}

fn dotted(extensions: &[&str]) -> String {
    let names: Vec<_> = extensions.iter().map(|extension| format!("`.{extension}`")).collect();
    names.join(", ")
}
