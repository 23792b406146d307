//! `[channels.<name>]`: whom alerts go to. The keys every channel has are read here; those of a kind
//! in the file of its name.
//!
//! A new kind takes: its variant in [`ChannelKind`] with `as_str`, `is_remote` and `usual_pace`; a
//! file here with `KEYS` and `read`, entered in [`kind`]; and a file in `notify`, entered in
//! `notify::send`. `timeout`, `allow_private` and how messages are dealt out come from
//! [`ChannelSpec`]; a kind does not read them.

mod alertmanager;
mod email;
mod file;
mod ntfy;
mod pace;
mod pagerduty;
mod posted;
mod slack;
mod telegram;
mod webhook;

use std::collections::BTreeMap;

use crate::domain::{ChannelKind, ChannelSpec, PaceSpec, Secret, Span};

use super::{
    check::Check,
    kinds::Kind,
    later::did_you_mean,
    place::Located,
    section::{Section, Text},
    system::is_web_address,
    values::Refusal,
};

/// The channel that is always there.
pub(super) const LOG_CHANNEL: &str = "log";
/// A message that is being sent is taken for lost after 120 s; no send may last nearly as long.
const LONGEST_TIMEOUT: Span = Span::secs(60);
const USUAL_TIMEOUT: Span = Span::secs(10);
/// Keys that say something only of channels which call another machine.
const REMOTE_KEYS: [&str; 2] = ["timeout", "allow_private"];

pub(super) fn read(section: &mut Section<'_>) -> BTreeMap<String, ChannelSpec> {
    let mut channels = BTreeMap::from([(LOG_CHANNEL.to_owned(), log_channel())]);
    let mut fallbacks = Vec::new();
    section.named("channels", |name, place, channel| {
        if name.trim().is_empty() {
            channel.check.problem(place, "a channel's name must not be empty");
        }
        let mut spec = one(name, channel);
        let own = channel.texts_or("fallback", &[]);
        spec.fallback = own.iter().map(|other| other.value.text.clone()).collect();
        fallbacks.extend(own);
        channels.insert(name.to_owned(), spec);
    });
    let known: Vec<&str> = channels.keys().map(String::as_str).collect();
    for name in &fallbacks {
        check_name(section.check, name, &known);
    }
    channels
}

/// Reports a channel's name that there is no channel of.
pub(super) fn check_name(check: &mut Check, name: &Located<Text>, known: &[&str]) {
    let Located { value, place } = name;
    if known.contains(&value.text.as_str()) {
        return;
    }
    let message = match value.is_expanded {
        true => "there is no channel of this name".to_owned(),
        false => format!("there is no channel `{}`", value.text),
    };
    let help = did_you_mean(&value.text, known.iter().copied());
    let help = help.unwrap_or_else(|| format!("the channels are {}", known.join(", ")));
    check.problem_with_help(place, message, help);
}

fn log_channel() -> ChannelSpec {
    ChannelSpec {
        name: LOG_CHANNEL.into(),
        kind: ChannelKind::Log,
        timeout: USUAL_TIMEOUT,
        allow_private: false,
        pace: PaceSpec::UNLIMITED,
        fallback: Vec::new(),
    }
}

/// A channel that cannot be read still exists: batches that name it are not to blame.
fn one(name: &str, channel: &mut Section<'_>) -> ChannelSpec {
    let kind = kind(channel);
    if let Some(kind) = kind.as_ref().filter(|kind| !kind.is_remote()) {
        for key in REMOTE_KEYS {
            let Some(place) = channel.key_place(key) else { continue };
            let message = format!("`{key}` has no meaning with kind = \"{}\"", kind.as_str());
            channel.check.problem(&place, message);
            channel.ignore(&[key]);
        }
    }
    let is_remote = kind.as_ref().is_none_or(ChannelKind::is_remote);
    let kind = kind.unwrap_or(ChannelKind::Log);
    ChannelSpec {
        name: name.to_owned(),
        timeout: if is_remote { timeout(channel) } else { USUAL_TIMEOUT },
        allow_private: is_remote && channel.flag("allow_private", false),
        pace: pace::read(channel, kind.usual_pace()),
        fallback: Vec::new(),
        kind,
    }
}

fn kind(channel: &mut Section<'_>) -> Option<ChannelKind> {
    channel.read_kind(
        &[
            Kind { name: "log", keys: &[], read: &|_| Some(ChannelKind::Log) },
            Kind { name: "file", keys: file::KEYS, read: &file::read },
            Kind { name: "webhook", keys: webhook::KEYS, read: &webhook::read },
            Kind { name: "alertmanager", keys: alertmanager::KEYS, read: &alertmanager::read },
            Kind { name: "email", keys: email::KEYS, read: &email::read },
            Kind { name: "slack", keys: slack::KEYS, read: &slack::read },
            Kind { name: "pagerduty", keys: pagerduty::KEYS, read: &pagerduty::read },
            Kind { name: "teams", keys: posted::KEYS, read: &posted::teams },
            Kind { name: "discord", keys: posted::KEYS, read: &posted::discord },
            Kind { name: "telegram", keys: telegram::KEYS, read: &telegram::read },
            Kind { name: "ntfy", keys: ntfy::KEYS, read: &ntfy::read },
        ],
        &[],
    )
}

fn timeout(channel: &mut Section<'_>) -> Span {
    let timeout = match channel.positive_span("timeout") {
        Some(Located { value, place }) if LONGEST_TIMEOUT < value => {
            let message = format!("`timeout` is {value}; it must be at most {LONGEST_TIMEOUT}");
            channel.check.problem(&place, message);
            LONGEST_TIMEOUT
        }
        found => found.map_or(USUAL_TIMEOUT, |found| found.value),
    };
    channel.show("timeout", timeout.to_string());
    timeout
}

/// An http:// or https:// address under `url`, which may hold a token.
fn web_address(channel: &mut Section<'_>, help: &str) -> Option<Secret> {
    if !channel.has("url") {
        channel.missing("url", help);
    }
    let url = channel.secret("url")?;
    if !is_web_address(url.value.reveal()) {
        channel.check.problem(&url.place, "this is not an http:// or https:// address");
    }
    Some(url.value)
}

/// Where a service's API is: an address that holds no secret, for stand-ins and other regions.
fn api_address(channel: &mut Section<'_>, usual: &str) -> Option<String> {
    let address = channel.parsed("api", "an address", |text| match is_web_address(text) {
        true => Ok(text.to_owned()),
        false => Err(Refusal {
            message: format!("`{text}` is not an http:// or https:// address"),
            help: Some(format!("usually it is {usual}")),
        }),
    });
    if address.is_none() && !channel.is_shown("api") {
        channel.show("api", usual);
        return Some(usual.to_owned());
    }
    Some(address?.value)
}
