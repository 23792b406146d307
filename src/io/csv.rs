//! Frames as CSV. Calls compute: run them on a computing thread.

use bytes::Bytes;
use polars::{
    error::PolarsError,
    prelude::{ChunkApply, CsvWriter, DataFrame, IntoColumn, IntoSeries, SerWriter},
};

use crate::domain::words;

/// RFC 3339 in UTC, to the microsecond.
const INSTANT: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

/// Makes every text one that a spreadsheet shows instead of computing it.
///
/// # Errors
/// None in practice: only columns of texts are changed.
pub fn defuse(frame: &mut DataFrame) -> Result<(), PolarsError> {
    for n in 0..frame.width() {
        let Ok(texts) = frame.columns()[n].str() else { continue };
        let texts = texts.apply_values(words::cell).into_series().into_column();
        frame.apply_at_idx(n, |_| texts)?;
    }
    Ok(())
}

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
