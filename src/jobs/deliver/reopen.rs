//! What becomes of closed channels when the configuration changes.

use std::collections::BTreeMap;

use crate::{
    catalog::{Catalog, CatalogError, channel_states},
    domain::ChannelSpec,
};

/// Uses a closed channel again that is configured otherwise than before, and forgets what was known
/// of channels that are not configured any more. At start-up there is no before.
///
/// # Errors
/// [`CatalogError`]; then nothing has changed.
pub async fn reopen_changed(
    catalog: &Catalog,
    before: Option<&BTreeMap<String, ChannelSpec>>,
    after: &BTreeMap<String, ChannelSpec>,
) -> Result<(), CatalogError> {
    let mut tx = catalog.begin().await?;
    let names: Vec<&str> = after.keys().map(String::as_str).collect();
    channel_states::keep_only(&mut tx, &names).await?;
    for (name, channel) in before.map(|_| after).into_iter().flatten() {
        let is_same = before.and_then(|before| before.get(name)) == Some(channel);
        if !is_same && channel_states::enable(&mut tx, name).await? {
            tracing::info!(channel = %name, "its settings changed: it is used again");
        }
    }
    tx.commit().await
}
