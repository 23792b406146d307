//! How much an object may decode to.

use crate::io::Allowance;

/// What decoding may cost. A small object never takes much memory, whatever it claims: a bomb is
/// an error as soon as it is known for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of an object that is read whole.
    pub object_bytes: u64,
    /// Bytes that any object may decode to.
    pub decoded_bytes: u64,
    /// An object may decode to so many times its own size, if that is more.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { object_bytes: 4 << 30, decoded_bytes: 128 << 20, ratio: 8 }
    }
}

impl Limits {
    /// What an object of this many bytes may decode to.
    pub fn allowance(&self, n_bytes: u64) -> Allowance {
        Allowance::new(n_bytes.saturating_mul(self.ratio).max(self.decoded_bytes))
    }
}
