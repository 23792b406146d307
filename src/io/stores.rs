//! A family of stores: every place that can be addressed is opened once, by the backend that
//! understands its address. Nothing of it is global; who needs one is given one.

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use object_store::{ObjectStore, memory::InMemory, path, prefix::PrefixStore};

use super::{
    Cache, Counters, Key, Limits, Patience, Store, StoreError,
    remote::{self, Calls, Way},
    store::Parts,
};
use crate::{
    domain::{StorageAccess, StorageSpec, StoreLocation},
    net::{Client, chain},
};

/// What opens the places of one kind.
pub trait Backend: fmt::Debug + Send + Sync {
    /// Opens a place; nothing needs to be asked of it yet. A disk's and a memory's own are opened by
    /// the family itself.
    ///
    /// # Errors
    /// When what is configured does not make a store.
    fn open(
        &self,
        location: &StoreLocation,
        settings: &Settings,
        calls: &Arc<Opening>,
    ) -> object_store::Result<Arc<dyn ObjectStore>>;

    /// Whether it can be written to.
    fn can_write(&self) -> bool {
        true
    }
}

/// What the requests of one store share; made by the family, used by backends that speak HTTP.
#[derive(Debug)]
pub struct Opening {
    calls: Arc<Calls>,
}

/// How places are reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder relative paths count from.
    pub dir: PathBuf,
    /// Ways to reach remote storage, by name. One that is called like a service (`s3`, `gs`, `az`) is
    /// used where an address names none.
    pub profiles: BTreeMap<String, StorageAccess>,
    /// What is absent there comes from here, as the services' own tools read it.
    pub environment: Arc<BTreeMap<String, String>>,
    /// The HTTP client.
    pub client: Client,
    /// How large objects travel.
    pub limits: Limits,
    /// How long a store that does not answer is asked.
    pub patience: Patience,
    /// What is kept of reads from other machines.
    pub cache: Option<Arc<Cache>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dir: ".".into(),
            profiles: BTreeMap::new(),
            environment: Arc::default(),
            client: Client::new(),
            limits: Limits::default(),
            patience: Patience::default(),
            cache: None,
        }
    }
}

impl Settings {
    /// How a place is reached, where anything is said of it.
    fn access(&self, location: &StoreLocation) -> Option<&StorageAccess> {
        match location {
            StoreLocation::Bucket { service, profile, .. } => {
                self.profiles.get(profile.as_deref().unwrap_or(service.as_str()))
            }
            StoreLocation::Web(_) => self.profiles.get("http"),
            _ => None,
        }
    }
}

/// Backends by name.
#[derive(Debug, Clone)]
pub struct Registry {
    backends: BTreeMap<String, Arc<dyn Backend>>,
}

/// Other names of the same backends.
const ALIASES: [(&str, &str); 8] = [
    ("local", "disk"),
    ("file", "disk"),
    ("mem", "memory"),
    ("gcs", "gs"),
    ("azure", "az"),
    ("https", "http"),
    ("s3a", "s3"),
    ("abfs", "az"),
];

impl Default for Registry {
    /// The backends that come along.
    fn default() -> Self {
        let mut registry = Self { backends: BTreeMap::new() };
        for name in ["disk", "memory"] {
            registry.register(name, Arc::new(BuiltIn));
        }
        for name in ["s3", "gs", "az"] {
            registry.register(name, Arc::new(Buckets));
        }
        registry.register("http", Arc::new(Web));
        registry
    }
}

impl Registry {
    /// The names there are, sorted.
    pub fn available(&self) -> Vec<&str> {
        self.backends.keys().map(String::as_str).collect()
    }

    /// The backend of a name, in any case; also by another name it is known under.
    ///
    /// # Errors
    /// [`StoreError::UnknownBackend`], which names those there are.
    pub fn get(&self, name: &str) -> Result<&Arc<dyn Backend>, StoreError> {
        let lower = name.to_lowercase();
        let alias = ALIASES.iter().find(|(alias, _)| *alias == lower).map(|(_, name)| *name);
        let found = self.backends.get(&lower).or_else(|| self.backends.get(alias?));
        found.ok_or_else(|| StoreError::UnknownBackend {
            name: name.to_owned(),
            available: self.available().join(", "),
        })
    }

    /// Adds a backend for addresses with this scheme; one of the same name is replaced and given
    /// back.
    pub fn register(&mut self, name: &str, backend: Arc<dyn Backend>) -> Option<Arc<dyn Backend>> {
        self.backends.insert(name.to_lowercase(), backend)
    }
}

/// Stores by their addresses. Cheap to clone; clones share what is open.
#[derive(Clone)]
pub struct Stores {
    registry: Arc<Registry>,
    settings: Arc<Settings>,
    own: Store,
    /// The same address is the same store, which for memory is more than a saving.
    open: Arc<Mutex<BTreeMap<String, Store>>>,
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").field("own", &self.own).finish_non_exhaustive()
    }
}

impl Stores {
    /// A family around the store that keys without an address belong to.
    pub fn new(registry: Registry, settings: Settings, own: Store) -> Self {
        let open = BTreeMap::from([(own.location().to_string(), own.clone())]);
        let (registry, settings) = (Arc::new(registry), Arc::new(settings));
        Self { registry, settings, own, open: Arc::new(Mutex::new(open)) }
    }

    /// The family of a project, around the store its objects lie in.
    ///
    /// # Errors
    /// [`StoreError`] when that store cannot be opened.
    pub fn of_project(
        registry: Registry,
        spec: &StorageSpec,
        settings: Settings,
    ) -> Result<Self, StoreError> {
        let budget = u64::try_from(spec.transfer.retry_budget.micros()).unwrap_or_default();
        let settings = Settings {
            limits: Limits {
                threshold: spec.transfer.threshold,
                chunk: spec.transfer.chunk,
                concurrency: spec.transfer.concurrency,
            },
            patience: Patience { budget: Duration::from_micros(budget), ..settings.patience },
            ..settings
        };
        let own = open(&registry, &settings, &spec.location, Some(&spec.access))?;
        let mut settings = settings;
        if let StoreLocation::Bucket { service, .. } = &spec.location {
            // Other buckets of the same service are reached as its own one is.
            let name = service.to_string();
            settings.profiles.entry(name).or_insert_with(|| spec.access.clone());
        }
        Ok(Self::new(registry, settings, own))
    }

    /// The store that keys without an address belong to.
    pub fn own(&self) -> &Store {
        &self.own
    }

    /// The backends.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Every store that is open, by its address.
    pub fn opened(&self) -> Vec<Store> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The store at an address, opened when it is not yet.
    ///
    /// # Errors
    /// [`StoreError::Location`], [`StoreError::UnknownBackend`], [`StoreError::Settings`].
    pub fn at(&self, location: &StoreLocation) -> Result<Store, StoreError> {
        let name = location.to_string();
        if let Some(store) = self.lock().get(&name) {
            return Ok(store.clone());
        }
        let store = open(&self.registry, &self.settings, location, None)?;
        Ok(self.lock().entry(name).or_insert(store).clone())
    }

    /// The store and the key that a text means: a key of the project's own store, or the full address
    /// of an object anywhere. A text that begins with `/`, `./` or `../` is a path.
    ///
    /// # Errors
    /// As [`Stores::at`]; [`StoreError::InvalidKey`].
    pub fn object(&self, text: &str) -> Result<(Store, Key), StoreError> {
        if !is_address(text) {
            return Ok((self.own.clone(), Key::parse(text)?));
        }
        let location = StoreLocation::parse(text, &self.settings.dir)?;
        let Some((root, key)) = location.split() else {
            let message = "it names a whole store, not an object in it".to_owned();
            return Err(StoreError::Settings { place: location.to_string(), message });
        };
        Ok((self.at(&root)?, Key::parse(&key)?))
    }

    /// The store and the folder in it that a text means; `""` is a whole store.
    ///
    /// # Errors
    /// As [`Stores::at`].
    pub fn folder(&self, text: &str) -> Result<(Store, String), StoreError> {
        if !is_address(text) {
            return Ok((self.own.clone(), text.trim_end_matches('/').to_owned()));
        }
        let location = StoreLocation::parse(text, &self.settings.dir)?;
        match (&location, location.split()) {
            (StoreLocation::Bucket { .. } | StoreLocation::Memory(_), Some((root, folder))) => {
                Ok((self.at(&root)?, folder))
            }
            _ => Ok((self.at(&location)?, String::new())),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Store>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_address(text: &str) -> bool {
    text.contains("://") || ["/", "./", "../"].iter().any(|start| text.starts_with(start))
}

fn open(
    registry: &Registry,
    settings: &Settings,
    location: &StoreLocation,
    access: Option<&StorageAccess>,
) -> Result<Store, StoreError> {
    let backend = registry.get(location.backend())?;
    let counters = Arc::new(Counters::default());
    let parts = Parts {
        location: location.clone(),
        limits: settings.limits,
        patience: settings.patience,
        counters: Arc::clone(&counters),
        can_write: backend.can_write(),
        cache: settings.cache.clone().filter(|_| location.is_remote()),
        realm: String::new(),
    };
    if let StoreLocation::Disk(folder) = location {
        return Store::disk(folder, parts);
    }
    let calls = Calls::new(settings.patience, settings.limits.concurrency, counters);
    let opening = Arc::new(Opening { calls: Arc::new(calls) });
    let with_access;
    let settings = match (access, location) {
        (Some(access), StoreLocation::Bucket { service, profile, .. }) => {
            let name = profile.clone().unwrap_or_else(|| service.to_string());
            let mut profiles = settings.profiles.clone();
            profiles.insert(name, access.clone());
            with_access = Settings { profiles, ..settings.clone() };
            &with_access
        }
        _ => settings,
    };
    let wrong = |message| StoreError::Settings { place: location.to_string(), message };
    if let StoreLocation::Bucket { profile: Some(name), .. } = location
        && !settings.profiles.contains_key(name)
    {
        return Err(wrong(format!("there is no profile `{name}`")));
    }
    let objects = backend.open(location, settings, &opening).map_err(|e| wrong(chain(&e)))?;
    let realm = settings.access(location).and_then(|access| access.endpoint.clone());
    Ok(Store::over(objects, Parts { realm: realm.unwrap_or_default(), ..parts }))
}

/// Disk and memory.
#[derive(Debug)]
struct BuiltIn;

impl Backend for BuiltIn {
    fn open(
        &self,
        _: &StoreLocation,
        _: &Settings,
        _: &Arc<Opening>,
    ) -> object_store::Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(InMemory::new()))
    }
}

#[derive(Debug)]
struct Buckets;

impl Backend for Buckets {
    fn open(
        &self,
        location: &StoreLocation,
        settings: &Settings,
        opening: &Arc<Opening>,
    ) -> object_store::Result<Arc<dyn ObjectStore>> {
        let StoreLocation::Bucket { service, bucket, prefix, .. } = location else {
            return Err(not_its_own(location));
        };
        let access = settings.access(location).cloned().unwrap_or_default();
        let (environment, client) = (&*settings.environment, &settings.client);
        let calls = Arc::clone(&opening.calls);
        let way = Way { access: &access, environment, client, calls };
        let store = remote::bucket(*service, bucket, way)?;
        match path::Path::parse(prefix)? {
            root if root == path::Path::ROOT => Ok(store),
            prefix => Ok(Arc::new(PrefixStore::new(store, prefix))),
        }
    }
}

#[derive(Debug)]
struct Web;

impl Backend for Web {
    fn open(
        &self,
        location: &StoreLocation,
        settings: &Settings,
        opening: &Arc<Opening>,
    ) -> object_store::Result<Arc<dyn ObjectStore>> {
        let StoreLocation::Web(url) = location else { return Err(not_its_own(location)) };
        let access = settings.access(location).cloned().unwrap_or_default();
        remote::web(url, &access, &settings.client, Arc::clone(&opening.calls))
    }

    fn can_write(&self) -> bool {
        false
    }
}

fn not_its_own(location: &StoreLocation) -> object_store::Error {
    let source = format!("{location} is not of its kind").into();
    object_store::Error::Generic { store: "anomstack", source }
}
