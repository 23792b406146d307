//! How large a table a body can become, told before it is read. Rows that name few of the columns
//! are filled up with empty cells, so a small body can ask for a great deal of memory.

use std::collections::HashSet;

use crate::domain::WebFormat;

/// Cells of one body, however large it may be.
const MAX_CELLS: usize = 8_000_000;
/// Different keys that are counted; the reader refuses a table of more columns.
const MAX_KEYS: usize = 20_000;

/// Cells, rows times columns, that a body of so many bytes at most may come to. A cell with
/// something in it takes two bytes and more.
pub(super) fn max_cells(max_bytes: usize) -> usize {
    MAX_CELLS.min(max_bytes / 2)
}

/// No fewer cells than the text will come to.
pub(super) fn cells_at_most(format: WebFormat, text: &[u8]) -> usize {
    match format {
        WebFormat::Csv => csv_cells(text),
        WebFormat::Json | WebFormat::Ndjson => json_cells(text),
    }
}

/// Lines times names in the header, which also a line with fewer cells fills.
fn csv_cells(text: &[u8]) -> usize {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let n_blank = text.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
    let text = &text[n_blank..];
    let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_tabbed = first_line.contains(&b'\t') && !first_line.contains(&b',');
    let separator = if is_tabbed { b'\t' } else { b',' };
    let (mut is_quoted, mut n_columns, mut before) = (false, 1_usize, separator);
    for byte in text {
        match *byte {
            b'"' if is_quoted => is_quoted = false,
            b'"' if before == separator || before == b'"' => is_quoted = true,
            // Elsewhere in a cell a quote is a character like others.
            b'"' => {
                before = b' ';
                continue;
            }
            b'\n' if !is_quoted => break,
            _ if *byte == separator => n_columns += 1,
            _ => {}
        }
        before = *byte;
    }
    memchr::memchr_iter(b'\n', text).count().saturating_mul(n_columns)
}

/// Objects times different keys, wherever in the text they are.
fn json_cells(text: &[u8]) -> usize {
    let (mut n_objects, mut keys) = (0_usize, HashSet::new());
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'{', b'"', rest) {
        let is_object = rest[at] == b'{';
        rest = &rest[at + 1..];
        if is_object {
            n_objects += 1;
            continue;
        }
        let Some(end) = end_of_string(rest) else { break };
        let (string, after) = (&rest[..end], &rest[end + 1..]);
        if keys.len() < MAX_KEYS && after.trim_ascii_start().first() == Some(&b':') {
            keys.insert(string);
        }
        rest = after;
    }
    n_objects.saturating_mul(keys.len())
}

/// Where the quote is that ends a string.
fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', text.get(from..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: WebFormat, text: &str, expected: usize) {
        assert_eq!(cells_at_most(format, text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn no_table_has_more_cells_than_were_counted() {
        check(WebFormat::Json, r#"[{"a":1,"b":2},{},{"a" : "x"}]"#, 3 * 2);
        check(WebFormat::Json, r#"{"rows":[{"a":"{\"c\":{"}]}"#, 2 * 2);
        check(WebFormat::Json, r#"{"a\"b":1,"c\\":2}"#, 2);
        check(WebFormat::Json, r#"{"a":[1,2,3]}"#, 1);
        check(WebFormat::Json, r#"[{"a":1,"broken"#, 1);
        check(WebFormat::Json, "[{\"a\\", 0);
        check(WebFormat::Ndjson, "{\"a\":1}\n{\"b\":2}\n", 2 * 2);
        check(WebFormat::Csv, "\t\ta\n1", 3);
        check(WebFormat::Csv, "a\"\",\"b\n\"\"\",c,d\n1", 2 * 4);
        check(WebFormat::Csv, "\na\"b,c,\"c\nd\"\n1\n,2", 3 * 3);
    }
}
