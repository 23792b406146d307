//! An answer's body into a frame: CSV, JSON lines, or a JSON document in which the rows stand
//! somewhere, as objects or as one array a column.

use std::{borrow::Cow, collections::HashMap};

use polars::prelude::DataFrame;
use serde_json::value::RawValue;

use super::{fetch::Answer, path};
use crate::{
    domain::{HttpSpec, RowsAt, WebFormat},
    sources::{SourceError, error::printable, rows, unpack},
};

/// A page of an answer.
pub(super) struct Page {
    pub(super) frame: DataFrame,
    /// The text at the pointer that leads on; `None` where there is none.
    pub(super) next: Option<String>,
}

/// What is read of a page.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) spec: HttpSpec,
    /// JSON pointer to the text that leads on.
    pub(super) next: Option<String>,
    pub(super) max_rows: usize,
    pub(super) place: String,
}

/// Reads a page.
pub(super) fn read(answer: Answer, reading: &Reading) -> Result<Page, SourceError> {
    let place = reading.place.as_str();
    let body = unpack::inflate(answer.body, reading.spec.endpoint.max_bytes as u64, place)?;
    let body = decoded(body, answer.charset.as_deref(), place)?;
    let format = reading.spec.format.or_else(|| format_of(&answer.content_type));
    let is_deep = !reading.spec.rows.is_everything() || reading.next.is_some();
    let is_json = match format {
        Some(WebFormat::Json) => true,
        Some(WebFormat::Csv | WebFormat::Ndjson) => false,
        None => is_deep,
    };
    let (frame, next) = if is_json {
        let text = rows::text(&body, place)?;
        let wrong = |error: &serde_json::Error| rows::decode(place, &error.to_string());
        let rows = match &reading.spec.rows {
            RowsAt::Pointer(pointer) => find(text, pointer).map_err(|e| wrong(&e))?.map(Cow::from),
            RowsAt::Path(query) => {
                path::find(text, query).map_err(|e| rows::decode(place, &e))?.map(Cow::from)
            }
        };
        let rows = rows.ok_or_else(|| SourceError::NothingThere {
            place: place.to_owned(),
            place_in_it: reading.spec.rows.as_str().to_owned(),
        })?;
        let next = match &reading.next {
            Some(pointer) => find(text, pointer).map_err(|e| wrong(&e))?.and_then(plain),
            None => None,
        };
        (json_rows(&rows, reading)?, next)
    } else {
        (rows::parse(&body, place, reading.max_rows)?, None)
    };
    Ok(Page { frame: renamed(frame, reading)?, next })
}

fn format_of(content_type: &str) -> Option<WebFormat> {
    match content_type {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            Some(WebFormat::Ndjson)
        }
        "application/json" => Some(WebFormat::Json),
        "text/csv" | "text/tab-separated-values" => Some(WebFormat::Csv),
        other if other.ends_with("+json") => Some(WebFormat::Json),
        _ => None,
    }
}

/// The text as UTF-8. ISO-8859-1 is read as Windows-1252, as every browser does.
fn decoded(body: Vec<u8>, charset: Option<&str>, place: &str) -> Result<Vec<u8>, SourceError> {
    /// Bytes 0x80 to 0x9f; those without a character stay the control characters they are.
    const WINDOWS_1252: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    match charset {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(body),
        Some("iso-8859-1" | "latin1" | "windows-1252") => {
            let special: Vec<char> = WINDOWS_1252.chars().collect();
            let read = |byte: u8| match byte {
                0x80..=0x9f => special[usize::from(byte - 0x80)],
                _ => char::from(byte),
            };
            Ok(body.into_iter().map(read).collect::<String>().into_bytes())
        }
        Some(other) => {
            let (place, encoding) = (place.to_owned(), printable(other));
            Err(SourceError::Encoding { place, encoding })
        }
    }
}

/// The rows of an array of objects, of one object, or of an object with an array a column.
fn json_rows(json: &str, reading: &Reading) -> Result<DataFrame, SourceError> {
    let json = json.trim_ascii();
    if !json.starts_with('{') {
        return rows::json_array(json, &reading.place, reading.max_rows);
    }
    let wrong = |error: serde_json::Error| rows::decode(&reading.place, &error.to_string());
    let object: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json).map_err(wrong)?;
    rows::json_object(&object, json, &reading.place, reading.max_rows)
}

/// Gives columns our names. Columns without one of ours keep theirs.
fn renamed(mut frame: DataFrame, reading: &Reading) -> Result<DataFrame, SourceError> {
    if frame.width() == 0 {
        return Ok(frame);
    }
    for (ours, theirs) in &reading.spec.columns {
        let found = frame.get_column_names().into_iter().map(ToString::to_string).collect();
        frame.rename(theirs, ours.as_str().into()).map_err(|_| SourceError::NoColumn {
            column: theirs.clone(),
            ours: ours.clone(),
            found,
        })?;
    }
    Ok(frame)
}

/// The JSON at a pointer (RFC 6901). Numbers of any size are left as they are written.
fn find<'a>(json: &'a str, pointer: &str) -> Result<Option<&'a str>, serde_json::Error> {
    let mut at: &RawValue = serde_json::from_str(json)?;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        let below = match at.get().as_bytes().first() {
            Some(b'{') => {
                let object: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(at.get())?;
                object.get(token.as_str()).copied()
            }
            Some(b'[') => {
                let list: Vec<&RawValue> = serde_json::from_str(at.get())?;
                token.parse::<usize>().ok().and_then(|place| list.get(place).copied())
            }
            _ => None,
        };
        match below {
            Some(below) => at = below,
            None => return Ok(None),
        }
    }
    Ok(Some(at.get()))
}

/// A JSON text or number as text; nothing for null, an empty text and everything else.
fn plain(json: &str) -> Option<String> {
    match serde_json::from_str(json).ok()? {
        serde_json::Value::String(text) if !text.is_empty() => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_finds_what_rfc_6901_says_it_finds() {
        let json = r#"{"foo":["bar",{"x":1e999}],"":0,"a/b":1,"m~n":8}"#;
        for (pointer, expected) in [
            ("", Some(json)),
            ("/foo/0", Some("\"bar\"")),
            ("/foo/1/x", Some("1e999")),
            ("/", Some("0")),
            ("/a~1b", Some("1")),
            ("/m~0n", Some("8")),
            ("/foo/2", None),
            ("/nope", None),
            ("/a~1b/x", None),
        ] {
            assert_eq!(find(json, pointer).unwrap(), expected, "{pointer}");
        }
    }
}
