//! Storms and late news: when too much waits for a channel, one message says it all.

use crate::{
    catalog::{outbox, outbox::Merging},
    domain::{ChannelSpec, MessageId, Timestamp},
};

use super::{
    super::{JobContext, JobError},
    fingerprint,
};

/// Merges what waits for a channel where there is more than it is to get one by one, or where it
/// has waited for too long; gives how many messages became one.
pub(super) async fn calm(
    ctx: &JobContext,
    channel: &ChannelSpec,
    now: Timestamp,
) -> Result<u64, JobError> {
    let name = channel.name.as_str();
    // Not a reader: attempts that are not polled meanwhile may hold all of them.
    let mut tx = ctx.catalog.begin().await?;
    let before = channel.pace.max_age.map(|age| now - age);
    let is_storm = match channel.pace.storm {
        Some(most) => {
            u64::from(most) < outbox::n_waiting(&mut tx, name, most.saturating_add(1)).await?
        }
        None => false,
    };
    let before = match before {
        _ if is_storm => None,
        Some(before) if outbox::is_late(&mut tx, name, before, now).await? => Some(before),
        _ => return Ok(0),
    };
    let into = id(name, now);
    let merging = Merging { into: &into, channel: name, before, now };
    let n_merged = outbox::merge(&mut tx, merging).await?;
    tx.commit().await?;
    tracing::warn!(channel = %name, "{n_merged} messages that wait are said in one");
    Ok(n_merged)
}

/// Every merging ends in what it began with, so that no two of a channel have the same instant.
fn id(channel: &str, now: Timestamp) -> MessageId {
    MessageId(format!("storm-{}", fingerprint(&format!("{}\0{channel}", now.micros()))))
}
