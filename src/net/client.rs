//! The HTTP client of channels and sources: no redirects, no proxy, no repeats of its own, and only
//! addresses that were checked.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{Certificate, Identity};
use rustls::crypto::CryptoProvider;
use url::Url;

use super::{
    address::{CheckedDns, Reach},
    pace::Paces,
};

/// A receiver that does not take the connection by then is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections to one object store that wait for the next request.
const MAX_IDLE: usize = 32;
/// Shorter than servers keep them.
const MAX_IDLE_TIME: Duration = Duration::from_secs(15);

/// HTTP clients, made when first needed; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Client {
    made: Arc<Made>,
    keeping: Arc<Made>,
    paces: Arc<Paces>,
}

/// Certificates for one server, in place of the system's.
#[derive(Debug, Clone, Default)]
pub struct Certificates {
    /// Who may vouch for the server; none means whom the system trusts.
    pub authorities: Vec<Certificate>,
    /// Who this side is.
    pub identity: Option<Identity>,
}

/// One client for each combination, because each is bound to its own rules. Plain HTTP has its
/// own so that it works where no root certificates are installed.
#[derive(Debug, Default)]
struct Made {
    plain: OnceLock<reqwest::Client>,
    plain_anywhere: OnceLock<reqwest::Client>,
    tls: OnceLock<reqwest::Client>,
    tls_anywhere: OnceLock<reqwest::Client>,
}

/// What is spoken below HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    /// Nothing: `http://`.
    Plain,
    /// `https://`, checked against the system's root certificates.
    Tls,
}

impl Client {
    /// A client that has not opened anything yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The client for an address and what its host may be.
    ///
    /// # Errors
    /// When the system has no root certificates, or its TLS cannot be set up.
    pub fn to(&self, url: &Url, reach: Reach) -> Result<&reqwest::Client, reqwest::Error> {
        self.made.client(url, reach, |builder| builder)
    }

    /// The same, with connections that are kept for a while: for object stores, which are asked much
    /// in a row, by a caller that finds out what became of a request whose answer was lost.
    ///
    /// # Errors
    /// As [`Client::to`].
    pub fn keeping(&self, url: &Url, reach: Reach) -> Result<&reqwest::Client, reqwest::Error> {
        let keep = |builder: reqwest::ClientBuilder| {
            builder
                .pool_max_idle_per_host(MAX_IDLE)
                .pool_idle_timeout(MAX_IDLE_TIME)
                .tcp_nodelay(true)
        };
        self.keeping.client(url, reach, keep)
    }

    /// A client with certificates of its own. It is not kept: certificates are renewed while this
    /// process runs.
    ///
    /// # Errors
    /// When its TLS cannot be set up.
    pub fn certified(
        &self,
        certificates: Certificates,
        reach: Reach,
    ) -> Result<reqwest::Client, reqwest::Error> {
        let Certificates { authorities, identity } = certificates;
        let mut builder = builder(reach);
        if !authorities.is_empty() {
            builder = builder.tls_certs_only(authorities);
        }
        if let Some(identity) = identity {
            builder = builder.identity(identity);
        }
        builder.build()
    }

    /// Waits until the next request to a server may be made, when they are to be so far apart.
    /// Whoever names the same server and distance waits in one line.
    pub async fn pace(&self, server: &str, distance: Duration) {
        self.paces.wait(server, distance).await;
    }
}

impl Made {
    fn client(
        &self,
        url: &Url,
        reach: Reach,
        with: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<&reqwest::Client, reqwest::Error> {
        let transport = if url.scheme() == "https" { Transport::Tls } else { Transport::Plain };
        let slot = match (transport, reach) {
            (Transport::Plain, Reach::Public) => &self.plain,
            (Transport::Plain, Reach::Anywhere) => &self.plain_anywhere,
            (Transport::Tls, Reach::Public) => &self.tls,
            (Transport::Tls, Reach::Anywhere) => &self.tls_anywhere,
        };
        match slot.get() {
            Some(client) => Ok(client),
            None => {
                let client = build(transport, with(builder(reach)))?;
                Ok(slot.get_or_init(|| client))
            }
        }
    }
}

fn build(
    transport: Transport,
    builder: reqwest::ClientBuilder,
) -> Result<reqwest::Client, reqwest::Error> {
    match transport {
        Transport::Plain => builder.tls_certs_only([]).build(),
        Transport::Tls => builder.build(),
    }
}

fn builder(reach: Reach) -> reqwest::ClientBuilder {
    if CryptoProvider::get_default().is_none() {
        // An error only says that another thread was faster.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    reqwest::Client::builder()
        .user_agent(concat!("anomstack/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .dns_resolver(CheckedDns { reach })
        .connect_timeout(CONNECT_TIMEOUT)
        // A connection kept open may die unnoticed, and then nobody knows what was delivered.
        .pool_max_idle_per_host(0)
}
