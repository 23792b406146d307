//! One JSON object a line, read block by block into frames.

use std::io::Read;

use polars::prelude::DataFrame;

use super::{SourceError, blocks::Blocks, columns::Columns, rows, unpack::unreadable};

/// Reads frames off a stream of bytes.
pub(super) struct JsonLines<R> {
    blocks: Blocks<R>,
    place: String,
    /// The columns so far, in the order they came.
    names: Vec<String>,
    /// Lines before the first one at hand.
    n_lines: usize,
    is_over: bool,
}

impl<R: Read> JsonLines<R> {
    /// `place` names the stream in errors.
    pub(super) fn new(source: R, place: &str) -> Self {
        let (blocks, place) = (Blocks::new(source), place.to_owned());
        Self { blocks, place, names: Vec::new(), n_lines: 0, is_over: false }
    }

    fn next_frame(&mut self) -> Result<Option<DataFrame>, SourceError> {
        let bytes = loop {
            let at_hand = self.blocks.at_hand();
            let n_whole = match self.blocks.is_end() {
                true => at_hand.len(),
                false => memchr::memrchr(b'\n', at_hand).map_or(0, |n| n + 1),
            };
            if 0 < n_whole {
                break &at_hand[..n_whole];
            }
            let is_more = self.blocks.more().map_err(|e| unreadable(e, &self.place))?;
            match (is_more, self.blocks.is_end()) {
                (false, true) if self.blocks.at_hand().is_empty() => return Ok(None),
                (false, false) => {
                    let line = self.n_lines + 1;
                    let message = format!("line {line}: an object without an end");
                    return Err(rows::decode(&self.place, &message));
                }
                _ => (),
            }
        };
        let text = match self.n_lines {
            0 => rows::start_of_text(bytes, true, &self.place)?,
            _ => rows::text_at_hand(bytes, true).map_err(|n_good| {
                let place = self.blocks.place() + n_good as u64;
                rows::decode(&self.place, &format!("byte {place} is no UTF-8 text"))
            })?,
        };
        let columns = Columns::new(self.names.iter().map(String::as_str), usize::MAX);
        let frame = rows::json_lines_after(self.n_lines, text, columns, &self.place)?;
        self.names = frame.get_column_names().into_iter().map(ToString::to_string).collect();
        self.n_lines += memchr::memchr_iter(b'\n', bytes).count();
        let n_bytes = bytes.len();
        self.blocks.take(n_bytes);
        Ok(Some(frame))
    }
}

impl<R: Read> Iterator for JsonLines<R> {
    type Item = Result<DataFrame, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let frame = self.next_frame().transpose();
        self.is_over = !matches!(frame, Some(Ok(_)));
        frame
    }
}
