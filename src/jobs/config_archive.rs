//! The configuration each run used, kept by its hash, so that an old run can be understood after
//! the batch file has changed. Secrets are not in it.

use crate::{
    catalog::configs,
    domain::BatchSpec,
    io::{StoreError, WriteMode, layout},
};

use super::{JobContext, JobError};

/// Writes the batch's configuration once for each hash.
pub(super) async fn keep(ctx: &JobContext, batch: &BatchSpec) -> Result<(), JobError> {
    let key = layout::batch_config_key(&batch.name, &batch.config_hash);
    if ctx.store.exists(&key).await? {
        return Ok(());
    }
    let text = batch.effective.clone().into_bytes();
    match ctx.store.put(&key, text.into(), WriteMode::CreateOnly).await {
        // A killed run had written it: the name is the content's hash.
        Ok(()) | Err(StoreError::AlreadyExists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let mut tx = ctx.catalog.begin().await?;
    configs::save(&mut tx, &batch.config_hash, &batch.name, (ctx.clock)()).await?;
    Ok(tx.commit().await?)
}
