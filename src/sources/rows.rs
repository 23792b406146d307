//! Bytes into a frame: CSV with a header, a JSON array of objects, or one JSON object a line, told
//! apart by the first character.

use std::{borrow::Cow, collections::HashMap, fmt};

use polars::prelude::DataFrame;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    SourceError,
    columns::{Cell, Columns, MAX_COLUMNS, MAX_MISSING, too_many_missing},
    csv::Csv,
    error::printable,
    stack::stack,
};

/// Bytes of a text's start that an error may quote.
const N_SHOWN: usize = 400;

/// Reads all rows of a text. `place` names it in errors.
pub(super) fn parse(bytes: &[u8], place: &str, max_rows: usize) -> Result<DataFrame, SourceError> {
    let text = text(bytes, place)?;
    match text.trim_ascii_start().bytes().next() {
        Some(b'[') => json_array(text, place, max_rows),
        Some(b'{') => json_lines(text, place, max_rows),
        Some(_) | None => csv(bytes, place, max_rows),
    }
}

/// The bytes as text, if they can be a table at all.
pub(super) fn text<'a>(bytes: &'a [u8], place: &str) -> Result<&'a str, SourceError> {
    start_of_text(bytes, true, place)
}

/// The start of a longer text, without a character that is cut in two; all of it when `is_end`.
pub(super) fn start_of_text<'a>(
    bytes: &'a [u8],
    is_end: bool,
    place: &str,
) -> Result<&'a str, SourceError> {
    let n_mark = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let bytes = &bytes[n_mark..];
    let not_a_table = |problem| SourceError::NotATable {
        place: place.to_owned(),
        problem,
        start: printable(&String::from_utf8_lossy(&bytes[..bytes.len().min(N_SHOWN)])),
    };
    let text = text_at_hand(bytes, is_end).map_err(|n_good| match n_good < N_SHOWN {
        true => not_a_table("it is not UTF-8 text"),
        false => decode(place, &format!("byte {} is no UTF-8 text", n_mark + n_good)),
    })?;
    if bytes[..bytes.len().min(8_192)].contains(&0) {
        return Err(not_a_table("it is binary"));
    }
    match text.trim_ascii_start().bytes().next() {
        None => Err(not_a_table("it is empty, without even a header")),
        Some(b'<') => Err(not_a_table("it looks like HTML or XML")),
        Some(_) => Ok(text),
    }
}

/// The longest part that is text; how many bytes are, when the next ones never will be.
pub(super) fn text_at_hand(bytes: &[u8], is_end: bool) -> Result<&str, usize> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) if error.error_len().is_none() && !is_end => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).map_err(|e| e.valid_up_to())
        }
        Err(error) => Err(error.valid_up_to()),
    }
}

pub(super) fn csv(bytes: &[u8], place: &str, max_rows: usize) -> Result<DataFrame, SourceError> {
    let mut csv = Csv::new(bytes, place, None);
    let mut frames = csv_frames(&mut csv, bytes.len(), max_rows)?;
    if frames.windows(2).any(|pair| pair[0].dtypes() != pair[1].dtypes()) {
        // A later cell was no number or no such time: then the column is text from its beginning.
        frames = csv_frames(&mut csv.again(bytes), bytes.len(), max_rows)?;
    }
    stack(frames).map_err(|e| decode(place, &e.to_string()))
}

fn csv_frames(
    csv: &mut Csv<&[u8]>,
    n_bytes: usize,
    max_rows: usize,
) -> Result<Vec<DataFrame>, SourceError> {
    let (mut frames, mut n_rows) = (Vec::new(), 0);
    for frame in csv {
        let frame = frame?;
        n_rows += frame.height();
        if max_rows < n_rows {
            return Err(SourceError::TooManyRows { max_rows });
        }
        // A cell that is there ends with a separator or a line's end.
        if n_bytes + MAX_MISSING < n_rows * frame.width() {
            return Err(too_many_missing());
        }
        frames.push(frame);
    }
    Ok(frames)
}

/// The text is a damaged table.
pub(super) fn decode(place: &str, message: &str) -> SourceError {
    // Reader libraries add paragraphs of advice after the first line.
    let first = message.lines().next().unwrap_or_default();
    SourceError::Decode { place: place.to_owned(), message: printable(first) }
}

/// Reads an array of objects.
pub(super) fn json_array(
    text: &str,
    place: &str,
    max_rows: usize,
) -> Result<DataFrame, SourceError> {
    let mut table = Table { columns: Columns::new([], max_rows), fault: None };
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Rows(&mut table).deserialize(&mut json).and_then(|()| json.end());
    table.finish(read.map_err(|e| decode(place, &e.to_string())), place)
}

pub(super) fn json_lines(
    text: &str,
    place: &str,
    max_rows: usize,
) -> Result<DataFrame, SourceError> {
    let columns = Columns::new([], max_rows);
    json_lines_after(0, text, columns, place)
}

/// Reads one object a line, of a text that `n_before` lines come before.
pub(super) fn json_lines_after(
    n_before: usize,
    text: &str,
    columns: Columns,
    place: &str,
) -> Result<DataFrame, SourceError> {
    let mut table = Table { columns, fault: None };
    for (i, line) in text.lines().enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let mut json = serde_json::Deserializer::from_str(line);
        let read = Row(&mut table).deserialize(&mut json).and_then(|()| json.end());
        if let Err(error) = read {
            // The reader sees one line at a time and would call each of them the first.
            let words = error.to_string().replace("at line 1 column", "at column");
            let wrong = decode(place, &format!("line {}: {words}", n_before + i + 1));
            return table.finish(Err(wrong), place);
        }
    }
    table.finish(Ok(()), place)
}

/// Reads an object that stands for rows by itself: one array a column, or one row. `text` is all of it.
pub(super) fn json_object(
    object: &HashMap<Cow<'_, str>, &RawValue>,
    text: &str,
    place: &str,
    max_rows: usize,
) -> Result<DataFrame, SourceError> {
    let is_columns = !object.is_empty() && object.values().all(|v| v.get().starts_with('['));
    match is_columns {
        true => json_columns(object, place, max_rows),
        false => json_array(&format!("[{text}]"), place, max_rows),
    }
}

/// Reads one array a column; all have to be of one length.
pub(super) fn json_columns(
    object: &HashMap<Cow<'_, str>, &RawValue>,
    place: &str,
    max_rows: usize,
) -> Result<DataFrame, SourceError> {
    let wrong = |error: serde_json::Error| decode(place, &error.to_string());
    if MAX_COLUMNS < object.len() {
        return Err(decode(place, &format!("more than {MAX_COLUMNS} different keys")));
    }
    let mut lists: Vec<(&str, Vec<&RawValue>)> = Vec::with_capacity(object.len());
    for (name, list) in object {
        lists.push((name, serde_json::from_str(list.get()).map_err(wrong)?));
    }
    lists.sort_unstable_by_key(|(name, _)| *name);
    let n_rows = lists.first().map_or(0, |(_, list)| list.len());
    if let Some((name, list)) = lists.iter().find(|(_, list)| list.len() != n_rows) {
        let message = format!("`{}` has {} of {n_rows} values", printable(name), list.len());
        return Err(decode(place, &message));
    }
    let mut columns = Columns::new(lists.iter().map(|(name, _)| *name), max_rows);
    for row in 0..n_rows {
        columns.open_row()?;
        for (place_of, (_, list)) in lists.iter().enumerate() {
            put(&mut columns, place_of, list[row].get()).map_err(wrong)?;
        }
        columns.close_row();
    }
    columns.finish(place)
}

struct Table {
    columns: Columns,
    /// What ended the reading, if it was not the text's own fault.
    fault: Option<SourceError>,
}

impl Table {
    fn finish(self, read: Result<(), SourceError>, place: &str) -> Result<DataFrame, SourceError> {
        match self.fault {
            Some(fault) => Err(fault),
            None => read.and_then(|()| self.columns.finish(place)),
        }
    }
}

/// Reads an array of objects into a table.
struct Rows<'t>(&'t mut Table);

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while rows.next_element_seed(Row(self.0))?.is_some() {}
        Ok(())
    }
}

/// Reads one object as a row of a table.
struct Row<'t>(&'t mut Table);

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of column names and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut cells: A) -> Result<(), A::Error> {
        let columns = &mut self.0.columns;
        if let Err(fault) = columns.open_row() {
            self.0.fault = Some(fault);
            return Err(A::Error::custom("too many rows or cells"));
        }
        let mut next = 0;
        while let Some(Key(name)) = cells.next_key()? {
            let place = match columns.place(&name, next) {
                Ok(place) => place,
                Err(fault) => {
                    self.0.fault = Some(fault);
                    return Err(A::Error::custom("too many cells"));
                }
            };
            next = place + 1;
            if MAX_COLUMNS < next {
                return Err(A::Error::custom(format!("more than {MAX_COLUMNS} different keys")));
            }
            put(columns, place, cells.next_value::<&RawValue>()?.get())
                .map_err(A::Error::custom)?;
        }
        columns.close_row();
        Ok(())
    }
}

/// Puts a JSON value into a cell. Numbers are read here because JSON's own reader refuses `1e999`,
/// which is one bad row, not a bad table.
fn put(columns: &mut Columns, place: usize, json: &str) -> Result<(), serde_json::Error> {
    let cell = match json.as_bytes().first() {
        Some(b'n') | None => Cell::Null,
        Some(b't') => Cell::Int(1),
        Some(b'f') => Cell::Int(0),
        Some(b'"') => {
            let Key(text) = serde_json::from_str(json)?;
            columns.put(place, Cell::Text(&text));
            return Ok(());
        }
        Some(_) => match (json.parse(), json.parse()) {
            (Ok(whole), _) => Cell::Int(whole),
            (Err(_), Ok(number)) => Cell::Float(number),
            // An array or object: text, which no reader takes for a number.
            (Err(_), Err(_)) => Cell::Text(json),
        },
    };
    columns.put(place, cell);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = match parse(text.as_bytes(), "it", 3) {
            Err(error) => error.to_string(),
            Ok(frame) => {
                let cell = |column: &polars::prelude::Column, row| {
                    column.get(row).unwrap().str_value().into_owned()
                };
                let line = |row| frame.columns().iter().map(|c| cell(c, row)).collect::<Vec<_>>();
                let rows = (0..frame.height()).map(|row| line(row).join(","));
                let header: Vec<&str> = frame.columns().iter().map(|c| c.name().as_str()).collect();
                let header = header.join(",");
                std::iter::once(header).chain(rows).collect::<Vec<_>>().join("|")
            }
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn csv_cells_stay_text() {
        check("ts,value\n1,1e999\n2,\n3,\"a,b\"", "ts,value|1,1e999|2,null|3,a,b");
        check("\u{feff}ts,value\n", "ts,value");
    }

    #[test]
    fn a_header_with_tabs_and_no_commas_means_tabs() {
        check("ts\tvalue\n1\t\"a\tb\"\n2\t3,5", "ts,value|1,a\tb|2,3,5");
        check("a\tb,value\n1,2", "a\tb,value|1,2");
    }

    #[test]
    fn json_rows_are_read_as_an_array_or_as_lines() {
        let expected = "ts,v|1,0.5|2,null|null,x";
        check(r#"[{"ts":1,"v":0.5},{"v":null,"ts":2},{"v":"x"}]"#, "ts,v|1,0.5|2,null|null,x");
        check("{\"ts\":1,\"v\":0.5}\n\n{\"v\":null,\"ts\":2}\n{\"v\":\"x\"}\n", expected);
        check("[]", "");
    }

    #[test]
    fn json_cells_keep_what_they_say() {
        check(
            r#"[{"v":1e999,"w":true,"x":"\u00e9\n","y":{"a":[1]},"z":9007199254740993}]"#,
            "v,w,x,y,z|inf,1,é\n,{\"a\":[1]},9007199254740993",
        );
        check(r#"[{"v":1,"v":2}]"#, "v|1");
    }

    #[test]
    fn what_is_no_table_is_an_error_that_shows_its_start() {
        check(
            "<!DOCTYPE html>\n<html>",
            "read it: it looks like HTML or XML; it begins with `<!DOCTYPE html>\\n<html>`",
        );
        check(" \n", "read it: it is empty, without even a header; it begins with ` \\n`");
        check("a\0b", "read it: it is binary; it begins with `a\\u{0}b`");
        check(r#"[{"ts":1},{"ts":"#, "read it: EOF while parsing a value at line 1 column 16");
        check("{\"ts\":1}\n{\"ts\":NaN}", "read it: line 2: expected value at column 7");
        check(
            "[1,2]",
            "read it: invalid type: integer `1`, expected an object of column names and values at line…",
        );
    }

    #[test]
    fn the_row_limit_holds_for_every_form() {
        check("a\n1\n2\n3", "a|1|2|3");
        for text in ["a\n1\n2\n3\n4", "[{},{},{},{}]", "{}\n{}\n{}\n{}"] {
            check(text, "read the source: more than 3 rows (`max_rows`)");
        }
    }
}
