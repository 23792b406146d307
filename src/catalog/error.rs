//! What the catalog can fail at.

use std::path::{Path, PathBuf};

use crate::domain::RunId;

/// What the catalog can fail at.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file cannot be opened or made.
    #[error("open catalog `{path}`")]
    Open {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The disk has no room for the files beside the catalog.
    #[error("open catalog `{path}`: the disk is full")]
    DiskFull {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The folder of the catalog cannot be made, or a file beside it cannot be handled.
    #[error("prepare `{path}`")]
    Prepare {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The SQLite in use is known to damage catalogs.
    #[error("SQLite {found} can damage write-ahead logs; {floor} or newer is needed")]
    OldSqlite {
        /// The version in use.
        found: String,
        /// The oldest that is safe.
        floor: &'static str,
    },
    /// A later version of this program wrote it.
    #[error(
        "catalog `{path}` has schema {found}, and this program knows {known} at most; \
             run the newer program"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// SQLite's own check of the file fails.
    #[error("catalog `{path}` is damaged ({what}); restore it from a copy")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// The first fault found.
        what: String,
    },
    /// The schema cannot be brought up to date; it is as it was before.
    #[error("migrate catalog `{path}`")]
    Migrate {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
    /// A statement failed.
    #[error("{doing}")]
    Query {
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The run was taken over, cancelled or finished; nothing more may be written for it.
    #[error("commit for run {run}: it no longer belongs to this worker")]
    Fenced {
        /// Which run.
        run: RunId,
    },
    /// Segments that were to be replaced are no longer live; plan anew.
    #[error("replace segments: another compaction was faster")]
    SegmentsChanged,
    /// A stored JSON text cannot be read, or a value cannot be written as one.
    #[error("{doing}")]
    Json {
        /// What was being done.
        doing: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl CatalogError {
    /// A catalog that cannot be opened, with a full disk told apart.
    pub(super) fn opening(path: &Path, source: sqlx::Error) -> Self {
        /// SQLite's `FULL`, and `IOERR_SHMSIZE`: no room for the index of the write-ahead log.
        const FULL: [&str; 2] = ["13", "4874"];
        let path = path.to_owned();
        let code = source.as_database_error().and_then(|error| error.code());
        if code.is_some_and(|code| FULL.contains(&code.as_ref())) {
            return Self::DiskFull { path, source };
        }
        Self::Open { path, source }
    }
}

/// Says what was being done when a statement failed.
pub(super) trait Doing<T> {
    /// Turns the failure into a [`CatalogError`].
    fn doing(self, what: &'static str) -> Result<T, CatalogError>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, what: &'static str) -> Result<T, CatalogError> {
        self.map_err(|source| CatalogError::Query { doing: what, source })
    }
}

impl<T> Doing<T> for Result<T, serde_json::Error> {
    fn doing(self, what: &'static str) -> Result<T, CatalogError> {
        self.map_err(|source| CatalogError::Json { doing: what, source })
    }
}
