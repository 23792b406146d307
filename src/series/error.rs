//! What can go wrong with a history.

use super::columns::ColumnError;
use crate::{
    compute::ComputeError,
    domain::{BatchName, SegmentKind},
    io::{Key, StoreError, parquet::ParquetError},
};

/// A history that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// A segment is missing or damaged, or its store failed.
    #[error("read segment `{key}` of batch `{batch}`")]
    Segment {
        /// Where the segment lies.
        key: String,
        /// Whose history.
        batch: BatchName,
        /// What is wrong with it.
        source: StoreError,
    },
    /// A segment's bytes are as written but are no Parquet file.
    #[error("decode segment `{key}` of batch `{batch}`")]
    Decode {
        /// Where the segment lies.
        key: String,
        /// Whose history.
        batch: BatchName,
        /// What the decoder said.
        source: ParquetError,
    },
    /// A segment holds something else than rows of its kind.
    #[error("understand segment `{key}` of batch `{batch}`")]
    Columns {
        /// Where the segment lies.
        key: String,
        /// Whose history.
        batch: BatchName,
        /// What it holds.
        source: ColumnError,
    },
    /// A segment of the other kind was given.
    #[error("read segment `{key}` as {expected}")]
    Kind {
        /// Where the segment lies.
        key: String,
        /// What was to be read.
        expected: SegmentKind,
    },
    /// There is nothing to write: a segment has at least one row.
    #[error("write segment `{key}` without a row")]
    Empty {
        /// Where it would have lain.
        key: Key,
    },
    /// The rows could not be made into a file.
    #[error("encode segment `{key}`")]
    Encode {
        /// Where it would have lain.
        key: Key,
        /// What the encoder said.
        source: ParquetError,
    },
    /// The object could not be stored.
    #[error("write segment `{key}`")]
    Write {
        /// Where it would have lain.
        key: Key,
        /// What the store said.
        source: StoreError,
    },
    /// The computing threads failed.
    #[error("compute on a history")]
    Compute {
        /// How.
        #[from]
        source: ComputeError,
    },
}
