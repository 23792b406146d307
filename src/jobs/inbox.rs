//! What was pushed becomes rows of an ingest. Its objects are marked in the transaction that stores
//! the points and removed after it; a process that ends in between leaves them to the sweep.

use crate::{
    catalog::{CatalogError, Connection, inbox, inbox::Arrival, push_answers},
    domain::{BatchName, BatchSpec, Remembered, SourceKind, SourceSpec, Span},
    io::{Key, parquet, verify},
    sources::Outlet,
};

use super::{AsOf, JobContext, JobError};

/// How long a key of a pushed body is known.
const KEEP_ANSWERS: Span = Span::days(1);

/// What waits of a batch and is to be ingested; nothing for other sources, and nothing as of the
/// past, which knew nothing of it.
pub(super) async fn waiting(
    ctx: &JobContext,
    batch: &BatchSpec,
    as_of: AsOf,
) -> Result<Vec<Arrival>, JobError> {
    if !matches!(batch.source.kind, SourceKind::Push(_)) || !as_of.is_live {
        return Ok(Vec::new());
    }
    let mut reader = ctx.catalog.reader().await?;
    let max_rows = batch.source.max_rows as u64;
    Ok(inbox::waiting(&mut reader, &batch.name, max_rows).await?)
}

/// Sends the rows of objects in the order they came.
pub(super) async fn read(
    ctx: &JobContext,
    arrivals: &[Arrival],
    mut out: Outlet,
) -> Result<Remembered, JobError> {
    for arrival in arrivals {
        let key = Key::parse(&arrival.key)?;
        let bytes = ctx.store.get_sized(&key, arrival.size).await?;
        let sha256 = arrival.sha256.clone();
        let decode = move || {
            verify(&key, &bytes, &sha256, bytes.len() as u64)?;
            Ok::<_, crate::io::StoreError>(parquet::decode(bytes))
        };
        let frame = ctx.compute.run(decode).await??;
        let frame = frame.map_err(|source| JobError::Encode {
            what: format!("the pushed rows `{}`", arrival.key),
            source: source.into(),
        })?;
        out.send(frame).await?;
    }
    Ok(Remembered::default())
}

/// The limits of a read. What was acknowledged is stored however much it is: senders are held back
/// before that, and `max_rows` only parts it into runs.
pub(super) fn limits(source: &SourceSpec) -> SourceSpec {
    match &source.kind {
        SourceKind::Push(_) => {
            SourceSpec { max_rows: usize::MAX, max_bytes: u64::MAX, ..source.clone() }
        }
        _ => source.clone(),
    }
}

/// Marks objects in the transaction that stores their rows.
pub(super) async fn mark(
    ctx: &JobContext,
    tx: &mut Connection,
    arrivals: &[Arrival],
) -> Result<(), CatalogError> {
    let ids: Vec<i64> = arrivals.iter().map(|arrival| arrival.id).collect();
    inbox::drained(tx, &ids, (ctx.clock)()).await
}

/// Removes what an ingest is done with. What cannot be removed now is left to the sweep.
pub(super) async fn tidy(ctx: &JobContext, batch: &BatchName) {
    let tidied = async {
        remove_spent(ctx).await?;
        let depth = inbox::depth(&mut *ctx.catalog.reader().await?, batch).await?;
        ctx.metrics.push.set_depth(batch, depth.rows);
        Ok::<_, JobError>(())
    };
    if let Err(error) = tidied.await {
        tracing::warn!(%batch, "could not tidy the inbox: {error}");
    }
}

/// Removes the objects whose rows are points, and answers nobody will ask for again; gives the
/// number of objects.
pub(super) async fn remove_spent(ctx: &JobContext) -> Result<u64, JobError> {
    let spent = inbox::spent(&mut *ctx.catalog.reader().await?).await?;
    for arrival in &spent {
        ctx.store.delete_if_exists(&Key::parse(&arrival.key)?).await?;
    }
    let ids: Vec<i64> = spent.iter().map(|arrival| arrival.id).collect();
    let mut tx = ctx.catalog.begin().await?;
    inbox::forget(&mut tx, &ids).await?;
    push_answers::forget_before(&mut tx, (ctx.clock)() - KEEP_ANSWERS).await?;
    tx.commit().await?;
    Ok(spent.len() as u64)
}
