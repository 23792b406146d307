//! Names of batches and metrics. A metric's name is data from outside: any text up to a length is
//! kept as it is, and only `io::layout` turns it into a path.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest metric name in bytes: enough for any label set, small enough for a row.
const MAX_METRIC_BYTES: usize = 1_024;
/// Longest batch name in bytes: it is a file's stem and a column in every table.
const MAX_BATCH_BYTES: usize = 128;

/// A batch's name: 1 to 128 bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchName(Arc<str>);

impl BatchName {
    /// Checks a batch's name.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, too long or holds a control character.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        check(name, MAX_BATCH_BYTES)?;
        match name.chars().any(char::is_control) {
            true => Err(NameError::Control),
            false => Ok(Self(name.into())),
        }
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A metric's name: 1 to 1,024 bytes without NUL (which no database column takes).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricName(Arc<str>);

impl MetricName {
    /// Checks a metric's name.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, too long or holds a NUL.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        check(name, MAX_METRIC_BYTES)?;
        if name.contains('\0') { Err(NameError::Control) } else { Ok(Self(name.into())) }
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check(name: &str, max_bytes: usize) -> Result<(), NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Empty);
    }
    if max_bytes < name.len() {
        return Err(NameError::TooLong { n_bytes: name.len(), max_bytes });
    }
    Ok(())
}

/// A text that cannot name a batch or a metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing but white space.
    #[error("a name must not be empty")]
    Empty,
    /// More bytes than a name may have.
    #[error("a name of {n_bytes} bytes is too long; at most {max_bytes} are kept")]
    TooLong {
        /// Its length.
        n_bytes: usize,
        /// The longest allowed.
        max_bytes: usize,
    },
    /// A control character where none is allowed.
    #[error("a name must not hold control characters")]
    Control,
}

macro_rules! text_traits {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}
text_traits!(BatchName);
text_traits!(MetricName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names_are_data_and_kept_as_they_are() {
        let long = "x".repeat(300);
        for name in ["../../x", "two\nlines", "🚀 launches", "'; DROP TABLE", long.as_str()] {
            assert_eq!(MetricName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn empty_nul_and_endless_names_are_refused() {
        assert_eq!(MetricName::parse("  "), Err(NameError::Empty));
        assert_eq!(MetricName::parse("a\0b"), Err(NameError::Control));
        assert!(matches!(MetricName::parse(&"x".repeat(1_025)), Err(NameError::TooLong { .. })));
        assert_eq!(BatchName::parse("a\nb"), Err(NameError::Control));
    }
}
