//! Rows of a known format: what a sender says they are, not what they look like.

use std::{borrow::Cow, collections::HashMap};

use polars::prelude::DataFrame;
use serde_json::value::RawValue;

use super::{SourceError, rows};
use crate::domain::WebFormat;

/// Keys below which a JSON object may hold its rows.
const ROWS: [&str; 2] = ["rows", "points"];

/// Reads rows that were sent. JSON is an array of objects, an object with such an array as `rows` or
/// `points`, one array a column, or one row.
///
/// # Errors
/// [`SourceError`] when it is not what it should be, or has more rows than may be.
pub fn rows_of(
    format: WebFormat,
    bytes: &[u8],
    place: &str,
    max_rows: usize,
) -> Result<DataFrame, SourceError> {
    let text = rows::text(bytes, place)?;
    match format {
        WebFormat::Csv => rows::csv(text.as_bytes(), place, max_rows),
        WebFormat::Ndjson => rows::json_lines(text, place, max_rows),
        WebFormat::Json if text.trim_ascii_start().starts_with('{') => {
            object(text, place, max_rows)
        }
        WebFormat::Json => rows::json_array(text, place, max_rows),
    }
}

fn object(text: &str, place: &str, max_rows: usize) -> Result<DataFrame, SourceError> {
    let wrong = |error: serde_json::Error| rows::decode(place, &error.to_string());
    let object: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text).map_err(wrong)?;
    let holds_rows = |value: &str| {
        let first = value.strip_prefix('[').map(|rest| rest.trim_ascii_start().bytes().next());
        matches!(first, Some(Some(b'{' | b']')))
    };
    let found = ROWS.iter().filter_map(|key| object.get(*key));
    if let Some(array) = found.map(|value| value.get()).find(|value| holds_rows(value)) {
        return rows::json_array(array, place, max_rows);
    }
    rows::json_object(&object, text, place, max_rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: WebFormat, text: &str, expected: &str) {
        let shown = match rows_of(format, text.as_bytes(), "it", 2) {
            Err(error) => error.to_string(),
            Ok(frame) => {
                let names: Vec<&str> =
                    frame.get_column_names().into_iter().map(|name| name.as_str()).collect();
                format!("{} of {}", frame.height(), names.join(","))
            }
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn json_rows_come_alone_in_an_array_below_a_key_or_by_column() {
        let json = WebFormat::Json;
        check(json, r#"[{"ts":1,"v":2},{"ts":2,"v":3}]"#, "2 of ts,v");
        check(json, r#"{"rows":[{"ts":1,"v":2}],"from":"x"}"#, "1 of ts,v");
        check(json, r#"{"points": [ {"ts":1,"v":2} ]}"#, "1 of ts,v");
        check(json, r#"{"ts":[1,2],"v":[2,3]}"#, "2 of ts,v");
        check(json, "{\n\"ts\":1,\n\"v\":2}", "1 of ts,v");
    }

    #[test]
    fn the_format_is_what_the_sender_says() {
        check(WebFormat::Ndjson, "{\"ts\":1}\n{\"ts\":2}\n", "2 of ts");
        check(WebFormat::Csv, "[ts],v\n1,2", "1 of [ts],v");
        check(WebFormat::Ndjson, "ts,v\n1,2", "read it: line 1: expected ident at column 2");
        check(WebFormat::Csv, "ts\n1\n2\n3", "read the source: more than 2 rows (`max_rows`)");
    }
}
