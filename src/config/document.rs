//! A TOML file as a tree in which every key and value knows its place. Variables are filled in
//! here, so what follows sees only their values; `defaults.toml` is merged under a batch as trees.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Environment,
    check::Check,
    expand::expand,
    later::is_secret_key,
    place::{Place, SourceFile},
};

/// The table whose values are all secrets.
const ENV_KEY: &str = "env";

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// A TOML value, or what stands in for one.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// A text in which variables were filled in: it may hold a secret.
    Expanded(String),
    Time(String),
    List(Vec<Node>),
    Table(Table),
    /// A value from the environment, typed by the key it is for.
    Override(String),
    /// Already reported; reads as if the key were absent.
    Broken,
}

/// Keys in order, each with the place of the key itself.
pub(super) type Table = BTreeMap<String, Entry>;

/// One key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: Place,
    pub(super) node: Node,
}

impl Value {
    /// What a reader of the file would call it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Text(_) | Self::Expanded(_) | Self::Override(_) | Self::Broken => "text",
            Self::Time(_) => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Reads a file's text. Syntax errors are problems. Those that spoil one value leave the rest to be
/// checked; any other gives `None`, because what can be guessed of the file's structure would be
/// answered with problems that are not there.
pub(super) fn parse(file: &Arc<SourceFile>, env: &Environment, check: &mut Check) -> Option<Table> {
    let (document, errors) = DeTable::parse_recoverable(&file.text);
    if !errors.is_empty() {
        hide_secret_lines(file, check);
    }
    let mut spoilt = Vec::new();
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let place = Place { file: Arc::clone(file), span: span.clone() };
        check.problem(&place, error.message().replace('\n', ", "));
        spoilt.push(span);
    }
    if errors.iter().all(|error| spoils_one_value(error.message())) {
        let place = Place::start_of(file);
        let mut builder = Builder { place, env: Some(env), spoilt, check };
        return Some(builder.table(document.get_ref()));
    }
    None
}

/// The parser has no kinds of errors, only texts; one that is reworded counts as structural.
fn spoils_one_value(message: &str) -> bool {
    message.starts_with("string values must be quoted") || message == "duplicate key"
}

/// Reads the text of an override as one TOML value; `None` when it is none.
pub(super) fn parse_override(text: &str, place: &Place, check: &mut Check) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    let mut builder = Builder { place: place.clone(), env: None, spoilt: Vec::new(), check };
    Some(builder.node(&value))
}

/// `over` on top of `base`: tables are merged key by key, anything else is replaced.
pub(super) fn merge(base: &Table, over: Table) -> Table {
    let mut merged = base.clone();
    for (name, entry) in over {
        let below = merged.remove(&name).map(|entry| entry.node.value);
        let entry = match (below, entry) {
            (
                Some(Value::Table(below)),
                Entry { key, node: Node { value: Value::Table(above), place } },
            ) => Entry { key, node: Node { value: Value::Table(merge(&below, above)), place } },
            (_, entry) => entry,
        };
        merged.insert(name, entry);
    }
    merged
}

struct Builder<'a> {
    /// The file; without `env` also the place of everything.
    place: Place,
    env: Option<&'a Environment>,
    /// Where values could not be parsed.
    spoilt: Vec<Range<usize>>,
    check: &'a mut Check,
}

impl Builder<'_> {
    fn at(&self, span: Range<usize>) -> Place {
        match self.env {
            Some(_) => Place { file: Arc::clone(&self.place.file), span },
            None => self.place.clone(),
        }
    }

    fn table(&mut self, table: &DeTable<'_>) -> Table {
        let mut entries = Table::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let entry = Entry { key: self.at(key.span()), node: self.node(value) };
            self.hide_secrets(&name, &entry.node);
            entries.insert(name, entry);
        }
        entries
    }

    /// Values are hidden here already, because a problem may lie beside one that is never read. The
    /// table of a secret holds only a file's name.
    fn hide_secrets(&mut self, name: &str, node: &Node) {
        match &node.value {
            Value::Table(entries) if name == ENV_KEY => {
                for Entry { node, .. } in entries.values() {
                    self.hide_secrets("secret", node);
                }
            }
            Value::Table(_) => {}
            _ if is_secret_key(name) => self.check.hide(&node.place),
            _ => {}
        }
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>) -> Node {
        let place = self.at(value.span());
        let (value, span) = (value.get_ref(), value.span());
        let is_leaf = !value.is_table() && !value.is_array();
        let touches = |bad: &Range<usize>| bad.start <= span.end && span.start <= bad.end;
        if is_leaf && self.spoilt.iter().any(touches) {
            return Node { value: Value::Broken, place };
        }
        let value = match value {
            DeValue::String(text) => self.text(text, &place),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Value::Int(number),
                    Err(_) => {
                        self.check.problem(&place, "this number does not fit 64 bits");
                        Value::Broken
                    }
                }
            }
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Value::Float(number),
                Err(_) => {
                    self.check.problem(&place, "this is not a number");
                    Value::Broken
                }
            },
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Datetime(time) => Value::Time(time.to_string()),
            DeValue::Array(items) => {
                Value::List(items.iter().map(|item| self.node(item)).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { value, place }
    }

    fn text(&mut self, text: &str, place: &Place) -> Value {
        let Some(env) = self.env else { return Value::Text(text.to_owned()) };
        let expansion = expand(text, env);
        for error in &expansion.errors {
            self.check.problem_with_help(place, error.to_string(), error.help());
        }
        match (expansion.errors.is_empty(), expansion.named_variable) {
            (false, _) => Value::Broken,
            (true, true) => Value::Expanded(expansion.text),
            (true, false) => Value::Text(expansion.text),
        }
    }
}

/// A file that cannot be parsed has no values to hide, only lines that look as if they held some.
fn hide_secret_lines(file: &Arc<SourceFile>, check: &mut Check) {
    let mut line_start = 0;
    let mut is_in_env = false;
    for line in file.text.split_inclusive('\n') {
        if line.starts_with('[') {
            is_in_env = line.contains(ENV_KEY);
        }
        let is_secret = is_in_env || line.contains(ENV_KEY) || is_secret_key(line);
        if is_secret && let Some((before, _)) = line.split_once('=') {
            let span = line_start + before.len() + 1..line_start + line.len();
            check.hide(&Place { file: Arc::clone(file), span });
        }
        line_start += line.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Table>, Vec<crate::config::Problem>) {
        let file = Arc::new(SourceFile { name: "a.toml".into(), text: text.into() });
        let mut check = Check::new(std::path::Path::new("/"));
        let table = parse(&file, &Environment::default(), &mut check);
        (table, check.into_problems())
    }

    #[test]
    fn a_spoilt_value_leaves_the_others_readable() {
        let (table, problems) = read("a = 60s\nb = \nc = 1\nc = 2\nd = 3\n");
        let table = table.unwrap();
        assert!(matches!(table["a"].node.value, Value::Broken));
        assert!(matches!(table["b"].node.value, Value::Broken));
        assert!(matches!(table["d"].node.value, Value::Int(3)));
        let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [1, 2, 4]);
    }

    #[test]
    fn a_broken_structure_is_not_guessed_and_its_secrets_are_not_shown() {
        let (table, problems) = read("[source\nurl = \"postgres://u:hunter2@db\n");
        assert!(table.is_none());
        assert_eq!(problems[0].line, 1);
        assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
    }

    #[test]
    fn tables_are_merged_and_everything_else_replaced() {
        let base = read("[a]\nx = 1\ny = [1, 2]\n[b]\nz = 1\n").0.unwrap();
        let over = read("b = 5\n[a]\ny = [3]\n").0.unwrap();
        let merged = merge(&base, over);
        let Value::Table(a) = &merged["a"].node.value else { panic!("a is no table") };
        assert!(matches!(a["x"].node.value, Value::Int(1)));
        let Value::List(items) = &a["y"].node.value else { panic!("y is no list") };
        assert_eq!(items.len(), 1);
        assert!(matches!(merged["b"].node.value, Value::Int(5)));
    }
}
