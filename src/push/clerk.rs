//! Stores what requests brought, all that came together as one object a batch and one transaction.
//! A request is answered when both are durable.

use std::collections::{BTreeMap, HashMap};

use polars::prelude::{Column, DataFrame, DataType, NamedFrom, PolarsError, TimeUnit, TimeZone};
use tokio::sync::mpsc;

use super::{Parcel, Receipt, Refusal, unavailable};
use crate::{
    catalog::{
        Catalog, CatalogError,
        inbox::{self, Arrival},
        push_answers::{self, Answered},
    },
    compute::{Compute, ComputeError},
    domain::{BatchName, Series, Timestamp},
    io::{
        Store, StoreError, WriteMode, layout,
        parquet::{self, Compression, ParquetError},
        sha256_hex,
    },
};

/// Rows that are stored together; more wait for the next trip.
const MAX_ROWS: u64 = 2_000_000;

/// Why a trip failed. All of it is tried again by its senders.
#[derive(Debug, thiserror::Error)]
enum ClerkError {
    #[error("use the catalog")]
    Catalog(#[from] CatalogError),
    #[error("store pushed rows")]
    Store(#[from] StoreError),
    #[error("encode pushed rows")]
    Compute(#[from] ComputeError),
    #[error("encode pushed rows")]
    Encode(#[from] ParquetError),
    #[error("keep an answer")]
    Answer(#[from] serde_json::Error),
}

/// Stores what requests brought.
#[derive(Debug)]
pub struct Clerk {
    parcels: mpsc::Receiver<Parcel>,
    catalog: Catalog,
    store: Store,
    compute: Compute,
    clock: fn() -> Timestamp,
    n_objects: u64,
}

/// What becomes of a parcel with a key.
enum Known {
    /// The key is new.
    No,
    /// The same body came before.
    Same(Receipt),
    /// Another body came before.
    Other,
}

impl Clerk {
    pub(super) fn new(
        parcels: mpsc::Receiver<Parcel>,
        (catalog, store): (Catalog, Store),
        compute: Compute,
        clock: fn() -> Timestamp,
    ) -> Self {
        Self { parcels, catalog, store, compute, clock, n_objects: 0 }
    }

    /// Works until every [`Inbox`](super::Inbox) is gone.
    pub async fn work(mut self) {
        while let Some(first) = self.parcels.recv().await {
            let mut n_rows = first.receipt.accepted;
            let mut group = vec![first];
            while n_rows < MAX_ROWS
                && let Ok(next) = self.parcels.try_recv()
            {
                n_rows += next.receipt.accepted;
                group.push(next);
            }
            self.serve(group).await;
        }
    }

    async fn serve(&mut self, group: Vec<Parcel>) {
        let (mut fresh, repeated) = match self.sort_out(group).await {
            Ok(sorted) => sorted,
            // The parcels are gone, which their senders take for a failure.
            Err(error) => return drop(unavailable(&error)),
        };
        let stored = self.store(&mut fresh).await;
        let is_stored = stored.map_err(|error| unavailable(&error)).is_ok();
        for parcel in fresh {
            let answer = if is_stored { Ok(parcel.receipt) } else { Err(Refusal::Unavailable) };
            // Nobody waits any more: the sender has gone, and may send again.
            drop(parcel.answer.send(answer));
        }
        for parcel in repeated {
            let answer = if is_stored { Ok(parcel.receipt) } else { Err(Refusal::Unavailable) };
            drop(parcel.answer.send(answer));
        }
    }

    /// Parts the parcels to store from those whose key and body came before, here or in an earlier
    /// trip, and answers those whose key came with another body.
    async fn sort_out(&self, group: Vec<Parcel>) -> Result<(Vec<Parcel>, Vec<Parcel>), ClerkError> {
        let (mut fresh, mut repeated): (Vec<Parcel>, Vec<Parcel>) = (Vec::new(), Vec::new());
        let mut here: HashMap<(BatchName, String), (String, Receipt)> = HashMap::new();
        for mut parcel in group {
            let Some((key, body)) = parcel.key.clone() else {
                fresh.push(parcel);
                continue;
            };
            let place = (parcel.batch.clone(), key);
            let known = match here.get(&place) {
                Some((other, receipt)) if *other == body => Known::Same(receipt.clone()),
                Some(_) => Known::Other,
                None => self.look_up(&place.0, &place.1, &body).await?,
            };
            match known {
                Known::No => {
                    here.insert(place, (body, parcel.receipt.clone()));
                    fresh.push(parcel);
                }
                Known::Same(receipt) => {
                    parcel.receipt = receipt;
                    repeated.push(parcel);
                }
                Known::Other => drop(parcel.answer.send(Err(Refusal::KeyTaken))),
            }
        }
        Ok((fresh, repeated))
    }

    async fn look_up(&self, batch: &BatchName, key: &str, body: &str) -> Result<Known, ClerkError> {
        let answered = push_answers::get(&mut *self.catalog.reader().await?, batch, key).await?;
        Ok(match answered {
            None => Known::No,
            Some(answered) if answered.body_sha256 == body => {
                Known::Same(serde_json::from_str(&answered.answer)?)
            }
            Some(_) => Known::Other,
        })
    }

    async fn store(&mut self, parcels: &mut [Parcel]) -> Result<(), ClerkError> {
        if parcels.is_empty() {
            return Ok(());
        }
        let mut by_batch: BTreeMap<BatchName, Vec<Series>> = BTreeMap::new();
        for parcel in parcels.iter_mut() {
            let series = std::mem::take(&mut parcel.series);
            by_batch.entry(parcel.batch.clone()).or_default().extend(series);
        }
        let mut arrivals = Vec::new();
        for (batch, series) in by_batch.into_iter().filter(|(_, series)| !series.is_empty()) {
            arrivals.push(self.write(batch, series).await?);
        }
        let now = (self.clock)();
        let mut tx = self.catalog.begin().await?;
        for arrival in &arrivals {
            inbox::add(&mut tx, arrival, now).await?;
        }
        for parcel in parcels {
            let Some((key, body_sha256)) = parcel.key.clone() else { continue };
            let answered =
                Answered { body_sha256, answer: serde_json::to_string(&parcel.receipt)? };
            push_answers::keep(&mut tx, (&parcel.batch, &key), &answered, now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Writes a batch's rows as one object.
    async fn write(
        &mut self,
        batch: BatchName,
        series: Vec<Series>,
    ) -> Result<Arrival, ClerkError> {
        let encode = move || {
            let mut frame = frame(&series).map_err(|source| ParquetError::Encode { source })?;
            let bytes = parquet::encode(&mut frame, Compression::Off)?;
            let sha256 = sha256_hex(&bytes);
            Ok::<_, ParquetError>((frame.height() as u64, sha256, bytes))
        };
        let (n_rows, sha256, bytes) = self.compute.run(encode).await??;
        let size = bytes.len() as u64;
        loop {
            self.n_objects += 1;
            let key = layout::inbox_key(&batch, (self.clock)(), self.n_objects);
            match self.store.put(&key, bytes.clone(), WriteMode::CreateOnly).await {
                // Of another life of this program, under a clock that was put back.
                Err(StoreError::AlreadyExists { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    let key = key.to_string();
                    return Ok(Arrival { id: 0, batch, key, n_rows, size, sha256 });
                }
            }
        }
    }
}

/// The columns every source's rows may have, in the order of arrival.
fn frame(series: &[Series]) -> Result<DataFrame, PolarsError> {
    let n_rows = series.iter().map(|series| series.at.len()).sum();
    let (mut metric, mut at) = (Vec::with_capacity(n_rows), Vec::with_capacity(n_rows));
    let mut value = Vec::with_capacity(n_rows);
    for series in series {
        metric.extend(std::iter::repeat_n(series.metric.as_str(), series.at.len()));
        at.extend(series.at.iter().map(|at| at.micros()));
        value.extend_from_slice(&series.value);
    }
    let instant = DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
    DataFrame::new(
        n_rows,
        vec![
            Column::new("metric".into(), metric),
            polars::prelude::Series::new("timestamp".into(), at).cast(&instant)?.into(),
            Column::new("value".into(), value),
        ],
    )
}
