//! `[channels.<name>]`: whom alerts go to.

use std::collections::BTreeMap;

use base64::Engine;

use crate::domain::{ChannelKind, ChannelSpec, Span};

use super::{kinds::Kind, place::Located, section::Section, system::is_web_address};

/// The channel that is always there.
pub(super) const LOG_CHANNEL: &str = "log";
/// A message that is being sent is taken for lost after 120 s; no send may last nearly as long.
const LONGEST_TIMEOUT: Span = Span::secs(60);

pub(super) fn read(section: &mut Section<'_>) -> BTreeMap<String, ChannelSpec> {
    let log = ChannelSpec { name: LOG_CHANNEL.into(), kind: ChannelKind::Log };
    let mut channels = BTreeMap::from([(LOG_CHANNEL.to_owned(), log)]);
    section.named("channels", |name, place, channel| {
        if name.trim().is_empty() {
            channel.check.problem(place, "a channel's name must not be empty");
        }
        // A channel that cannot be read still exists: batches that name it are not to blame.
        let kind = channel_kind(channel).unwrap_or(ChannelKind::Log);
        channels.insert(name.to_owned(), ChannelSpec { name: name.to_owned(), kind });
    });
    channels
}

fn channel_kind(channel: &mut Section<'_>) -> Option<ChannelKind> {
    channel.read_kind(
        &[
            Kind { name: "log", keys: &[], read: &|_| Some(ChannelKind::Log) },
            Kind { name: "file", keys: &["path"], read: &file_channel },
            Kind {
                name: "webhook",
                keys: &["url", "secret", "allow_private", "timeout"],
                read: &webhook,
            },
        ],
        &[],
    )
}

fn file_channel(channel: &mut Section<'_>) -> Option<ChannelKind> {
    let path = channel.required_text("path", "write the file that alerts are appended to")?;
    Some(ChannelKind::File { path: channel.check.dir.join(path.value.text) })
}

fn webhook(channel: &mut Section<'_>) -> Option<ChannelKind> {
    if !channel.has("url") {
        channel.missing("url", "write the address that alerts are posted to");
    }
    let url = channel.secret("url");
    if let Some(url) = &url
        && !is_web_address(url.value.reveal())
    {
        channel.check.problem(&url.place, "this is not an http:// or https:// address");
    }
    let secret = channel.secret("secret");
    if let Some(secret) = &secret
        && !is_signing_key(secret.value.reveal())
    {
        let help = "write `whsec_` and 24 to 64 bytes in base64";
        channel.check.problem_with_help(&secret.place, "this is not a signing key", help);
    }
    let allow_private = channel.flag("allow_private", false);
    let timeout = timeout(channel);
    let secret = secret.map(|secret| secret.value);
    Some(ChannelKind::Webhook { url: url?.value, secret, allow_private, timeout })
}

fn timeout(channel: &mut Section<'_>) -> Span {
    let timeout = match channel.positive_span("timeout") {
        Some(Located { value, place }) if LONGEST_TIMEOUT < value => {
            let message = format!("`timeout` is {value}; it must be at most {LONGEST_TIMEOUT}");
            channel.check.problem(&place, message);
            LONGEST_TIMEOUT
        }
        found => found.map_or(Span::secs(10), |found| found.value),
    };
    channel.show("timeout", timeout.to_string());
    timeout
}

/// As the Standard Webhooks specification writes symmetric keys.
fn is_signing_key(text: &str) -> bool {
    let key = text.strip_prefix("whsec_");
    let bytes = key.and_then(|key| base64::engine::general_purpose::STANDARD.decode(key).ok());
    bytes.is_some_and(|bytes| (24..=64).contains(&bytes.len()))
}
