//! A TOML file that is put together table by table.

use super::super::init::{quoted, quoted_plain};

/// Tables in the order they are begun, each with its lines.
#[derive(Debug, Default, Clone)]
pub(super) struct Tables {
    tables: Vec<(String, Vec<String>)>,
}

impl Tables {
    /// Adds `key = value` to a table; the table without a name is the top of the file.
    pub(super) fn put(&mut self, table: &str, key: &str, value: impl Into<Toml>) {
        self.line(table, format!("{} = {}", key_text(key), value.into().0));
    }

    /// Adds a line as it is.
    pub(super) fn line(&mut self, table: &str, line: String) {
        match self.tables.iter_mut().find(|(name, _)| name == table) {
            Some((_, lines)) => lines.push(line),
            None => self.tables.push((table.to_owned(), vec![line])),
        }
    }

    /// One more of an array of tables.
    pub(super) fn element(&mut self, array: &str, lines: Vec<String>) {
        self.tables.push((format!("[{array}]"), lines));
    }

    /// Takes a table away.
    pub(super) fn remove(&mut self, table: &str) -> bool {
        let n_before = self.tables.len();
        self.tables.retain(|(name, _)| name != table && !name.starts_with(&format!("{table}.")));
        self.tables.len() < n_before
    }

    /// The file's text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let (top, rest): (Vec<_>, Vec<_>) =
            self.tables.iter().partition(|(name, _)| name.is_empty());
        for (name, lines) in top.into_iter().chain(rest) {
            if !name.is_empty() {
                text += &format!("\n[{name}]\n");
            }
            for line in lines {
                text += line;
                text.push('\n');
            }
        }
        text
    }
}

/// A value as TOML writes it.
pub(super) struct Toml(pub(super) String);

impl From<&str> for Toml {
    fn from(text: &str) -> Self {
        Self(quoted_plain(text))
    }
}

impl From<bool> for Toml {
    fn from(value: bool) -> Self {
        Self(value.to_string())
    }
}

impl From<i64> for Toml {
    fn from(value: i64) -> Self {
        Self(value.to_string())
    }
}

impl From<f64> for Toml {
    fn from(value: f64) -> Self {
        Self(format!("{value:?}"))
    }
}

impl From<Vec<String>> for Toml {
    fn from(texts: Vec<String>) -> Self {
        let texts: Vec<String> = texts.iter().map(|text| quoted_plain(text)).collect();
        Self(format!("[{}]", texts.join(", ")))
    }
}

/// A key, quoted where it has to be.
pub(super) fn key_text(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(is_bare) { key.to_owned() } else { quoted(key) }
}
