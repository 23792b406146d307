//! Frames as Parquet. Calls compute: run them on a computing thread.

use std::sync::Arc;

use bytes::Bytes;
use polars::{
    error::PolarsError,
    prelude::{
        DataFrame, IdxSize, LazyFrame, ParquetCompression, ParquetWriter, ScanArgsParquet,
        ScanSources, StatisticsOptions,
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
    let mut options = ScanArgsParquet { glob: false, cache: false, ..Default::default() };
    // Partition values are read from paths; bytes have none.
    options.hive_options.enabled = Some(false);
    LazyFrame::scan_parquet_sources(sources, options)
        .map_err(|source| ParquetError::Decode { source })
}

/// A file of so many rows in the row groups [`encode`] made, in order.
pub fn row_groups(file: &LazyFrame, n_rows: u64) -> Vec<LazyFrame> {
    let group = |nth: u64| {
        let from = i64::try_from(nth * ROW_GROUP_ROWS as u64).unwrap_or(i64::MAX);
        file.clone().slice(from, ROW_GROUP_ROWS as IdxSize)
    };
    (0..n_rows.div_ceil(ROW_GROUP_ROWS as u64)).map(group).collect()
}

/// Reads what a lazy frame asks for.
///
/// # Errors
/// [`ParquetError::Decode`] when the file does not hold it.
pub fn collect(frame: LazyFrame) -> Result<DataFrame, ParquetError> {
    frame.collect().map_err(|source| ParquetError::Decode { source })
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, col, lit};

    use super::*;

    fn frame() -> DataFrame {
        let names: Vec<_> = (0..1_000).map(|row| (row / 100).to_string()).collect();
        let values: Vec<_> = (0..1_000).map(|row| (row != 7).then_some(f64::from(row))).collect();
        let columns = vec![Column::new("name".into(), names), Column::new("v".into(), values)];
        DataFrame::new_infer_height(columns).unwrap()
    }

    #[test]
    fn a_frame_comes_back_whole_or_filtered_and_the_same_frame_gives_the_same_bytes() {
        for compression in [Compression::Off, Compression::Zstd] {
            let bytes = encode(&mut frame(), compression).unwrap();
            assert_eq!(encode(&mut frame(), compression).unwrap(), bytes);
            assert!(decode(bytes.clone()).unwrap().equals_missing(&frame()));
            let some = scan(bytes).unwrap().filter(col("v").gt_eq(lit(990.0)));
            assert_eq!(collect(some).unwrap().height(), 10);
        }
        let [off, zstd] =
            [false, true].map(|is_on| encode(&mut frame(), is_on.into()).unwrap().len());
        assert!(zstd < off, "{zstd} {off}");
    }

    #[test]
    fn what_is_no_parquet_file_is_an_error() {
        let bytes = encode(&mut frame(), Compression::Zstd).unwrap();
        let n_bytes = bytes.len();
        for cut in [bytes.slice(..0), bytes.slice(..n_bytes / 2), bytes.slice(1..)] {
            assert!(matches!(decode(cut), Err(ParquetError::Decode { .. })));
        }
    }
}
