//! MySQL and MariaDB: one statement in a read-only transaction with a time limit of its own.
//!
//! As with PostgreSQL, rows come over the text protocol, which would run several statements; so the
//! query is prepared first, which the server refuses for more than one. A statement that gives no
//! columns (`SET`, `CALL`, `BEGIN NOT ATOMIC`, `SELECT … INTO OUTFILE`) could end the transaction or
//! write a file, and is refused before it runs.

use std::str::FromStr;

use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Decode, Executor, MySql, Row, SqlSafeStr,
    Statement, TypeInfo, ValueRef,
    mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow},
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
    let lost = |e: &sqlx::Error| unreachable("MySQL", url, e);
    let options = MySqlConnectOptions::from_str(url.reveal())
        .map_err(|e| lost(&e))?
        // The user's SQL means what it means in any other client of theirs.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        // Without a zone of the session's, TIMESTAMP cells could not be told apart by it.
        .timezone(Some("+00:00".into()))
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(|e| lost(&e))?;
    begin_read_only(&mut connection, limit).await.map_err(|e| lost(&e))?;

    let wrong = |e: sqlx::Error| refused(url, query, &e, |e| place_of(e.message()));
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

/// The server ends the statement by itself too, should this side vanish. The two servers have two
/// names for that.
async fn begin_read_only(
    connection: &mut MySqlConnection,
    timeout: Span,
) -> Result<(), sqlx::Error> {
    let row = sqlx::raw_sql("SELECT VERSION()").fetch_one(&mut *connection).await?;
    let value = row.try_get_raw(0)?;
    let version = <&str as Decode<'_, MySql>>::decode(value).map_err(sqlx::Error::Decode)?;
    let millis = (timeout.micros() / 1_000).clamp(1, i64::from(i32::MAX));
    let limit = match version.contains("MariaDB") {
        true => format!("SET SESSION max_statement_time = {}", millis as f64 / 1e3),
        false => format!("SET SESSION max_execution_time = {millis}"),
    };
    let begin = format!("{limit}; SET SESSION TRANSACTION READ ONLY; START TRANSACTION READ ONLY");
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(connection).await?;
    Ok(())
}

/// The server ends its words about a syntax error with the line.
fn place_of(message: &str) -> Option<Position> {
    let line = message.rsplit_once(" at line ")?.1.parse().ok()?;
    Some(Position { line, column: None })
}

impl Cells for MySqlRow {
    fn each(&self, mut take: impl FnMut(usize, Cell<'_>)) -> Result<(), sqlx::Error> {
        for place in 0..self.len() {
            let value = self.try_get_raw(place)?;
            if value.is_null() {
                take(place, Cell::Null);
                continue;
            }
            let wrong = |source| sqlx::Error::ColumnDecode { index: place.to_string(), source };
            let kind = value.type_info().name().to_owned();
            let bytes = <&[u8] as Decode<'_, MySql>>::decode(value).map_err(wrong)?;
            put(&kind, bytes, |cell| take(place, cell));
        }
        Ok(())
    }
}

/// A cell by the name of its type; what is not as the type says stays text.
fn put(kind: &str, bytes: &[u8], take: impl FnOnce(Cell<'_>)) {
    if kind == "BIT" && bytes.len() <= 8 {
        let whole = bytes.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        return take(i64::try_from(whole).map_or(Cell::Float(whole as f64), Cell::Int));
    }
    let text = String::from_utf8_lossy(bytes);
    match kind.split(' ').next().unwrap_or_default() {
        "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" | "YEAR" | "FLOAT"
        | "DOUBLE" | "DECIMAL" => take(number(&text)),
        // An instant, written in the session's zone; a DATETIME stays a civil time.
        "TIMESTAMP" => take(Cell::Text(&format!("{text}+00:00"))),
        _ => take(Cell::Text(&text)),
    }
}

/// A whole number where it is one; an unsigned one beyond `i64` becomes the nearest float.
fn number(text: &str) -> Cell<'_> {
    match (text.parse(), text.parse()) {
        (Ok(whole), _) => Cell::Int(whole),
        (Err(_), Ok(number)) => Cell::Float(number),
        (Err(_), Err(_)) => Cell::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_s_line_is_found_in_its_words() {
        let line = |message| place_of(message).map(|at| at.line);
        assert_eq!(line("You have an error near 'x' at line 3"), Some(3));
        assert_eq!(line("Unknown column 'at line ' in 'field list'"), None);
    }
}
