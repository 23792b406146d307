//! Ingest: asks the source for rows since the last good one minus the lateness, rejects bad rows by
//! reason, and stores what is new or changed. Repeating it stores nothing. Rows are stored while
//! more are read, but none counts before the source has been read to its end.

use crate::{
    catalog::{CatalogError, Connection, runs::Claim, source_memory, watermarks},
    domain::{BatchName, BatchSpec, IngestReport, Remembered, SourceKind},
    sources::{self, Notes, ReadContext},
};

use super::{
    AsOf, JobContext, JobError, inbox, still,
    storing::{Storing, WATERMARK},
};

pub(super) async fn ingest(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    as_of: AsOf,
) -> Result<IngestReport, JobError> {
    let source = sources::fingerprint(&batch.source, batch.timezone);
    let mut reader = ctx.catalog.reader().await?;
    let watermark = watermarks::get(&mut reader, &batch.name, WATERMARK).await?;
    let before = match as_of.is_live {
        true => source_memory::get(&mut reader, &batch.name, &source).await?,
        false => Remembered::default(),
    };
    drop(reader);
    let notes = Notes::default();
    let reading = ReadContext {
        batch,
        now: as_of.now,
        last_timestamp: as_of.read_until(watermark),
        remembered: &before,
        client: &ctx.client,
        program: &ctx.program,
        environment: &ctx.environment,
        notes: &notes,
    };
    let mut storing = Storing::new(ctx, claim, batch, as_of)?;
    let arrivals = inbox::waiting(ctx, batch, as_of).await?;
    let (outlet, mut chunks) = sources::channel(&inbox::limits(&batch.source));
    let read = async {
        match &batch.source.kind {
            SourceKind::Push(_) => inbox::read(ctx, &arrivals, outlet).await,
            _ => Ok(sources::read(&batch.source, &reading, &ctx.compute, outlet).await?),
        }
    };
    let store = async {
        while let Some(frame) = chunks.next().await {
            storing.take(frame).await?;
        }
        Ok::<_, JobError>(())
    };
    // The first failure drops the other side, which ends it.
    let (after, ()) = tokio::try_join!(read, store)?;
    let memory = Memory { is_live: as_of.is_live, source, before, after };
    let is_push = !arrivals.is_empty();
    storing.arrivals = arrivals;
    let report = IngestReport { notes: notes.take(), ..storing.commit(memory).await? };
    if is_push {
        inbox::tidy(ctx, &batch.name).await;
    }
    still::check(ctx, claim, batch, as_of, &report).await?;
    ctx.metrics.rows_ingested(&batch.name, report.rows_stored);
    for (reason, n_rows) in &report.rejected {
        ctx.metrics.rows_rejected(&batch.name, *reason, *n_rows);
    }
    Ok(report)
}

/// What a source remembers of a read.
pub(super) struct Memory {
    pub(super) is_live: bool,
    /// A hash of its settings.
    pub(super) source: String,
    pub(super) before: Remembered,
    pub(super) after: Remembered,
}

impl Memory {
    /// The memory, if it is to be kept and is not kept already. A read of the past leaves none: it
    /// saw less than there is.
    pub(super) fn news(self) -> Option<Self> {
        (self.is_live && self.after != self.before).then_some(self)
    }

    /// Keeps it for the next read.
    pub(super) async fn keep(
        &self,
        tx: &mut Connection,
        batch: &BatchName,
    ) -> Result<(), CatalogError> {
        source_memory::set(tx, batch, &self.source, &self.after).await
    }
}
