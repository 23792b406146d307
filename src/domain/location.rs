//! Where files lie: on this machine, in a bucket of an object store, or at a web address; and how to
//! reach what is not on this machine.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Secret,
    run::{UnknownText, text_enum},
};

text_enum! {
    /// An object store, by the scheme of its addresses.
    StorageService {
        /// Amazon S3 and what speaks its protocol.
        S3 = "s3",
        /// Google Cloud Storage.
        Gcs = "gs",
        /// Azure Blob Storage.
        Azure = "az",
    }
}

impl StorageService {
    /// Reads the scheme of an address, also as other tools write it.
    pub fn parse_scheme(scheme: &str) -> Option<Self> {
        match scheme.to_ascii_lowercase().as_str() {
            "gcs" => Some(Self::Gcs),
            "azure" | "abfs" | "abfss" => Some(Self::Azure),
            "s3a" => Some(Self::S3),
            scheme => scheme.parse().ok(),
        }
    }
}

/// Where a file is, or where many are when the last part holds a glob's `*`, `?`, `[` or `{`.
/// `Display` shows it without what may be secret in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Location {
    /// On this machine: an absolute path or glob.
    Local(PathBuf),
    /// In an object store.
    Bucket {
        /// Which one.
        service: StorageService,
        /// The bucket; Azure calls it a container.
        bucket: String,
        /// The object's key, or a glob over keys.
        key: String,
    },
    /// One address, to be read only; may hold a token.
    Web(Secret),
}

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLocation {
    /// A scheme nobody here speaks.
    #[error(
        "`{scheme}://` is not known here: write a path, or file://, s3://, gs://, az://, http:// or https://"
    )]
    Scheme {
        /// As written.
        scheme: String,
    },
    /// A bucket or the key is missing.
    #[error("a bucket's name and a path in it are needed, as in `{service}://bucket/folder/*.csv`")]
    Bucket {
        /// Of which service.
        service: StorageService,
    },
    /// A bucket's name that none has, and that could change which host is asked.
    #[error("the bucket's name is not {}", name_rule(*service))]
    Name {
        /// Of which service.
        service: StorageService,
    },
    /// A key that no store would give back: empty parts, `.` or `..`.
    #[error("the path in the bucket has empty parts, `.` or `..`")]
    Key,
    /// The address cannot be read.
    #[error("this address cannot be read")]
    Address,
}

impl Location {
    /// Reads a path or an address. Relative paths count from `dir`.
    ///
    /// # Errors
    /// [`BadLocation`], which repeats nothing of the text but its scheme.
    pub fn parse(text: &str, dir: &Path) -> Result<Self, BadLocation> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::Local(dir.join(text)));
        };
        match scheme {
            "file" => local(rest),
            "http" | "https" => match Url::parse(text) {
                Ok(url) if url.has_host() => Ok(Self::Web(Secret::new(text.to_owned()))),
                Ok(_) | Err(_) => Err(BadLocation::Address),
            },
            _ => match scheme.parse() {
                Ok(service) => in_bucket(service, rest),
                Err(_) => {
                    let is_word = |c: &char| c.is_ascii_alphanumeric() || "+-.".contains(*c);
                    let scheme = scheme.chars().take(20).take_while(is_word).collect();
                    Err(BadLocation::Scheme { scheme })
                }
            },
        }
    }
}

/// What follows `file://`, with its escapes read; a glob's `?` stays one.
pub(super) fn local(rest: &str) -> Result<Location, BadLocation> {
    let escaped = rest.replace('?', "%3F").replace('#', "%23");
    let url = Url::parse(&format!("file://{escaped}")).map_err(|_| BadLocation::Address)?;
    url.to_file_path().map(Location::Local).map_err(|()| BadLocation::Address)
}

fn in_bucket(service: StorageService, rest: &str) -> Result<Location, BadLocation> {
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() || key.is_empty() {
        return Err(BadLocation::Bucket { service });
    }
    if !is_bucket_name(service, bucket) {
        return Err(BadLocation::Name { service });
    }
    if key.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(BadLocation::Key);
    }
    Ok(Location::Bucket { service, bucket: bucket.to_owned(), key: key.to_owned() })
}

/// Whether a bucket may be called so: as its service's documents say, without the length.
pub(super) fn is_bucket_name(service: StorageService, name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let marks = match service {
        StorageService::S3 | StorageService::Gcs => "-_.",
        StorageService::Azure => "-",
    };
    // `$web` and its like are the service's own.
    let own = if service == StorageService::Azure { name.strip_prefix('$') } else { None };
    let name = own.unwrap_or(name);
    name.starts_with(is_plain) && name.chars().all(|c| is_plain(c) || marks.contains(c))
}

const fn name_rule(service: StorageService) -> &'static str {
    match service {
        StorageService::S3 | StorageService::Gcs => {
            "lower-case letters, digits, `-`, `_` and `.`, with a letter or digit first"
        }
        StorageService::Azure => "lower-case letters, digits and `-`, with a letter or digit first",
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Bucket { service, bucket, key } => write!(f, "{service}://{bucket}/{key}"),
            Self::Web(url) => match Url::parse(url.reveal()) {
                Ok(url) => {
                    let origin = url.origin().ascii_serialization();
                    write!(f, "{origin}{}", url.path())
                }
                Err(_) => f.write_str("[secret]"),
            },
        }
    }
}

/// How to reach remote storage and sign in there. What is absent comes from the environment, as the
/// service's own tools read it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StorageAccess {
    /// Address of a store that speaks the service's protocol; absent for the service itself.
    pub endpoint: Option<String>,
    /// The bucket's region (S3).
    pub region: Option<String>,
    /// Access key id (S3).
    pub access_key: Option<Secret>,
    /// Secret access key (S3), or the account's key (Azure).
    pub secret_key: Option<Secret>,
    /// Session token that belongs to the keys (S3), or a bearer token (Google, Azure).
    pub token: Option<Secret>,
    /// The storage account (Azure).
    pub account: Option<String>,
    /// Shared access signature (Azure).
    pub sas_token: Option<Secret>,
    /// A service account's key, JSON (Google).
    pub service_account: Option<Secret>,
    /// Whether the bucket stands in the path and not in the host's name (S3); without a word, where
    /// there is an endpoint.
    pub path_style: Option<bool>,
    /// Whether an endpoint may be spoken to without TLS.
    pub allow_http: bool,
    /// Whether an endpoint or a web address may lie outside the public internet.
    pub allow_private: bool,
    /// Whether requests are not signed, for public buckets.
    pub anonymous: bool,
}

impl StorageAccess {
    /// Every text that must not be quoted from an answer or an error.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        [&self.access_key, &self.secret_key, &self.token, &self.sas_token, &self.service_account]
            .into_iter()
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = match Location::parse(text, Path::new("/project")) {
            Ok(location) => location.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn paths_and_addresses_are_told_apart() {
        check("data/*.csv", "/project/data/*.csv");
        check("/abs/a b.csv", "/abs/a b.csv");
        check("file:///abs/a%20b/**/?.csv", "/abs/a b/**/?.csv");
        check("s3://bucket/in/*.csv", "s3://bucket/in/*.csv");
        check("gs://bucket/a#b?c", "gs://bucket/a#b?c");
        check("az://container/x.parquet", "az://container/x.parquet");
    }

    #[test]
    fn a_web_address_is_shown_without_its_token_and_password() {
        check("https://me:word@host:8443/a/b.csv?sig=token#x", "https://host:8443/a/b.csv");
        let location = Location::parse("https://h/a?sig=token", Path::new("/")).unwrap();
        assert!(!format!("{location:?}").contains("token"));
    }

    #[test]
    fn what_names_no_place_is_refused_without_repeating_it() {
        let no_key = BadLocation::Bucket { service: StorageService::S3 };
        check("s3://bucket", &format!("error: {no_key}"));
        check("s3://bucket/a/../b", "error: the path in the bucket has empty parts, `.` or `..`");
        check("s3://bucket/a//b", "error: the path in the bucket has empty parts, `.` or `..`");
        let not_a_name = |service| format!("error: {}", BadLocation::Name { service });
        for text in ["s3://a:80/b", "s3://.a/b", "s3://a@b/c", "s3://Big/a", "s3://a?b/c"] {
            check(text, &not_a_name(StorageService::S3));
        }
        check("gs://.a/b", &not_a_name(StorageService::Gcs));
        check("az://a.b/c", &not_a_name(StorageService::Azure));
        check("az://$web/a_b", "az://$web/a_b");
        check("s3://a_b.c-d/e", "s3://a_b.c-d/e");
        check("http://", "error: this address cannot be read");
        check("file://elsewhere/a", "error: this address cannot be read");
        check(
            "ftp://host/a",
            "error: `ftp://` is not known here: write a path, or file://, s3://, gs://, az://, \
             http:// or https://",
        );
    }
}
