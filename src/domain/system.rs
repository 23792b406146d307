//! The system's settings: where things live, how it is reached, whom it tells.

use std::{collections::BTreeMap, fmt, net::IpAddr, path::PathBuf, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    ChannelSpec, DigestSpec, RouteSpec, Secret, Span, StorageAccess, WatchSpec,
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
}

text_enum! {
    /// Which store holds the objects.
    StorageBackend {
        /// A folder on this machine.
        Local = "local",
        /// This process's memory; gone when it ends.
        Memory = "memory",
    }
}

/// Where artifacts and history live.
#[derive(Debug, Clone, PartialEq)]
pub struct StorageSpec {
    /// Which store.
    pub backend: StorageBackend,
    /// The root folder; the catalog (`catalog.db`) lives in it too. Absolute, or as resolved
    /// against the project folder.
    pub root: PathBuf,
    /// Rows read or written at once.
    pub chunk_size: usize,
    /// Whether Parquet columns are compressed.
    pub compression: bool,
    /// How long a cached remote read may be served unasked.
    pub cache_ttl: Span,
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
