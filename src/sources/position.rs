//! Where in a text something is wrong.

use std::fmt;

/// A place in a text, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Its line.
    pub line: usize,
    /// Its character of the line, if that is known.
    pub column: Option<usize>,
}

impl Position {
    /// The place of a byte.
    pub(super) fn of_byte(text: &str, byte: usize) -> Option<Self> {
        let before = text.get(..byte)?;
        let line = 1 + before.matches('\n').count();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some(Self { line, column: Some(1 + before[start..].chars().count()) })
    }

    /// The place of a character, counted from 0.
    pub(super) fn of_char(text: &str, n: usize) -> Option<Self> {
        let end = text.char_indices().map(|(byte, _)| byte).chain([text.len()]).nth(n)?;
        Self::of_byte(text, end)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        self.column.map_or(Ok(()), |column| write!(f, ", column {column}"))
    }
}
