//! Where a store's objects lie: a folder, this process's memory, a bucket and a folder in it, a web
//! server, or a place of a kind that a user of the library brought along.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use url::Url;

use super::{
    Secret, StorageService,
    location::{BadLocation, is_bucket_name, local},
};

/// The root of a store. `Display` shows it without what may be secret in it.
#[derive(Debug, Clone, PartialEq)]
pub enum StoreLocation {
    /// A folder on this machine.
    Disk(PathBuf),
    /// This process's memory; the same name is the same memory within one family of stores.
    Memory(String),
    /// A folder in a bucket, or the whole of it.
    Bucket {
        /// Of which service.
        service: StorageService,
        /// The named way to reach it: `s3://NAME@bucket`.
        profile: Option<String>,
        /// The bucket; Azure calls it a container.
        bucket: String,
        /// The folder, `""` for the whole bucket; no slash at either end.
        prefix: String,
    },
    /// A web server's folder, to be read only; may hold a token.
    Web(Secret),
    /// What another backend understands.
    Other {
        /// The scheme, in lower case.
        scheme: String,
        /// What follows `://`.
        rest: String,
    },
}

impl StoreLocation {
    /// Reads a path or an address. Relative paths count from `dir`.
    ///
    /// # Errors
    /// [`BadLocation`], which repeats nothing of the text but its scheme.
    pub fn parse(text: &str, dir: &Path) -> Result<Self, BadLocation> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::Disk(dir.join(text)));
        };
        match scheme {
            "file" | "local" if rest.starts_with('/') => folder(rest).map(Self::Disk),
            // As Anomstack's own `local://./models`.
            "local" => Ok(Self::Disk(dir.join(rest))),
            "file" => Err(BadLocation::Address),
            "memory" | "mem" => Ok(Self::Memory(rest.trim_matches('/').to_owned())),
            "http" | "https" => match Url::parse(text) {
                Ok(url) if url.has_host() => Ok(Self::Web(Secret::new(text.to_owned()))),
                Ok(_) | Err(_) => Err(BadLocation::Address),
            },
            _ => match StorageService::parse_scheme(scheme) {
                Some(service) => in_bucket(service, rest),
                None => other(scheme, rest),
            },
        }
    }

    /// The name of the backend that serves it.
    pub fn backend(&self) -> &str {
        match self {
            Self::Disk(_) => "disk",
            Self::Memory(_) => "memory",
            Self::Bucket { service, .. } => service.as_str(),
            Self::Web(_) => "http",
            Self::Other { scheme, .. } => scheme,
        }
    }

    /// Whether reading it means asking another machine.
    pub fn is_remote(&self) -> bool {
        !matches!(self, Self::Disk(_) | Self::Memory(_))
    }

    /// The place above, and the last part of the path: where an object lies, and its name there. A
    /// bucket's objects all lie in its root, with their whole path as the name.
    pub fn split(&self) -> Option<(Self, String)> {
        match self {
            Self::Disk(path) => {
                let name = path.file_name()?.to_str()?.to_owned();
                Some((Self::Disk(path.parent()?.to_path_buf()), name))
            }
            Self::Memory(path) => {
                let (root, key) = path.split_once('/')?;
                Some((Self::Memory(root.to_owned()), key.to_owned()))
            }
            Self::Bucket { service, profile, bucket, prefix } if !prefix.is_empty() => {
                let (service, profile, bucket) = (*service, profile.clone(), bucket.clone());
                let root = Self::Bucket { service, profile, bucket, prefix: String::new() };
                Some((root, prefix.clone()))
            }
            Self::Web(url) => {
                let mut url = Url::parse(url.reveal()).ok()?;
                let (folder, name) = url.path().rsplit_once('/')?;
                let (folder, name) = (format!("{folder}/"), name.to_owned());
                url.set_path(&folder);
                (!name.is_empty()).then(|| (Self::Web(Secret::new(url.into())), name))
            }
            Self::Other { scheme, rest } => {
                let (root, key) = rest.split_once('/')?;
                Some((
                    Self::Other { scheme: scheme.clone(), rest: root.to_owned() },
                    key.to_owned(),
                ))
            }
            Self::Bucket { .. } => None,
        }
    }
}

/// What follows `file://`, with its escapes read.
fn folder(rest: &str) -> Result<PathBuf, BadLocation> {
    match local(rest)? {
        super::Location::Local(path) => Ok(path),
        _ => Err(BadLocation::Address),
    }
}

fn in_bucket(service: StorageService, rest: &str) -> Result<StoreLocation, BadLocation> {
    let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let (profile, bucket) = match authority.rsplit_once('@') {
        Some((profile, bucket)) => (Some(profile.to_owned()), bucket),
        None => (None, authority),
    };
    if bucket.is_empty() {
        return Err(BadLocation::Bucket { service });
    }
    if !is_bucket_name(service, bucket) || profile.as_ref().is_some_and(String::is_empty) {
        return Err(BadLocation::Name { service });
    }
    let prefix = prefix.trim_end_matches('/');
    let is_bad = |part: &str| matches!(part, "" | "." | "..");
    if !prefix.is_empty() && prefix.split('/').any(is_bad) {
        return Err(BadLocation::Key);
    }
    let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
    Ok(StoreLocation::Bucket { service, profile, bucket, prefix })
}

fn other(scheme: &str, rest: &str) -> Result<StoreLocation, BadLocation> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if scheme.is_empty() || 20 < scheme.len() || !scheme.chars().all(is_word) {
        return Err(BadLocation::Address);
    }
    let (scheme, rest) = (scheme.to_ascii_lowercase(), rest.trim_matches('/').to_owned());
    Ok(StoreLocation::Other { scheme, rest })
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(path) => write!(f, "{}", path.display()),
            Self::Memory(name) => write!(f, "memory://{name}"),
            Self::Bucket { service, profile, bucket, prefix } => {
                let (at, sign) = profile.as_ref().map_or(("", ""), |name| (name.as_str(), "@"));
                let slash = if prefix.is_empty() { "" } else { "/" };
                write!(f, "{service}://{at}{sign}{bucket}{slash}{prefix}")
            }
            Self::Web(url) => write!(f, "{}", super::Location::Web(url.clone())),
            Self::Other { scheme, rest } => write!(f, "{scheme}://{rest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match StoreLocation::parse(text, Path::new("/dir")) {
            Ok(location) => format!("{} {location}", location.backend()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_kind_of_place_is_read_and_shown_without_secrets() {
        for (text, expected) in [
            ("data", "disk /dir/data"),
            ("/srv/a b", "disk /srv/a b"),
            ("file:///srv/a%20b", "disk /srv/a b"),
            ("local://./models", "disk /dir/./models"),
            ("memory://", "memory memory://"),
            ("memory://x", "memory memory://x"),
            ("s3://bucket", "s3 s3://bucket"),
            ("s3://bucket/a/b/", "s3 s3://bucket/a/b"),
            ("gcs://lake@bucket/a", "gs gs://lake@bucket/a"),
            ("azure://box", "az az://box"),
            ("https://u:secret@h.example/a/?sig=1", "http https://h.example/a/"),
            ("custom://a/b", "custom custom://a/b"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        for text in
            ["s3://", "s3://UPPER/x", "s3://b/../x", "s3://b//x", "file://x", "s3://@b", "://x"]
        {
            assert!(StoreLocation::parse(text, Path::new("/")).is_err(), "{text}");
        }
    }

    #[test]
    fn an_object_s_address_is_a_place_and_a_key() {
        for (text, root, key) in [
            ("/srv/a/b.csv", "/srv/a", "b.csv"),
            ("s3://p@bucket/a/b.csv", "s3://p@bucket", "a/b.csv"),
            ("memory://m/a/b", "memory://m", "a/b"),
            ("https://h.example/a/b.csv?sig=1", "https://h.example/a/", "b.csv"),
        ] {
            let (place, name) =
                StoreLocation::parse(text, Path::new("/")).unwrap().split().unwrap();
            assert_eq!((place.to_string().as_str(), name.as_str()), (root, key), "{text}");
        }
        assert!(StoreLocation::parse("s3://bucket", Path::new("/")).unwrap().split().is_none());
    }
}
