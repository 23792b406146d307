//! Parquet: the footer and the pages.

use std::{
    io::{self, Cursor, Read, Seek, SeekFrom},
    ops::Range,
};

use polars_parquet_format::{
    ColumnMetaData, FileMetaData, PageHeader, RowGroup, Type,
    thrift::protocol::TCompactInputProtocol,
};

use super::Wrong;
use crate::io::Allowance;

const MAGIC: &[u8; 4] = b"PAR1";
/// Length of the footer, and the magic bytes.
const TAIL: u64 = 8;
/// A footer describes a file; one over this describes nothing that could be read.
const LONGEST_FOOTER: u64 = 256 << 20;
/// Length of a page's header.
const LONGEST_HEADER: usize = 16 << 20;

/// Reads what a file says about itself, and where that begins.
///
/// # Errors
/// [`Wrong::Claim`] when there is no footer that can be read.
pub fn footer(file: &mut (impl Read + Seek)) -> Result<FileMetaData, Wrong> {
    let wrong = |message: String| Wrong::Claim(message);
    let n_bytes = file.seek(SeekFrom::End(0)).map_err(Wrong::Read)?;
    if n_bytes < TAIL + 4 {
        return Err(wrong("it is too short for a Parquet file".into()));
    }
    let tail = bytes_at(file, n_bytes - TAIL..n_bytes).map_err(Wrong::Read)?;
    let [a, b, c, d, magic @ ..] = tail.as_slice() else {
        return Err(wrong("it has no footer".into()));
    };
    let n_footer = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
    let at = n_bytes - TAIL;
    if magic != MAGIC || at < n_footer || LONGEST_FOOTER < n_footer {
        return Err(wrong(format!("no Parquet footer at byte {at}; the file may be cut off")));
    }
    let start = at - n_footer;
    let footer = bytes_at(file, start..at).map_err(Wrong::Read)?;
    // The description of a footer takes more room than the footer.
    let room = footer.len().saturating_mul(32).saturating_add(1 << 20);
    let mut input = TCompactInputProtocol::new(footer.as_slice(), room);
    FileMetaData::read_from_in_protocol(&mut input)
        .map_err(|e| wrong(format!("the footer at byte {start} cannot be read: {e}")))
}

/// Reads a stretch of a file, all of it or nothing.
///
/// # Errors
/// The error of the file, also when it ends early.
pub fn bytes_at(file: &mut (impl Read + Seek), range: Range<u64>) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(range.start))?;
    let n_bytes = range.end - range.start;
    let mut bytes = Vec::new();
    file.take(n_bytes).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < n_bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// Looks at every page of a whole file, and at how much room its rows will take.
///
/// # Errors
/// [`Wrong::Claim`] with the byte; [`Wrong::Read`] when more would come out than is allowed.
pub fn check(bytes: &[u8], allowance: &Allowance) -> Result<(), Wrong> {
    let footer = footer(&mut Cursor::new(bytes))?;
    // A page may be told of many times.
    let columns =
        footer.row_groups.iter().flat_map(|group| group.columns.iter().map(move |c| (group, c)));
    for (group, column) in columns {
        let meta = column.meta_data.as_ref().filter(|_| column.crypto_metadata.is_none());
        let meta = meta.ok_or_else(|| Wrong::Claim("its columns are encrypted".into()))?;
        let own = first_byte(meta).zip(usize::try_from(meta.total_compressed_size).ok());
        let own = own.and_then(|(at, n_bytes)| bytes.get(at..at.checked_add(n_bytes)?));
        let own = own.ok_or_else(|| {
            Wrong::Claim(format!("a column lies beyond its end at byte {}", bytes.len()))
        })?;
        allowance.spend(room(group, meta)).map_err(Wrong::Read)?;
        check_column(own, meta, allowance)?;
    }
    Ok(())
}

/// Room that a column's values take in memory, without their text: a page can hold any number of
/// equal values in a few bytes.
fn room(group: &RowGroup, meta: &ColumnMetaData) -> u64 {
    let width = match meta.type_ {
        Type::BOOLEAN => 1,
        Type::INT32 | Type::FLOAT => 4,
        Type::INT64 | Type::DOUBLE | Type::INT96 => 8,
        _ => 16,
    };
    let n_values = meta.num_values.max(group.num_rows).max(0).unsigned_abs();
    n_values.saturating_mul(width)
}

/// Where a column's pages begin.
pub fn first_byte(meta: &ColumnMetaData) -> Option<usize> {
    let dictionary = meta.dictionary_page_offset.filter(|at| 0 < *at);
    usize::try_from(dictionary.unwrap_or(i64::MAX).min(meta.data_page_offset)).ok()
}

/// Looks at every page of a column, whose bytes these are, and spends what they unpack to.
///
/// # Errors
/// [`Wrong::Claim`] with the byte of the column; [`Wrong::Read`] when the allowance is spent.
pub fn check_column(
    column: &[u8],
    meta: &ColumnMetaData,
    allowance: &Allowance,
) -> Result<(), Wrong> {
    let mut at = 0;
    let mut n_left = meta.num_values;
    while at < column.len() && 0 < n_left {
        let wrong = |what: &str| Wrong::Claim(format!("the page at byte {at} of a column: {what}"));
        let mut rest = Cursor::new(&column[at..]);
        let mut input = TCompactInputProtocol::new(&mut rest, LONGEST_HEADER);
        let header = PageHeader::read_from_in_protocol(&mut input)
            .map_err(|error| wrong(&error.to_string()))?;
        let start = at + usize::try_from(rest.position()).unwrap_or(column.len());
        let n_packed = usize::try_from(header.compressed_page_size).ok();
        let end = n_packed.and_then(|n| start.checked_add(n)).filter(|end| *end <= column.len());
        let end = end.ok_or_else(|| wrong("it is longer than its column"))?;
        let n_unpacked = u64::try_from(header.uncompressed_page_size);
        let n_unpacked = n_unpacked.map_err(|_| wrong("it is shorter than nothing"))?;
        allowance.spend(n_unpacked).map_err(Wrong::Read)?;
        let (n_values, is_data) = n_values(&header);
        let most = if is_data { n_left } else { i64::from(header.uncompressed_page_size) };
        if !(0..=most).contains(&n_values) || !has_its_levels(&header, end - start) {
            return Err(wrong("it does not hold what it says"));
        }
        n_left -= if is_data { n_values } else { 0 };
        at = end;
    }
    match n_left {
        0 => Ok(()),
        _ => Err(Wrong::Claim("a column ends before its last value".into())),
    }
}

/// How many values a page says it has, and whether they are rows and not a dictionary.
fn n_values(header: &PageHeader) -> (i64, bool) {
    let rows = header.data_page_header.as_ref().map(|page| page.num_values);
    let rows = rows.or(header.data_page_header_v2.as_ref().map(|page| page.num_values));
    match (rows, &header.dictionary_page_header) {
        (Some(n_values), _) => (i64::from(n_values), true),
        (None, Some(page)) => (i64::from(page.num_values), false),
        (None, None) => (0, false),
    }
}

/// Whether the levels before the values of a newer page lie within it.
fn has_its_levels(header: &PageHeader, n_bytes: usize) -> bool {
    let Some(page) = &header.data_page_header_v2 else { return true };
    let levels = [page.definition_levels_byte_length, page.repetition_levels_byte_length];
    let lengths = levels.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    let is_within = lengths[0].saturating_add(lengths[1]) <= n_bytes;
    is_within && (0..=page.num_values).contains(&page.num_nulls) && 0 <= page.num_rows
}
