//! Parquet row group by row group: of each, only its own bytes are read, put into a small file of
//! their own in memory and decoded. Reading through a memory map would end the process when somebody
//! else cuts the file short.

use std::{
    fs::File,
    io::{Cursor, Seek, SeekFrom},
    ops::Range,
};

use polars::prelude::{DataFrame, ParallelStrategy, ParquetReader, SerReader};
use polars_parquet_format::{
    FileMetaData, RowGroup,
    thrift::protocol::{TCompactOutputProtocol, TOutputProtocol},
};

use crate::{
    io::{
        Allowance,
        claims::{
            Wrong,
            parquet::{self as claims, bytes_at, first_byte},
        },
    },
    sources::{
        SourceError, rows,
        unpack::{refused, unreadable},
    },
};

const MAGIC: &[u8; 4] = b"PAR1";
/// Bytes of one row group.
const LARGEST_GROUP: u64 = 1 << 30;
/// Rows decoded at once.
const ROWS_AT_ONCE: usize = 131_072;

/// The frames of a file.
pub(super) struct Frames {
    file: File,
    n_bytes: u64,
    place: String,
    allowance: Allowance,
    /// The file's description without its row groups.
    metadata: FileMetaData,
    groups: std::vec::IntoIter<RowGroup>,
    /// The row group that is being read, as a file of its own, and the rows that are left of it.
    open: Option<(Vec<u8>, Range<usize>)>,
    has_given: bool,
}

/// Reads what the file says about itself.
pub(super) fn frames(
    mut file: File,
    place: &str,
    allowance: &Allowance,
) -> Result<Frames, SourceError> {
    let mut metadata = claims::footer(&mut file).map_err(|wrong| refused(wrong, place))?;
    let n_bytes = file.seek(SeekFrom::End(0)).map_err(|error| unreadable(error, place))?;
    let groups = std::mem::take(&mut metadata.row_groups).into_iter();
    let (place, allowance) = (place.to_owned(), allowance.clone());
    Ok(Frames { file, n_bytes, place, allowance, metadata, groups, open: None, has_given: false })
}

impl Frames {
    fn next_frame(&mut self) -> Result<Option<DataFrame>, SourceError> {
        if self.open.as_ref().is_none_or(|(_, left)| left.is_empty()) {
            self.open = match self.groups.next() {
                Some(group) => {
                    let n_rows = usize::try_from(group.num_rows).unwrap_or_default();
                    Some((self.extract(group)?, 0..n_rows))
                }
                // A file without rows still has columns.
                None if !self.has_given => Some((self.file_of(Vec::new(), Vec::new(), 0)?, 0..0)),
                None => return Ok(None),
            };
        }
        let Some((bytes, left)) = &mut self.open else { return Ok(None) };
        let n_rows = left.len().min(ROWS_AT_ONCE);
        let slice = (left.start, n_rows);
        left.start += n_rows;
        self.has_given = true;
        let frame = ParquetReader::new(Cursor::new(bytes.as_slice()))
            .read_parallel(ParallelStrategy::None)
            .with_slice(Some(slice))
            .finish();
        frame.map(Some).map_err(|error| rows::decode(&self.place, &error.to_string()))
    }

    /// A row group's own bytes as a file of their own.
    fn extract(&mut self, mut group: RowGroup) -> Result<Vec<u8>, SourceError> {
        let place = self.place.clone();
        let wrong = |message: String| rows::decode(&place, &message);
        let range = self.range_of(&group).map_err(&wrong)?;
        let start = range.start;
        let mut bytes = MAGIC.to_vec();
        let read = bytes_at(&mut self.file, range);
        bytes.extend(read.map_err(|e| wrong(format!("its row group at byte {start}: {e}")))?);
        let shift = i64::try_from(start).unwrap_or_default() - MAGIC.len() as i64;
        for column in &mut group.columns {
            (column.offset_index_offset, column.offset_index_length) = (None, None);
            (column.column_index_offset, column.column_index_length) = (None, None);
            if let Some(meta) = &mut column.meta_data {
                meta.data_page_offset -= shift;
                meta.dictionary_page_offset = meta.dictionary_page_offset.map(|at| at - shift);
                meta.index_page_offset = None;
                (meta.bloom_filter_offset, meta.bloom_filter_length) = (None, None);
                meta.statistics = None;
                let own = first_byte(meta).zip(usize::try_from(meta.total_compressed_size).ok());
                let own = own.and_then(|(at, n_bytes)| bytes.get(at..at.checked_add(n_bytes)?));
                let own = own.unwrap_or_default();
                claims::check_column(own, meta, &self.allowance).map_err(|what| match what {
                    Wrong::Claim(what) => wrong(format!("its row group at byte {start}: {what}")),
                    Wrong::Read(error) => unreadable(error, &place),
                })?;
            }
        }
        let n_rows = group.num_rows;
        self.file_of(bytes, vec![group], n_rows)
    }

    /// Where a row group's columns lie, all of them within the file.
    fn range_of(&self, group: &RowGroup) -> Result<Range<u64>, String> {
        let (mut start, mut end) = (u64::MAX, 0);
        for column in &group.columns {
            if column.file_path.is_some() {
                return Err("it keeps its columns in other files".into());
            }
            let meta = column.meta_data.as_ref().filter(|_| column.crypto_metadata.is_none());
            let meta = meta.ok_or("its columns are encrypted")?;
            let first = first_byte(meta).map(|at| at as u64);
            let place = first.zip(u64::try_from(meta.total_compressed_size).ok());
            let end_of = place.and_then(|(first, n_bytes)| first.checked_add(n_bytes));
            match (place, end_of) {
                (Some((first, _)), Some(last)) if last <= self.n_bytes => {
                    (start, end) = (start.min(first), end.max(last));
                }
                _ => return Err(format!("a column lies beyond its end at byte {}", self.n_bytes)),
            }
        }
        if group.columns.is_empty() {
            return Err("it has a row group without columns".into());
        }
        if LARGEST_GROUP < end - start {
            let (size, most) = ((end - start) >> 20, LARGEST_GROUP >> 20);
            return Err(format!("a row group of {size} MiB; at most {most} MiB can be read"));
        }
        Ok(start..end)
    }

    /// Puts a footer under the bytes of row groups.
    fn file_of(
        &self,
        mut bytes: Vec<u8>,
        row_groups: Vec<RowGroup>,
        num_rows: i64,
    ) -> Result<Vec<u8>, SourceError> {
        let metadata = FileMetaData { row_groups, num_rows, ..self.metadata.clone() };
        if bytes.is_empty() {
            bytes.extend(MAGIC);
        }
        let start = bytes.len();
        let mut output = TCompactOutputProtocol::new(&mut bytes);
        let written = metadata.write_to_out_protocol(&mut output).and_then(|_| output.flush());
        written.map_err(|error| rows::decode(&self.place, &error.to_string()))?;
        let n_footer = u32::try_from(bytes.len() - start).unwrap_or(u32::MAX);
        bytes.extend(n_footer.to_le_bytes());
        bytes.extend(MAGIC);
        Ok(bytes)
    }
}

impl Iterator for Frames {
    type Item = Result<DataFrame, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.next_frame().transpose();
        if matches!(frame, Some(Err(_))) {
            (self.open, self.groups, self.has_given) = (None, Vec::new().into_iter(), true);
        }
        frame
    }
}
