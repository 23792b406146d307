//! A CSV text as rows, line by line: a timestamp and a value each, both as written, and a label
//! where there is a column of them.

use std::io::{self, BufRead, BufReader, Read};

use anyhow::bail;
use chrono_tz::Tz;

use crate::{domain::Timestamp, sources};

/// Longer lines are no table's.
const MOST_BYTES: u64 = 1 << 16;

/// Where the parts of a line are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    separator: char,
    time: usize,
    value: usize,
    label: Option<usize>,
    n_columns: usize,
    /// Of times that name none.
    zone: Tz,
}

/// Names of a column that says which rows are anomalies.
const LABEL: [&str; 4] = ["label", "is_anomaly", "anomaly", "anomalous"];

impl Layout {
    /// From the header. Columns are separated by commas, semicolons or tabs; `zone` is that of
    /// times without one.
    pub(super) fn read(input: &mut impl BufRead, zone: Tz) -> anyhow::Result<Self> {
        let mut bytes = Vec::new();
        read_line(input, &mut bytes, 1)?;
        let line = text(&bytes, 1)?.trim_start_matches('\u{feff}');
        if line.is_empty() {
            bail!("it is empty, without even a header");
        }
        let separator = [',', ';', '\t'].into_iter().find(|c| line.contains(*c)).unwrap_or(',');
        let names: Vec<&str> = Fields { rest: Some(line), separator }.map(unquoted).collect();
        let (time, value) = sources::time_and_value(&names)?;
        let is_label = |name: &&str| LABEL.iter().any(|label| name.eq_ignore_ascii_case(label));
        let label = names.iter().position(|name| is_label(&name.trim()));
        let label = label.filter(|n| *n != time && *n != value);
        Ok(Self { separator, time, value, label, n_columns: names.len(), zone })
    }

    /// Whether there is a column of labels.
    pub(super) fn has_labels(self) -> bool {
        self.label.is_some()
    }

    fn row(self, line: &str, number: u64) -> Row {
        let (mut time, mut value, mut label) = ("", "", "");
        let mut n_fields = 0;
        for (place, field) in (Fields { rest: Some(line), separator: self.separator }).enumerate() {
            // Separators at the end of a line are no fields.
            if !field.trim().is_empty() {
                n_fields = place + 1;
            }
            if place == self.time {
                time = field;
            }
            if place == self.value {
                value = field;
            }
            if Some(place) == self.label {
                label = field;
            }
        }
        let at = sources::instant(unquoted(time), self.zone);
        let (number_of_value, is_number) = number_of(unquoted(value));
        let problem = match (at, is_number) {
            // Which of them is the value is not known: 12,5 may be one number.
            _ if self.n_columns < n_fields => Some(format!(
                "{n_fields} fields under {} columns; a number has a decimal point, a field with \
                 `{}` in it quotes",
                self.n_columns, self.separator
            )),
            (None, _) => Some(format!("`{}` is no time", printable(time))),
            (Some(_), false) => Some(format!("`{}` is no number", printable(value))),
            (Some(_), true) => None,
        };
        let is_readable = n_fields <= self.n_columns;
        Row {
            shown_time: self.echo(time),
            shown_value: self.echo(value),
            at,
            value: if is_readable { number_of_value } else { f64::NAN },
            is_anomaly: is_yes(unquoted(label)),
            line: number,
            problem,
        }
    }

    /// The field as written, quoted where the comma would now split it.
    fn echo(self, field: &str) -> String {
        match field.contains(',') && !field.starts_with('"') {
            true => format!("\"{}\"", field.replace('"', "\"\"")),
            false => field.to_owned(),
        }
    }
}

/// One observation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// The timestamp as written.
    pub(super) shown_time: String,
    /// The value as written.
    pub(super) shown_value: String,
    /// `None` when it cannot be read.
    pub(super) at: Option<Timestamp>,
    /// Not finite when there is none.
    pub(super) value: f64,
    /// Whether its label says so.
    pub(super) is_anomaly: bool,
    /// Counted from 1, the header.
    pub(super) line: u64,
    /// Why the row cannot be read. An empty value or NaN is none: it says that nothing is known.
    pub(super) problem: Option<String>,
}

impl Row {
    /// What can be scored.
    pub(super) fn point(&self) -> Option<(Timestamp, f64)> {
        self.at.filter(|_| self.value.is_finite()).map(|at| (at, self.value))
    }
}

/// Rows of a text, read as they are asked for.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    layout: Layout,
    bytes: Vec<u8>,
    number: u64,
    n_bytes: u64,
}

impl<R: Read> Lines<R> {
    /// `input` stands behind the header.
    pub(super) fn new(input: BufReader<R>, layout: Layout) -> Self {
        Self { input, layout, bytes: Vec::new(), number: 1, n_bytes: 0 }
    }

    /// The next row; blank lines are passed over.
    pub(super) fn next_row(&mut self) -> anyhow::Result<Option<Row>> {
        loop {
            self.number += 1;
            let n_read = read_line(&mut self.input, &mut self.bytes, self.number)?;
            if n_read == 0 {
                return Ok(None);
            }
            self.n_bytes += n_read as u64;
            let line = text(&self.bytes, self.number)?;
            if !line.trim_ascii().is_empty() {
                return Ok(Some(self.layout.row(line, self.number)));
            }
        }
    }

    /// Bytes read so far.
    pub(super) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Whether reading on may wait.
    pub(super) fn is_drained(&self) -> bool {
        self.input.buffer().is_empty()
    }
}

fn read_line(input: &mut impl BufRead, bytes: &mut Vec<u8>, number: u64) -> anyhow::Result<usize> {
    bytes.clear();
    let n_read = input.take(MOST_BYTES + 1).read_until(b'\n', bytes)?;
    if MOST_BYTES < n_read as u64 {
        bail!("line {number} is longer than {MOST_BYTES} bytes");
    }
    Ok(n_read)
}

fn text(bytes: &[u8], number: u64) -> io::Result<&str> {
    let line = std::str::from_utf8(bytes).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidData, format!("line {number} is not UTF-8 text"))
    })?;
    Ok(line.trim_end_matches(['\n', '\r']))
}

/// The value and whether the text is one; nothing, `NaN`, `null` and infinity are ways to say none.
fn number_of(text: &str) -> (f64, bool) {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(number) => (number, true),
        Err(_) => (f64::NAN, text.is_empty() || text.eq_ignore_ascii_case("null")),
    }
}

/// A number other than 0, or a word for yes.
fn is_yes(text: &str) -> bool {
    match text.trim().parse::<f64>() {
        Ok(number) => number != 0.0,
        Err(_) => ["true", "yes", "anomaly"].iter().any(|word| text.eq_ignore_ascii_case(word)),
    }
}

fn unquoted(field: &str) -> &str {
    let inner = field.strip_prefix('"').and_then(|field| field.strip_suffix('"'));
    inner.unwrap_or(field)
}

fn printable(field: &str) -> String {
    field.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// The fields of a line; separators between quotes are text.
struct Fields<'a> {
    rest: Option<&'a str>,
    separator: char,
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let mut is_quoted = false;
        let end = rest.bytes().position(|byte| {
            is_quoted ^= byte == b'"';
            !is_quoted && char::from(byte) == self.separator
        });
        let (field, rest) = match end {
            Some(end) => (&rest[..end], Some(&rest[end + 1..])),
            None => (rest, None),
        };
        self.rest = rest;
        Some(field)
    }
}
