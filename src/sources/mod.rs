//! Where the numbers come from: one module a kind, each turning what it reads into one frame, and
//! [`intake()`], which turns frames into points and counts what it leaves out.
//!
//! Nothing from a source is trusted: every read has a time limit and a row limit, and names and
//! values are only ever data.

mod columns;
mod command;

mod error;
mod file;
mod gzip;
pub mod host;

mod intake;
mod notes;
mod rows;
mod sql;
mod stack;
mod template;
mod web;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::Path};

use polars::prelude::DataFrame;

use crate::{
    compute::Compute,
    domain::{BatchSpec, SourceKind, SourceSpec, Timestamp},
    net::Client,
};

pub use error::SourceError;
pub use intake::{Intake, IntakeRules, instant, intake, time_and_value};
pub use notes::Notes;

/// What one read is about.
#[derive(Debug, Clone, Copy)]
pub struct ReadContext<'a> {
    /// For whom; templates see its name and tags.
    pub batch: &'a BatchSpec,
    /// The instant the read stands for.
    pub now: Timestamp,
    /// The newest observation of the last good read. Templates see it less the source's lateness.
    pub last_timestamp: Option<Timestamp>,
    /// HTTP clients.
    pub client: &'a Client,
    /// The running executable: what a command named `anomstack` starts.
    pub program: &'a Path,
    /// This process's environment; a command gets `PATH`, `HOME` and the locale of it.
    pub environment: &'a BTreeMap<String, String>,
    /// Takes what the source says beside its rows.
    pub notes: &'a Notes,
}

/// Reads a source once. Dropping the future closes the connection or kills the program.
///
/// # Errors
/// [`SourceError`]: the whole read failed and nothing of it is to be used.
pub async fn read(
    spec: &SourceSpec,
    ctx: &ReadContext<'_>,
    compute: &Compute,
) -> Result<DataFrame, SourceError> {
    let answer = tokio::time::timeout(spec.timeout.to_std(), read_untimed(spec, ctx, compute));
    let late = |_| SourceError::Timeout { kind: spec.kind.as_str(), limit: spec.timeout };
    answer.await.map_err(late)?
}

async fn read_untimed(
    spec: &SourceSpec,
    ctx: &ReadContext<'_>,
    compute: &Compute,
) -> Result<DataFrame, SourceError> {
    match &spec.kind {
        SourceKind::Sql { url, query, query_origin, params } => {
            let query = template::render(query, query_origin, params, spec, ctx)?;
            sql::read(url, sql::Query { text: query, origin: query_origin }, spec).await
        }
        SourceKind::File { path } => file::read(path, spec.max_rows, compute).await,
        SourceKind::Http(spec) => web::read_http(spec, ctx, compute).await,
        SourceKind::Prometheus(spec) => web::read_prometheus(spec, ctx, compute).await,
        SourceKind::Command(command) => {
            let (inherited, limit) = (ctx.environment, spec.timeout);
            let call = command::Call { spec: command, inherited, limit, notes: ctx.notes };
            let stdout = Box::pin(command::run(&call, ctx.program)).await?;
            let (place, max_rows) = (format!("the output of `{}`", call.name()), spec.max_rows);
            compute.run(move || rows::parse(&stdout, &place, max_rows)).await?
        }
    }
}
