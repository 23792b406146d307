//! What a source said beside its rows: a program's error output, a server's warnings. For the run's
//! log; never a reason to fail.

use std::sync::{Mutex, PoisonError};

use super::error::line_of_text;

/// Notes of one read.
#[derive(Debug, Default)]
pub struct Notes(Mutex<Vec<String>>);

impl Notes {
    /// Only the last so many are kept.
    const MAX: usize = 20;

    /// Adds a line; an empty one is left out.
    pub(super) fn add(&self, text: &str) {
        let line = line_of_text(text.trim_end(), 400);
        if line.is_empty() {
            return;
        }
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
        let n_over = lines.len().saturating_sub(Self::MAX);
        lines.drain(..n_over);
    }

    /// The lines so far, taken out.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_notes_are_kept_safe_to_print() {
        let notes = Notes::default();
        (0..30).for_each(|n| notes.add(&format!("line {n}\u{1b}[31m\n")));
        notes.add(" \n");
        let lines = notes.take();
        assert_eq!((lines.len(), lines[0].as_str()), (20, "line 10\\u{1b}[31m"));
        assert!(notes.take().is_empty());
    }
}
