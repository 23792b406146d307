//! Trees of plain values as pickles that Python's `pickle.load` opens. Writing is `serde-pickle`
//! (protocol 3). Reading is a small stack machine of our own: it knows the opcodes that build
//! plain values and refuses every other, so nothing in a file can run, and size, depth and memory
//! are bounded before they are spent.

use std::collections::HashSet;

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::domain::Plain;

mod machine;

/// Most bytes a file may have.
const MAX_BYTES: usize = 256 << 20;
/// Most memory a tree may take: what a file of the largest size can honestly hold.
const MAX_MEMORY: usize = 2 * MAX_BYTES;
/// Most containers inside each other.
const MAX_DEPTH: u8 = 64;

/// A tree that could not be written, or bytes that are no plain tree.
#[derive(Debug, thiserror::Error)]
pub enum PickleError {
    /// More than is ever read: nobody should have written it.
    #[error("read a pickle of more than {max} bytes")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// Containers too far inside each other.
    #[error("read a pickle nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// The file ends early.
    #[error("read a pickle that ends at byte {at}")]
    Truncated {
        /// Where more was expected.
        at: usize,
    },
    /// An opcode that is not needed for plain values: it names a class, calls something, or is
    /// unknown.
    #[error("refuse opcode 0x{opcode:02x} at byte {at}: only plain values are read")]
    Forbidden {
        /// The opcode.
        opcode: u8,
        /// Where it is.
        at: usize,
    },
    /// Opcodes that build no tree of plain values.
    #[error("read a pickle: {reason} at byte {at}")]
    Malformed {
        /// What is wrong.
        reason: &'static str,
        /// Where.
        at: usize,
    },
    /// Two entries of a dict have one key.
    #[error("read a dict with the key `{key}` twice")]
    DuplicateKey {
        /// Which key.
        key: String,
    },
    /// The encoder failed.
    #[error("encode a pickle")]
    Encode {
        /// What it said.
        source: serde_pickle::Error,
    },
}

/// Writes a tree. What is written can be read back by [`decode`].
///
/// # Errors
/// [`PickleError`] for a tree that is too deep or too large, or has a dict with a key twice.
pub fn encode(tree: &Plain) -> Result<Vec<u8>, PickleError> {
    check(tree, 0)?;
    let bytes = serde_pickle::to_vec(&Tree(tree), serde_pickle::SerOptions::new())
        .map_err(|source| PickleError::Encode { source })?;
    if MAX_BYTES < bytes.len() {
        return Err(PickleError::TooLarge { max: MAX_BYTES });
    }
    Ok(bytes)
}

/// Reads a tree; never panics, never runs anything. Tuples are read as lists.
///
/// # Errors
/// [`PickleError`] for everything but one tree of plain values, protocol 2 to 4, to the last byte.
pub fn decode(bytes: &[u8]) -> Result<Plain, PickleError> {
    decode_within(bytes, MAX_MEMORY)
}

/// As [`decode`], for a tree that takes at most so many bytes of memory.
///
/// # Errors
/// As [`decode`], and [`PickleError::TooLarge`] for a larger tree.
pub fn decode_within(bytes: &[u8], max_memory: usize) -> Result<Plain, PickleError> {
    let tree = machine::run(bytes, max_memory)?;
    check(&tree, 0)?;
    Ok(tree)
}

fn check(tree: &Plain, depth: u8) -> Result<(), PickleError> {
    let depth = depth + 1;
    match tree {
        Plain::List(_) | Plain::Dict(_) if MAX_DEPTH < depth => Err(PickleError::TooDeep),
        Plain::List(items) => items.iter().try_for_each(|item| check(item, depth)),
        Plain::Dict(entries) => {
            let mut keys = HashSet::with_capacity(entries.len());
            for (key, value) in entries {
                if !keys.insert(key.as_str()) {
                    return Err(PickleError::DuplicateKey { key: key.chars().take(120).collect() });
                }
                check(value, depth)?;
            }
            Ok(())
        }
        Plain::None
        | Plain::Bool(_)
        | Plain::Int(_)
        | Plain::Float(_)
        | Plain::Text(_)
        | Plain::Bytes(_) => Ok(()),
    }
}

struct Tree<'a>(&'a Plain);

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Plain::None => serializer.serialize_unit(),
            Plain::Bool(value) => serializer.serialize_bool(*value),
            Plain::Int(value) => serializer.serialize_i64(*value),
            Plain::Float(value) => serializer.serialize_f64(*value),
            Plain::Text(text) => serializer.serialize_str(text),
            Plain::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Plain::List(items) => serializer.collect_seq(items.iter().map(Tree)),
            Plain::Dict(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &Tree(value))?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests;
