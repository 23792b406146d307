//! SQLite: a file opened read-only, read on a thread of its own that stops when nobody waits any
//! more.
//!
//! This is the one database that is not read through sqlx: its stream hands every row from the
//! library's thread to ours, with each cell copied on the way, which costs several times what
//! reading the row does.

use std::{path::PathBuf, str::FromStr};

use rusqlite::{
    Connection, Error, ErrorCode, OpenFlags,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
    types::ValueRef,
};
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
/// Bytes of a cell, whatever the source's own limit is.
const MAX_CELL_BYTES: u64 = 64 << 20;
/// Bytes of a cell that are always read: SQLite reads the tables' definitions as cells too.
const MIN_CELL_BYTES: u64 = 1 << 20;
/// Pragmas that tell about the tables of the file, also when they get a value.
const TABLE_PRAGMAS: [&str; 9] = [
    "collation_list",
    "database_list",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "table_info",
    "table_list",
    "table_xinfo",
];
/// Pragmas that tell a state, and change it when they get a value.
const STATE_PRAGMAS: [&str; 6] =
    ["application_id", "encoding", "page_count", "page_size", "schema_version", "user_version"];

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
        max_bytes: out.max_bytes(),
    };
    compute.wait(move || reading.run(out)).await?
}

/// One read, on its thread.
struct Reading {
    file: PathBuf,
    url: Secret,
    text: String,
    origin: String,
    /// Limit of the source.
    max_bytes: u64,
}

impl Reading {
    fn run(&self, mut out: Outlet) -> Result<(), SourceError> {
        let is_stopped = out.watch();
        let connection =
            open(&self.file, self.max_bytes).map_err(|error| self.unreachable(&error))?;
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
                out.has_room(columns.n_bytes())?;
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
        if error.sqlite_error_code() == Some(ErrorCode::TooBig) {
            let place = "one cell of the database".to_owned();
            return SourceError::TooManyBytes { place, max_bytes: most_per_cell(self.max_bytes) };
        }
        let (offset, message) = words(error);
        let at = offset.and_then(|offset| Position::of_byte(&self.text, offset));
        let message = scrub(&message, [&self.url]);
        SourceError::Query { origin: self.origin.clone(), at, message }
    }
}

fn open(file: &std::path::Path, max_bytes: u64) -> Result<Connection, Error> {
    // Without the flag for URIs a file's name is just its name.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, most_per_cell(max_bytes) as i32)?;
    connection.authorizer(Some(|context: AuthContext<'_>| may(&context.action)))?;
    Ok(connection)
}

/// Bytes of a cell that are read: more than [`MAX_CELL_BYTES`] never.
fn most_per_cell(max_bytes: u64) -> u64 {
    max_bytes.clamp(MIN_CELL_BYTES, MAX_CELL_BYTES)
}

/// What a query may do. Some pragmas, as `hard_heap_limit`, are about the whole process.
fn may(action: &AuthAction<'_>) -> Authorization {
    match action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => Authorization::Deny,
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let is_one_of =
                |known: &[&str]| known.iter().any(|k| k.eq_ignore_ascii_case(pragma_name));
            let is_harmless =
                is_one_of(&TABLE_PRAGMAS) || pragma_value.is_none() && is_one_of(&STATE_PRAGMAS);
            if is_harmless { Authorization::Allow } else { Authorization::Deny }
        }
        _ => Authorization::Allow,
    }
}

/// What SQLite says, and at which byte of the query.
fn words(error: &Error) -> (Option<usize>, String) {
    match error {
        error if error.sqlite_error_code() == Some(ErrorCode::AuthorizationForStatementDenied) => {
            let message = "it may not use ATTACH, DETACH, or a PRAGMA that does more than describe \
                           the file's tables";
            (None, message.into())
        }
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
