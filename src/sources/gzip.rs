//! Compressed inputs: gzip, known by its first bytes, unpacked within a limit.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::SourceError;

/// The bytes themselves, or what they hold if they are gzip.
pub(super) fn inflate(bytes: Vec<u8>, max_bytes: u64, place: &str) -> Result<Vec<u8>, SourceError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    let read = MultiGzDecoder::new(bytes.as_slice()).take(max_bytes + 1).read_to_end(&mut unpacked);
    read.map_err(|error| SourceError::Decode {
        place: place.to_owned(),
        message: format!("it is not whole gzip: {error}"),
    })?;
    if max_bytes < unpacked.len() as u64 {
        return Err(SourceError::TooManyBytes { place: place.to_owned(), max_bytes });
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_unpacked_all_members_of_it_and_anything_else_is_left_alone() {
        assert_eq!(inflate(b"ts,value".to_vec(), 1, "it").unwrap(), b"ts,value");
        let two = [packed(b"ts,"), packed(b"value")].concat();
        assert_eq!(inflate(two, 8, "it").unwrap(), b"ts,value");
    }

    #[test]
    fn a_bomb_ends_at_the_limit_and_a_cut_file_is_no_short_file() {
        let bomb = packed(&vec![0; 10_000_000]);
        let error = inflate(bomb, 1_000, "it").unwrap_err();
        assert_eq!(error.to_string(), "read it: more than 1000 bytes");
        let whole = packed(b"ts,value\n1,2\n");
        let cut = inflate(whole[..whole.len() - 5].to_vec(), 1_000, "it");
        assert!(matches!(cut, Err(SourceError::Decode { .. })), "{cut:?}");
    }
}
