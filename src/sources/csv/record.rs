//! One record of separated cells: where each begins and ends, and what quotes around it mean
//! (RFC 4180).

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::cells::Misfit;

/// How the reading of a record ended.
pub(super) enum End {
    /// Whole; the next one begins there.
    At(usize),
    /// Its end is not at hand.
    Incomplete,
    /// A cell does not fit.
    Misfit(Misfit),
}

/// A record that no reader could agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A quote is open where everything ends.
    Unclosed,
    /// A cell goes on after its closing quote.
    AfterQuote,
    /// There are more cells than names.
    TooManyCells,
}

impl Fault {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Unclosed => "a quote is never closed",
            Self::AfterQuote => "there is text after a closing quote",
            Self::TooManyCells => "it has more cells than the header has names",
        }
    }
}

/// Reads the record that begins at `at`. `is_end` says that nothing follows the text.
pub(super) fn record<'t>(
    text: &'t str,
    mut at: usize,
    separator: u8,
    is_end: bool,
    mut cell: impl FnMut(usize, Cow<'t, str>) -> Result<(), Misfit>,
) -> Result<End, Fault> {
    let bytes = text.as_bytes();
    let mut column = 0;
    loop {
        let (value, end) = if bytes.get(at) == Some(&b'"') {
            match quoted(text, at + 1, is_end)? {
                Some(found) => found,
                None => return Ok(End::Incomplete),
            }
        } else {
            match memchr2(separator, b'\n', &bytes[at..]) {
                Some(n) => {
                    (Cow::Borrowed(without_return(&text[at..at + n], bytes[at + n])), at + n)
                }
                None if is_end => (Cow::Borrowed(without_return(&text[at..], b'\n')), text.len()),
                None => return Ok(End::Incomplete),
            }
        };
        if let Err(misfit) = cell(column, value) {
            return Ok(End::Misfit(misfit));
        }
        match &bytes[end..] {
            [] if is_end => return Ok(End::At(end)),
            [b'\n', ..] => return Ok(End::At(end + 1)),
            [b'\r', b'\n', ..] => return Ok(End::At(end + 2)),
            [b'\r'] if is_end => return Ok(End::At(end + 1)),
            [] | [b'\r'] => return Ok(End::Incomplete),
            [byte, ..] if *byte == separator => (at, column) = (end + 1, column + 1),
            _ => return Err(Fault::AfterQuote),
        }
    }
}

/// What stands between quotes, and where the closing one ends; `None` when it is not at hand.
fn quoted(text: &str, start: usize, is_end: bool) -> Result<Option<(Cow<'_, str>, usize)>, Fault> {
    let bytes = text.as_bytes();
    let (mut at, mut is_doubled) = (start, false);
    while let Some(n) = memchr(b'"', &bytes[at..]) {
        at += n + 1;
        match bytes.get(at) {
            Some(b'"') => (at, is_doubled) = (at + 1, true),
            None if !is_end => return Ok(None),
            Some(_) | None => {
                let inner = &text[start..at - 1];
                let value = match is_doubled {
                    true => Cow::Owned(inner.replace("\"\"", "\"")),
                    false => Cow::Borrowed(inner),
                };
                return Ok(Some((value, at)));
            }
        }
    }
    if is_end { Err(Fault::Unclosed) } else { Ok(None) }
}

/// The cell without the first half of a line's end.
fn without_return(cell: &str, next: u8) -> &str {
    if next == b'\n' { cell.strip_suffix('\r').unwrap_or(cell) } else { cell }
}
