//! Where results go while something is worked out: intermediate ones into memory until a limit, what
//! does not fit and what is final into a store that keeps it. Which it is, is decided without a disk,
//! and said with its reason.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use serde::Serialize;

use super::{Key, Store, StoreError, Stores, WriteMode, Written};
use crate::domain::{SpillSpec, StoreLocation};

/// What a result is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultRole {
    /// A step on the way, of no use when the work is done.
    Intermediate,
    /// What the work is for.
    Final,
}

/// Where a result goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Where intermediate results go.
    Intermediate,
    /// Where results are kept.
    Materialized,
}

/// Where a result goes, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Where.
    pub tier: Tier,
    /// Why.
    pub reason: &'static str,
    /// Bytes of intermediate results before it.
    pub used: u64,
    /// The most there may be.
    pub limit: Option<u64>,
}

/// Decides where `size` bytes go while `used` bytes of intermediate results are held. What exactly
/// fills the limit still fits; nothing that is held is moved out for it.
pub fn decide(role: ResultRole, size: u64, used: u64, limit: Option<u64>) -> Decision {
    let fits = limit.is_none_or(|limit| used.saturating_add(size) <= limit);
    let (tier, reason) = match (role, fits) {
        (ResultRole::Final, _) => (Tier::Materialized, "final results are always kept"),
        (ResultRole::Intermediate, true) => (Tier::Intermediate, "it fits into the memory limit"),
        (ResultRole::Intermediate, false) => {
            (Tier::Materialized, "it does not fit into the memory limit")
        }
    };
    Decision { tier, reason, used, limit }
}

/// A store in a folder of its own, which goes with it, however the work ends.
#[derive(Debug)]
pub struct Scoped {
    store: Store,
    _folder: tempfile::TempDir,
}

impl Scoped {
    /// Makes one below a folder.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be made.
    pub fn below(folder: &std::path::Path) -> Result<Self, StoreError> {
        let failed = |source| {
            let place = folder.display().to_string();
            StoreError::Io { op: "make a temporary folder in", place, source }
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let own = tempfile::Builder::new().prefix("scope-").tempdir_in(folder).map_err(failed)?;
        Ok(Self { store: Store::local(own.path())?, _folder: own })
    }
}

impl std::ops::Deref for Scoped {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

/// Results of one piece of work. When it is dropped, intermediate results in memory are gone; those
/// that were spilled are removed by [`Workspace::close`], and by dropping it where they are files of
/// this machine.
#[derive(Debug)]
pub struct Workspace {
    intermediate: Store,
    materialized: Store,
    limit: Option<u64>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// Bytes of each intermediate result in memory.
    sizes: BTreeMap<Key, u64>,
    /// Intermediate results that did not fit.
    spilled: BTreeMap<Key, ()>,
}

impl Held {
    fn used(&self) -> u64 {
        self.sizes.values().sum()
    }
}

impl Workspace {
    /// A workspace over two stores, with so many bytes of intermediate results in the first at most.
    pub fn new(intermediate: Store, materialized: Store, limit: Option<u64>) -> Self {
        Self { intermediate, materialized, limit, held: Mutex::default() }
    }

    /// A workspace as the configuration says: `memory`, an address, or the name of a backend, which
    /// stands for the project's own storage.
    ///
    /// # Errors
    /// [`StoreError::UnknownBackend`], and as [`Stores::at`].
    pub fn of(stores: &Stores, spec: &SpillSpec) -> Result<Self, StoreError> {
        let named = |name: &str| match name {
            "memory" => Ok(Store::memory()),
            name if name.contains("://") => {
                stores.at(&StoreLocation::parse(name, std::path::Path::new("."))?)
            }
            name => stores.registry().get(name).map(|_| stores.own().clone()),
        };
        let (intermediate, materialized) = (named(&spec.intermediate)?, named(&spec.materialize)?);
        Ok(Self::new(intermediate, materialized, spec.memory_limit))
    }

    /// Keeps a result; where it went and why.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub async fn put(
        &self,
        key: &Key,
        bytes: Bytes,
        role: ResultRole,
    ) -> Result<(Decision, Written), StoreError> {
        let size = bytes.len() as u64;
        let decision = {
            let mut held = self.held();
            // It replaces what is held under its key, and two at once do not both take what is left.
            let before = held.sizes.remove(key);
            held.spilled.remove(key);
            let decision = decide(role, size, held.used(), self.limit);
            match (decision.tier, role) {
                (Tier::Intermediate, _) => drop(held.sizes.insert(key.clone(), size)),
                (Tier::Materialized, ResultRole::Intermediate) => {
                    held.spilled.insert(key.clone(), ());
                }
                (Tier::Materialized, ResultRole::Final) => {}
            }
            (decision, before.is_some())
        };
        let (decision, was_in_memory) = decision;
        let store = self.at(decision.tier);
        let written = store.put(key, bytes, WriteMode::Overwrite).await;
        if written.is_err() {
            self.held().sizes.remove(key);
        }
        if was_in_memory && decision.tier == Tier::Materialized {
            self.intermediate.delete_if_exists(key).await?;
        }
        Ok((decision, written?))
    }

    /// Reads a result, wherever it is.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn get(&self, key: &Key) -> Result<Bytes, StoreError> {
        let is_in_memory = self.held().sizes.contains_key(key);
        let tier = if is_in_memory { Tier::Intermediate } else { Tier::Materialized };
        self.at(tier).get(key).await
    }

    /// Bytes of intermediate results in memory.
    pub fn used(&self) -> u64 {
        self.held().used()
    }

    /// Forgets an intermediate result; whether there was one.
    ///
    /// # Errors
    /// As [`Store::delete`].
    pub async fn release(&self, key: &Key) -> Result<bool, StoreError> {
        let (was_in_memory, was_spilled) = {
            let mut held = self.held();
            (held.sizes.remove(key).is_some(), held.spilled.remove(key).is_some())
        };
        let tier = match (was_in_memory, was_spilled) {
            (true, _) => Tier::Intermediate,
            (false, true) => Tier::Materialized,
            (false, false) => return Ok(false),
        };
        self.at(tier).delete_if_exists(key).await
    }

    /// Removes every intermediate result; final ones stay.
    ///
    /// # Errors
    /// As [`Store::delete`]; what could not be removed is left.
    pub async fn close(self) -> Result<(), StoreError> {
        let keys: Vec<Key> = {
            let held = self.held();
            held.sizes.keys().chain(held.spilled.keys()).cloned().collect()
        };
        for key in keys {
            self.release(&key).await?;
        }
        Ok(())
    }

    fn at(&self, tier: Tier) -> &Store {
        match tier {
            Tier::Intermediate => &self.intermediate,
            Tier::Materialized => &self.materialized,
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let Some(root) = self.materialized.root() else { return };
        for key in self.held().spilled.keys() {
            match std::fs::remove_file(root.join(key.as_str())) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(%key, "an intermediate result is left: {error}");
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Registry, Settings};
    use ResultRole::{Final, Intermediate};

    #[test]
    fn the_decision_goes_by_role_size_and_limit_and_says_why() {
        for (role, size, used, limit, tier) in [
            (Intermediate, 10, 0, None, Tier::Intermediate),
            (Intermediate, u64::MAX, u64::MAX, None, Tier::Intermediate),
            (Intermediate, 10, 90, Some(100), Tier::Intermediate),
            (Intermediate, 11, 90, Some(100), Tier::Materialized),
            (Intermediate, 1, 0, Some(0), Tier::Materialized),
            (Intermediate, 0, 0, Some(0), Tier::Intermediate),
            (Final, 1, 0, None, Tier::Materialized),
        ] {
            let decision = decide(role, size, used, limit);
            assert_eq!(decision.tier, tier, "{role:?} {size} {used} {limit:?}");
            assert!(!decision.reason.is_empty());
        }
    }

    #[tokio::test]
    async fn the_configuration_names_the_places() {
        let own = Store::memory();
        let stores = Stores::new(Registry::default(), Settings::default(), own.clone());
        let spec = |materialize: &str| SpillSpec {
            intermediate: "memory".into(),
            materialize: materialize.into(),
            memory_limit: Some(1),
        };
        let key = Key::parse("k").unwrap();
        let work = Workspace::of(&stores, &spec("disk")).unwrap();
        work.put(&key, Bytes::from_static(b"12"), Intermediate).await.unwrap();
        assert!(own.exists(&key).await.unwrap());
        work.close().await.unwrap();
        assert!(!own.exists(&key).await.unwrap());
        let unknown = Workspace::of(&stores, &spec("tape"));
        assert!(matches!(unknown, Err(StoreError::UnknownBackend { .. })));
        assert!(Workspace::of(&stores, &spec("memory://there")).is_ok());
    }

    #[tokio::test]
    async fn a_scoped_store_goes_with_its_scope() {
        let folder = tempfile::tempdir().unwrap();
        let scoped = Scoped::below(folder.path()).unwrap();
        let key = Key::parse("a/b").unwrap();
        scoped.put(&key, Bytes::from_static(b"x"), WriteMode::Overwrite).await.unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(scoped);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_spilled_read_alike_and_gone_with_the_workspace() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Store::local(folder.path()).unwrap();
        let work = Workspace::new(Store::memory(), disk.clone(), Some(10));
        let key = |text: &str| Key::parse(text).unwrap();
        let put = async |at: &str, text: &'static str, role| {
            work.put(&key(at), Bytes::from_static(text.as_bytes()), role).await.unwrap().0.tier
        };
        assert_eq!(put("a", "123456", Intermediate).await, Tier::Intermediate);
        assert_eq!(put("b", "123456", Intermediate).await, Tier::Materialized);
        assert_eq!(put("c", "1234", Intermediate).await, Tier::Intermediate);
        assert_eq!(put("end", "1", Final).await, Tier::Materialized);
        assert_eq!(work.used(), 10);
        for (at, text) in [("a", "123456"), ("b", "123456"), ("c", "1234"), ("end", "1")] {
            assert_eq!(work.get(&key(at)).await.unwrap(), text);
        }
        // A larger one takes the place of the one it replaces.
        assert_eq!(put("a", "1234567", Intermediate).await, Tier::Materialized);
        assert_eq!(work.get(&key("a")).await.unwrap(), "1234567");
        assert_eq!(work.used(), 4);
        assert!(work.release(&key("c")).await.unwrap());
        assert!(!work.release(&key("c")).await.unwrap());
        drop(work);
        let left = disk.keys("").await.unwrap();
        assert_eq!(left.iter().map(Key::as_str).collect::<Vec<_>>(), ["end"]);
        let work = Workspace::new(Store::memory(), Store::memory(), Some(0));
        work.put(&key("x"), Bytes::from_static(b"1"), Intermediate).await.unwrap();
        work.close().await.unwrap();
    }
}
