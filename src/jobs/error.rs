//! Why a whole job failed.

use crate::{
    alerting::PolicyError,
    catalog::CatalogError,
    compute::ComputeError,
    io::{InvalidKey, StoreError},
    series::SeriesError,
    sources::SourceError,
};

/// Why a whole job failed. Single metrics that failed are entries in its report instead.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The source could not be read or made no sense.
    #[error("read the source")]
    Source(#[from] SourceError),
    /// The history could not be read or written.
    #[error("use the history")]
    Series(#[from] SeriesError),
    /// An object could not be read or written.
    #[error("use the store")]
    Store(#[from] StoreError),
    /// A key that cannot name an object.
    #[error("name an object")]
    Key(#[from] InvalidKey),
    /// The catalog refused.
    #[error("use the catalog")]
    Catalog(#[from] CatalogError),
    /// The alert settings cannot be used.
    #[error("use the alert settings")]
    Policy(#[from] PolicyError),
    /// A computation ended without a result.
    #[error("compute")]
    Compute(#[from] ComputeError),
    /// What was just written is not what is read back.
    #[error("verify the new model of `{metric}`: {reason}")]
    Unverified {
        /// Whose model.
        metric: String,
        /// What differs.
        reason: String,
    },
    /// A value could not be written down.
    #[error("encode {what}")]
    Encode {
        /// What was to be encoded.
        what: String,
        /// Why it could not be.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
