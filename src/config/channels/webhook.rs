//! `kind = "webhook"`.

use base64::Engine;

use crate::domain::ChannelKind;

use super::{super::section::Section, web_address};

pub(super) const KEYS: &[&str] = &["url", "secret", "previous_secret"];

pub(super) fn read(channel: &mut Section<'_>) -> Option<ChannelKind> {
    let url = web_address(channel, "write the address that alerts are posted to");
    if let Some(place) = channel.key_place("previous_secret")
        && !channel.has("secret")
    {
        let message = "`previous_secret` is the key before `secret`, which is missing";
        channel.check.problem(&place, message);
    }
    let mut keys = Vec::new();
    for key in ["secret", "previous_secret"] {
        let Some(secret) = channel.secret(key) else { continue };
        if !is_signing_key(secret.value.reveal()) {
            let help = "write `whsec_` and 24 to 64 bytes in base64";
            channel.check.problem_with_help(&secret.place, "this is not a signing key", help);
        }
        keys.push(secret.value);
    }
    Some(ChannelKind::Webhook { url: url?, keys })
}

/// As the Standard Webhooks specification writes symmetric keys.
fn is_signing_key(text: &str) -> bool {
    let key = text.strip_prefix("whsec_");
    let bytes = key.and_then(|key| base64::engine::general_purpose::STANDARD.decode(key).ok());
    bytes.is_some_and(|bytes| (24..=64).contains(&bytes.len()))
}
