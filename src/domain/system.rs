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
    ChannelSpec, DigestSpec, ExplainSpec, RouteSpec, Secret, Span, StorageAccess, WatchSpec,
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
