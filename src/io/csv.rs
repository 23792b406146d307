//! Frames as CSV. Calls compute: run them on a computing thread.

use bytes::Bytes;
use polars::{
    error::PolarsError,
    prelude::{CsvWriter, DataFrame, SerWriter},
};

/// RFC 3339 in UTC, to the microsecond.
const INSTANT: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

/// Writes a frame with a header; instants as RFC 3339, missing values as nothing.
///
/// # Errors
/// What polars says of a column that has no text form.
pub fn encode(frame: &mut DataFrame) -> Result<Bytes, PolarsError> {
    let mut bytes = Vec::new();
    CsvWriter::new(&mut bytes)
        .include_header(true)
        .with_datetime_format(Some(INSTANT.into()))
        .finish(frame)?;
    Ok(bytes.into())
}
