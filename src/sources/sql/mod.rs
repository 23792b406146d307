//! Rows of a database, read with the user's own query. This is the one place that runs SQL this
//! program did not write: it is sent as it is, over a connection that cannot write.

mod mysql;
mod postgres;
mod sqlite;

#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use polars::prelude::DataFrame;
use sqlx::{Column, Row, error::DatabaseError};

use super::{
    SourceError,
    columns::{Cell, Columns},
    error::scrub,
};
use crate::domain::{Secret, SourceSpec};

/// A rendered query.
#[derive(Debug, Clone)]
pub(super) struct Query<'a> {
    /// Its text.
    pub(super) text: String,
    /// Where its template was read from.
    pub(super) origin: &'a str,
}

/// Runs a query and gives its rows as a frame.
pub(super) async fn read(
    url: &Secret,
    query: Query<'_>,
    spec: &SourceSpec,
) -> Result<DataFrame, SourceError> {
    let scheme = url.reveal().split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("sqlite") => sqlite::read(url, &query, spec.max_rows).await,
        Some("postgres" | "postgresql") => {
            postgres::read(url, &query, spec.max_rows, spec.timeout).await
        }
        Some("mysql" | "mariadb") => mysql::read(url, &query, spec.max_rows, spec.timeout).await,
        Some(_) | None => Err(SourceError::UnknownDatabase),
    }
}

/// How a backend shows the cells of a row.
trait Cells: Row {
    /// Calls `take` with the cell of every column, in order.
    fn each(&self, take: impl FnMut(usize, Cell<'_>)) -> Result<(), sqlx::Error>;
}

/// Collects streamed rows column by column; `None` when there are none.
async fn gather<R: Cells>(
    mut rows: impl Stream<Item = Result<R, sqlx::Error>> + Unpin,
    max_rows: usize,
    refused: impl Fn(sqlx::Error) -> SourceError,
) -> Result<Option<Columns>, SourceError> {
    let mut columns: Option<Columns> = None;
    while let Some(row) = next(&mut rows).await.transpose().map_err(&refused)? {
        let columns = columns
            .get_or_insert_with(|| Columns::new(row.columns().iter().map(Column::name), max_rows));
        columns.open_row()?;
        row.each(|place, cell| columns.put(place, cell)).map_err(&refused)?;
        columns.close_row();
    }
    Ok(columns)
}

/// How long to let rows gather.
const NAP: Duration = Duration::from_millis(1);

/// The next row. SQLite's thread hands over row by row, and being woken for each costs more than
/// reading it; so when none is there this side naps, and is woken only if that brought none either.
async fn next<T>(rows: &mut (impl Stream<Item = T> + Unpin)) -> Option<T> {
    if let Some(ready) = rows.next().now_or_never() {
        return ready;
    }
    tokio::time::sleep(NAP).await;
    rows.next().await
}

/// The sign-in or the network failed.
fn unreachable(database: &'static str, url: &Secret, error: &sqlx::Error) -> SourceError {
    let message = match error {
        // The parser's words quote parts of the URL.
        sqlx::Error::Configuration(_) => "the URL cannot be read".to_owned(),
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    };
    SourceError::Connect { database, message: scrub(&message, [url]) }
}

/// The query failed. `line_of` finds the place in the query, where the database tells it.
fn refused(
    url: &Secret,
    query: &Query<'_>,
    error: &sqlx::Error,
    line_of: impl Fn(&dyn DatabaseError) -> Option<usize>,
) -> SourceError {
    let (line, message) = match error {
        sqlx::Error::Database(error) => (line_of(error.as_ref()), error.message().to_owned()),
        error => (None, error.to_string()),
    };
    let message = scrub(&message, [url]);
    SourceError::Query { origin: query.origin.to_owned(), line, message }
}
