//! The shop's SQLite file. Written under another name and renamed when whole, so that a killed
//! demo leaves no half of one.

use std::{fs, path::Path};

use anyhow::Context;
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::domain::Timestamp;

/// The end of the history in the file; `None` when there is no file.
pub(super) async fn newest(path: &Path) -> anyhow::Result<Option<Timestamp>> {
    if !path.exists() {
        return Ok(None);
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let query = "SELECT ends_at FROM shop_history ORDER BY ends_at DESC LIMIT 1";
    let row = sqlx::query(query)
        .fetch_one(&mut connection)
        .await
        .with_context(|| format!("read {}; remove it to start the demo anew", path.display()))?;
    connection.close().await?;
    Ok(Some(Timestamp::parse(row.try_get("ends_at")?)?))
}

/// Writes the history.
pub(super) async fn create(
    path: &Path,
    end: Timestamp,
    rows: &[(&'static str, Timestamp, f64)],
) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    }
    let unfinished = path.with_extension("db.new");
    if unfinished.exists() {
        fs::remove_file(&unfinished)?;
    }
    let options = SqliteConnectOptions::new().filename(&unfinished).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let mut tx = connection.begin().await?;
    let tables = "CREATE TABLE shop_metrics (timestamp TEXT NOT NULL, metric TEXT NOT NULL, \
                  value REAL NOT NULL, PRIMARY KEY (timestamp, metric)) WITHOUT ROWID, STRICT;
                  CREATE TABLE shop_history (ends_at TEXT NOT NULL) STRICT;";
    sqlx::raw_sql(tables).execute(&mut *tx).await?;
    for (metric, at, value) in rows {
        sqlx::query("INSERT INTO shop_metrics (timestamp, metric, value) VALUES (?1, ?2, ?3)")
            .bind(at.to_string())
            .bind(*metric)
            .bind(*value)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("INSERT INTO shop_history (ends_at) VALUES (?1)")
        .bind(end.to_string())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    connection.close().await?;
    fs::rename(&unfinished, path).with_context(|| format!("write {}", path.display()))
}
