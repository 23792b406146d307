//! The program's own SQL: what ran, which models are current, what was alerted and what is still
//! to be sent. One file a table, one function a statement; the caller opens the transaction.
//!
//! Writes go through [`Catalog::begin`], the one writer connection; reads through
//! [`Catalog::reader`]. A function that writes and takes a [`Connection`] belongs in a [`Tx`].

mod codec;
mod error;
mod open;

pub mod feedback;
pub mod alerts;
pub mod channel_states;
pub mod configs;
pub mod episodes;
pub mod forget;
pub mod inbox;
pub mod limit_states;
pub mod links;
pub mod messages;
pub mod metrics;
pub mod models;
pub mod outbox;
pub mod pauses;
pub mod push_answers;
pub mod run_log;
pub mod raw_parts;
pub mod readings;
pub mod retrace;
pub mod runs;
pub mod segments;
pub mod snoozes;
pub mod source_memory;
pub mod watermarks;

use std::{
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    sync::Arc,
};

use sqlx::{Sqlite, SqlitePool};

pub use error::CatalogError;
use error::Doing as _;

/// A connection to the catalog: a [`Tx`] or a [`Reader`] lends one.
pub type Connection = sqlx::SqliteConnection;

/// A connection for reading, given back when dropped.
pub type Reader = sqlx::pool::PoolConnection<Sqlite>;

/// The open catalog; cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalog {
    writer: SqlitePool,
    readers: SqlitePool,
    path: Arc<Path>,
}

impl Catalog {
    /// Opens the catalog, makes it when it is missing and brings its schema up to date.
    ///
    /// # Errors
    /// [`CatalogError::Newer`] for a catalog of a later version of this program,
    /// [`CatalogError::Damaged`] for a file that fails SQLite's own check, [`CatalogError::Open`]
    /// and [`CatalogError::Migrate`] for all that SQLite refuses.
    pub async fn open(path: &Path) -> Result<Self, CatalogError> {
        let (writer, readers) = open::pools(path).await?;
        Ok(Self { writer, readers, path: path.into() })
    }

    /// Starts a transaction that holds the write lock from its first moment.
    ///
    /// # Errors
    /// [`CatalogError::Query`] when another process keeps the lock for more than five seconds.
    pub async fn begin(&self) -> Result<Tx, CatalogError> {
        let connection = self.writer.acquire().await.doing("wait for the writing connection")?;
        let mut tx = Tx { connection, ended: Ended::No };
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *tx).await.doing("begin a transaction")?;
        Ok(tx)
    }

    /// A connection that can only read.
    ///
    /// # Errors
    /// [`CatalogError::Query`] when none becomes free.
    pub async fn reader(&self) -> Result<Reader, CatalogError> {
        self.readers.acquire().await.doing("get a connection for reading")
    }

    /// Where the catalog lies.
    pub fn path(&self) -> PathBuf {
        self.path.to_path_buf()
    }

    /// Folds the write-ahead log into the file and closes every connection, also those of clones.
    /// Calling it again does nothing.
    ///
    /// # Errors
    /// [`CatalogError::Query`] when the log cannot be folded in; the catalog is whole all the same.
    pub async fn close(&self) -> Result<(), CatalogError> {
        if self.writer.is_closed() {
            return Ok(());
        }
        self.readers.close().await;
        let folded = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await;
        self.writer.close().await;
        folded.doing("fold in the write-ahead log").map(drop)
    }
}

/// A write transaction. Dropped without [`Tx::commit`] it leaves nothing behind.
///
/// Not `sqlx::Transaction`: when the disk is full SQLite may end a transaction by itself, and the
/// roll-back that then fails leaves that type's count of open transactions wrong for ever. Here a
/// connection whose transaction did not end in order is closed, which rolls back, and replaced.
#[derive(Debug)]
pub struct Tx {
    connection: sqlx::pool::PoolConnection<Sqlite>,
    ended: Ended,
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Committed,
    No,
}

impl Tx {
    /// Makes everything written in it durable.
    ///
    /// # Errors
    /// [`CatalogError::Query`] when the disk refuses; then nothing of it was written.
    pub async fn commit(mut self) -> Result<(), CatalogError> {
        sqlx::query("COMMIT").execute(&mut *self).await.doing("commit a transaction")?;
        self.ended = Ended::Committed;
        Ok(())
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.ended == Ended::No {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for Tx {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests;
