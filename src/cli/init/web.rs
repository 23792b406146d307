//! Addresses on the web: how to reach them, as lines of `[source]`.

use std::net::IpAddr;

use url::{Host, Url};

use super::{draft::quoted, secrets};

/// An `http://` or `https://` address, its sign-in apart.
#[derive(Debug)]
pub(super) struct Web {
    /// Without user and password.
    pub(super) url: Url,
    pub(super) host: String,
    user: Option<(String, String)>,
    /// Whether it lies outside the public internet.
    is_private: bool,
}

impl Web {
    /// Reads an address; `None` when it is of another kind.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut url = Url::parse(text).ok()?;
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let user = url.password().map(|password| (decoded(url.username()), decoded(password)));
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        let host = url.host_str()?.to_owned();
        let is_private = match url.host()? {
            Host::Ipv4(ip) => is_private(IpAddr::V4(ip)),
            Host::Ipv6(ip) => is_private(IpAddr::V6(ip)),
            // A name without a dot is of this network.
            Host::Domain(name) => !name.contains('.') || name.ends_with(".local"),
        };
        Some(Self { url, host, user, is_private })
    }

    /// The ending of the path, in lower case.
    pub(super) fn extension(&self) -> Option<String> {
        let (_, file) = self.url.path().rsplit_once('/')?;
        Some(file.rsplit_once('.')?.1.to_ascii_lowercase())
    }
}

/// The lines that reach an address, and the variables they name.
pub(super) fn access(web: &Web, batch: &str) -> (String, Vec<(String, String)>) {
    let text = web.url.as_str();
    let text = if web.url.path() == "/" { text.trim_end_matches('/') } else { text };
    let secrets::Address { text, mut secrets } = secrets::hide(text, batch);
    let mut lines = format!("url = {}\n", quoted(&text));
    if let Some((user, password)) = &web.user {
        let name = secrets::variable(batch, "PASSWORD");
        lines += &format!("auth = {{ user = {}, password = \"${{{name}}}\" }}\n", quoted(user));
        secrets.push((name, password.clone()));
    }
    if web.is_private {
        lines += "allow_private = true           # it is inside this network\n";
    }
    (lines, secrets)
}

fn decoded(text: &str) -> String {
    // A form's value is decoded alike, but for `+`.
    let pair = format!("x={}", text.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    pairs.next().map_or_else(String::new, |(_, value)| value.into_owned())
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_becomes_auth_and_a_private_address_is_permitted() {
        let web = Web::parse("http://me:p%40+s@127.0.0.1:9090/").unwrap();
        let (lines, secrets) = access(&web, "prom");
        assert_eq!(
            lines,
            "url = \"http://127.0.0.1:9090\"\n\
             auth = { user = \"me\", password = \"${PROM_PASSWORD}\" }\n\
             allow_private = true           # it is inside this network\n"
        );
        assert_eq!(secrets, [("PROM_PASSWORD".to_owned(), "p@+s".to_owned())]);
        let web = Web::parse("https://example.com/a/b.CSV?token=t").unwrap();
        assert_eq!(web.extension().as_deref(), Some("csv"));
        let (lines, _) = access(&web, "b");
        assert_eq!(lines, "url = \"https://example.com/a/b.CSV?token=${B_TOKEN}\"\n");
        assert!(Web::parse("postgres://h/db").is_none());
    }
}
