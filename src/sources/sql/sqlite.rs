//! SQLite: a file opened read-only, read on a thread of its own that stops when nobody waits any
//! more.
//!
//! This is the one database that is not read through sqlx: its stream hands every row from the
//! library's thread to ours, with each cell copied on the way, which costs several times what
//! reading the row does.

use std::{path::PathBuf, str::FromStr};

use rusqlite::{Connection, Error, OpenFlags, types::ValueRef};
use sqlx::sqlite::SqliteConnectOptions;

use super::{Position, Query, no_columns, unreachable};
use crate::{
    compute::Compute,
    domain::Secret,
    sources::{
        Outlet, SourceError,
        columns::{Cell, Columns},
        error::scrub,
    },
};

/// Virtual machine steps between two looks at whether anyone still waits: well under 10 ms.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

pub(super) async fn read(
    url: &Secret,
    query: Query<'_>,
    compute: &Compute,
    out: Outlet,
) -> Result<(), SourceError> {
    let options =
        SqliteConnectOptions::from_str(url.reveal()).map_err(|e| unreachable("SQLite", url, &e))?;
    let reading = Reading {
        file: options.get_filename().to_owned(),
        url: url.clone(),
        text: query.text,
        origin: query.origin.to_owned(),
    };
    compute.wait(move || reading.run(out)).await?
}

/// One read, on its thread.
struct Reading {
    file: PathBuf,
    url: Secret,
    text: String,
    origin: String,
}

impl Reading {
    fn run(&self, mut out: Outlet) -> Result<(), SourceError> {
        let is_stopped = out.watch();
        let connection = open(&self.file).map_err(|error| self.unreachable(&error))?;
        let refused = |error: Error| self.refused(&error);
        connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_stopped)).map_err(refused)?;
        let mut statement = connection.prepare(&self.text).map_err(refused)?;
        if statement.column_count() == 0 {
            return Err(no_columns(&self.origin));
        }
        let mut columns = Columns::new(statement.column_names(), out.rows_left());
        let n_columns = statement.column_count();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(refused)? {
            columns.open_row()?;
            for place in 0..n_columns {
                let value = row.get_ref(place).map_err(refused)?;
                with_cell(value, |cell| columns.put(place, cell));
            }
            if columns.is_full() {
                out.send_blocking(columns.drain(&self.origin)?)?;
            }
        }
        columns.last(&self.origin)?.map_or(Ok(()), |frame| out.send_blocking(frame))
    }

    fn unreachable(&self, error: &Error) -> SourceError {
        let message = words(error).1;
        // The file is part of the URL, which is not shown.
        let message = message.trim_end_matches(&format!(": {}", self.file.display()));
        SourceError::Connect { database: "SQLite", message: scrub(message, [&self.url]) }
    }

    fn refused(&self, error: &Error) -> SourceError {
        let (offset, message) = words(error);
        let at = offset.and_then(|offset| Position::of_byte(&self.text, offset));
        let message = scrub(&message, [&self.url]);
        SourceError::Query { origin: self.origin.clone(), at, message }
    }
}

fn open(file: &std::path::Path) -> Result<Connection, Error> {
    // Without the flag for URIs a file's name is just its name.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// What SQLite says, and at which byte of the query.
fn words(error: &Error) -> (Option<usize>, String) {
    match error {
        Error::SqlInputError { msg, offset, .. } => (usize::try_from(*offset).ok(), msg.clone()),
        Error::SqliteFailure(_, Some(message)) => (None, message.clone()),
        Error::SqliteFailure(code, None) => (None, code.to_string()),
        Error::MultipleStatement => (None, "it holds more than one statement".into()),
        other => (None, other.to_string()),
    }
}

/// SQLite types cells, not columns.
fn with_cell<T>(value: ValueRef<'_>, take: impl FnOnce(Cell<'_>) -> T) -> T {
    match value {
        ValueRef::Null => take(Cell::Null),
        ValueRef::Integer(number) => take(Cell::Int(number)),
        ValueRef::Real(number) => take(Cell::Float(number)),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => take(Cell::Text(text)),
            Err(_) => take(Cell::Text(&String::from_utf8_lossy(bytes))),
        },
    }
}
