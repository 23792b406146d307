//! PostgreSQL: one statement in a read-only transaction with a time limit of its own.
//!
//! Rows are asked for over the simple protocol, which sends every cell as text: NUMERIC and all
//! other types come through without a decoder for each binary form. That protocol would run
//! several statements, one of which could end the transaction; so the query is prepared first,
//! which the server refuses for more than one.

use std::str::FromStr;

use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Row, SqlSafeStr, Statement,
    TypeInfo, ValueRef,
    error::DatabaseError,
    postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgErrorPosition, PgRow},
};

use super::{Cells, Position, Query, no_columns, pour, refused, unreachable};
use crate::{
    domain::{Secret, Span},
    sources::{Outlet, SourceError, columns::Cell},
};

pub(super) async fn read(
    url: &Secret,
    query: &Query<'_>,
    limit: Span,
    out: &mut Outlet,
) -> Result<(), SourceError> {
    let lost = |e: &sqlx::Error| unreachable("PostgreSQL", url, e);
    let options = PgConnectOptions::from_str(url.reveal())
        .map_err(|e| lost(&e))?
        .application_name("anomstack")
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(|e| lost(&e))?;
    begin_read_only(&mut connection, limit).await.map_err(|e| lost(&e))?;

    let wrong = |e: sqlx::Error| refused(url, query, &e, |e| place_of(e, &query.text));
    let sql = || AssertSqlSafe(query.text.clone()).into_sql_str();
    let statement = (&mut connection).prepare(sql()).await.map_err(wrong)?;
    if statement.columns().is_empty() {
        return Err(no_columns(query.origin));
    }
    let names = statement.columns().iter().map(Column::name);
    let rows = sqlx::raw_sql(sql()).fetch(&mut connection);
    pour(rows, names, query, (out, wrong)).await?;
    connection.close().await.map_err(wrong)
}

/// The server ends the statement by itself too, should this side vanish.
async fn begin_read_only(connection: &mut PgConnection, timeout: Span) -> Result<(), sqlx::Error> {
    let millis = (timeout.micros() / 1_000).clamp(1, i64::from(i32::MAX));
    let begin = format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {millis}");
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(connection).await?;
    Ok(())
}

fn place_of(error: &dyn DatabaseError, query: &str) -> Option<Position> {
    match error.try_downcast_ref::<PgDatabaseError>()?.position()? {
        PgErrorPosition::Original(character) => Position::of_char(query, character.checked_sub(1)?),
        PgErrorPosition::Internal { .. } => None,
    }
}

impl Cells for PgRow {
    fn each(&self, mut take: impl FnMut(usize, Cell<'_>)) -> Result<(), sqlx::Error> {
        for place in 0..self.len() {
            let value = self.try_get_raw(place)?;
            if value.is_null() {
                take(place, Cell::Null);
                continue;
            }
            let wrong = |source| sqlx::Error::ColumnDecode { index: place.to_string(), source };
            let text = value.as_str().map_err(wrong)?;
            take(place, cell(value.type_info().name(), text));
        }
        Ok(())
    }
}

/// A cell by the name of its type; what is not as the type says stays text.
fn cell<'a>(kind: &str, text: &'a str) -> Cell<'a> {
    let number = match kind {
        "INT2" | "INT4" | "INT8" | "OID" => text.parse().map(Cell::Int).ok(),
        // The server writes `NaN` and `Infinity`, which read as what they are.
        "FLOAT4" | "FLOAT8" | "NUMERIC" => text.parse().map(Cell::Float).ok(),
        "BOOL" => Some(Cell::Int(i64::from(text == "t"))),
        _ => None,
    };
    number.unwrap_or(Cell::Text(text))
}
