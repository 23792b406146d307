//! Compressed inputs, known by their first bytes: gzip of any number of members, Zstandard, bzip2;
//! unpacked while they are read, within a number of bytes.

use std::io::{self, BufReader, Chain, Cursor, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use zstd::stream::read::Decoder;

use super::{SourceError, error::printable};
use crate::io::{Allowance, claims::Wrong};

/// Enough to know any of the formats by.
const N_PEEKED: usize = 16;
/// Largest window of a Zstandard frame, as a power of two: what `zstd --long` asks for.
const LARGEST_WINDOW: u32 = 27;

/// Gives what it reads within an allowance.
struct Allowed<R> {
    source: R,
    allowance: Allowance,
}

impl<R: Read> Read for Allowed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.source.read(into)?;
        self.allowance.spend(n_bytes as u64)?;
        Ok(n_bytes)
    }
}

/// A stream of bytes.
pub(super) type Stream = Box<dyn Read + Send>;

/// What a stream began with, and the whole of it.
type Peeked<R> = (Vec<u8>, Chain<Cursor<Vec<u8>>, R>);

/// The bytes themselves or what they unpack to, and whether they were packed.
pub(super) fn unpacked(
    source: impl Read + Send + 'static,
    allowance: &Allowance,
) -> io::Result<(Stream, bool)> {
    let (start, source) = peek(source)?;
    let source = BufReader::with_capacity(1 << 16, source);
    let stream: Stream = match start.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(source)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut decoder = Decoder::with_buffer(source)?;
            decoder.window_log_max(LARGEST_WINDOW)?;
            Box::new(decoder)
        }
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => {
            Box::new(MultiBzDecoder::new(source))
        }
        _ => {
            let allowance = allowance.clone();
            return Ok((Box::new(Allowed { source, allowance }), false));
        }
    };
    Ok((Box::new(Allowed { source: stream, allowance: allowance.clone() }), true))
}

/// The first bytes of a stream, which it still gives.
pub(super) fn peek<R: Read>(mut source: R) -> io::Result<Peeked<R>> {
    let mut start = Vec::with_capacity(N_PEEKED);
    (&mut source).take(N_PEEKED as u64).read_to_end(&mut start)?;
    Ok((start.clone(), Cursor::new(start).chain(source)))
}

/// The bytes themselves, or what they hold if they are compressed.
pub(super) fn inflate(bytes: Vec<u8>, max_bytes: u64, place: &str) -> Result<Vec<u8>, SourceError> {
    let allowance = Allowance::new(max_bytes);
    let read = unpacked(Cursor::new(bytes), &allowance).and_then(|(mut stream, _)| {
        let mut inflated = Vec::new();
        stream.read_to_end(&mut inflated).map(|_| inflated)
    });
    read.map_err(|error| unreadable(error, place))
}

/// Why a stream broke off.
pub(super) fn unreadable(error: io::Error, place: &str) -> SourceError {
    let place = place.to_owned();
    match Allowance::spent_by(&error) {
        Some(max_bytes) => SourceError::TooManyBytes { place, max_bytes },
        None => SourceError::Decode { place, message: printable(&error.to_string()) },
    }
}

/// Why a file is not read whose claims are wrong.
pub(super) fn refused(wrong: Wrong, place: &str) -> SourceError {
    match wrong {
        Wrong::Claim(message) => {
            SourceError::Decode { place: place.to_owned(), message: printable(&message) }
        }
        Wrong::Read(error) => unreadable(error, place),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    pub(in crate::sources) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    pub(in crate::sources) fn zstandard(bytes: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(bytes, 3).unwrap()
    }

    pub(in crate::sources) fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    pub(in crate::sources) type Packer = fn(&[u8]) -> Vec<u8>;

    const PACKERS: [Packer; 3] = [gzip, zstandard, bzip2];

    #[test]
    fn every_kind_is_unpacked_all_parts_of_it_and_anything_else_is_left_alone() {
        assert_eq!(inflate(b"ts,value".to_vec(), 8, "it").unwrap(), b"ts,value");
        assert_eq!(inflate(b"BZh9 is a name".to_vec(), 99, "it").unwrap(), b"BZh9 is a name");
        assert_eq!(inflate(Vec::new(), 1, "it").unwrap(), b"");
        for packed in PACKERS {
            let two = [packed(b"ts,"), packed(b"value")].concat();
            assert_eq!(inflate(two, 8, "it").unwrap(), b"ts,value");
        }
    }

    #[test]
    fn a_bomb_ends_at_the_limit_and_a_cut_file_is_no_short_file() {
        for packed in PACKERS {
            let error = inflate(packed(&vec![0; 10_000_000]), 1_000, "it").unwrap_err();
            assert_eq!(error.to_string(), "read it: more than 1000 bytes");
            let whole = packed(b"ts,value\n1,2\n");
            let cut = inflate(whole[..whole.len() - 5].to_vec(), 1_000, "it");
            assert!(matches!(cut, Err(SourceError::Decode { .. })), "{cut:?}");
        }
    }
}
