//! Signed links: an address in a message that does one thing about one alert, for whoever opens it.
//! What it says is in it; the signature shows that this program wrote it.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::run::UnknownText;
use super::{AlertId, Span, Timestamp, run::text_enum};

text_enum! {
    /// What following a link does.
    LinkAction {
        /// Says that somebody looks after the alert.
        Ack = "ack",
        /// Asks for silence about its metric for a while.
        Snooze = "snooze",
        /// Says that it was worth knowing.
        Up = "up",
        /// Says that it was not.
        Down = "down",
        /// Says that it was foreseen.
        Expected = "expected",
        /// Says that something was broken.
        Incident = "incident",
    }
}

/// What a link does, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it does.
    pub action: LinkAction,
    /// About which alert.
    pub alert: AlertId,
    /// Of no use from this instant on; kept in whole seconds.
    pub expires: Timestamp,
    /// Tells it from every other link, so that it works once.
    pub nonce: String,
}

impl Link {
    /// How long a link works, from when its message came up.
    pub const LIFE: Span = Span::days(7);
}

/// Why a link is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No token, or not one signed with this key.
    #[error("this link was not made here, or was changed on its way")]
    Forged,
    /// Too old.
    #[error("this link worked until {at}")]
    Expired {
        /// Since when.
        at: Timestamp,
    },
}

/// What links are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkKey([u8; 32]);

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey([secret])")
    }
}

/// What a MAC is of, so that one never passes for the other.
const TOKEN: &str = "token";
const NONCE: &str = "nonce";
const CHART: &str = "chart";
const MAC_BYTES: usize = 32;
/// Enough that no two links meet.
const NONCE_BYTES: usize = 16;

impl LinkKey {
    /// A key of 32 random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For keeping it.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The nonce of a delivery's link: the same on every attempt, so that a repeat carries the same link.
    pub fn nonce(&self, delivery: &str, action: LinkAction, alert: &AlertId) -> String {
        let mac = self.mac(NONCE, &format!("{action}\n{delivery}\n{alert}")).finalize();
        URL_SAFE_NO_PAD.encode(&mac.into_bytes()[..NONCE_BYTES])
    }

    /// The link as text for an address: `<what it says>.<signature>`, both base64url.
    pub fn sign(&self, link: &Link) -> String {
        let Link { action, alert, expires, nonce } = link;
        // The alert comes last: its id may hold any character.
        let said = format!("{action}\n{}\n{nonce}\n{alert}", expires.secs());
        self.signed(TOKEN, &said)
    }

    /// The address of an alert's chart as text, of the same form: it changes nothing, so it works as
    /// often as it is asked for.
    pub fn sign_chart(&self, alert: &AlertId, expires: Timestamp) -> String {
        self.signed(CHART, &format!("{}\n{alert}", expires.secs()))
    }

    /// The alert whose chart a text is the address of.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn open_chart(&self, token: &str, now: Timestamp) -> Result<AlertId, LinkError> {
        let said = self.checked(CHART, token)?;
        let (expires, alert) = said.split_once('\n').ok_or(LinkError::Forged)?;
        let expires = expires.parse().ok().and_then(Timestamp::from_secs);
        let expires = expires.ok_or(LinkError::Forged)?;
        unexpired(expires, now).map(|()| AlertId(alert.to_owned()))
    }

    /// The link behind a text. Nothing of the text is looked into before its signature is right; how
    /// nearly right a wrong one is does not show in the time it takes.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn open(&self, token: &str, now: Timestamp) -> Result<Link, LinkError> {
        let link = parse(&self.checked(TOKEN, token)?).ok_or(LinkError::Forged)?;
        unexpired(link.expires, now).map(|()| link)
    }

    fn signed(&self, of: &str, said: &str) -> String {
        let mac = self.mac(of, said).finalize().into_bytes();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(said), URL_SAFE_NO_PAD.encode(mac))
    }

    /// What a text says, once its signature is found right.
    fn checked(&self, of: &str, token: &str) -> Result<String, LinkError> {
        let (said, mac) = token.split_once('.').ok_or(LinkError::Forged)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| LinkError::Forged);
        let said = String::from_utf8(decode(said)?).map_err(|_| LinkError::Forged)?;
        let mac = decode(mac)?;
        if mac.len() != MAC_BYTES {
            return Err(LinkError::Forged);
        }
        self.mac(of, &said).verify_slice(&mac).map_err(|_| LinkError::Forged)?;
        Ok(said)
    }

    fn mac(&self, of: &str, text: &str) -> Hmac<Sha256> {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        // A key shorter than a block is filled up with zeros: this is the same key.
        let mut mac = Hmac::<Sha256>::new(&block.into());
        for part in [of, "\n", text] {
            mac.update(part.as_bytes());
        }
        mac
    }
}

fn unexpired(expires: Timestamp, now: Timestamp) -> Result<(), LinkError> {
    if expires <= now { Err(LinkError::Expired { at: expires }) } else { Ok(()) }
}

fn parse(said: &str) -> Option<Link> {
    let mut parts = said.splitn(4, '\n');
    let mut next = || parts.next();
    let action = next()?.parse().ok()?;
    let expires = Timestamp::from_secs(next()?.parse().ok()?)?;
    let nonce = next()?.to_owned();
    Some(Link { action, alert: AlertId(next()?.to_owned()), expires, nonce })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-06-01T00:00:00Z").unwrap()
    }

    fn key() -> LinkKey {
        LinkKey::new([7; 32])
    }

    fn link(alert: &str) -> Link {
        let alert = AlertId(alert.into());
        let nonce = key().nonce("d-1", LinkAction::Ack, &alert);
        Link { action: LinkAction::Ack, alert, expires: now() + Link::LIFE, nonce }
    }

    #[test]
    fn what_was_signed_is_read_whatever_the_id_holds() {
        for alert in ["a1", "", "a\nb\n", "../x?y#z", "🚀"] {
            let token = key().sign(&link(alert));
            assert_eq!(key().open(&token, now()), Ok(link(alert)));
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            assert!(token.chars().all(is_plain), "{token}");
        }
    }

    #[test]
    fn a_changed_token_another_key_and_nonsense_are_forged() {
        let token = key().sign(&link("a1"));
        for at in 0..token.len() {
            for with in [b'A', b'B', b'.', b'!'] {
                let mut bytes = token.clone().into_bytes();
                if bytes[at] == with {
                    continue;
                }
                bytes[at] = with;
                let changed = String::from_utf8(bytes).unwrap();
                assert_eq!(key().open(&changed, now()), Err(LinkError::Forged), "{changed}");
            }
        }
        assert_eq!(LinkKey::new([8; 32]).open(&token, now()), Err(LinkError::Forged));
        let said = token.split_once('.').unwrap().0;
        for text in ["", ".", "x", said, &format!("{said}."), &token[..token.len() - 2]] {
            assert_eq!(key().open(text, now()), Err(LinkError::Forged), "{text}");
        }
    }

    #[test]
    fn a_link_of_one_alert_is_none_of_another() {
        let (one, other) = (key().sign(&link("a1")), key().sign(&link("a2")));
        let (said, mac) = (other.split_once('.').unwrap().0, one.split_once('.').unwrap().1);
        assert_eq!(key().open(&format!("{said}.{mac}"), now()), Err(LinkError::Forged));
    }

    #[test]
    fn a_link_works_until_the_second_in_which_it_expires() {
        let token = key().sign(&link("a1"));
        let at = now() + Link::LIFE;
        assert!(key().open(&token, at - Span::secs(1)).is_ok());
        assert_eq!(key().open(&token, at), Err(LinkError::Expired { at }));
    }

    #[test]
    fn the_address_of_a_chart_is_no_link_and_a_link_no_address_of_a_chart() {
        let alert = AlertId("a\nb".into());
        let chart = key().sign_chart(&alert, now() + Span::days(1));
        assert_eq!(key().open_chart(&chart, now()), Ok(alert));
        assert_eq!(key().open(&chart, now()), Err(LinkError::Forged));
        assert_eq!(key().open_chart(&key().sign(&link("a1")), now()), Err(LinkError::Forged));
        let at = now() + Span::days(1);
        assert_eq!(key().open_chart(&chart, at), Err(LinkError::Expired { at }));
    }

    #[test]
    fn the_nonce_is_the_deliverys_the_actions_and_the_alerts() {
        let nonce = |delivery: &str, action, alert: &str| {
            key().nonce(delivery, action, &AlertId(alert.into()))
        };
        let one = nonce("d-1", LinkAction::Ack, "a1");
        assert_eq!(one, nonce("d-1", LinkAction::Ack, "a1"));
        assert_ne!(one, nonce("d-2", LinkAction::Ack, "a1"));
        assert_ne!(one, nonce("d-1", LinkAction::Up, "a1"));
        assert_ne!(one, nonce("d-1", LinkAction::Ack, "a2"));
    }
}
