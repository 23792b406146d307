//! Table `limit_states`: how far the points of metrics with limits were held against them.

use std::collections::BTreeMap;

use sqlx::{Row, sqlite::SqliteRow};

use super::{
    Connection,
    codec::{count, uncount},
    error::{CatalogError, Doing as _},
};
use crate::domain::{BatchName, LimitState, MetricName};

/// The states of a batch's metrics; one whose points were never judged has none.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn all(
    conn: &mut Connection,
    batch: &BatchName,
) -> Result<BTreeMap<MetricName, LimitState>, CatalogError> {
    let read = |row: &SqliteRow| {
        let number = |column| row.try_get(column).map(size);
        let state = LimitState {
            judged: row.try_get("judged")?,
            n_beyond: number("n_beyond")?,
            n_within: number("n_within")?,
            n_since: row.try_get::<Option<i64>, _>("n_since")?.map(size),
        };
        Ok((row.try_get("metric")?, state))
    };
    let rows = sqlx::query(
        "SELECT metric, judged, n_beyond, n_within, n_since FROM limit_states
         WHERE batch = ?1 ORDER BY metric",
    )
    .bind(batch)
    .fetch_all(conn)
    .await
    .doing("read how far limits were looked at")?;
    let states: Result<_, sqlx::Error> = rows.iter().map(read).collect();
    states.doing("read how far limits were looked at")
}

fn size(n: i64) -> usize {
    usize::try_from(uncount(n)).unwrap_or(usize::MAX)
}

/// Keeps a metric's state.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn set(
    conn: &mut Connection,
    batch: &BatchName,
    metric: &MetricName,
    state: &LimitState,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO limit_states (batch, metric, judged, n_beyond, n_within, n_since)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (batch, metric) DO UPDATE SET judged = excluded.judged,
             n_beyond = excluded.n_beyond, n_within = excluded.n_within, n_since = excluded.n_since",
    )
    .bind(batch)
    .bind(metric)
    .bind(state.judged)
    .bind(count(state.n_beyond as u64))
    .bind(count(state.n_within as u64))
    .bind(state.n_since.map(|n| count(n as u64)))
    .execute(conn)
    .await
    .doing("keep how far limits were looked at")
    .map(drop)
}
