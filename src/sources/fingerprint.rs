//! Whether a source is still the one it was: a hash of its settings.

use chrono_tz::Tz;
use url::Url;

use crate::{
    domain::{Secret, SourceKind, SourceSpec},
    io::sha256_hex,
};

/// A hash of all that decides which rows a source gives and what becomes of them. Passwords, tokens
/// and the query of an address are left out: a hash of them would give them away to a guess.
pub fn fingerprint(spec: &SourceSpec, timezone: Tz) -> String {
    // A secret's `Debug` says only that there is one.
    let settings = format!("{spec:?} {timezone} {}", address(&spec.kind));
    sha256_hex(settings.as_bytes())
}

/// Where the source is, without what signs in to it.
fn address(kind: &SourceKind) -> String {
    match kind {
        SourceKind::Sql { url, .. } => public_part(url),
        SourceKind::Http(http) => public_part(&http.endpoint.url),
        SourceKind::Prometheus(prometheus) => public_part(&prometheus.endpoint.url),
        SourceKind::File { .. }
        | SourceKind::Command(_)
        | SourceKind::Adbc(_)
        | SourceKind::Push(_) => String::new(),
    }
}

fn public_part(url: &Secret) -> String {
    let Ok(url) = Url::parse(url.reveal()) else { return String::new() };
    let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
    format!("{scheme}://{host}:{}{}", url.port().unwrap_or_default(), url.path())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::sources::tests::batch;

    fn of(url: &str, query: &str) -> String {
        let kind = SourceKind::Sql {
            url: Secret::new(url.into()),
            query: query.into(),
            query_origin: "it".into(),
            params: BTreeMap::new(),
        };
        fingerprint(&batch(kind).source, Tz::UTC)
    }

    #[test]
    fn other_settings_are_another_source_and_another_password_is_not() {
        let one = of("postgres://me:a@h/x", "SELECT 1");
        assert_eq!(of("postgres://me:b@h/x", "SELECT 1"), one);
        assert_ne!(of("postgres://me:a@h/y", "SELECT 1"), one);
        assert_ne!(of("postgres://me:a@h/x", "SELECT 2"), one);
    }
}
