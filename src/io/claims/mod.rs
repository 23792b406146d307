//! What a file claims to hold, compared with what is there, before its reader believes it: readers
//! take room for as much as a header says, and a lie about that ends the process.

use std::io;

pub mod arrow;
pub mod parquet;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// A claim of it does not hold; in words, with the byte.
    #[error("{0}")]
    Claim(String),
    /// It cannot be read, or its allowance is spent.
    #[error("read the file")]
    Read(#[source] io::Error),
}
