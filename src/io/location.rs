//! Buckets of object stores, opened by what a configuration says of them. Every request goes through
//! `net`, which knows what addresses may be called.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt};
use object_store::{Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};
use tokio::io::AsyncWriteExt;

use super::{
    counters::Counters,
    remote::{self, Calls, Patience, Way},
};
use crate::{
    domain::{StorageAccess, StorageService, Timestamp},
    net::{self, Client},
};

/// The next run is the retry of what takes longer.
const BUDGET: Duration = Duration::from_secs(20);
/// Requests to one bucket at once.
const MOST_REQUESTS: usize = 10;

/// A bucket that can be listed and read. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    service: StorageService,
    name: String,
}

/// An object as a listing names it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// What its store calls this content of it, where it does.
    pub etag: Option<String>,
    /// When it was written.
    pub modified: Timestamp,
}

/// Something about a bucket that did not go well. The texts may quote what the store said: take
/// secrets out before they are shown.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    /// What is configured does not make a store.
    #[error("{message}")]
    Settings {
        /// What is wrong with it.
        message: String,
    },
    /// The address may not be called.
    #[error("call the store")]
    Forbidden(#[source] net::Forbidden),
    /// Nothing is there.
    #[error("there is no such object")]
    NotFound,
    /// The object was changed between its listing and its reading.
    #[error("it was changed while it was being read")]
    Changed,
    /// A listing is longer than it may be.
    #[error("more than {most} objects stand below `{prefix}`")]
    TooMany {
        /// The limit.
        most: usize,
        /// Where was looked.
        prefix: String,
    },
    /// The object is larger than it may be.
    #[error("more than {most} bytes")]
    TooLarge {
        /// The limit.
        most: u64,
    },
    /// The store refuses, fails or cannot be reached.
    #[error("{message}")]
    Failed {
        /// What it said.
        message: String,
    },
    /// What was read cannot be kept.
    #[error("keep what was read in a temporary file")]
    Keep(#[source] std::io::Error),
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({}://{})", self.service, self.name)
    }
}

impl Bucket {
    /// Opens a bucket; nothing is asked of it yet. An endpoint of one's own never gets credentials of
    /// the environment: those are meant for the service itself.
    ///
    /// # Errors
    /// [`LocationError::Settings`] when something is missing or does not fit together.
    pub fn open(
        service: StorageService,
        name: &str,
        access: &StorageAccess,
        environment: &BTreeMap<String, String>,
        client: &Client,
    ) -> Result<Self, LocationError> {
        let patience = Patience { budget: BUDGET, ..Patience::default() };
        let calls = Calls::new(patience, MOST_REQUESTS, Arc::new(Counters::default()));
        let way = Way { access, environment, client, calls: Arc::new(calls) };
        let store = remote::bucket(service, name, way);
        let store = store.map_err(|error| match failure(error) {
            LocationError::Failed { message } => LocationError::Settings { message },
            error => error,
        })?;
        Ok(Self { store, service, name: name.to_owned() })
    }

    /// The objects whose keys pass, sorted by key. `prefix` is a folder, `""` the whole bucket.
    ///
    /// # Errors
    /// [`LocationError::TooMany`] when more than `most` objects stand below the prefix, whether they
    /// pass or not.
    pub async fn list(
        &self,
        prefix: &str,
        most: usize,
        passes: impl Fn(&str) -> bool,
    ) -> Result<Vec<Found>, LocationError> {
        let folder = Path::parse(prefix).map_err(|_| not_a_key(prefix))?;
        let mut listed = self.store.list(Some(&folder));
        let (mut found, mut n_seen) = (Vec::new(), 0_usize);
        while let Some(meta) = listed.next().await {
            let meta = meta.map_err(failure)?;
            n_seen += 1;
            if most < n_seen {
                return Err(LocationError::TooMany { most, prefix: prefix.to_owned() });
            }
            if passes(meta.location.as_ref()) {
                found.push(of(meta));
            }
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    /// What is known of one object.
    ///
    /// # Errors
    /// [`LocationError::NotFound`].
    pub async fn stat(&self, key: &str) -> Result<Found, LocationError> {
        let path = Path::parse(key).map_err(|_| not_a_key(key))?;
        self.store.head(&path).await.map(of).map_err(failure)
    }

    /// Copies exactly the content that was listed into a file, piece by piece.
    ///
    /// # Errors
    /// [`LocationError::Changed`] when the object has another content now,
    /// [`LocationError::TooLarge`] when it holds more than `most` bytes.
    pub async fn fetch(
        &self,
        found: &Found,
        into: &mut tokio::fs::File,
        most: u64,
    ) -> Result<(), LocationError> {
        let path = Path::parse(&found.key).map_err(|_| not_a_key(&found.key))?;
        let options = GetOptions { if_match: found.etag.clone(), ..GetOptions::default() };
        let mut body = self.store.get_opts(&path, options).await.map_err(failure)?.into_stream();
        let mut n_bytes = 0_u64;
        while let Some(piece) = body.try_next().await.map_err(failure)? {
            n_bytes += piece.len() as u64;
            if most < n_bytes {
                return Err(LocationError::TooLarge { most });
            }
            into.write_all(&piece).await.map_err(LocationError::Keep)?;
        }
        Ok(())
    }

    /// Writes an object.
    ///
    /// # Errors
    /// Whatever the store says.
    #[cfg(test)]
    pub(crate) async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), LocationError> {
        let path = Path::parse(key).map_err(|_| not_a_key(key))?;
        self.store.put(&path, bytes.into()).await.map(drop).map_err(failure)
    }
}

fn of(meta: ObjectMeta) -> Found {
    Found {
        key: meta.location.to_string(),
        size: meta.size,
        etag: meta.e_tag,
        modified: meta.last_modified.into(),
    }
}

fn not_a_key(key: &str) -> LocationError {
    LocationError::Settings { message: format!("`{key}` is not the key of an object") }
}

fn failure(error: Error) -> LocationError {
    match error {
        Error::NotFound { .. } => LocationError::NotFound,
        Error::Precondition { .. } => LocationError::Changed,
        error => match forbidden(&error) {
            Some(forbidden) => LocationError::Forbidden(forbidden),
            None => LocationError::Failed { message: net::chain(&error) },
        },
    }
}

/// The refusal of an address, if that is what went wrong.
fn forbidden(error: &Error) -> Option<net::Forbidden> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(forbidden) = error.downcast_ref::<net::Forbidden>() {
            return Some(*forbidden);
        }
        source = error.source();
    }
    None
}
