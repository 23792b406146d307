//! The configuration each run used, kept by its hash, so that an old run can be understood after
//! the batch file has changed. Secrets are not in it.

use crate::{
    catalog::{configs, runs, runs::Claim},
    domain::BatchSpec,
    io::{StoreError, WriteMode, layout},
};

use super::{JobContext, JobError};

/// Writes the batch's configuration once for each hash, and notes with the run that it uses it: the
/// files may have changed since the run was made.
pub(super) async fn keep(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
) -> Result<(), JobError> {
    if claim.config_hash != batch.config_hash {
        let mut tx = ctx.catalog.begin().await?;
        runs::note_config(&mut tx, claim, &batch.config_hash).await?;
        tx.commit().await?;
    }
    let key = layout::batch_config_key(&batch.name, &batch.config_hash);
    if ctx.store.exists(&key).await? {
        return Ok(());
    }
    let text = batch.effective.clone().into_bytes();
    match ctx.store.put(&key, text.into(), WriteMode::CreateOnly).await {
        // A killed run had written it: the name is the content's hash.
        Ok(_) | Err(StoreError::AlreadyExists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let mut tx = ctx.catalog.begin().await?;
    configs::save(&mut tx, &batch.config_hash, &batch.name, (ctx.clock)()).await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::runs::{Lease, NewRun, RunCause},
        domain::{JobKind, Span},
        jobs::fixture::{self, Fixture},
    };

    #[tokio::test]
    async fn a_run_made_before_a_change_is_noted_with_the_configuration_it_used() {
        let Fixture { ctx, batch, .. } = fixture::open().await;
        let now = (ctx.clock)();
        let new = NewRun {
            batch: batch.name.clone(),
            job: JobKind::Ingest,
            slot: now,
            cause: RunCause::Schedule,
            due: now,
            config_hash: "of before".into(),
        };
        let mut tx = ctx.catalog.begin().await.unwrap();
        runs::materialise(&mut tx, &new, now).await.unwrap();
        let lease = Lease { worker: "test", length: Span::secs(30) };
        let claim =
            runs::claim(&mut tx, now, lease, &runs::Room::unlimited()).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        keep(&ctx, &claim, &batch).await.unwrap();
        let mut reader = ctx.catalog.reader().await.unwrap();
        let row = runs::get(&mut reader, claim.run).await.unwrap().unwrap();
        assert_eq!(row.config_hash, batch.config_hash);
    }
}
