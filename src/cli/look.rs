//! Reading a source outside a run: nothing is stored, and neither store nor catalog is opened.

use std::{collections::BTreeMap, time::Instant};

use anyhow::Context;
use polars::prelude::DataFrame;

use crate::{
    compute::Compute,
    config::{self, Environment},
    domain::{BatchSpec, Remembered, Timestamp},
    net::Client,
    sources::{self, Notes, ReadContext, SourceError},
};

/// What reading needs besides a batch.
pub(super) struct Looker {
    compute: Compute,
    client: Client,
    program: std::path::PathBuf,
    environment: BTreeMap<String, String>,
    nothing: Remembered,
    notes: Notes,
}

/// A read that went well.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Done {
    pub(super) seconds: f64,
    pub(super) rows: usize,
    /// In memory.
    pub(super) bytes: usize,
    /// What the source said beside its rows.
    pub(super) notes: Vec<String>,
}

impl Looker {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            compute: Compute::new(0)?,
            client: Client::new(),
            program: config::program().context("find this program's own file")?,
            environment: Environment::from_process().into_inner(),
            nothing: Remembered::default(),
            notes: Notes::default(),
        })
    }

    /// What a first read is about.
    pub(super) fn context<'a>(&'a self, batch: &'a BatchSpec, now: Timestamp) -> ReadContext<'a> {
        ReadContext {
            batch,
            now,
            last_timestamp: None,
            remembered: &self.nothing,
            client: &self.client,
            program: &self.program,
            environment: &self.environment,
            notes: &self.notes,
        }
    }

    /// One read of a batch's source, as if the newest stored point were of `since`. Each frame is
    /// shown to `take`, which says whether to go on.
    pub(super) async fn read(
        &self,
        batch: &BatchSpec,
        (now, since): (Timestamp, Option<Timestamp>),
        mut take: impl FnMut(DataFrame) -> Wish,
    ) -> Result<Done, SourceError> {
        let context = ReadContext { last_timestamp: since, ..self.context(batch, now) };
        let started = Instant::now();
        let (outlet, mut chunks) = sources::channel(&batch.source);
        let (mut rows, mut bytes, mut is_enough) = (0, 0, false);
        let taking = async {
            while let Some(frame) = chunks.next().await {
                rows += frame.height();
                bytes += frame.estimated_size();
                if take(frame) == Wish::Enough {
                    is_enough = true;
                    break;
                }
            }
            // The source is told by it that nobody waits for more.
            drop(chunks);
        };
        let reading = sources::read(&batch.source, &context, &self.compute, outlet);
        let (read, ()) = tokio::join!(reading, taking);
        match read {
            Err(error) if !(is_enough && matches!(error, SourceError::Stopped)) => Err(error),
            Ok(_) | Err(_) => {
                let (seconds, notes) = (started.elapsed().as_secs_f64(), self.notes.take());
                Ok(Done { seconds, rows, bytes, notes })
            }
        }
    }

    /// The first frames of a read, up to so many rows or a few more.
    pub(super) async fn sample(
        &self,
        batch: &BatchSpec,
        now: Timestamp,
        n_rows: usize,
    ) -> Result<Vec<DataFrame>, SourceError> {
        let (mut frames, mut n_taken) = (Vec::new(), 0);
        let take = |frame: DataFrame| {
            n_taken += frame.height();
            frames.push(frame);
            if n_rows <= n_taken { Wish::Enough } else { Wish::More }
        };
        self.read(batch, (now, None), take).await?;
        Ok(frames)
    }
}

/// Whether a reader wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    More,
    Enough,
}

/// A frame's cells as texts, row by row.
pub(super) fn texts(frame: &DataFrame) -> Vec<Vec<Option<String>>> {
    let cell = |column: &polars::prelude::Column, row: usize| {
        let value = column.get(row).ok().filter(|value| !value.is_null())?;
        Some(value.str_value().into_owned())
    };
    (0..frame.height())
        .map(|row| frame.columns().iter().map(|column| cell(column, row)).collect())
        .collect()
}
