//! What start-up owes to the process before it, which may have ended at any moment.

use crate::{
    catalog::{Catalog, CatalogError, outbox, runs, runs::Voided},
    domain::Timestamp,
};

/// What was found and put right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Runs whose worker was gone.
    pub runs: Voided,
    /// Deliveries whose sender was gone; they are due again, under the same key.
    pub n_deliveries: u64,
    /// Half-written objects removed.
    pub n_temporary: usize,
}

/// Start-up work that failed.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError<E: std::error::Error + 'static> {
    /// The catalog cannot be written.
    #[error("take over the runs of the process before")]
    Catalog(#[source] CatalogError),
    /// Half-written objects cannot be removed.
    #[error("remove half-written objects")]
    Sweep(#[source] E),
}

/// Takes back every run and delivery of processes that are gone and removes what they left half
/// written. Only the holder of the folder's lock may call it.
///
/// # Errors
/// [`RecoveryError`]; it can be called again.
pub async fn recover<E: std::error::Error + 'static>(
    catalog: &Catalog,
    now: Timestamp,
    sweep_temporary: impl Future<Output = Result<usize, E>>,
) -> Result<Recovered, RecoveryError<E>> {
    let (runs, n_deliveries) = take_back(catalog, now).await.map_err(RecoveryError::Catalog)?;
    let n_temporary = sweep_temporary.await.map_err(RecoveryError::Sweep)?;
    let recovered = Recovered { runs, n_deliveries, n_temporary };
    if recovered != Recovered::default() {
        tracing::warn!(
            "the process before ended early: {} runs begin again, {} are given up, {n_deliveries} \
             messages are sent again, {n_temporary} half-written objects were removed",
            runs.requeued,
            runs.dead
        );
    }
    Ok(recovered)
}

async fn take_back(catalog: &Catalog, now: Timestamp) -> Result<(Voided, u64), CatalogError> {
    let mut tx = catalog.begin().await?;
    let runs = runs::void_leases(&mut tx, now).await?;
    let n_deliveries = outbox::void_leases(&mut tx, now).await?;
    tx.commit().await?;
    Ok((runs, n_deliveries))
}
