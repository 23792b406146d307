//! Keys set by environment variables: `ANOMSTACK__SERVER__PORT`,
//! `ANOMSTACK__BATCH__SHOP__ALERT__THRESHOLD`, and the documented `ANOMSTACK_IO_…` names. A value
//! is put into the tree as text and typed by whoever reads the key.

use super::{
    Environment,
    check::Check,
    document::{Entry, Node, Table, Value},
    later::did_you_mean,
    place::Place,
};

const PREFIX: &str = "ANOMSTACK__";
const BATCH_PREFIX: &str = "BATCH__";

/// Variables with a fixed name, the key each sets, and the unit its number lacks. The general
/// name of the same key wins.
const DOCUMENTED: [(&str, [&str; 2], &str); 5] = [
    ("ANOMSTACK_STORAGE_BACKEND", ["storage", "backend"], ""),
    ("ANOMSTACK_STORAGE_ROOT", ["storage", "root"], ""),
    ("ANOMSTACK_IO_CHUNK_SIZE", ["io", "chunk_size"], ""),
    ("ANOMSTACK_IO_COMPRESSION", ["io", "compression"], ""),
    ("ANOMSTACK_IO_CACHE_TTL", ["io", "cache_ttl"], "s"),
];

/// Sets the system file's keys.
pub(super) fn apply_to_system(system: &mut Table, env: &Environment, check: &mut Check) {
    for (variable, path, unit) in DOCUMENTED {
        if let Some(value) = env.get(variable) {
            let is_bare_number = value.bytes().all(|byte| byte.is_ascii_digit());
            let unit = if is_bare_number { unit } else { "" };
            set(system, variable, &path, &format!("{value}{unit}"), check);
        }
    }
    for (variable, value) in env.iter() {
        if let Some(path) = variable.strip_prefix(PREFIX)
            && !path.starts_with(BATCH_PREFIX)
        {
            let path: Vec<&str> = path.split("__").collect();
            set(system, variable, &path, value, check);
        }
    }
}

/// Sets the keys of the batches, each given by its name and its tree.
pub(super) fn apply_to_batches(
    batches: &mut [(String, Table)],
    env: &Environment,
    check: &mut Check,
) {
    for (variable, value) in env.iter() {
        let rest = variable.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(BATCH_PREFIX));
        let Some(rest) = rest else { continue };
        let key_of = |name: &str| {
            let key = rest.strip_prefix(normal(name).as_str())?.strip_prefix("__")?;
            (!key.is_empty()).then(|| key.to_owned())
        };
        // `shop` and `shop__eu` may both fit; the longer name is meant.
        let longest =
            batches.iter().filter(|(name, _)| key_of(name).is_some()).map(|(name, _)| normal(name));
        let Some(meant) = longest.max_by_key(String::len) else {
            refuse_batch(rest, variable, batches, check);
            continue;
        };
        let n_meant = batches.iter().filter(|(name, _)| normal(name) == meant).count();
        if 1 < n_meant {
            let message = format!("{n_meant} batches are called {meant} in a variable's name");
            let help = "rename one, or set the key in its file";
            check.problem_with_help(&Place::variable(variable), message, help);
            continue;
        }
        for (name, table) in batches.iter_mut().filter(|(name, _)| normal(name) == meant) {
            let key = key_of(name).unwrap_or_default();
            let path: Vec<&str> = key.split("__").collect();
            set(table, variable, &path, value, check);
        }
    }
}

fn refuse_batch(rest: &str, variable: &str, batches: &[(String, Table)], check: &mut Check) {
    let written = rest.split("__").next().unwrap_or_default();
    let names: Vec<String> = batches.iter().map(|(name, _)| normal(name)).collect();
    let message = format!("no batch is called {written}, or the variable names no key of it");
    let help = did_you_mean(written, names.iter().map(String::as_str))
        .unwrap_or_else(|| format!("the batches are {}", names.join(", ")));
    check.problem_with_help(&Place::variable(variable), message, help);
}

fn set(table: &mut Table, variable: &str, path: &[&str], value: &str, check: &mut Check) {
    let place = Place::variable(variable);
    let Some((last, tables)) = path.split_last() else { return };
    let mut table = table;
    for segment in tables {
        let entry = table.entry(key_like(table, segment)).or_insert_with(|| Entry {
            key: place.clone(),
            node: Node { value: Value::Table(Table::new()), place: place.clone() },
        });
        let Value::Table(below) = &mut entry.node.value else {
            let message = format!("`{}` is not a table", segment.to_lowercase());
            check.problem(&place, message);
            return;
        };
        table = below;
    }
    let node = Node { value: Value::Override(value.to_owned()), place: place.clone() };
    table.insert(key_like(table, last), Entry { key: place, node });
}

/// The key of a table that a variable's segment means: one that is there, else in lower case.
fn key_like(table: &Table, segment: &str) -> String {
    let there = table.keys().find(|key| normal(key) == segment.to_uppercase());
    there.cloned().unwrap_or_else(|| segment.to_lowercase())
}

/// A name as it is written in a variable.
fn normal(name: &str) -> String {
    name.to_uppercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}
