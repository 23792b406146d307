//! Whom alerts go to.

use std::path::PathBuf;

use super::{Secret, Span};

/// One channel.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelSpec {
    /// Its name in `[channels.<name>]`.
    pub name: String,
    /// What it speaks.
    pub kind: ChannelKind,
}

/// What a channel speaks, with what that needs.
#[derive(Debug, Clone, PartialEq)]
pub enum ChannelKind {
    /// The program's own log.
    Log,
    /// One JSON object a line, appended to a file.
    File {
        /// Where.
        path: PathBuf,
    },
    /// A signed HTTP POST (Standard Webhooks).
    Webhook {
        /// Where to; secret, because such addresses often carry a token.
        url: Secret,
        /// Key of the signature, `whsec_` and base64; unsigned without.
        secret: Option<Secret>,
        /// Whether private and loopback addresses may be called.
        allow_private: bool,
        /// Total time for one attempt.
        timeout: Span,
    },
}

impl ChannelKind {
    /// The kind's name in the configuration.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::File { .. } => "file",
            Self::Webhook { .. } => "webhook",
        }
    }
}
