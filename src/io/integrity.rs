//! Whether the bytes of an object are those that were written.

use sha2::{Digest, Sha256};

use super::{Key, StoreError};

/// Hex SHA-256 of some bytes.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares an object's bytes with the size and hex SHA-256 recorded when it was written.
///
/// # Errors
/// [`StoreError::Corrupt`] when either differs.
pub fn verify(key: &Key, bytes: &[u8], sha256: &str, size: u64) -> Result<(), StoreError> {
    check_size(key, bytes.len() as u64, size)?;
    let got = sha256_hex(bytes);
    if got.eq_ignore_ascii_case(sha256) {
        return Ok(());
    }
    let (expected, got) = (format!("SHA-256 {sha256}"), format!("SHA-256 {got}"));
    Err(StoreError::Corrupt { key: key.clone(), expected, got })
}

pub(super) fn check_size(key: &Key, got: u64, expected: u64) -> Result<(), StoreError> {
    if got == expected {
        return Ok(());
    }
    let (expected, got) = (format!("{expected} bytes"), format!("{got} bytes"));
    Err(StoreError::Corrupt { key: key.clone(), expected, got })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_byte_and_any_other_length_is_damage() {
        let (key, bytes) = (Key::parse("k").unwrap(), b"some bytes".to_vec());
        let sha256 = sha256_hex(&bytes);
        verify(&key, &bytes, &sha256, 10).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let damage = verify(&key, &changed, &sha256, 10);
            assert!(matches!(damage, Err(StoreError::Corrupt { .. })), "{at}");
        }
        let cut = verify(&key, &bytes[..9], &sha256, 10).unwrap_err();
        assert_eq!(cut.to_string(), "`k` is damaged: expected 10 bytes, got 9 bytes");
    }
}
