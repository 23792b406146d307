//! `kind = "telegram"`.

use crate::domain::{ChannelKind, TelegramSpec};

use super::{super::section::Section, api_address};

pub(super) const KEYS: &[&str] = &["token", "chat", "thread", "api"];
const API: &str = "https://api.telegram.org";

pub(super) fn read(channel: &mut Section<'_>) -> Option<ChannelKind> {
    if !channel.has("token") {
        channel.missing("token", "write the bot's token");
    }
    let token = channel.secret("token");
    let chat = channel.required_text("chat", "write the chat's id, as in \"-1001234\", or @name");
    let thread = match channel.has("thread") {
        true => i64::try_from(channel.count("thread", 1..=usize::MAX >> 1, 1)).ok(),
        false => None,
    };
    channel.ignore(&["thread"]);
    let api = api_address(channel, API);
    let (token, chat) = (token?.value, chat?.value.text);
    Some(ChannelKind::Telegram(TelegramSpec { token, chat, thread, api: api? }))
}
