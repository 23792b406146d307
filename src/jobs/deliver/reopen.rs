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

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::{
        super::tests::{NOW, hook, timed},
        *,
    };
    use crate::domain::Span;

    #[tokio::test]
    async fn a_changed_channel_is_used_again_and_of_a_removed_one_nothing_is_kept() {
        let fixture = timed().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let before =
            BTreeMap::from(["same", "changed", "removed"].map(|name| hook(name, &listener)));
        let close = async || {
            let mut tx = fixture.ctx.catalog.begin().await.unwrap();
            for name in before.keys() {
                channel_states::disable(&mut tx, name, NOW.get(), "gone").await.unwrap();
            }
            tx.commit().await.unwrap();
        };
        let closed = async || {
            let mut reader = fixture.ctx.catalog.reader().await.unwrap();
            let states = channel_states::all(&mut reader).await.unwrap();
            states.into_iter().map(|state| state.channel).collect::<Vec<_>>()
        };
        let mut after = before.clone();
        after.remove("removed");
        after.get_mut("changed").unwrap().timeout = Span::secs(1);
        close().await;
        reopen_changed(&fixture.ctx.catalog, None, &after).await.unwrap();
        assert_eq!(
            closed().await,
            ["changed", "same"],
            "at the start nothing is known to have changed"
        );
        close().await;
        reopen_changed(&fixture.ctx.catalog, Some(&before), &after).await.unwrap();
        assert_eq!(closed().await, ["same"]);
    }
}
