//! What can go wrong with an array in chunks.

use crate::{
    compute::ComputeError,
    io::{Key, StoreError, codec::Cause},
};

/// An array that could not be made, opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum ZarrError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is asked for makes no array.
    #[error("make the array `{key}`: {reason}")]
    Options {
        /// Where it was to be.
        key: Key,
        /// What is wrong.
        reason: String,
    },
    /// A region is not within the array, or not of the shape or type of what is written into it.
    #[error("a region of `{key}`: {reason}")]
    Region {
        /// Which array.
        key: Key,
        /// What is wrong.
        reason: String,
    },
    /// The items are of a type that is not read here.
    #[error("`{key}` holds items of `{dtype}`, which are not read")]
    Unsupported {
        /// Which array.
        key: Key,
        /// The type as Zarr names it.
        dtype: String,
    },
    /// More would come out than may.
    #[error(
        "`{key}` decodes to {n_bytes} bytes where {max_bytes} may; read a region, or raise the limits"
    )]
    TooLarge {
        /// Which array.
        key: Key,
        /// What would come out.
        n_bytes: u64,
        /// How much may.
        max_bytes: u64,
    },
    /// The metadata or a chunk is damaged, or could not be read or written.
    #[error("{op} `{key}`")]
    Array {
        /// What was attempted.
        op: &'static str,
        /// Which array.
        key: Key,
        /// What is wrong; names the object.
        source: Cause,
    },
    /// The computation did not end well.
    #[error("compute")]
    Compute(#[from] ComputeError),
}
