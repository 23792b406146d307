//! What can go wrong in a store: one error for one situation, whichever backend it comes from.

use std::{error::Error as StdError, io};

use super::{
    key::{InvalidKey, Key},
    remote::trouble,
};
use crate::domain::BadLocation;

/// A store operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing is stored under the key.
    #[error("no object at `{key}`")]
    NotFound {
        /// Where it was looked for.
        key: Key,
    },
    /// A create-only write, copy or rename met an object.
    #[error("an object at `{key}` exists already")]
    AlreadyExists {
        /// Where it is.
        key: Key,
    },
    /// The bytes are not those that were written.
    #[error("`{key}` is damaged: expected {expected}, got {got}")]
    Corrupt {
        /// Which object.
        key: Key,
        /// Size or checksum as recorded.
        expected: String,
        /// Size or checksum as read.
        got: String,
    },
    /// A write that was bound to a content met another one.
    #[error("`{key}` has changed since it was looked at")]
    Changed {
        /// Which object.
        key: Key,
    },
    /// The answer was lost, and looking again did not tell what became of the write.
    #[error("nobody knows whether `{key}` was written")]
    Unknown {
        /// Which object.
        key: Key,
        /// What happened to the answer.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The store is down, out of reach or too busy, and was asked as often as it may be.
    #[error("{op} `{place}`: the store does not answer")]
    Unavailable {
        /// What was attempted.
        op: &'static str,
        /// The key or prefix.
        place: String,
        /// What it or the network said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The store refuses who asks.
    #[error("{op} `{place}`: not permitted")]
    Denied {
        /// What was attempted.
        op: &'static str,
        /// The key or prefix.
        place: String,
        /// What it said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The store cannot be written to.
    #[error("{place} can only be read")]
    ReadOnly {
        /// Which store.
        place: String,
    },
    /// What is asked for cannot be done there.
    #[error("{place}: {reason}")]
    NotSupported {
        /// Which store, or what in it.
        place: String,
        /// What it cannot.
        reason: String,
    },
    /// No backend has this name.
    #[error("there is no backend `{name}`; there are {available}")]
    UnknownBackend {
        /// As asked for.
        name: String,
        /// Those there are.
        available: String,
    },
    /// What is configured does not make a store.
    #[error("open {place}: {message}")]
    Settings {
        /// Which store.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// The text names no place.
    #[error("read an address")]
    Location {
        /// What is wrong with it.
        #[from]
        source: BadLocation,
    },
    /// The text is no key.
    #[error("check a key")]
    InvalidKey {
        /// What is wrong with it.
        #[from]
        source: InvalidKey,
    },
    /// A symbolic link inside the root leads out of it.
    #[error("`{key}` lies behind a link that leads out of the storage root")]
    Outside {
        /// Which key.
        key: Key,
    },
    /// The disk failed: full, read-only, without permission, broken.
    #[error("{op} `{place}`")]
    Io {
        /// What was attempted.
        op: &'static str,
        /// The key or folder.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The backend failed in a way of its own.
    #[error("{op} `{place}`")]
    Backend {
        /// What was attempted.
        op: &'static str,
        /// The key or prefix.
        place: String,
        /// What it said.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl StoreError {
    /// Whether trying again later may help: nothing is wrong with what was asked for.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Unknown { .. })
    }

    /// Whether the disk (or the quota on it) is full: worth trying again when there is room.
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let Self::Io { source, .. } = self else { return false };
        matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge)
    }
}

/// The failure of a copy or rename: only an object in the way is the target's.
pub(super) fn two_key_failure(
    op: &'static str,
    from: &Key,
    to: &Key,
    error: object_store::Error,
) -> StoreError {
    let at_target = matches!(error, object_store::Error::AlreadyExists { .. });
    failure(op, if at_target { to } else { from }, error)
}

/// One error for one situation, whichever backend it comes from.
pub(super) fn failure(op: &'static str, key: &Key, error: object_store::Error) -> StoreError {
    use io::ErrorKind::{IsADirectory, NotADirectory};
    match error {
        object_store::Error::NotFound { .. } => StoreError::NotFound { key: key.clone() },
        object_store::Error::AlreadyExists { .. } => StoreError::AlreadyExists { key: key.clone() },
        object_store::Error::Precondition { .. } => StoreError::Changed { key: key.clone() },
        error => match (op, foreign(op, key.to_string(), error)) {
            // A folder is no object, and a file has nothing below it.
            ("read" | "look up" | "delete", StoreError::Io { source, .. })
                if matches!(source.kind(), IsADirectory | NotADirectory) =>
            {
                StoreError::NotFound { key: key.clone() }
            }
            (_, error) => error,
        },
    }
}

/// Keeps the system's error where there is one, so that a full disk is known as such.
pub(super) fn foreign(op: &'static str, place: String, error: object_store::Error) -> StoreError {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(inner) = inner.downcast_ref::<io::Error>()
            && let Some(code) = inner.raw_os_error()
        {
            return StoreError::Io { op, place, source: io::Error::from_raw_os_error(code) };
        }
        cause = inner.source();
    }
    use object_store::Error::{NotImplemented, NotSupported, PermissionDenied, Unauthenticated};
    if trouble(&error).is_some() {
        return StoreError::Unavailable { op, place, source: error.into() };
    }
    match error {
        PermissionDenied { source, .. } | Unauthenticated { source, .. } => {
            StoreError::Denied { op, place, source }
        }
        NotSupported { .. } | NotImplemented { .. } => {
            StoreError::NotSupported { place, reason: error.to_string() }
        }
        error => StoreError::Backend { op, place, source: error.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_known_as_such_through_every_layer_of_the_backend() {
        let full = io::Error::from_raw_os_error(28);
        let inner = object_store::Error::Generic { store: "inner", source: full.into() };
        let outer = object_store::Error::Generic { store: "outer", source: inner.into() };
        let error = failure("write", &Key::from_parts("a/b".into()), outer);
        assert!(error.is_full(), "{error:?}");
        assert_eq!(error.to_string(), "write `a/b`");
        let other = object_store::Error::Generic { store: "x", source: "no system error".into() };
        let error = failure("write", &Key::from_parts("a/b".into()), other);
        assert!(!error.is_full() && matches!(error, StoreError::Backend { .. }), "{error:?}");
    }
}
