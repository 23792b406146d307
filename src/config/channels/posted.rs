//! `kind = "teams"` and `kind = "discord"`: an address is all they need.

use crate::domain::ChannelKind;

use super::{super::section::Section, web_address};

pub(super) const KEYS: &[&str] = &["url"];

pub(super) fn teams(channel: &mut Section<'_>) -> Option<ChannelKind> {
    let url = web_address(channel, "write the address that the workflow's first step shows")?;
    Some(ChannelKind::Teams { url })
}

pub(super) fn discord(channel: &mut Section<'_>) -> Option<ChannelKind> {
    let url = web_address(channel, "write the address of the webhook")?;
    Some(ChannelKind::Discord { url })
}
