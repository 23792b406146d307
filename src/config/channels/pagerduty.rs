//! `kind = "pagerduty"`.

use crate::domain::{ChannelKind, PagerSeverity, PagerdutySpec};

use super::{super::section::Section, api_address};

pub(super) const KEYS: &[&str] = &["routing_key", "api", "warning", "critical"];
const API: &str = "https://events.pagerduty.com/v2/enqueue";

pub(super) fn read(channel: &mut Section<'_>) -> Option<ChannelKind> {
    if !channel.has("routing_key") {
        channel.missing("routing_key", "write the integration key of an Events API v2 integration");
    }
    let routing_key = channel.secret("routing_key");
    let url = api_address(channel, API);
    let warning = channel.word_or("warning", PagerSeverity::Warning);
    let critical = channel.word_or("critical", PagerSeverity::Critical);
    let routing_key = routing_key?.value;
    Some(ChannelKind::Pagerduty(PagerdutySpec { routing_key, url: url?, warning, critical }))
}
