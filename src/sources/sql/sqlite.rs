//! SQLite: a file opened read-only, on a thread that stops when nobody waits any more.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use polars::prelude::DataFrame;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Decode, Executor, Row, SqlSafeStr, Sqlite,
    Statement, TypeInfo, ValueRef,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use super::{Cells, Query, gather, refused, unreachable};
use crate::{
    domain::Secret,
    sources::{
        SourceError,
        columns::{Cell, Columns},
    },
};

/// Rows read ahead: what a nap of the side that takes them leaves time for.
const ROWS_AHEAD: usize = 4_096;
/// Virtual machine steps between two looks at whether anyone still waits: well under 10 ms.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

pub(super) async fn read(
    url: &Secret,
    query: &Query<'_>,
    max_rows: usize,
) -> Result<DataFrame, SourceError> {
    let lost = |e: &sqlx::Error| unreachable("SQLite", url, e);
    let options = SqliteConnectOptions::from_str(url.reveal())
        .map_err(|e| lost(&e))?
        .create_if_missing(false)
        .read_only(true)
        .pragma("query_only", "ON")
        .pragma("trusted_schema", "OFF")
        .row_buffer_size(ROWS_AHEAD)
        .thread_name(|id| format!("source-{id}"))
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(|e| lost(&e))?;
    let (until_dropped, is_dropped) = Waiting::new();
    let mut handle = connection.lock_handle().await.map_err(|e| lost(&e))?;
    handle.set_progress_handler(STEPS_BETWEEN_LOOKS, move || !is_dropped.load(Ordering::Relaxed));
    drop(handle);

    let wrong = |e: sqlx::Error| refused(url, query, &e, |_| None);
    let sql = || AssertSqlSafe(query.text.clone()).into_sql_str();
    let rows = sqlx::query(sql()).persistent(false).fetch(&mut connection);
    let columns = match gather(rows, max_rows, wrong).await? {
        Some(columns) => columns,
        None => {
            // Without a row only the statement itself knows its columns.
            let statement = (&mut connection).prepare(sql()).await.map_err(wrong)?;
            Columns::new(statement.columns().iter().map(sqlx::Column::name), max_rows)
        }
    };
    connection.close().await.map_err(wrong)?;
    drop(until_dropped);
    columns.finish(query.origin)
}

/// Says, by being dropped, that nobody waits for the query any more.
struct Waiting(Arc<AtomicBool>);

impl Waiting {
    fn new() -> (Self, Arc<AtomicBool>) {
        let is_dropped = Arc::new(AtomicBool::new(false));
        (Self(Arc::clone(&is_dropped)), is_dropped)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Cells for SqliteRow {
    fn each(&self, mut take: impl FnMut(usize, Cell<'_>)) -> Result<(), sqlx::Error> {
        for place in 0..self.len() {
            let value = self.try_get_raw(place)?;
            let wrong = |source| sqlx::Error::ColumnDecode { index: place.to_string(), source };
            if value.is_null() {
                take(place, Cell::Null);
                continue;
            }
            // SQLite types cells, not columns.
            let kind = value.type_info();
            match kind.name() {
                "INTEGER" => {
                    let number = <i64 as Decode<'_, Sqlite>>::decode(value).map_err(wrong)?;
                    take(place, Cell::Int(number));
                }
                "REAL" => {
                    let number = <f64 as Decode<'_, Sqlite>>::decode(value).map_err(wrong)?;
                    take(place, Cell::Float(number));
                }
                _ => {
                    let bytes = <&[u8] as Decode<'_, Sqlite>>::decode(value).map_err(wrong)?;
                    match std::str::from_utf8(bytes) {
                        Ok(text) => take(place, Cell::Text(text)),
                        Err(_) => take(place, Cell::Text(&String::from_utf8_lossy(bytes))),
                    }
                }
            }
        }
        Ok(())
    }
}
