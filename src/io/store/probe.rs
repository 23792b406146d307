//! Whether a store does what it says: tried with objects of a name nobody else has, which are removed.

use bytes::Bytes;

use super::{Store, WriteMode};
use crate::{
    io::{Key, StoreError},
    net::chain,
};

/// What a store was found to do, in the order it was tried; what failed, with why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Probe {
    /// What was tried.
    pub step: &'static str,
    /// Why it failed.
    pub failure: Option<String>,
    /// Whether the store did not answer, which says nothing about what it does when it does.
    pub is_unanswered: bool,
}

const ONE: Bytes = Bytes::from_static(b"one");
const TWO: Bytes = Bytes::from_static(b"two");

impl Store {
    /// Writes, reads, lists and removes an object in a folder, and looks whether writes bound to a
    /// condition are refused when it does not hold: a store that overlooks it would lose data.
    ///
    /// # Errors
    /// [`StoreError::InvalidKey`] for a folder's name that is none.
    pub async fn probe(&self, folder: &str) -> Result<Vec<Probe>, StoreError> {
        let name = format!("probe-{}", self.shared.luck.name());
        let key = match folder.trim_end_matches('/') {
            "" => Key::parse(&name)?,
            folder => Key::parse(&format!("{folder}/{name}"))?,
        };
        let mut found = Vec::new();
        let written = self.put(&key, ONE, WriteMode::CreateOnly).await;
        let etag = written.as_ref().ok().and_then(|written| written.etag.clone());
        let is_writable = written.is_ok();
        let is_unanswered = written.as_ref().is_err_and(StoreError::is_transient);
        let mut note = |step, outcome: Result<(), String>| {
            found.push(Probe { step, failure: outcome.err(), is_unanswered });
        };
        note("write", written.map(drop).map_err(|error| chain(&error)));
        if is_writable {
            note("read", self.reads(&key, &ONE).await);
            note("list", self.lists(&key).await);
            note("create only", self.refuses(&key, WriteMode::CreateOnly).await);
            if let Some(etag) = &etag {
                let bound = WriteMode::IfUnchanged(etag);
                let replaced = self.put(&key, TWO, bound).await;
                note("if unchanged", replaced.map(drop).map_err(|error| chain(&error)));
                note("if unchanged, after a change", self.refuses(&key, bound).await);
            } else {
                note("if unchanged", Err("the store names no etags".to_owned()));
            }
            note("delete", self.delete(&key).await.map_err(|error| chain(&error)));
        }
        Ok(found)
    }

    async fn reads(&self, key: &Key, expected: &Bytes) -> Result<(), String> {
        let bytes = self.get(key).await.map_err(|error| chain(&error))?;
        if bytes == *expected { Ok(()) } else { Err("it reads as something else".into()) }
    }

    async fn lists(&self, key: &Key) -> Result<(), String> {
        let folder = key.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
        let keys = self.keys(folder).await.map_err(|error| chain(&error))?;
        if keys.contains(key) { Ok(()) } else { Err("what was written is not listed".into()) }
    }

    /// A write whose condition does not hold.
    async fn refuses(&self, key: &Key, mode: WriteMode<'_>) -> Result<(), String> {
        match self.put(key, TWO, mode).await {
            Err(StoreError::AlreadyExists { .. } | StoreError::Changed { .. }) => Ok(()),
            Err(error) => Err(chain(&error)),
            Ok(_) => Err("the condition was overlooked".into()),
        }
    }
}
