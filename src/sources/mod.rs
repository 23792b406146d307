//! Where the numbers come from: one module a kind, each sending what it reads as frames through an
//! [`Outlet`], and [`Intake`], which turns frames into points and counts what it leaves out.
//!
//! A read is a stream: the frames it sends are used while it goes on, and what came of them counts
//! only if [`read`] itself succeeds. It may remember what it has seen ([`Remembered`]: a file's size
//! and date, an answer's entity tag): what it gives back takes the place of what it was given, is
//! kept together with its rows or not at all, and is given to the next read, which leaves out what
//! has not changed since. A read of the past and one with other settings remember nothing.
//!
//! Nothing from a source is trusted: every read has a time limit, a row limit and a byte limit, and
//! names and values are only ever data.

mod adbc;
mod blocks;
mod chunks;
mod columns;
mod command;
mod csv;
mod error;
mod file;
mod fingerprint;
pub mod host;
mod intake;
mod lines;
mod notes;
mod position;
mod pushed;
mod rows;
mod series_names;
mod sql;
mod stack;
mod template;
mod unpack;
mod web;
mod words;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod rows_limits_tests;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::Path};

use crate::{
    compute::Compute,
    domain::{AdbcSpec, BatchSpec, Remembered, SourceKind, SourceSpec, Timestamp},
    net::Client,
};

pub use chunks::{Chunks, Outlet, channel};
pub use error::SourceError;
pub use fingerprint::fingerprint;
pub use intake::{Intake, IntakeRules, instant, time_and_value};
pub use notes::Notes;
pub use pushed::rows_of;
pub use series_names::SeriesNames;
pub use web::prometheus_metrics;

/// What one read is about.
#[derive(Debug, Clone, Copy)]
pub struct ReadContext<'a> {
    /// For whom; templates see its name and tags.
    pub batch: &'a BatchSpec,
    /// The instant the read stands for.
    pub now: Timestamp,
    /// The newest observation of the last good read. Templates see it less the source's lateness.
    pub last_timestamp: Option<Timestamp>,
    /// What the last good read with these settings gave back; nothing before it, and when all is
    /// to be read again.
    pub remembered: &'a Remembered,
    /// HTTP clients.
    pub client: &'a Client,
    /// The running executable: what a command named `anomstack` starts.
    pub program: &'a Path,
    /// This process's environment; a command gets `PATH`, `HOME` and the locale of it.
    pub environment: &'a BTreeMap<String, String>,
    /// Takes what the source says beside its rows.
    pub notes: &'a Notes,
}

/// Reads a source once and sends its rows; gives what the next read is to remember. Rows that were
/// sent before an error are not to be used. Dropping the future closes the connection or kills the
/// program. Its time limit counts the time until the rows are taken too.
///
/// # Errors
/// [`SourceError`]: the whole read failed and nothing of it is to be used.
pub async fn read(
    spec: &SourceSpec,
    ctx: &ReadContext<'_>,
    compute: &Compute,
    out: Outlet,
) -> Result<Remembered, SourceError> {
    // The largest of the kinds' states is large; nobody should carry it about.
    let reading = Box::pin(read_untimed(spec, ctx, compute, out));
    let late = |_| SourceError::Timeout { kind: spec.kind.as_str(), limit: spec.timeout };
    tokio::time::timeout(spec.timeout.to_std(), reading).await.map_err(late)?
}

async fn read_untimed(
    spec: &SourceSpec,
    ctx: &ReadContext<'_>,
    compute: &Compute,
    mut out: Outlet,
) -> Result<Remembered, SourceError> {
    match &spec.kind {
        SourceKind::Sql { url, query, query_origin, params } => {
            let query = template::render(query, query_origin, params, spec, ctx)?;
            let query = sql::Query { text: query, origin: query_origin };
            sql::read(url, query, spec.timeout, compute, out).await?;
        }
        SourceKind::File(files) => {
            return Box::pin(file::read(files, spec, ctx, compute, &mut out)).await;
        }
        SourceKind::Http(http) => {
            return web::read_http(http, ctx, compute, &mut out).await;
        }
        SourceKind::Prometheus(prometheus) => {
            web::read_prometheus(prometheus, ctx, compute, &mut out).await?;
        }
        SourceKind::Adbc(adbc) => {
            let AdbcSpec { query, query_origin: origin, params, .. } = adbc;
            let text = template::render(query, origin, params, spec, ctx)?;
            adbc::read(adbc, adbc::Query { text, origin: origin.clone() }, &mut out).await?;
        }
        // What was sent lies in the inbox, which an ingest empties by itself.
        SourceKind::Push(_) => {}
        SourceKind::Command(command) => {
            let (inherited, limit) = (ctx.environment, spec.timeout);
            let call = command::Call { spec: command, inherited, limit, notes: ctx.notes };
            let stdout = Box::pin(command::run(&call, ctx.program)).await?;
            let (place, max_rows) = (format!("the output of `{}`", call.name()), spec.max_rows);
            let parsed = compute.run(move || rows::parse(&stdout, &place, max_rows)).await?;
            out.send(parsed?).await?;
        }
    }
    Ok(Remembered::default())
}
