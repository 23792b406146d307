//! `kind = "alertmanager"`.

use crate::domain::{AlertmanagerSpec, ChannelKind, Span};

use super::{
    super::{section::Section, web_source::auth},
    web_address,
};

pub(super) const KEYS: &[&str] = &["url", "auth", "hold"];
/// Longer than any reminder is apart.
const USUAL_HOLD: Span = Span::days(7);

pub(super) fn read(channel: &mut Section<'_>) -> Option<ChannelKind> {
    let url = web_address(channel, "write Alertmanager's address, as in http://localhost:9093");
    let auth = channel.table("auth", auth);
    let hold = channel.positive_span_or("hold", USUAL_HOLD);
    Some(ChannelKind::Alertmanager(AlertmanagerSpec { url: url?, auth: auth?, hold }))
}
