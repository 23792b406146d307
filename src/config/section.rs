//! One table of a file, read key by key with types. Every getter records what it finds wrong and
//! goes on with a default, so that all problems of a file come out of one pass. What was read is
//! kept in `shown`, which becomes the effective configuration; what nobody asked for is unknown.

use super::{
    check::{Check, Completeness},
    document::{Entry, Node, Table, Value, parse_override},
    later::{NOT_YET, did_you_mean, is_later_key, is_secret_key},
    place::{Located, Place},
};

/// What the effective configuration says instead of a text that may be secret.
pub(super) const HIDDEN: &str = "[secret]";

/// A table that is being read.
pub(super) struct Section<'c> {
    path: Path,
    /// Where it begins.
    pub(super) place: Place,
    pub(super) check: &'c mut Check,
    /// The values that count, defaults included, secrets hidden.
    shown: toml::Table,
    entries: Table,
    asked: Vec<&'static str>,
}

/// Where a table is from the top of its file; empty at the top.
#[derive(Clone, Default)]
pub(super) struct Path {
    /// As it is written, names included: `metrics."orders.total".alert`.
    written: String,
    /// Without the names: `metrics.alert`.
    general: String,
}

impl Path {
    fn child(&self, key: &str) -> Self {
        Self { written: joined(&self.written, key), general: joined(&self.general, key) }
    }

    fn named(&self, name: &str) -> Self {
        let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let name = match !name.is_empty() && name.chars().all(is_bare) {
            true => name.to_owned(),
            false => format!("{name:?}"),
        };
        Self { written: joined(&self.written, &name), general: self.general.clone() }
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A text and whether variables were filled in.
pub(super) struct Text {
    pub(super) text: String,
    pub(super) is_expanded: bool,
}

impl Text {
    /// As it may be shown.
    pub(super) fn shown(&self) -> toml::Value {
        if self.is_expanded { HIDDEN.into() } else { self.text.as_str().into() }
    }

    /// The text of a value that is one.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) | Value::Override(text) => {
                Some(Self { text: text.clone(), is_expanded: false })
            }
            Value::Expanded(text) => Some(Self { text: text.clone(), is_expanded: true }),
            _ => None,
        }
    }
}

/// Reads a file's top table, then reports the keys nobody asked for.
pub(super) fn read_file<T>(
    table: Table,
    place: &Place,
    check: &mut Check,
    read: impl FnOnce(&mut Section<'_>) -> T,
) -> (T, toml::Table) {
    let mut section = Section::new(Path::default(), place.clone(), table, check);
    let value = read(&mut section);
    (value, section.finish())
}

impl<'c> Section<'c> {
    fn new(path: Path, place: Place, entries: Table, check: &'c mut Check) -> Self {
        Self { path, place, check, shown: toml::Table::new(), entries, asked: Vec::new() }
    }

    /// Whether the key is written, rightly or wrongly.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Where a key that has not been read yet is written.
    pub(super) fn key_place(&self, key: &str) -> Option<Place> {
        self.entries.get(key).map(|entry| entry.key.clone())
    }

    /// Path of a key from the top of the file, without the names of channels and metrics.
    pub(super) fn general_path(&self, key: &str) -> String {
        self.path.child(key).general
    }

    /// Keeps the value that counts for a key.
    pub(super) fn show(&mut self, key: &str, value: impl Into<toml::Value>) {
        self.shown.insert(key.to_owned(), value.into());
    }

    /// Keeps a table; an empty one says as much as none.
    pub(super) fn show_table(&mut self, key: &str, table: toml::Table) {
        if !table.is_empty() {
            self.show(key, table);
        }
    }

    /// Whether a value is kept for a key.
    pub(super) fn is_shown(&self, key: &str) -> bool {
        self.shown.contains_key(key)
    }

    /// What has been read of a table below this one.
    pub(super) fn shown_table(&self, key: &str) -> toml::Table {
        self.shown.get(key).and_then(toml::Value::as_table).cloned().unwrap_or_default()
    }

    /// Starts from the values of another table, which this one is read on top of.
    pub(super) fn inherit(&mut self, shown: toml::Table) {
        self.shown = shown;
    }

    /// Says that a required key is not there.
    pub(super) fn missing(&mut self, key: &str, help: &str) {
        if self.check.completeness == Completeness::Whole {
            let message = format!("`{}` is missing", self.path.child(key).written);
            self.check.problem_with_help(&self.place, message, help);
        }
    }

    /// Leaves a key unread, and unshown where it came from above.
    pub(super) fn hide(&mut self, key: &'static str) {
        self.take(key);
        self.shown.remove(key);
    }

    /// Leaves keys unread without calling them unknown.
    pub(super) fn ignore(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.take(key);
        }
    }

    /// A value of one type, or a problem that says what it must be.
    pub(super) fn get<T>(
        &mut self,
        key: &'static str,
        what: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<Located<T>> {
        let node = self.take(key)?;
        match read(&node.value) {
            Some(value) => Some(Located { value, place: node.place }),
            None => {
                self.wrong_type(key, what, &node);
                None
            }
        }
    }

    /// A text as it is.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Located<Text>> {
        let text = self.get(key, "a text", Text::of)?;
        self.show(key, text.value.shown());
        Some(text)
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let read = |value: &Value| match value {
            Value::Bool(flag) => Some(*flag),
            Value::Override(text) | Value::Expanded(text) => text.parse().ok(),
            _ => None,
        };
        let flag = self.get(key, "true or false", read).map_or(default, |found| found.value);
        self.show(key, flag);
        flag
    }

    /// A table below this one; absent reads as empty.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let place = self.entries.get(key).map_or(self.place.clone(), |entry| entry.key.clone());
        let entries = self.free_table(key);
        let (value, shown) = self.read_inner(self.path.child(key), place, entries, read);
        self.show_table(key, shown);
        value
    }

    /// Reads a table that has been taken out of this one and is not kept.
    pub(super) fn read_below<T>(
        &mut self,
        key: &str,
        place: Place,
        entries: Table,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        self.read_inner(self.path.child(key), place, entries, read).0
    }

    fn read_inner<T>(
        &mut self,
        path: Path,
        place: Place,
        entries: Table,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> (T, toml::Table) {
        let mut section = Section::new(path, place, entries, &mut *self.check);
        let value = read(&mut section);
        (value, section.finish())
    }

    /// Each table of a list of tables.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'_>) -> T,
    ) -> Option<Located<Vec<T>>> {
        let mut node = self.take(key)?;
        if let Value::Override(text) = &node.value
            && let Some(parsed) = parse_override(text, &node.place, self.check)
        {
            node = parsed;
        }
        let Value::List(items) = node.value else {
            self.wrong_type(key, "a list of tables", &node);
            return None;
        };
        let (mut values, mut shown) = (Vec::new(), Vec::new());
        for item in items {
            let Value::Table(entries) = item.value else {
                self.wrong_type(key, "a list of tables", &item);
                continue;
            };
            let path = self.path.child(key);
            let (value, table) = self.read_inner(path, item.place, entries, &mut read);
            values.push(value);
            shown.push(table);
        }
        if !shown.is_empty() {
            self.show(key, shown);
        }
        Some(Located { value: values, place: node.place })
    }

    /// Each table of a table whose keys are names.
    pub(super) fn named(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&str, &Place, &mut Section<'_>),
    ) {
        let mut shown = toml::Table::new();
        for (name, entry) in self.free_table(key) {
            let Value::Table(entries) = entry.node.value else {
                self.wrong_type(&name, "a table", &entry.node);
                continue;
            };
            let path = self.path.child(key).named(&name);
            let read = |section: &mut Section<'_>| read(&name, &entry.key, section);
            let ((), table) = self.read_inner(path, entry.key.clone(), entries, read);
            shown.insert(name, table.into());
        }
        self.show_table(key, shown);
    }

    /// The entries of a table whose keys are names; absent reads as empty.
    pub(super) fn free_table(&mut self, key: &'static str) -> Table {
        let Some(mut node) = self.take(key) else { return Table::new() };
        if let Value::Override(text) = &node.value
            && let Some(parsed) = parse_override(text, &node.place, self.check)
        {
            node = parsed;
        }
        if let Value::Table(entries) = node.value {
            return entries;
        }
        self.wrong_type(key, "a table", &node);
        Table::new()
    }

    /// A key's value; `None` when it is absent or already reported.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let entry = self.entries.remove(key)?;
        if matches!(entry.node.value, Value::Broken) { None } else { Some(entry.node) }
    }

    /// Says what a value must be.
    pub(super) fn wrong_type(&mut self, key: &str, what: &str, node: &Node) {
        if !matches!(node.value, Value::Broken) {
            let found = node.value.type_name();
            self.check.problem(&node.place, format!("`{key}` must be {what}, not {found}"));
        }
    }

    /// Reports the keys nobody asked for, and gives what was read.
    fn finish(self) -> toml::Table {
        let place = match self.path.written.as_str() {
            "" => "at the top of the file".to_owned(),
            path => format!("in [{path}]"),
        };
        for (name, Entry { key, node }) in &self.entries {
            let nearest = did_you_mean(name, self.asked.iter().copied());
            if is_secret_key(nearest.as_deref().unwrap_or_default()) {
                self.check.hide(&node.place);
            }
            let help =
                if is_later_key(&self.path.general, name) { Some(NOT_YET.into()) } else { nearest };
            let message = format!("unknown key `{name}` {place}");
            let known = || format!("the keys {place} are {}", self.asked.join(", "));
            self.check.problem_with_help(key, message, help.unwrap_or_else(known));
        }
        self.shown
    }
}
