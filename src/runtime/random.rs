//! The one place that asks the system for randomness.

/// A number in [0, 1). Used for jitter only, so a system that gives none costs nothing but that.
pub fn random_unit() -> f64 {
    let mut bytes = [0_u8; 8];
    if getrandom::fill(&mut bytes).is_err() {
        return 0.5;
    }
    (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
}

/// 32 bytes that nobody can guess.
///
/// # Errors
/// When the system gives none: there is no substitute.
pub fn random_bytes() -> Result<[u8; 32], getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_in_the_unit_interval_and_differ() {
        let drawn: Vec<f64> = (0..64).map(|_| random_unit()).collect();
        assert!(drawn.iter().all(|n| (0.0..1.0).contains(n)), "{drawn:?}");
        assert!(drawn.windows(2).any(|pair| pair[0] != pair[1]), "{drawn:?}");
    }
}
