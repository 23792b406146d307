//! `kind = "slack"`.

use crate::domain::{ChannelKind, SlackSpec};

use super::{super::section::Section, api_address, web_address};

pub(super) const KEYS: &[&str] = &["url", "token", "channel", "api"];
const API: &str = "https://slack.com/api";

pub(super) fn read(channel: &mut Section<'_>) -> Option<ChannelKind> {
    if !channel.has("token") {
        for key in ["channel", "api"] {
            if let Some(place) = channel.key_place(key) {
                let message = format!("`{key}` is for a bot, which has a `token`");
                channel.check.problem(&place, message);
            }
        }
        channel.ignore(&["token", "channel", "api"]);
        let url = web_address(channel, "write the incoming webhook's address, or a bot's token")?;
        return Some(ChannelKind::Slack(SlackSpec::Webhook { url }));
    }
    if let Some(place) = channel.key_place("url") {
        channel.check.problem(&place, "a webhook's `url` and a bot's `token` cannot both be given");
    }
    channel.ignore(&["url"]);
    let token = channel.secret("token");
    let name = channel.required_text("channel", "write the channel's id or name");
    let api = api_address(channel, API);
    let (token, channel) = (token?.value, name?.value.text);
    Some(ChannelKind::Slack(SlackSpec::Bot { token, channel, api: api? }))
}
