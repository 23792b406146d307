//! Rows that are sent instead of asked for. A body becomes observations by the rules of every
//! source; the good ones are stored in the batch's inbox before it is acknowledged, and the batch's
//! next ingest makes points of them.
//!
//! One [`Clerk`] stores what all requests brought: while it waits for the disk, more of them gather,
//! and the next trip takes them together. So a disk that syncs a hundred times a second takes
//! thousands of small requests a second.

mod body;
mod clerk;
mod remote_write;
mod shape;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use body::{Coding, Form};
pub use clerk::Clerk;

use crate::{
    catalog::{Catalog, CatalogError, inbox, inbox::Depth},
    compute::{Compute, ComputeError},
    domain::{BatchName, BatchSpec, IngestReport, PushSpec, RejectReason, Series, Timestamp},
    io::{Store, sha256_hex},
    sources::{Intake, IntakeRules, SourceError},
};

/// Memory for bodies that are being unpacked and stored, in MiB.
const ROOM_MIB: u32 = 256;
/// What a byte of an unpacked body takes while rows are made of it.
const ROOM_PER_BYTE: usize = 3;
/// Bodies that wait for the clerk.
const N_WAITING: usize = 256;
/// Longest key a sender may give.
pub const MAX_KEY_BYTES: usize = 255;

/// A body as it came.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The body.
    pub body: Bytes,
    /// How it is packed.
    pub coding: Coding,
    /// What it is.
    pub form: Form,
    /// The sender's name for it: the same key and body are stored once.
    pub key: Option<String>,
}

/// What became of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Observations that are durable now and will be ingested.
    pub accepted: u64,
    /// Observations left out, by reason.
    pub rejected: BTreeMap<RejectReason, u64>,
    /// Some of them in words.
    pub rejected_examples: Vec<String>,
    /// Columns that were not understood.
    pub ignored_columns: Vec<String>,
}

impl Receipt {
    /// Whether something was left out that the sender got wrong. Missing and infinite values,
    /// repeated rows and excluded metrics are in order.
    pub fn has_faults(&self) -> bool {
        use RejectReason::{BadName, BadTimestamp, Future, NotNumeric};
        let is_fault = |reason| matches!(reason, BadName | BadTimestamp | Future | NotNumeric);
        self.rejected.keys().copied().any(is_fault)
    }
}

/// A body that is not acknowledged. Nothing of it is stored, unless storing it was under way when
/// something failed; sending it again is always right.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is not what it claims to be.
    #[error("{0}")]
    Malformed(String),
    /// It is larger than it may be.
    #[error("{0}")]
    TooLarge(String),
    /// Another body came with the same key.
    #[error("another body came with this Idempotency-Key")]
    KeyTaken,
    /// Enough waits already.
    #[error("{0}; try again later")]
    Full(String),
    /// It could not be stored.
    #[error("the rows could not be stored; try again later")]
    Unavailable,
}

/// The way in: takes bodies and answers when they are durable.
#[derive(Debug)]
pub struct Inbox {
    catalog: Catalog,
    compute: Compute,
    clock: fn() -> Timestamp,
    room: Semaphore,
    to_clerk: mpsc::Sender<Parcel>,
}

/// Observations on their way to the clerk.
#[derive(Debug)]
struct Parcel {
    batch: BatchName,
    series: Vec<Series>,
    receipt: Receipt,
    /// The sender's key and the body's checksum.
    key: Option<(String, String)>,
    answer: oneshot::Sender<Result<Receipt, Refusal>>,
}

/// An inbox and the clerk who serves it.
pub fn open(
    (catalog, store, compute): (Catalog, Store, Compute),
    clock: fn() -> Timestamp,
) -> (Inbox, Clerk) {
    let (to_clerk, parcels) = mpsc::channel(N_WAITING);
    let clerk = Clerk::new(parcels, (catalog.clone(), store), compute.clone(), clock);
    let room = Semaphore::new(ROOM_MIB as usize);
    (Inbox { catalog, compute, clock, room, to_clerk }, clerk)
}

impl Inbox {
    /// How much of a batch waits; refuses when that is as much as may.
    ///
    /// # Errors
    /// [`Refusal::Full`], and [`Refusal::Unavailable`] when the catalog cannot be asked.
    pub async fn admit(&self, batch: &BatchName, spec: &PushSpec) -> Result<Depth, Refusal> {
        let depth = self.depth(batch).await.map_err(|error| unavailable(&error))?;
        let limits = spec.inbox;
        let is_old = depth.oldest.is_some_and(|oldest| limits.age <= (self.clock)() - oldest);
        let full =
            |what: String| Err(Refusal::Full(format!("the inbox of `{batch}` is full: {what}")));
        if limits.rows <= depth.rows {
            return full(format!("{} rows wait", depth.rows));
        }
        if limits.bytes <= depth.bytes {
            return full(format!("{} bytes wait", depth.bytes));
        }
        if is_old {
            return full(format!("rows wait for {} already", limits.age));
        }
        Ok(depth)
    }

    async fn depth(&self, batch: &BatchName) -> Result<Depth, CatalogError> {
        inbox::depth(&mut *self.catalog.reader().await?, batch).await
    }

    /// Takes a body in; its rows are durable when this gives a receipt.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn accept(
        &self,
        batch: &BatchSpec,
        spec: &PushSpec,
        letter: Letter,
    ) -> Result<Receipt, Refusal> {
        let key = letter.key.clone().map(|key| (key, sha256_hex(&letter.body)));
        let n_bytes = body::unpacked_at_most(&letter, spec.max_body)?;
        let mib = (n_bytes.saturating_mul(ROOM_PER_BYTE) >> 20) + 1;
        let mib = u32::try_from(mib).unwrap_or(ROOM_MIB).min(ROOM_MIB);
        let Ok(_room) = self.room.acquire_many(mib).await else { return Err(Refusal::Unavailable) };
        let mut rules = IntakeRules::of(batch, (self.clock)());
        if letter.form == Form::RemoteWrite {
            // Its columns are made here, by their own names.
            rules.naming.columns.clear();
        }
        let (name, naming, max_body) = (batch.name.clone(), spec.name.clone(), spec.max_body);
        let opened = self.compute.run(move || {
            let limits =
                body::Limits { max_bytes: max_body, naming: naming.as_deref(), batch: &name };
            let frame = body::read(letter, &limits)?;
            observations(&frame, &rules)
        });
        let (series, report) = opened.await.map_err(|error| unavailable(&error))??;
        let receipt = receipt(&series, report);
        if series.is_empty() && key.is_none() {
            return Ok(receipt);
        }
        let (answer, answered) = oneshot::channel();
        let parcel = Parcel { batch: batch.name.clone(), series, receipt, key, answer };
        self.to_clerk.send(parcel).await.map_err(|_| Refusal::Unavailable)?;
        answered.await.unwrap_or(Err(Refusal::Unavailable))
    }
}

fn observations(
    frame: &DataFrame,
    rules: &IntakeRules,
) -> Result<(Vec<Series>, IngestReport), Refusal> {
    let mut intake = Intake::new(rules).map_err(|error| malformed(&error))?;
    intake.take(frame).map_err(|error| malformed(&error))?;
    if body::MAX_ROWS < intake.n_waiting() {
        let message = format!("a body may hold {} observations; send several", body::MAX_ROWS);
        return Err(Refusal::TooLarge(message));
    }
    let series = intake.drain();
    Ok((series, intake.report()))
}

fn receipt(series: &[Series], report: IngestReport) -> Receipt {
    Receipt {
        accepted: series.iter().map(|series| series.at.len() as u64).sum(),
        rejected: report.rejected,
        rejected_examples: report.rejected_examples,
        ignored_columns: report.ignored_columns,
    }
}

fn malformed(error: &SourceError) -> Refusal {
    Refusal::Malformed(error.to_string())
}

/// What failed goes to the log, not to the sender.
fn unavailable(error: &(dyn std::error::Error + 'static)) -> Refusal {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let chain: Vec<String> = causes.map(ToString::to_string).collect();
    tracing::error!("could not take pushed rows: {}", chain.join(": "));
    Refusal::Unavailable
}

impl From<ComputeError> for Refusal {
    fn from(error: ComputeError) -> Self {
        unavailable(&error)
    }
}
