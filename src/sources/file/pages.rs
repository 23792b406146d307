//! What the pages of a Parquet column claim, compared with what is there, before their reader
//! believes it: it takes room for as much as a page says it holds.

use std::io::Cursor;

use polars_parquet_format::{ColumnMetaData, PageHeader, thrift::protocol::TCompactInputProtocol};

use crate::sources::unpack::Allowance;

/// Length of a page's header.
const LONGEST_HEADER: usize = 16 << 20;

/// Looks at every page of a column, whose bytes these are.
///
/// # Errors
/// In words what is wrong, with the byte of the column; and the error of the allowance.
pub(super) fn check(
    column: &[u8],
    meta: &ColumnMetaData,
    allowance: &Allowance,
) -> Result<(), Wrong> {
    let mut at = 0;
    let mut n_left = meta.num_values;
    while at < column.len() && 0 < n_left {
        let wrong = |what: &str| Wrong::Page(format!("the page at byte {at} of a column: {what}"));
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
        allowance.spend(n_unpacked).map_err(Wrong::Allowance)?;
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
        _ => Err(Wrong::Page("a column ends before its last value".into())),
    }
}

/// Why a column is not read.
pub(super) enum Wrong {
    /// A page is damaged.
    Page(String),
    /// It holds more than may be read.
    Allowance(std::io::Error),
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
