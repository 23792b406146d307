//! Where an object lies in a store. A key is checked once; after that no backend can be led out of
//! its root or take it for a file that is still being written.

use std::fmt;

use object_store::path::Path;

/// Longest segment in bytes: file systems allow 255, and a staged write adds `#` and a number.
const MAX_SEGMENT_BYTES: usize = 240;
/// Longest key in bytes: what object stores allow.
const MAX_KEY_BYTES: usize = 1_024;

/// A checked key: segments joined by `/`, kept letter by letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a key: {reason}")]
pub struct InvalidKey {
    /// The first characters of what was given.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Key {
    /// Checks a key.
    ///
    /// # Errors
    /// [`InvalidKey`] for an empty key, an empty, `.` or `..` segment, a control character, a
    /// backslash, a last segment ending in `#` and digits (the name of an unfinished write), and
    /// for what is too long for a disk or an object store.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let wrong = |reason| InvalidKey { text: text.chars().take(120).collect(), reason };
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        if MAX_KEY_BYTES < text.len() {
            return Err(wrong("it is longer than 1024 bytes"));
        }
        if text.split('/').any(str::is_empty) {
            return Err(wrong("a segment is empty"));
        }
        if text.split('/').any(|segment| MAX_SEGMENT_BYTES < segment.len()) {
            return Err(wrong("a segment is longer than 240 bytes"));
        }
        if text.contains('\\') {
            return Err(wrong("it holds a backslash"));
        }
        if text.rsplit('/').next().is_some_and(is_staging_name) {
            return Err(wrong("`#` and digits at its end mark an unfinished write"));
        }
        match Path::parse(text) {
            Ok(path) if path.as_ref() == text => Ok(Self(text.to_owned())),
            Ok(_) | Err(_) => Err(wrong("a segment is `.` or `..` or holds a control character")),
        }
    }

    /// A key put together from encoded names and fixed words, which cannot be wrong.
    pub(super) fn from_parts(text: String) -> Self {
        debug_assert!(Self::parse(&text).is_ok(), "{text}");
        Self(text)
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key as the backends know it; checked when the key was made.
    pub(super) fn path(&self) -> Path {
        // `parse` accepted the same text, so the fallback is never taken; `Path::from` encodes
        // again what is encoded already.
        Path::parse(&self.0).unwrap_or_else(|_| Path::from(self.0.as_str()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a file of this name is an unfinished local write (`name#1`): hidden from listings and
/// left behind by a crash.
pub(super) fn is_staging_name(name: &str) -> bool {
    name.split_once('#').is_some_and(|(_, suffix)| {
        !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_letter_by_letter() {
        for text in ["a", "a/b.parquet", "models/%2E%2E/x", "T#1_RAW#1.parquet", "ü/🚀 x", "a~b"]
        {
            assert_eq!(Key::parse(text).unwrap().as_str(), text);
            assert_eq!(Key::parse(text).unwrap().path().as_ref(), text);
        }
    }

    #[test]
    fn keys_that_leave_the_root_or_look_unfinished_are_refused() {
        let long = "x".repeat(241);
        let endless = "x/".repeat(600) + "x";
        for text in [
            "", "/", "/a", "a/", "a//b", "..", "a/../b", "a/.", "a\nb", "a\0b", "a\\b", "a/b#1",
            "b#123", &long, &endless,
        ] {
            assert!(Key::parse(text).is_err(), "{text}");
        }
    }
}
