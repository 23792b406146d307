//! Frames as CSV. Calls compute: run them on a computing thread.

use std::io::Cursor;

use bytes::Bytes;
use polars::{
    error::PolarsError,
    prelude::{
        ChunkApply, CsvReadOptions, CsvWriter, DataFrame, IntoColumn, IntoSeries, SerReader,
        SerWriter,
    },
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

/// Reads a frame with a header; the types of its columns are found from all of its rows.
///
/// # Errors
/// What polars says of text that is no table.
pub fn decode(bytes: Bytes) -> Result<DataFrame, PolarsError> {
    let options = CsvReadOptions::default().with_has_header(true).with_infer_schema_length(None);
    options
        .map_parse_options(|parse| parse.with_try_parse_dates(true))
        .into_reader_with_file_handle(Cursor::new(bytes))
        .finish()
}

/// Memory the frame of a text takes: a row may leave out what the header names.
pub fn room(bytes: &[u8]) -> u64 {
    const CELL_BYTES: u64 = 16;
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let n_columns = 1 + memchr::memchr_iter(b',', header).count() as u64;
    let n_rows = memchr::memchr_iter(b'\n', bytes).count() as u64;
    let cells = n_columns.saturating_mul(n_rows).saturating_mul(CELL_BYTES);
    cells.saturating_add(bytes.len() as u64)
}
