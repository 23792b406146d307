//! Table `run_log`: the lines a run logged, for people.

use serde::Serialize;
use sqlx::{FromRow, Row, sqlite::SqliteRow};

use super::{
    Connection,
    codec::stored_words,
    error::{CatalogError, Doing as _},
};
use crate::domain::{RunId, Timestamp};

stored_words! {
    /// How much a line matters.
    LogLevel {
        /// As it should be.
        Info = "info",
        /// Something was left out or done a second way.
        Warn = "warn",
        /// Someone must act.
        Error = "error",
    }
}

/// One logged line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// How much it matters.
    pub level: LogLevel,
    /// What it says.
    pub message: String,
}

impl FromRow<'_, SqliteRow> for LogLine {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            at: row.try_get("at")?,
            level: row.try_get("level")?,
            message: row.try_get("message")?,
        })
    }
}

/// Adds a line to a run's log.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn add(conn: &mut Connection, run: RunId, line: &LogLine) -> Result<(), CatalogError> {
    sqlx::query("INSERT INTO run_log (run, at, level, message) VALUES (?1, ?2, ?3, ?4)")
        .bind(run)
        .bind(line.at)
        .bind(line.level)
        .bind(&line.message)
        .execute(conn)
        .await
        .doing("add to a run's log")
        .map(drop)
}

/// A run's lines in order.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn lines(conn: &mut Connection, run: RunId) -> Result<Vec<LogLine>, CatalogError> {
    sqlx::query_as("SELECT at, level, message FROM run_log WHERE run = ?1 ORDER BY id")
        .bind(run)
        .fetch_all(conn)
        .await
        .doing("read a run's log")
}
