//! Which addresses may be called. A webhook's or a source's address is configuration, and
//! configuration may come from people who must not reach this machine's neighbours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// How far a request may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of the public internet.
    Public,
    /// Also this machine and its network.
    Anywhere,
}

/// An address that is not called. The texts name no part of the URL, which may hold a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Another scheme than http and https, or no host.
    #[error("only http:// and https:// addresses are called")]
    Scheme,
    /// A host outside the public internet.
    #[error("{address} is {kind}; set `allow_private = true` to call it")]
    Address {
        /// The address the host stands for.
        address: IpAddr,
        /// What kind of address that is.
        kind: &'static str,
    },
}

/// Checks what can be checked before the host's name is looked up: the scheme, and a host that is
/// an address already (in whatever notation: parsing has made `0x7f.1` a `127.0.0.1`).
///
/// # Errors
/// [`Forbidden`], which says what is wrong with the address.
pub fn check(url: &Url, reach: Reach) -> Result<(), Forbidden> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Forbidden::Scheme);
    }
    match url.host() {
        None => Err(Forbidden::Scheme),
        Some(Host::Domain(_)) => Ok(()),
        Some(Host::Ipv4(address)) => permit(IpAddr::V4(address), reach),
        Some(Host::Ipv6(address)) => permit(IpAddr::V6(address), reach),
    }
}

fn permit(address: IpAddr, reach: Reach) -> Result<(), Forbidden> {
    let kind = match (reach, address) {
        (Reach::Anywhere, _) => None,
        (Reach::Public, IpAddr::V4(address)) => special_v4(address),
        (Reach::Public, IpAddr::V6(address)) => special_v6(address),
    };
    kind.map_or(Ok(()), |kind| Err(Forbidden::Address { address, kind }))
}

/// What an address outside the public internet is (IANA's special-purpose registry).
fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [0, ..] => Some("an unspecified address"),
        [127, ..] => Some("a loopback address"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => {
            Some("a private address")
        }
        [169, 254, ..] => Some("a link-local address"),
        [192, 0, 0, _]
        | [192, 0, 2, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [198, 18..=19, ..] => Some("an address reserved for documentation and tests"),
        [224..=239, ..] => Some("a multicast address"),
        [240..=255, ..] => Some("a reserved address"),
        _ => None,
    }
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("an unspecified address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("a loopback address"),
        [0, 0, 0, 0, 0, 0xffff, ..] => Some("an IPv4 address in IPv6 notation"),
        // NAT64: the IPv4 address that will be called is in the last 32 bits.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            special_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        [0xfc00..=0xfdff, ..] => Some("a private address"),
        [0xfe80..=0xfeff, ..] => Some("a link-local address"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        [0x2002, ..] | [0x2001, 0..=0x1ff, ..] => Some("a tunnelled address"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => {
            Some("an address reserved for documentation and tests")
        }
        [0x2000..=0x3fff, ..] => None,
        _ => Some("a reserved address"),
    }
}

/// A host without an address that may be called.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// It has none that may be called.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// Its name could not be looked up.
    #[error(transparent)]
    Name(#[from] std::io::Error),
}

/// The addresses of a host, an address itself or a name, that may be called. Connect to these, and
/// not to the name: it may stand for another address a moment later.
///
/// # Errors
/// [`LookupError`], which says what is wrong with the host.
pub async fn lookup(host: &str, port: u16, reach: Reach) -> Result<Vec<SocketAddr>, LookupError> {
    let host = host.trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((host, port)).await?;
    Ok(permitted(found, reach)?)
}

/// Looks names up and gives only addresses that may be called. The connection is made to exactly
/// these, so that a name cannot stand for another address a moment later.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckedDns {
    pub(super) reach: Reach,
}

impl Resolve for CheckedDns {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted: Addrs = Box::new(permitted(found, reach)?.into_iter());
            Ok(permitted)
        })
    }
}

/// The addresses that may be called; an error when there are some and none of them may.
fn permitted(
    found: impl Iterator<Item = SocketAddr>,
    reach: Reach,
) -> Result<Vec<SocketAddr>, Forbidden> {
    let mut permitted = Vec::new();
    let mut forbidden = None;
    for address in found {
        match permit(address.ip(), reach) {
            Ok(()) => permitted.push(address),
            Err(error) => forbidden = Some(error),
        }
    }
    match forbidden {
        Some(error) if permitted.is_empty() => Err(error),
        _ => Ok(permitted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_private_address_is_refused() {
        for text in [
            "http://127.0.0.1/",
            "http://127.255.255.254:8080/x",
            "http://0x7f.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://１２７.0.0.1/",
            "http://127.0.0.1./",
            "http://user:word@127.0.0.1/",
            "http://0.0.0.0/",
            "http://10.0.0.1/",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.168.1.1/",
            "http://100.64.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://192.0.2.1/",
            "http://198.18.0.1/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://[::]/",
            "http://[::1]/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::ffff:93.184.215.14]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::a00:1]/",
            "http://[fe80::1]/",
            "http://[fec0::1]/",
            "http://[fd00::1]/",
            "http://[ff02::1]/",
            "http://[2002:7f00:1::]/",
            "http://[2001:0:1::]/",
            "http://[2001:db8::1]/",
        ] {
            let url = Url::parse(text).unwrap();
            let refused = check(&url, Reach::Public);
            assert!(matches!(refused, Err(Forbidden::Address { .. })), "{text} {refused:?}");
            assert_eq!(check(&url, Reach::Anywhere), Ok(()), "{text}");
        }
    }

    #[test]
    fn only_http_is_spoken_wherever_it_goes() {
        for text in [
            "file:///etc/passwd",
            "gopher://93.184.215.14/",
            "ftp://93.184.215.14/",
            "unix:/run/docker.sock",
            "data:text/plain,x",
            "ws://93.184.215.14/",
        ] {
            let url = Url::parse(text).unwrap();
            for reach in [Reach::Public, Reach::Anywhere] {
                assert_eq!(check(&url, reach), Err(Forbidden::Scheme), "{text}");
            }
        }
    }

    #[test]
    fn public_addresses_may_be_called() {
        for text in [
            "https://93.184.215.14/",
            "http://172.32.0.1/",
            "http://100.128.0.1/",
            "http://[2606:2800:21f:cb07::1]/",
            "http://[64:ff9b::5db8:d70e]/",
            "https://hooks.example.com/x",
        ] {
            assert_eq!(check(&Url::parse(text).unwrap(), Reach::Public), Ok(()), "{text}");
        }
    }

    #[test]
    fn of_a_name_with_several_addresses_only_the_public_are_used() {
        let [public, private]: [SocketAddr; 2] =
            ["93.184.215.14:0".parse().unwrap(), "10.0.0.1:0".parse().unwrap()];
        let both = [private, public];
        assert_eq!(permitted(both.into_iter(), Reach::Public), Ok(vec![public]));
        assert_eq!(permitted(both.into_iter(), Reach::Anywhere), Ok(both.to_vec()));
        let refused = permitted([private].into_iter(), Reach::Public);
        assert_eq!(
            refused,
            Err(Forbidden::Address { address: private.ip(), kind: "a private address" })
        );
    }
}
