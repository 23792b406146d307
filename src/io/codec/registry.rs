//! Codecs: what turns values into bytes and back, by extension and by type.

use std::{cmp::Reverse, fmt, sync::Arc};

use bytes::Bytes;

use super::{CodecError, RecordFormat, Value};
use crate::io::Allowance;

/// One format. Calls compute: they are run on a computing thread.
pub trait Codec: Send + Sync {
    /// Names the format in errors and listings; one registry has no two of one name.
    fn name(&self) -> &'static str;

    /// The extensions of its files, in lower case and without the first dot; the first is what a key
    /// without one gets. May have dots inside: `sparse.npz`.
    fn extensions(&self) -> &'static [&'static str];

    /// Where several codecs could, the one of the highest priority reads an extension or writes a
    /// value. The codecs that are built in have 1 to 10.
    fn priority(&self) -> i32;

    /// Whether a value can be written in this format.
    fn can_write(&self, value: &Value) -> bool;

    /// Writes a value.
    ///
    /// # Errors
    /// [`CodecError`] for a value that does not fit the format.
    fn encode(&self, value: &Value) -> Result<Bytes, CodecError>;

    /// Reads a value, spending what it decodes to from the allowance before it takes the memory.
    ///
    /// # Errors
    /// [`CodecError`] for bytes that are no value of the format, or too much of one.
    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError>;

    /// How a record of any type is written in this format, if it can be.
    fn records(&self) -> Option<RecordFormat> {
        None
    }
}

impl fmt::Debug for dyn Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Codec({})", self.name())
    }
}

/// A codec that cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// There is one of this name.
    #[error("a codec `{name}` is registered already")]
    NameTaken {
        /// The name.
        name: &'static str,
    },
    /// An extension is empty, begins with a dot, or is not in lower case.
    #[error("codec `{name}`: `{extension}` is no extension: lower case, without the first dot")]
    NotAnExtension {
        /// Which codec.
        name: &'static str,
        /// Which extension.
        extension: &'static str,
    },
    /// Nothing would tell which of two codecs reads an extension.
    #[error("codecs `{name}` and `{other}` both have `.{extension}` with priority {priority}")]
    Tie {
        /// The codec that was not registered.
        name: &'static str,
        /// The one that is.
        other: &'static str,
        /// What both read.
        extension: &'static str,
        /// The priority of both.
        priority: i32,
    },
}

/// Several codecs of one extension, and which of them reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The extension.
    pub extension: &'static str,
    /// The codec that reads it.
    pub reader: &'static str,
    /// The codecs that do not, the highest priority first.
    pub hidden: Vec<&'static str>,
}

/// A set of codecs. A plain value: two registries know nothing of each other.
#[derive(Debug, Clone, Default)]
pub struct Codecs {
    /// The highest priority first, the older first among equals.
    codecs: Vec<Arc<dyn Codec>>,
}

impl Codecs {
    /// No codecs at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds a codec.
    ///
    /// # Errors
    /// [`RegisterError`] when it could not be told from another.
    pub fn register(&mut self, codec: impl Codec + 'static) -> Result<(), RegisterError> {
        let (name, priority) = (codec.name(), codec.priority());
        if self.codecs.iter().any(|other| other.name() == name) {
            return Err(RegisterError::NameTaken { name });
        }
        for extension in codec.extensions() {
            let is_lower = !extension.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'/');
            if extension.is_empty() || extension.starts_with('.') || !is_lower {
                return Err(RegisterError::NotAnExtension { name, extension });
            }
            let rival = self.of_extension(extension).find(|other| other.priority() == priority);
            if let Some(rival) = rival {
                let other = rival.name();
                return Err(RegisterError::Tie { name, other, extension, priority });
            }
        }
        self.codecs.push(Arc::new(codec));
        self.codecs.sort_by_key(|codec| Reverse(codec.priority()));
        Ok(())
    }

    /// Removes a codec by its name; whether there was one.
    pub fn unregister(&mut self, name: &str) -> bool {
        let n_before = self.codecs.len();
        self.codecs.retain(|codec| codec.name() != name);
        self.codecs.len() < n_before
    }

    /// All codecs, the highest priority first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Codec>> {
        self.codecs.iter()
    }

    /// The codec that reads an extension.
    pub fn reader(&self, extension: &str) -> Option<&Arc<dyn Codec>> {
        self.of_extension(extension).next()
    }

    /// The codec that writes a value under an extension.
    pub fn writer(&self, extension: &str, value: &Value) -> Option<&Arc<dyn Codec>> {
        self.of_extension(extension).find(|codec| codec.can_write(value))
    }

    /// The codec that writes a value whose key has no extension, and the extension it gets.
    pub fn writer_of(&self, value: &Value) -> Option<(&Arc<dyn Codec>, &'static str)> {
        let codec = self.codecs.iter().find(|codec| codec.can_write(value))?;
        codec.extensions().first().map(|extension| (codec, *extension))
    }

    /// The extensions a value can be written under.
    pub fn extensions_for(&self, value: &Value) -> Vec<&'static str> {
        let able = self.codecs.iter().filter(|codec| codec.can_write(value));
        able.flat_map(|codec| codec.extensions()).copied().collect()
    }

    /// A key's name and extension: the longest one that is known, in any case.
    pub fn split<'k>(&self, key: &'k str) -> (&'k str, Option<&'static str>) {
        let name = key.rsplit('/').next().unwrap_or(key);
        let known = self.codecs.iter().flat_map(|codec| codec.extensions()).copied();
        let found = known
            .filter(|extension| {
                let n_stem = name.len().checked_sub(extension.len() + 1);
                let tail = n_stem.filter(|n| 0 < *n).and_then(|n| name.get(n..));
                tail.is_some_and(|tail| {
                    tail.starts_with('.') && tail[1..].eq_ignore_ascii_case(extension)
                })
            })
            .max_by_key(|extension| extension.len());
        match found {
            Some(extension) => (&key[..key.len() - extension.len() - 1], Some(extension)),
            None => (key, None),
        }
    }

    /// The extensions that several codecs have, by name.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let mut extensions: Vec<_> =
            self.codecs.iter().flat_map(|codec| codec.extensions()).copied().collect();
        extensions.sort_unstable();
        extensions.dedup();
        let all = extensions.into_iter().filter_map(|extension| {
            let mut names = self.of_extension(extension).map(|codec| codec.name());
            let reader = names.next()?;
            let hidden: Vec<_> = names.collect();
            (!hidden.is_empty()).then_some(Conflict { extension, reader, hidden })
        });
        all.collect()
    }

    fn of_extension(&self, extension: &str) -> impl Iterator<Item = &Arc<dyn Codec>> {
        self.codecs.iter().filter(move |codec| {
            codec.extensions().iter().any(|own| own.eq_ignore_ascii_case(extension))
        })
    }
}
