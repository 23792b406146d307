//! `kind = "ntfy"`.

use crate::domain::{ChannelKind, NtfySpec};

use super::{
    super::{section::Section, web_source::auth},
    web_address,
};

pub(super) const KEYS: &[&str] = &["url", "topic", "auth"];

pub(super) fn read(channel: &mut Section<'_>) -> Option<ChannelKind> {
    let url = web_address(channel, "write the server's address, as in https://ntfy.sh");
    if !channel.has("topic") {
        channel.missing("topic", "write the topic's name");
    }
    let topic = channel.secret("topic");
    let is_topic = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if let Some(topic) = &topic
        && !((1..=64).contains(&topic.value.reveal().len())
            && topic.value.reveal().chars().all(is_topic))
    {
        let help = "write 1 to 64 letters, digits, - and _";
        channel.check.problem_with_help(&topic.place, "this is not a topic's name", help);
    }
    let auth = channel.table("auth", auth);
    Some(ChannelKind::Ntfy(NtfySpec { url: url?, topic: topic?.value, auth: auth? }))
}
