//! Reads of remote objects through the cache on this machine.

use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::{Error, GetOptions};
use sha2::{Digest, Sha256};

use super::{Reader, Stat, Store};
use crate::{
    domain::Timestamp,
    io::{
        Key, StoreError,
        cache::{About, Kept},
        error::failure,
        integrity::sha256_aside,
    },
};

impl Store {
    /// An object by way of the cache; `None` where there is none, or the object is too large for it.
    /// With a checksum, an entry that has it is used without asking.
    pub(super) async fn cached_reader(
        &self,
        key: &Key,
        size: Option<u64>,
        sha256: Option<&str>,
    ) -> Result<Option<Reader>, StoreError> {
        let Some(cache) = &self.shared.cache else { return Ok(None) };
        if size.is_some_and(|size| self.shared.limits.threshold < size) {
            return Ok(None);
        }
        let address = self.cache_address(key);
        let kept = cache.find(&address).await;
        let is_known = |kept: &Kept| sha256.is_some_and(|known| kept.about.sha256 == known);
        if let Some(kept) = kept.as_ref().filter(|kept| is_known(kept)) {
            self.counters().looked_up(true);
            return Ok(Some(self.kept_reader(key, kept)));
        }
        let options = GetOptions {
            if_none_match: kept.as_ref().map(|kept| kept.about.etag.clone()),
            ..GetOptions::default()
        };
        let found = match (self.shared.backend.get_opts(&key.path(), options).await, &kept) {
            (Err(Error::NotModified { .. }), Some(kept)) => {
                self.counters().looked_up(true);
                return Ok(Some(self.kept_reader(key, kept)));
            }
            (found, _) => found.map_err(|error| failure("read", key, error))?,
        };
        self.counters().looked_up(false);
        let reader = self.opened(key, found, size)?;
        let Some(etag) = reader.stat.etag.clone() else { return Ok(Some(reader)) };
        if self.shared.limits.threshold < reader.stat.size {
            return Ok(Some(reader));
        }
        let stat = reader.stat.clone();
        let bytes = reader.all().await?;
        let about = About {
            address,
            etag,
            sha256: sha256_aside(bytes.clone()).await,
            modified: stat.modified.micros(),
            content_type: stat.content_type.clone(),
            is_recorded: stat.sha256.is_some(),
        };
        let kept = Kept { about, bytes };
        let reader = self.kept_reader(key, &kept);
        cache.keep(kept).await;
        Ok(Some(reader))
    }

    fn kept_reader(&self, key: &Key, Kept { about, bytes }: &Kept) -> Reader {
        let sha256 = about.is_recorded.then(|| about.sha256.clone());
        let stat = Stat {
            size: bytes.len() as u64,
            modified: Timestamp::from_micros(about.modified).unwrap_or(Timestamp::MIN),
            etag: Some(about.etag.clone()),
            sha256,
            content_type: about.content_type.clone(),
            version: None,
            write: None,
        };
        let body = stream::iter([Ok::<Bytes, Error>(bytes.clone())]).boxed();
        let expected = stat.sha256.clone().map(|sha256| (sha256, Sha256::new()));
        let (store, key) = (self.clone(), key.clone());
        Reader { store, key, body, stat, expected, n_read: 0, n_breaks: 0 }
    }

    /// What this store wrote is not read from what it was before.
    pub(super) async fn forget_cached(&self, key: &Key) {
        if let Some(cache) = &self.shared.cache {
            cache.forget(&self.cache_address(key)).await;
        }
    }

    /// The full address; the same bucket's name at another endpoint is another place.
    fn cache_address(&self, key: &Key) -> String {
        format!("{} {}", self.shared.realm, self.address(key))
    }
}
