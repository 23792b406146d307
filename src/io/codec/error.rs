//! What can go wrong between a value and its bytes.

use std::{error::Error as StdError, fmt, io};

use crate::io::{Allowance, claims::Wrong};

/// The cause in another library's words.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// A value that cannot be written, or bytes that are no value of the format.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The bytes are not of the format, or not whole.
    #[error("damaged, or of another format, at {place}")]
    Damaged {
        /// Where: a byte, a line, a part of the file.
        place: String,
        /// What is wrong there.
        source: Cause,
    },
    /// More would come out than may: a bomb, or an object that needs higher [`super::Limits`].
    #[error("decodes to more than {max_bytes} bytes")]
    TooLarge {
        /// How many may.
        max_bytes: u64,
    },
    /// The format can hold this, but it is not read or written here.
    #[error("{what} is not supported")]
    Unsupported {
        /// What was met.
        what: String,
    },
    /// The value does not fit the format.
    #[error("encode the value")]
    Encode {
        /// What the encoder said.
        source: Cause,
    },
    /// The value is of a kind that the codec does not write.
    #[error("a {got} is not written in this format")]
    WrongKind {
        /// What was given.
        got: String,
    },
    /// The codec panicked over the bytes or the value.
    #[error("the codec panicked: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
}

impl CodecError {
    /// Damage at a place.
    pub fn damaged(place: impl fmt::Display, source: impl Into<Cause>) -> Self {
        Self::Damaged { place: place.to_string(), source: source.into() }
    }

    /// A value that does not fit the format.
    pub fn encode(source: impl Into<Cause>) -> Self {
        Self::Encode { source: source.into() }
    }

    /// What reading gave up with: a spent allowance or damage at a place.
    pub fn read(place: impl fmt::Display, error: io::Error) -> Self {
        match Allowance::spent_by(&error) {
            Some(max_bytes) => Self::TooLarge { max_bytes },
            None => Self::damaged(place, error),
        }
    }
}

impl From<Wrong> for CodecError {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Claim(what) => Self::damaged("what it says of itself", what),
            Wrong::Read(error) => Self::read("the end", error),
        }
    }
}
