//! Whether the bytes of an object are those that were written.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Key, StoreError, aside::aside};

/// Hex SHA-256 of some bytes.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// [`sha256_hex`], on a thread where it holds up nobody when there is much of it.
pub(super) async fn sha256_aside(bytes: Bytes) -> String {
    const MUCH: usize = 256 * 1024;
    if bytes.len() < MUCH {
        return sha256_hex(&bytes);
    }
    let again = bytes.clone();
    let hashed = aside(move || sha256_hex(&bytes)).await;
    hashed.unwrap_or_else(|_| sha256_hex(&again))
}

/// Compares an object's bytes with the size and hex SHA-256 recorded when it was written.
///
/// # Errors
/// [`StoreError::Corrupt`] when either differs.
pub fn verify(key: &Key, bytes: &[u8], sha256: &str, size: u64) -> Result<(), StoreError> {
    check_size(key, bytes.len() as u64, size)?;
    differs(key, sha256, &sha256_hex(bytes))
}

/// Compares two checksums.
pub(super) fn differs(key: &Key, expected: &str, got: &str) -> Result<(), StoreError> {
    if got.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    let (expected, got) = (format!("SHA-256 {expected}"), format!("SHA-256 {got}"));
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
