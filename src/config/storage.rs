//! Where objects lie and how they travel (`[storage]`, `[io]`), and how to reach remote storage:
//! `[storage]` itself, `[storage.profiles.NAME]` of the system and `[source.storage]` of a batch have
//! the same keys for it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::domain::{
    CacheSpec, Secret, SpillSpec, StorageAccess, StorageBackend, StorageService, StorageSpec,
    StoreLocation, TransferSpec,
};

use super::{place::Located, section::Section, system::is_web_address, values::Refusal};

const DEFAULT_ROOT: &str = ".anomstack";
/// Rows of one read or write have to fit in memory.
const MAX_CHUNK_ROWS: usize = 10_000_000;
const MIB: usize = 1024 * 1024;
/// What is kept to send again when a piece is lost.
const MAX_CHUNK: usize = 1024 * MIB;

/// `[storage]` and `[io]`.
pub(super) fn read(section: &mut Section<'_>) -> (StorageSpec, BTreeMap<String, StorageAccess>) {
    let defaults = StorageSpec::local(PathBuf::new());
    let (place, transfer, profiles) = section.table("storage", |storage| {
        let profiles = profiles(storage);
        let place = place(storage, &profiles);
        (place, transfer(storage, defaults.transfer), profiles)
    });
    let Place { backend, location, access, root } = place;
    let spec = section.table("io", |io| StorageSpec {
        backend,
        location,
        access,
        root,
        transfer,
        chunk_size: io.count("chunk_size", 1..=MAX_CHUNK_ROWS, defaults.chunk_size),
        compression: io.flag("compression", defaults.compression),
        cache: CacheSpec {
            ttl: io.span_or("cache_ttl", defaults.cache.ttl),
            max_bytes: io.size("cache_size", 1024 * MIB) as u64,
        },
        spill: spill(io),
    });
    (spec, profiles)
}

struct Place {
    backend: StorageBackend,
    location: StoreLocation,
    access: StorageAccess,
    root: PathBuf,
}

/// Where the objects lie. A root that is an address says the backend too.
fn place(storage: &mut Section<'_>, profiles: &BTreeMap<String, StorageAccess>) -> Place {
    let dir = storage.check.dir.clone();
    let word = storage.word::<StorageBackend>("backend");
    let root =
        storage.text("root").map(|root| Located { value: root.value.text, place: root.place });
    let written = root.as_ref().map_or(DEFAULT_ROOT, |root| root.value.as_str()).to_owned();
    storage.show("root", written.as_str());
    let said = word.as_ref().map(|word| word.value);
    let mut word = word;
    let location = parsed(said, root.as_ref(), &dir).unwrap_or_else(|refusal| {
        let place = root.as_ref().map(|root| root.place.clone());
        let place = place.or_else(|| word.take().map(|word| word.place));
        let place = place.unwrap_or_else(|| storage.place.clone());
        match refusal.help {
            Some(help) => storage.check.problem_with_help(&place, refusal.message, help),
            None => storage.check.problem(&place, refusal.message),
        }
        // One problem is enough: it does not have to fit the backend as well.
        word = None;
        StoreLocation::Disk(dir.join(DEFAULT_ROOT))
    });
    let backend = backend(storage, &location, word.as_ref());
    let home = storage.text("home").map(|home| home.value.text);
    storage.show("home", home.as_deref().unwrap_or(DEFAULT_ROOT));
    let root = match (&location, home) {
        (StoreLocation::Disk(root), None) => root.clone(),
        (StoreLocation::Memory(_), None) if !written.contains("://") => dir.join(written),
        (_, home) => dir.join(home.unwrap_or_else(|| DEFAULT_ROOT.to_owned())),
    };
    let access = own_access(storage, &location, profiles);
    Place { backend, location, access, root }
}

/// The place that backend and root say together.
fn parsed(
    said: Option<StorageBackend>,
    root: Option<&Located<String>>,
    dir: &Path,
) -> Result<StoreLocation, Refusal> {
    let written = root.map_or(DEFAULT_ROOT, |root| root.value.as_str());
    if written.contains("://") {
        return StoreLocation::parse(written, dir).map_err(Refusal::from);
    }
    match said {
        None | Some(StorageBackend::Local) => Ok(StoreLocation::Disk(dir.join(written))),
        Some(StorageBackend::Memory) => Ok(StoreLocation::Memory(String::new())),
        Some(remote) if root.is_none() => Err(Refusal {
            message: format!("`backend = \"{remote}\"` needs a bucket"),
            help: Some("write root = \"bucket/folder\"".into()),
        }),
        Some(remote) => {
            let address = format!("{}://{written}", scheme(remote));
            StoreLocation::parse(&address, dir).map_err(Refusal::from)
        }
    }
}

/// The backend of a place, which has to be the one that was said, if one was.
fn backend(
    storage: &mut Section<'_>,
    location: &StoreLocation,
    said: Option<&Located<StorageBackend>>,
) -> StorageBackend {
    let found = backend_of(location);
    match (found, said) {
        (None, _) => {
            let message = format!("nothing can be written to `{location}`");
            let help = "write a path, memory://, s3://, gs:// or az://";
            storage.check.problem_with_help(&storage.place.clone(), message, help);
        }
        (Some(found), Some(Located { value, place })) if *value != found => {
            let message = format!("`backend` is {value}, and `root` is an address of {found}");
            storage.check.problem(place, message);
        }
        _ => {}
    }
    let backend = found.unwrap_or(StorageBackend::Local);
    storage.show("backend", backend.to_string());
    backend
}

/// A profile that is named, or the keys beside it; else the profile called like the service.
fn own_access(
    storage: &mut Section<'_>,
    location: &StoreLocation,
    profiles: &BTreeMap<String, StorageAccess>,
) -> StorageAccess {
    let own = access(storage);
    let named = storage.text("profile").map(|found| (found.value.text, found.place));
    if let Some((name, place)) = named {
        return profiles.get(&name).cloned().unwrap_or_else(|| {
            let help = format!("write [storage.profiles.{name}]");
            storage.check.problem_with_help(&place, format!("there is no profile `{name}`"), help);
            own
        });
    }
    let by_service = match location {
        StoreLocation::Bucket { profile: Some(name), .. } => profiles.get(name),
        StoreLocation::Bucket { service, .. } => profiles.get(service.as_str()),
        _ => None,
    };
    match by_service {
        Some(access) if own == StorageAccess::default() => access.clone(),
        _ => own,
    }
}

const fn scheme(backend: StorageBackend) -> &'static str {
    match backend {
        StorageBackend::Local => "file",
        StorageBackend::Memory => "memory",
        StorageBackend::S3 => StorageService::S3.as_str(),
        StorageBackend::Gcs => StorageService::Gcs.as_str(),
        StorageBackend::Azure => StorageService::Azure.as_str(),
    }
}

fn backend_of(location: &StoreLocation) -> Option<StorageBackend> {
    match location {
        StoreLocation::Disk(_) => Some(StorageBackend::Local),
        StoreLocation::Memory(_) => Some(StorageBackend::Memory),
        StoreLocation::Bucket { service, .. } => Some(match service {
            StorageService::S3 => StorageBackend::S3,
            StorageService::Gcs => StorageBackend::Gcs,
            StorageService::Azure => StorageBackend::Azure,
        }),
        StoreLocation::Web(_) | StoreLocation::Other { .. } => None,
    }
}

fn transfer(storage: &mut Section<'_>, default: TransferSpec) -> TransferSpec {
    TransferSpec {
        threshold: storage.size("multipart_threshold", 64 * MIB) as u64,
        chunk: storage.size("multipart_chunk", 16 * MIB).clamp(1, MAX_CHUNK) as u64,
        concurrency: storage.count("max_concurrency", 1..=100, default.concurrency),
        retry_budget: storage.span_or("retry_budget", default.retry_budget),
    }
}

fn spill(io: &mut Section<'_>) -> SpillSpec {
    let mut word = |key, default: &str| {
        let word = io.text(key).map_or(default.to_owned(), |found| found.value.text);
        io.show(key, word.as_str());
        word
    };
    let (intermediate, materialize) = (word("intermediate", "memory"), word("materialize", "disk"));
    let memory_limit = io.has("memory_limit").then(|| io.size("memory_limit", 0) as u64);
    SpillSpec { intermediate, materialize, memory_limit }
}

/// The profiles of `[storage]`, by name.
pub(super) fn profiles(storage: &mut Section<'_>) -> BTreeMap<String, StorageAccess> {
    let mut profiles = BTreeMap::new();
    storage.named("profiles", |name, place, profile| {
        if name.trim().is_empty() {
            profile.check.problem(place, "a profile's name must not be empty");
        }
        profiles.insert(name.to_owned(), access(profile));
    });
    profiles
}

/// One table of them.
pub(super) fn access(section: &mut Section<'_>) -> StorageAccess {
    let endpoint = section.text("endpoint").map(|found| (found.value.text, found.place));
    let allow_http = section.flag("allow_http", false);
    if let Some((endpoint, place)) = &endpoint {
        if !is_web_address(endpoint) {
            let message = "`endpoint` is not an http:// or https:// address";
            section.check.problem(place, message);
        } else if endpoint.starts_with("http://") && !allow_http {
            let message = "`endpoint` is spoken to without TLS";
            let help = "write https://, or `allow_http = true` beside it";
            section.check.problem_with_help(place, message, help);
        }
    }
    let mut secret = |key| -> Option<Secret> { section.secret(key).map(|found| found.value) };
    let (access_key, secret_key) = (secret("access_key"), secret("secret_key"));
    let (token, sas_token) = (secret("token"), secret("sas_token"));
    let service_account = secret("service_account");
    let is_lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_region = |text: &str| {
        (1..=40).contains(&text.len()) && text.chars().all(|c| is_lower(c) || c == '-')
    };
    let is_account = |text: &str| (3..=24).contains(&text.len()) && text.chars().all(is_lower);
    let region = "up to 40 lower-case letters, digits and `-`, as in `eu-west-1`";
    let account = "3 to 24 lower-case letters and digits";
    StorageAccess {
        endpoint: endpoint.map(|(endpoint, _)| endpoint),
        region: host_part(section, "region", region, is_region),
        access_key,
        secret_key,
        token,
        account: host_part(section, "account", account, is_account),
        sas_token,
        service_account,
        path_style: section.has("path_style").then(|| section.flag("path_style", true)),
        allow_http,
        allow_private: section.flag("allow_private", false),
        anonymous: section.flag("anonymous", false),
    }
}

/// A text that becomes part of the name of the host that is asked.
fn host_part(
    section: &mut Section<'_>,
    key: &'static str,
    what: &str,
    is_part: impl Fn(&str) -> bool,
) -> Option<String> {
    let found = section.text(key)?;
    if !is_part(&found.value.text) {
        section.check.problem(&found.place, format!("`{key}` is not {what}"));
        return None;
    }
    Some(found.value.text)
}
