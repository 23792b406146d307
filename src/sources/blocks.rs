//! Bytes read a stretch at a time, of which each reader takes whole records and leaves the rest for
//! the next time.

use std::io::{self, Read};

/// Bytes looked at together unless one record is longer.
const BLOCK: usize = 4 << 20;
/// A record over this is a quote that is never closed, or no record at all.
const LONGEST_RECORD: usize = 32 << 20;

/// A stream of bytes with a stretch of it at hand.
pub(super) struct Blocks<R> {
    source: R,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were taken.
    start: usize,
    /// Whether the source has ended.
    is_end: bool,
    /// Bytes taken since the beginning.
    n_taken: u64,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), start: 0, is_end: false, n_taken: 0 }
    }

    /// What is at hand and was not taken.
    pub(super) fn at_hand(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Whether nothing comes after what is at hand.
    pub(super) const fn is_end(&self) -> bool {
        self.is_end
    }

    /// Place in the whole stream of the first byte at hand.
    pub(super) const fn place(&self) -> u64 {
        self.n_taken
    }

    /// Takes bytes that were read.
    pub(super) const fn take(&mut self, n_bytes: usize) {
        self.start += n_bytes;
        self.n_taken += n_bytes as u64;
    }

    /// Brings a block to hand, or more where a whole block was not enough; `false` when the source
    /// gives no more, or one record would get too long.
    pub(super) fn more(&mut self) -> io::Result<bool> {
        if self.is_end || LONGEST_RECORD < self.buffer.len() - self.start {
            return Ok(false);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let n_before = self.buffer.len();
        let wanted = if n_before < BLOCK { BLOCK - n_before } else { n_before };
        let n_read = (&mut self.source).take(wanted as u64).read_to_end(&mut self.buffer)?;
        self.is_end = n_read < wanted;
        Ok(0 < n_read)
    }
}
