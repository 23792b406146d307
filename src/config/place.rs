//! Where in which file something was written. Lines and columns are counted from 1, columns in
//! characters.

use std::{ops::Range, sync::Arc};

/// A file's text, kept to show lines of it; or the name of an environment variable.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// The path below the project folder, or `environment`.
    pub(super) name: String,
    /// All of it.
    pub(super) text: String,
}

/// A stretch of a [`SourceFile`], in bytes.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) file: Arc<SourceFile>,
    pub(super) span: Range<usize>,
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// The line a place starts on, ready to be shown.
pub(super) struct Shown {
    pub(super) line: usize,
    pub(super) column: usize,
    /// Characters of the line the place covers; at least 1.
    pub(super) width: usize,
    pub(super) source: String,
}

impl Place {
    /// The beginning of a file.
    pub(super) fn start_of(file: &Arc<SourceFile>) -> Self {
        Self { file: Arc::clone(file), span: 0..0 }
    }

    /// An environment variable. Its value is not part of the place: it may be a secret.
    pub(super) fn variable(name: &str) -> Self {
        let file = SourceFile { name: "environment".into(), text: name.into() };
        Self { file: Arc::new(file), span: 0..name.len() }
    }

    /// The line it starts on, with every secret in it blanked.
    pub(super) fn show(&self, secrets: &[Place]) -> Shown {
        let text = &self.file.text;
        let start = floor_char(text, self.span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let rest = &text[line_start..];
        let source = rest.split('\n').next().unwrap_or(rest).trim_end_matches('\r');
        let end = self.span.end.min(line_start + source.len()).max(start);
        let hidden: Vec<&Range<usize>> = secrets
            .iter()
            .filter(|secret| Arc::ptr_eq(&secret.file, &self.file))
            .map(|secret| &secret.span)
            .collect();
        let blank = |(offset, character): (usize, char)| {
            let is_hidden = hidden.iter().any(|span| span.contains(&(line_start + offset)));
            if is_hidden { '*' } else { character }
        };
        Shown {
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            width: text[start..floor_char(text, end)].chars().count().max(1),
            source: source.char_indices().map(blank).collect(),
        }
    }
}

fn floor_char(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, word: &str) -> Place {
        let file = Arc::new(SourceFile { name: "a.toml".into(), text: text.into() });
        let start = text.find(word).unwrap();
        Place { file, span: start..start + word.len() }
    }

    #[test]
    fn lines_and_columns_count_from_one_and_columns_in_characters() {
        let shown = place("a = 1\r\nbé = \"ü\" # x\r\n", "\"ü\"").show(&[]);
        assert_eq!((shown.line, shown.column, shown.width), (2, 6, 3));
        assert_eq!(shown.source, "bé = \"ü\" # x");
    }

    #[test]
    fn secrets_on_the_line_are_blanked_in_place() {
        let url = place("x = { url = 'hunter2', b = 1 }", "'hunter2'");
        let key = Place { file: Arc::clone(&url.file), span: 23..24 };
        let shown = key.show(&[url]);
        assert_eq!(shown.source, "x = { url = *********, b = 1 }");
        assert_eq!(shown.column, 24);
    }
}
