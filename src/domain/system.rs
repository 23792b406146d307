//! The system's settings: where things live, how it is reached, whom it tells.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    ChannelSpec, DigestSpec, ExplainSpec, RouteSpec, Secret, Span, StorageAccess, StoreLocation,
    WatchSpec,
    run::{UnknownText, text_enum},
};

/// `config/anomstack.toml`, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct SystemSpec {
    /// Where artifacts and history live.
    pub storage: StorageSpec,
    /// Ways to reach remote storage, by name.
    pub profiles: BTreeMap<String, StorageAccess>,
    /// The HTTP server.
    pub server: ServerSpec,
    /// Logging.
    pub log: LogSpec,
    /// Whom alerts go to, by name.
    pub channels: BTreeMap<String, ChannelSpec>,
    /// Who is told beside the channels that batches name.
    pub routes: Arc<[RouteSpec]>,
    /// What is looked for in the program itself.
    pub watch: WatchSpec,
    /// When it is said what happened.
    pub digest: Option<DigestSpec>,
    /// Who is asked to put alerts into plain words.
    pub explain: Option<Arc<ExplainSpec>>,
}

text_enum! {
    /// Which store holds the objects.
    StorageBackend {
        /// A folder on this machine.
        Local = "local",
        /// This process's memory; gone when it ends.
        Memory = "memory",
        /// Amazon S3 and what speaks its protocol.
        S3 = "s3",
        /// Google Cloud Storage.
        Gcs = "gcs",
        /// Azure Blob Storage.
        Azure = "azure",
    }
}

/// Where artifacts and history live.
#[derive(Debug, Clone, PartialEq)]
pub struct StorageSpec {
    /// Which store.
    pub backend: StorageBackend,
    /// Where the objects lie.
    pub location: StoreLocation,
    /// How to reach it and sign in there, when it is on another machine.
    pub access: StorageAccess,
    /// A folder on this machine for what cannot lie elsewhere: the catalog (`catalog.db`), the lock,
    /// the cache; where objects lie too when they are on this machine. Absolute, or as resolved
    /// against the project folder.
    pub root: PathBuf,
    /// Rows read or written at once.
    pub chunk_size: usize,
    /// Whether Parquet columns are compressed.
    pub compression: bool,
    /// What is kept of remote reads.
    pub cache: CacheSpec,
    /// How large objects travel.
    pub transfer: TransferSpec,
    /// Where intermediate results go.
    pub spill: SpillSpec,
}

/// What is kept of remote reads on this machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CacheSpec {
    /// How long it is used without asking whether it is still so.
    pub ttl: Span,
    /// Bytes at most; 0 keeps nothing.
    pub max_bytes: u64,
}

/// How large objects travel, and how long a store that does not answer is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransferSpec {
    /// What is larger goes in pieces, bytes.
    pub threshold: u64,
    /// A piece, bytes.
    pub chunk: u64,
    /// Requests to one store at once.
    pub concurrency: usize,
    /// How long a request that fails is repeated.
    pub retry_budget: Span,
}

/// Where intermediate results go.
#[derive(Debug, Clone, PartialEq)]
pub struct SpillSpec {
    /// The backend of intermediate results.
    pub intermediate: String,
    /// The backend of final results, and of what memory does not hold.
    pub materialize: String,
    /// Bytes of intermediate results in memory; without a limit, all.
    pub memory_limit: Option<u64>,
}

impl StorageSpec {
    /// Objects in a folder of this machine, all else as when nothing is said.
    pub fn local(root: PathBuf) -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            backend: StorageBackend::Local,
            location: StoreLocation::Disk(root.clone()),
            access: StorageAccess::default(),
            root,
            chunk_size: 10_000,
            compression: true,
            cache: CacheSpec { ttl: Span::hours(1), max_bytes: 1024 * MIB },
            transfer: TransferSpec {
                threshold: 64 * MIB,
                chunk: 16 * MIB,
                concurrency: 10,
                retry_budget: Span::secs(60),
            },
            spill: SpillSpec {
                intermediate: "memory".into(),
                materialize: "disk".into(),
                memory_limit: None,
            },
        }
    }
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSpec {
    /// The address to bind; only loopback without tokens.
    pub host: IpAddr,
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// The address under which people reach it, without a slash at its end; without it, where it
    /// listens.
    pub base_url: Option<String>,
    /// Who may ask for what; without any, this machine may read.
    pub tokens: Vec<TokenSpec>,
}

impl ServerSpec {
    /// The address of the dashboard as messages and people are told it, without a slash at its end.
    pub fn address(&self) -> String {
        if let Some(base_url) = &self.base_url {
            return base_url.clone();
        }
        // Nobody can open the address that stands for all of a machine's.
        let host = match self.host {
            host if !host.is_unspecified() => host,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        format!("http://{}", SocketAddr::new(host, self.port))
    }
}

/// Somebody who may use the server.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenSpec {
    /// The name in `[server.tokens.<name>]`.
    pub name: String,
    /// What it is good for.
    pub role: Role,
    /// What is sent to prove it.
    pub token: Secret,
}

text_enum! {
    /// What a token is good for; each role includes those before it.
    Role {
        /// Reading.
        Viewer = "viewer",
        /// Pushing rows and acting on runs and alerts.
        Operator = "operator",
        /// Everything.
        Admin = "admin",
    }
}

text_enum! {
    /// How log lines look.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

/// Logging.
#[derive(Debug, Clone, PartialEq)]
pub struct LogSpec {
    /// A `tracing` filter, as in `info,anomstack::jobs=debug`.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_where_people_reach_the_server() {
        let lead = |host: &str, base_url: Option<&str>| {
            let (host, base_url) = (host.parse().unwrap(), base_url.map(str::to_owned));
            ServerSpec { host, port: 8087, base_url, tokens: Vec::new() }.address()
        };
        assert_eq!(lead("127.0.0.1", None), "http://127.0.0.1:8087");
        assert_eq!(lead("0.0.0.0", None), "http://127.0.0.1:8087");
        assert_eq!(lead("::", None), "http://[::1]:8087");
        let base_url = "https://anomstack.example";
        assert_eq!(lead("0.0.0.0", Some(base_url)), base_url);
    }
}
