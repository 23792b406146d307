//! How much may be read or decoded, as a number of bytes that several readers spend together.

use std::{
    error::Error,
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How many bytes may still be read; clones share it.
#[derive(Debug, Clone)]
pub struct Allowance {
    left: Arc<AtomicU64>,
    all: u64,
}

impl Allowance {
    /// All of these bytes are still left.
    pub fn new(max_bytes: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(max_bytes)), all: max_bytes }
    }

    /// How many are left.
    pub fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// The whole of it.
    pub const fn all(&self) -> u64 {
        self.all
    }

    /// Takes bytes off it.
    ///
    /// # Errors
    /// An error that [`Self::spent_by`] knows, when there are fewer left.
    pub fn spend(&self, n_bytes: u64) -> io::Result<()> {
        let left = self.left();
        if left < n_bytes {
            return Err(io::Error::other(Spent { max_bytes: self.all }));
        }
        self.left.store(left - n_bytes, Ordering::Relaxed);
        Ok(())
    }

    /// The whole of the allowance whose end an error tells of; `None` for any other error.
    pub fn spent_by(error: &io::Error) -> Option<u64> {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Spent>());
        inner.map(|spent| spent.max_bytes)
    }
}

/// More came out than may.
#[derive(Debug)]
struct Spent {
    max_bytes: u64,
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} bytes", self.max_bytes)
    }
}

impl Error for Spent {}
