//! Lines of separated cells under a header, read block by block into frames. A column keeps the
//! narrowest type that held all its cells so far (whole numbers, numbers, instants, text), so that
//! clean numbers and times are parsed once and a cell that is none is still there in its own words.

mod cells;
mod record;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, io::Read};

use polars::prelude::DataFrame;

use self::{
    cells::{Kind, Misfit, Typed},
    record::{End, Fault, record},
};
use super::{
    SourceError,
    blocks::Blocks,
    columns::{MAX_COLUMNS, unique_names},
    intake, rows,
    unpack::unreadable,
};

/// Reads frames off a stream of bytes.
pub(super) struct Csv<R> {
    blocks: Blocks<R>,
    place: String,
    /// Which bytes tell cells apart; without it, a tab when the header has tabs and no commas.
    separator: Option<u8>,
    header: Option<Header>,
    /// What the columns are, where it is known.
    kinds: Option<Vec<Kind>>,
    is_over: bool,
}

struct Header {
    separator: u8,
    names: Vec<String>,
    kinds: Vec<Kind>,
    /// Lines before the first record at hand.
    n_lines: u64,
}

impl<R: Read> Csv<R> {
    /// `place` names the stream in errors.
    pub(super) fn new(source: R, place: &str, separator: Option<u8>) -> Self {
        let (blocks, place) = (Blocks::new(source), place.to_owned());
        Self { blocks, place, separator, header: None, kinds: None, is_over: false }
    }

    /// The same stream from its beginning, whose columns are what they turned out to be.
    pub(super) fn again(self, source: R) -> Self {
        let kinds = self.header.map(|header| header.kinds);
        Self { kinds, ..Self::new(source, &self.place, self.separator) }
    }

    fn next_frame(&mut self) -> Result<Option<DataFrame>, SourceError> {
        loop {
            if self.blocks.at_hand().is_empty() || self.header.is_none() {
                let is_more = self.blocks.more().map_err(|e| unreadable(e, &self.place))?;
                if !is_more && self.header.is_some() {
                    return Ok(None);
                }
            }
            if self.header.is_none() {
                self.read_header()?;
                // A header alone is a table too: it has columns and no rows.
                if self.blocks.at_hand().is_empty() && self.blocks.is_end() {
                    return self.frame_of_block();
                }
            }
            let frame = self.frame_of_block()?;
            if frame.is_some() || self.blocks.is_end() {
                return Ok(frame);
            }
            let is_more = self.blocks.more().map_err(|e| unreadable(e, &self.place))?;
            if !is_more && !self.blocks.is_end() {
                return Err(self.wrong(self.n_lines(), "a record without an end"));
            }
        }
    }

    fn n_lines(&self) -> u64 {
        self.header.as_ref().map_or(0, |header| header.n_lines)
    }

    fn wrong(&self, n_lines: u64, what: &str) -> SourceError {
        rows::decode(&self.place, &format!("line {}: {what}", n_lines + 1))
    }

    /// Takes the first record for the names of the columns.
    fn read_header(&mut self) -> Result<(), SourceError> {
        let n_mark = if self.blocks.at_hand().starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        self.blocks.take(n_mark);
        let text = rows::start_of_text(self.blocks.at_hand(), self.blocks.is_end(), &self.place)?;
        let n_blank = text.len() - text.trim_start_matches(['\n', '\r']).len();
        let n_lines = newlines(&text[..n_blank]);
        let text = &text[n_blank..];
        let separator = self.separator.unwrap_or_else(|| separator(text));
        let mut names = Vec::new();
        let read =
            record(text, 0, separator, self.blocks.is_end(), |column, cell: Cow<'_, str>| {
                if MAX_COLUMNS <= column {
                    return Err(Misfit { column });
                }
                names.push(cell.into_owned());
                Ok(())
            });
        let end = match read {
            Ok(End::At(end)) => end,
            Ok(End::Misfit(_)) => {
                return Err(self.wrong(n_lines, &format!("more than {MAX_COLUMNS} columns")));
            }
            Ok(End::Incomplete) => {
                return Err(self.wrong(n_lines, "a header without an end"));
            }
            Err(fault) => return Err(self.wrong(n_lines, fault.words())),
        };
        let n_lines = n_lines + newlines(&text[..end]);
        let names = unique_names(names);
        let shown: Vec<&str> = names.iter().map(String::as_str).collect();
        let (time, name) = intake::time_and_name(&shown);
        let kind = |column| match Some(column) {
            column if column == time => Kind::Epoch,
            column if column == name => Kind::Text,
            _ => Kind::Int,
        };
        let kinds = self.kinds.take().unwrap_or_else(|| (0..names.len()).map(kind).collect());
        self.header = Some(Header { separator, names, kinds, n_lines });
        self.blocks.take(n_blank + end);
        Ok(())
    }

    /// The whole records at hand; `None` when there is none.
    fn frame_of_block(&mut self) -> Result<Option<DataFrame>, SourceError> {
        let Some(header) = &mut self.header else { return Ok(None) };
        let (at_hand, is_end) = (self.blocks.at_hand(), self.blocks.is_end());
        let text = rows::text_at_hand(at_hand, is_end).map_err(|n_good| {
            let place = self.blocks.place() + n_good as u64;
            rows::decode(&self.place, &format!("byte {place} is no UTF-8 text"))
        })?;
        let (typed, n_used) = loop {
            match header.read(text, is_end) {
                Ok(read) => break read,
                Err(Stop::Misfit(Misfit { column })) => {
                    header.kinds[column] = header.kinds[column].wider();
                }
                Err(Stop::Fault { at, fault }) => {
                    let n_lines = header.n_lines + newlines(&text[..at]);
                    let place = self.blocks.place() + at as u64;
                    let message = format!("line {}, byte {place}: {}", n_lines + 1, fault.words());
                    return Err(rows::decode(&self.place, &message));
                }
            }
        };
        if n_used == 0 && !is_end {
            return Ok(None);
        }
        header.n_lines += newlines(&text[..n_used]);
        let names = header.names.clone();
        self.blocks.take(n_used);
        typed.finish(&names).map(Some).map_err(|e| rows::decode(&self.place, &e.to_string()))
    }
}

impl<R: Read> Iterator for Csv<R> {
    type Item = Result<DataFrame, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let frame = self.next_frame().transpose();
        self.is_over = !matches!(frame, Some(Ok(_)))
            || self.blocks.is_end() && self.blocks.at_hand().is_empty();
        frame
    }
}

enum Stop {
    Misfit(Misfit),
    Fault { at: usize, fault: Fault },
}

impl Header {
    /// The whole records of a text, as many as a frame is worth, and how many bytes they have.
    fn read(&self, text: &str, is_end: bool) -> Result<(Typed, usize), Stop> {
        let n_columns = self.kinds.len();
        let mut typed = Typed::new(&self.kinds, text.len());
        let mut at = 0;
        while at < text.len() && !typed.is_full() {
            if n_columns != 1
                && let Some(n_blank) = blank(&text.as_bytes()[at..])
            {
                at += n_blank;
                continue;
            }
            let read =
                record(text, at, self.separator, is_end, |column, cell| typed.put(column, &cell));
            match read {
                Ok(End::At(end)) => {
                    typed.close_row();
                    at = end;
                }
                Ok(End::Incomplete) => break,
                Ok(End::Misfit(misfit)) if misfit.column < n_columns => {
                    return Err(Stop::Misfit(misfit));
                }
                Ok(End::Misfit(_)) => return Err(Stop::Fault { at, fault: Fault::TooManyCells }),
                Err(fault) => return Err(Stop::Fault { at, fault }),
            }
        }
        Ok((typed, at))
    }
}

/// Length of an empty line's end.
fn blank(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}

fn newlines(text: &str) -> u64 {
    memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64
}

/// A tab when the header has tabs and no commas.
fn separator(text: &str) -> u8 {
    let header = text.split('\n').next().unwrap_or_default();
    if header.contains('\t') && !header.contains(',') { b'\t' } else { b',' }
}
