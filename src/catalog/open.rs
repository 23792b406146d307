//! Opening the catalog file: settings, checks, the copy before a migration, the migration.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::error::{CatalogError, Doing as _};

/// Forward only: a line is never changed once released, only added.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "first", include_str!("../../migrations/sqlite/0001_first.sql")),
    (2, "pauses", include_str!("../../migrations/sqlite/0002_pauses.sql")),
    (3, "source_memory", include_str!("../../migrations/sqlite/0003_source_memory.sql")),
    (4, "feedback", include_str!("../../migrations/sqlite/0004_feedback.sql")),
    (5, "push", include_str!("../../migrations/sqlite/0005_push.sql")),
    (6, "challengers", include_str!("../../migrations/sqlite/0006_challengers.sql")),
    (7, "alert_states", include_str!("../../migrations/sqlite/0007_alert_states.sql")),
    (8, "changes", include_str!("../../migrations/sqlite/0008_changes.sql")),
    (9, "merged", include_str!("../../migrations/sqlite/0009_merged.sql")),
    (10, "readings", include_str!("../../migrations/sqlite/0010_readings.sql")),
    (11, "digests", include_str!("../../migrations/sqlite/0011_digests.sql")),
    (12, "taken", include_str!("../../migrations/sqlite/0012_taken.sql")),
];

/// Before it, a checkpoint beside a write could damage the write-ahead log.
const SQLITE_FLOOR: (&str, [u32; 3]) = ("3.51.3", [3, 51, 3]);
/// Checking a larger file would hold up the start for seconds.
const QUICK_CHECK_MAX_BYTES: u64 = 256 << 20;
/// Pages and a worker thread each; two are enough for pages and lists.
const N_READERS: u32 = 2;

/// The writer (one connection) and the readers of a checked, migrated catalog.
pub(super) async fn pools(path: &Path) -> Result<(SqlitePool, SqlitePool), CatalogError> {
    let size_before = prepare(path).await?;
    let open = |source| CatalogError::opening(path, source);
    let writer = pool(1).connect_with(settings(path)).await.map_err(open)?;
    match make_ready(&writer, path, size_before).await {
        Ok(()) => {
            let read_only = settings(path).create_if_missing(false).pragma("query_only", "ON");
            let readers = pool(N_READERS).connect_with(read_only).await.map_err(open)?;
            Ok((writer, readers))
        }
        Err(error) => {
            writer.close().await;
            Err(error)
        }
    }
}

/// Makes the folder; gives the file's size, 0 when there is none yet.
async fn prepare(path: &Path) -> Result<u64, CatalogError> {
    if let Some(folder) = path.parent() {
        let made = tokio::fs::create_dir_all(folder).await;
        made.map_err(|source| CatalogError::Prepare { path: folder.to_owned(), source })?;
    }
    Ok(tokio::fs::metadata(path).await.map_or(0, |file| file.len()))
}

fn pool(n_connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(n_connections)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(30))
}

fn settings(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        .pragma("trusted_schema", "OFF")
        .pragma("mmap_size", "0")
        .pragma("journal_size_limit", "67108864")
}

async fn make_ready(
    writer: &SqlitePool,
    path: &Path,
    size_before: u64,
) -> Result<(), CatalogError> {
    check_sqlite(writer).await?;
    if 0 < size_before && size_before <= QUICK_CHECK_MAX_BYTES {
        check_file(writer, path).await?;
    }
    let known = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
    match schema(writer).await? {
        found if found == known => return Ok(()),
        found if known < found => {
            return Err(CatalogError::Newer { path: path.to_owned(), found, known });
        }
        0 => {}
        found => copy(writer, path, found).await?,
    }
    migrate(writer, path, MIGRATIONS.len()).await
}

/// Brings a catalog up to date with the first so many migrations.
pub(super) async fn migrate(
    writer: &SqlitePool,
    path: &Path,
    n_migrations: usize,
) -> Result<(), CatalogError> {
    let migrations = MIGRATIONS.iter().take(n_migrations).map(|(version, name, sql)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let migrated = Migrator::with_migrations(migrations.collect()).run(writer).await;
    migrated.map_err(|source| CatalogError::Migrate { path: path.to_owned(), source })
}

async fn check_sqlite(writer: &SqlitePool) -> Result<(), CatalogError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(writer)
        .await
        .doing("ask for SQLite's version")?;
    let (floor, minimum) = SQLITE_FLOOR;
    if is_at_least(&found, minimum) {
        Ok(())
    } else {
        Err(CatalogError::OldSqlite { found, floor })
    }
}

fn is_at_least(found: &str, minimum: [u32; 3]) -> bool {
    let parts: Vec<u32> = found.split('.').map_while(|part| part.parse().ok()).collect();
    minimum.as_slice() <= parts.as_slice()
}

async fn check_file(writer: &SqlitePool, path: &Path) -> Result<(), CatalogError> {
    let checked = sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)").fetch_one(writer).await;
    let damaged = |what| CatalogError::Damaged { path: path.to_owned(), what };
    match checked {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(what) => Err(damaged(what)),
        Err(sqlx::Error::Database(said)) => Err(damaged(said.message().to_owned())),
        Err(source) => Err(CatalogError::Open { path: path.to_owned(), source }),
    }
}

/// The version of the newest migration the file has seen; 0 for a new file.
async fn schema(writer: &SqlitePool) -> Result<i64, CatalogError> {
    let has_any: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'",
    )
    .fetch_one(writer)
    .await
    .doing("look for the schema's version")?;
    if has_any == 0 {
        return Ok(0);
    }
    sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations")
        .fetch_one(writer)
        .await
        .doing("read the schema's version")
}

/// Copies the catalog to `catalog.db.before-<version>`, durably, under its name only when whole.
pub(super) async fn copy(
    writer: &SqlitePool,
    path: &Path,
    version: i64,
) -> Result<(), CatalogError> {
    let target = beside(path, &format!(".before-{version}"));
    let partial = beside(path, &format!(".before-{version}.partial"));
    let io = |source| CatalogError::Prepare { path: target.clone(), source };
    match tokio::fs::remove_file(&partial).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    sqlx::query("VACUUM INTO ?1")
        .bind(partial.to_string_lossy().into_owned())
        .execute(writer)
        .await
        .doing("copy the catalog before migrating it")?;
    File::open(&partial).and_then(|file| file.sync_all()).map_err(io)?;
    tokio::fs::rename(&partial, &target).await.map_err(io)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
