//! Rows of a database, read with the user's own query. This is the one place that runs SQL this
//! program did not write: it is sent as it is, over a connection that cannot write.

mod mysql;
mod postgres;
mod sqlite;

#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use sqlx::{Row, error::DatabaseError};

use super::{
    Outlet, SourceError,
    columns::{Cell, Columns},
    error::scrub,
    position::Position,
};
use crate::{
    compute::Compute,
    domain::{Secret, Span},
};

/// A rendered query.
#[derive(Debug, Clone)]
pub(super) struct Query<'a> {
    /// Its text.
    pub(super) text: String,
    /// Where its template was read from.
    pub(super) origin: &'a str,
}

/// Runs a query and sends its rows.
pub(super) async fn read(
    url: &Secret,
    query: Query<'_>,
    limit: Span,
    compute: &Compute,
    mut out: Outlet,
) -> Result<(), SourceError> {
    let scheme = url.reveal().split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("sqlite") => sqlite::read(url, query, compute, out).await,
        Some("postgres" | "postgresql") => postgres::read(url, &query, limit, &mut out).await,
        Some("mysql" | "mariadb") => mysql::read(url, &query, limit, &mut out).await,
        Some(_) | None => Err(SourceError::UnknownDatabase),
    }
}

/// How a backend shows the cells of a row.
trait Cells: Row {
    /// Calls `take` with the cell of every column, in order.
    fn each(&self, take: impl FnMut(usize, Cell<'_>)) -> Result<(), sqlx::Error>;
}

/// Sends rows on as they come, in the columns that the statement was prepared to give.
async fn pour<R: Cells>(
    mut rows: impl Stream<Item = Result<R, sqlx::Error>> + Unpin,
    names: impl Iterator<Item = &str>,
    query: &Query<'_>,
    (out, refused): (&mut Outlet, impl Fn(sqlx::Error) -> SourceError),
) -> Result<(), SourceError> {
    let mut columns = Columns::new(names, out.rows_left());
    while let Some(row) = next(&mut rows).await.transpose().map_err(&refused)? {
        columns.open_row()?;
        row.each(|place, cell| columns.put(place, cell)).map_err(&refused)?;
        columns.close_row();
        if columns.is_full() {
            out.send(columns.drain(query.origin)?).await?;
        }
    }
    match columns.last(query.origin)? {
        Some(frame) => out.send(frame).await,
        None => Ok(()),
    }
}

/// The statement is no query. It could end the transaction it is to run in, or write a file.
fn no_columns(origin: &str) -> SourceError {
    let message = "it gives no columns; only queries are run".to_owned();
    SourceError::Query { origin: origin.to_owned(), at: None, message }
}

/// How long to let rows gather.
const NAP: Duration = Duration::from_millis(1);

/// The next row. A server sends them in small packets, and being woken for each costs more than
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

/// The query failed. `place_of` finds the place in the query, where the database tells it.
fn refused(
    url: &Secret,
    query: &Query<'_>,
    error: &sqlx::Error,
    place_of: impl Fn(&dyn DatabaseError) -> Option<Position>,
) -> SourceError {
    let (at, message) = match error {
        sqlx::Error::Database(error) => (place_of(error.as_ref()), error.message().to_owned()),
        error => (None, error.to_string()),
    };
    let message = scrub(&message, [url]);
    SourceError::Query { origin: query.origin.to_owned(), at, message }
}
