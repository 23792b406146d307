//! Randomness of the I/O layer: names of writes, and waits that do not all end at once.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers nobody else has.
#[derive(Debug)]
pub(super) struct Luck {
    seed: u64,
    n_drawn: AtomicU64,
}

impl Luck {
    pub(super) fn new() -> Self {
        let mut bytes = [0_u8; 8];
        if getrandom::fill(&mut bytes).is_err() {
            bytes = u64::from(std::process::id()).to_le_bytes();
        }
        Self { seed: u64::from_le_bytes(bytes), n_drawn: AtomicU64::new(0) }
    }

    /// A name that no other write has.
    pub(super) fn name(&self) -> String {
        format!("{:016x}{:08x}", self.seed, self.n_drawn.fetch_add(1, Ordering::Relaxed))
    }

    /// A number in [0, 1).
    pub(super) fn unit(&self) -> f64 {
        // SplitMix64, by Steele, Lea and Flood (2014).
        let nth = self.n_drawn.fetch_add(1, Ordering::Relaxed);
        let mut z = self.seed.wrapping_add(nth.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ (z >> 31)) >> 40) as f64) / ((1_u64 << 24) as f64)
    }
}
