//! Frames as Parquet. Calls compute: run them on a computing thread.

use std::{io::Cursor, ops::Range, sync::Arc};

use bytes::Bytes;
use polars::{
    error::PolarsError,
    io::parquet::metadata::{FileMetadata, FileMetadataRef},
    prelude::{
        DataFrame, LazyFrame, ParallelStrategy, ParquetCompression, ParquetReader, ParquetWriter,
        ScanArgsParquet, ScanSources, SerReader, StatisticsOptions,
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
    let mut bytes = Vec::new();
    let written = writer(&mut bytes, compression).finish(frame);
    written.map_err(|source| ParquetError::Encode { source })?;
    Ok(bytes.into())
}

/// Writes frames of one schema as one, each a row group of it.
///
/// # Errors
/// [`ParquetError::Encode`] for a column the format has no type for.
pub fn encode_all(frames: &[DataFrame], compression: Compression) -> Result<Bytes, ParquetError> {
    let mut bytes = Vec::new();
    let wrong = |source| ParquetError::Encode { source };
    let schema = frames.first().map(|frame| frame.schema().as_ref().clone()).unwrap_or_default();
    let mut writer = writer(&mut bytes, compression).batched(&schema).map_err(wrong)?;
    for frame in frames {
        writer.write_batch(frame).map_err(wrong)?;
    }
    writer.finish().map_err(wrong)?;
    drop(writer);
    Ok(bytes.into())
}

fn writer(bytes: &mut Vec<u8>, compression: Compression) -> ParquetWriter<&mut Vec<u8>> {
    let compression = match compression {
        Compression::Off => ParquetCompression::Uncompressed,
        Compression::Zstd => ParquetCompression::Zstd(None),
    };
    ParquetWriter::new(bytes)
        .with_compression(compression)
        .with_statistics(StatisticsOptions::default())
        .with_row_group_size(Some(ROW_GROUP_ROWS))
}

/// Reads a whole frame.
///
/// # Errors
/// [`ParquetError::Decode`] for bytes that are no Parquet file.
pub fn decode(bytes: Bytes) -> Result<DataFrame, ParquetError> {
    let reader = ParquetReader::new(Cursor::new(bytes));
    reader.finish().map_err(|source| ParquetError::Decode { source })
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

/// Reads what a lazy frame asks for.
///
/// # Errors
/// [`ParquetError::Decode`] when the file does not hold it.
pub fn collect(frame: LazyFrame) -> Result<DataFrame, ParquetError> {
    frame.collect().map_err(|source| ParquetError::Decode { source })
}

/// A file's bytes, read piece by piece, for jobs that only ever ask for stretches of rows: a lazy
/// frame would bring polars' query engine with 12 MiB of code and a dozen threads into the daemon.
pub struct File {
    bytes: Bytes,
    groups: Vec<RowGroup>,
}

/// One row group of a file: what is cheapest to read at once.
pub struct RowGroup {
    n_rows: usize,
    /// The file's, as if this were its only row group: the reader looks at every one it is told of.
    metadata: FileMetadataRef,
}

impl RowGroup {
    /// How many rows it has.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }
}

impl File {
    /// Reads what the file says about itself.
    ///
    /// # Errors
    /// [`ParquetError::Decode`] for bytes that are no Parquet file.
    pub fn open(bytes: Bytes) -> Result<Self, ParquetError> {
        let mut reader = ParquetReader::new(Cursor::new(bytes.clone()));
        let metadata = reader.get_metadata().map_err(|source| ParquetError::Decode { source })?;
        let mut shared = FileMetadata::clone(metadata);
        let groups = std::mem::take(&mut shared.row_groups).into_iter().map(|group| {
            let n_rows = group.num_rows();
            let metadata = FileMetadata { row_groups: vec![group], ..shared.clone() };
            RowGroup { n_rows, metadata: Arc::new(metadata) }
        });
        Ok(Self { groups: groups.collect(), bytes })
    }

    /// The row groups in order.
    pub fn row_groups(&self) -> &[RowGroup] {
        &self.groups
    }

    /// Reads a stretch of a row group's rows, of some columns or of all.
    ///
    /// # Errors
    /// [`ParquetError::Decode`] when the file does not hold them.
    pub fn read(
        &self,
        group: &RowGroup,
        rows: Range<usize>,
        columns: Option<&[&str]>,
    ) -> Result<DataFrame, ParquetError> {
        let names = columns.map(|names| names.iter().map(ToString::to_string).collect());
        let mut reader = ParquetReader::new(Cursor::new(self.bytes.clone()));
        reader.set_metadata(Arc::clone(&group.metadata));
        reader
            .with_columns(names)
            .with_slice(Some((rows.start, rows.len())))
            .read_parallel(ParallelStrategy::None)
            .finish()
            .map_err(|source| ParquetError::Decode { source })
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::Column;

    use super::*;

    fn frame() -> DataFrame {
        let names: Vec<_> = (0..1_000).map(|row| (row / 100).to_string()).collect();
        let values: Vec<_> = (0..1_000).map(|row| (row != 7).then_some(f64::from(row))).collect();
        let columns = vec![Column::new("name".into(), names), Column::new("v".into(), values)];
        DataFrame::new_infer_height(columns).unwrap()
    }

    #[test]
    fn a_frame_comes_back_whole_or_in_part_and_the_same_frame_gives_the_same_bytes() {
        for compression in [Compression::Off, Compression::Zstd] {
            let bytes = encode(&mut frame(), compression).unwrap();
            assert_eq!(encode(&mut frame(), compression).unwrap(), bytes);
            assert!(decode(bytes.clone()).unwrap().equals_missing(&frame()));
            let file = File::open(bytes).unwrap();
            let [group] = file.row_groups() else { panic!("{}", file.row_groups().len()) };
            assert_eq!(group.n_rows(), 1_000);
            let some = file.read(group, 990..999, Some(&["v"])).unwrap();
            assert!(some.equals_missing(&frame().select(["v"]).unwrap().slice(990, 9)));
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
