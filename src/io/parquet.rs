//! Frames as Parquet. Calls compute: run them on a computing thread.

use std::sync::Arc;

use bytes::Bytes;
use polars::{
    error::PolarsError,
    prelude::{
        DataFrame, LazyFrame, ParquetCompression, ParquetWriter, ScanArgsParquet, ScanSources,
        StatisticsOptions,
    },
};

/// Rows of a row group: what a filter on a sorted column can skip, and what is decoded at once.
const ROW_GROUP_ROWS: usize = 65_536;

/// Whether columns are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Plain encoded columns.
    Off,
    /// Zstandard.
    Zstd,
}

impl From<bool> for Compression {
    fn from(is_on: bool) -> Self {
        if is_on { Self::Zstd } else { Self::Off }
    }
}

/// A frame that could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ParquetError {
    /// The frame does not fit the format.
    #[error("encode a parquet file")]
    Encode {
        /// What the encoder said.
        source: PolarsError,
    },
    /// The bytes are no Parquet file, or not this one.
    #[error("decode a parquet file")]
    Decode {
        /// What the decoder said.
        source: PolarsError,
    },
}

/// Writes a frame. The same frame gives the same bytes.
///
/// # Errors
/// [`ParquetError::Encode`] for a column the format has no type for.
pub fn encode(frame: &mut DataFrame, compression: Compression) -> Result<Bytes, ParquetError> {
    let compression = match compression {
        Compression::Off => ParquetCompression::Uncompressed,
        Compression::Zstd => ParquetCompression::Zstd(None),
    };
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(compression)
        .with_statistics(StatisticsOptions::default())
        .with_row_group_size(Some(ROW_GROUP_ROWS))
        .finish(frame)
        .map_err(|source| ParquetError::Encode { source })?;
    Ok(bytes.into())
}

/// Reads a whole frame.
///
/// # Errors
/// [`ParquetError::Decode`] for bytes that are no Parquet file.
pub fn decode(bytes: Bytes) -> Result<DataFrame, ParquetError> {
    collect(scan(bytes)?)
}

/// A lazy frame over a file's bytes: filters and column choices reach into the file.
///
/// # Errors
/// [`ParquetError::Decode`] for bytes that are no Parquet file.
pub fn scan(bytes: Bytes) -> Result<LazyFrame, ParquetError> {
    let sources = ScanSources::Buffers(Arc::from([Vec::from(bytes).into()]));
    LazyFrame::scan_parquet_sources(sources, ScanArgsParquet::default())
        .map_err(|source| ParquetError::Decode { source })
}

/// Reads what a lazy frame asks for.
///
/// # Errors
/// [`ParquetError::Decode`] when the file does not hold it.
pub fn collect(frame: LazyFrame) -> Result<DataFrame, ParquetError> {
    frame.collect().map_err(|source| ParquetError::Decode { source })
}
