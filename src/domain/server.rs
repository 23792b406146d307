//! Whom a source waits for.

use super::{AdbcSpec, CommandSpec, HttpSpec, PrometheusSpec, Secret, SourceKind};

impl SourceKind {
    /// Whom a read waits for, in one text for all sources that wait for the same: a server by its
    /// host and port, a program by its call. Files on this machine are nobody's.
    pub fn server(&self) -> Option<String> {
        match self {
            Self::Sql { url, .. } => host(url),
            Self::Http(HttpSpec { endpoint, .. })
            | Self::Prometheus(PrometheusSpec { endpoint, .. }) => host(&endpoint.url),
            Self::Command(CommandSpec { argv, .. }) => Some(argv.join(" ")),
            Self::Adbc(AdbcSpec { driver, uri, .. }) => {
                let host = uri.as_ref().and_then(host).unwrap_or_default();
                Some(format!("{driver} {host}"))
            }
            Self::File { .. } | Self::Push(_) => None,
        }
    }
}

/// Host and port of an address, without who signs in.
fn host(url: &Secret) -> Option<String> {
    let (scheme, rest) = url.reveal().split_once("://")?;
    if scheme.eq_ignore_ascii_case("sqlite") {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_its_host_and_port_whoever_signs_in() {
        let host = |url: &str| host(&Secret::new(url.into()));
        for url in ["postgres://me:p@ss@DB:5432/x", "mysql://db:5432?x=/@y", "https://db:5432#a"] {
            assert_eq!(host(url).as_deref(), Some("db:5432"), "{url}");
        }
        for url in ["sqlite://shop.db", "sqlite:shop.db", "http:///x", ""] {
            assert_eq!(host(url), None, "{url}");
        }
    }
}
