//! `[source]` of kind `command`: the program, what it gets and what it may use.

use crate::domain::{CommandSpec, SourceKind};

use super::{section::Section, source::DEFAULT_MAX_BYTES};

pub(super) const KEYS: &[&str] = &["command", "shell", "env", "inherit", "max_bytes", "max_memory"];

const DEFAULT_MAX_MEMORY: usize = 2 << 30;
/// Less than any interpreter needs to start.
const MIN_MEMORY: usize = 1 << 20;

pub(super) fn read(source: &mut Section<'_>) -> Option<SourceKind> {
    let place = source.key_place("command").unwrap_or(source.place.clone());
    let argv = match source.flag("shell", false) {
        true => shell_line(source),
        false => program(source),
    };
    let env = source.secrets("env");
    let inherit = source.texts_or("inherit", &[]).into_iter().map(|name| name.value.text).collect();
    let max_bytes = source.size("max_bytes", DEFAULT_MAX_BYTES);
    let memory_place = source.key_place("max_memory").unwrap_or(source.place.clone());
    let max_memory = source.size("max_memory", DEFAULT_MAX_MEMORY);
    if max_memory < MIN_MEMORY {
        source.check.problem(&memory_place, "`max_memory` must be at least 1MiB");
    }
    let argv = argv?;
    if argv.first().is_none_or(|program| program.trim().is_empty()) {
        source.check.problem_with_help(&place, "`command` names no program", HELP);
        return None;
    }
    let dir = source.check.dir.clone();
    Some(SourceKind::Command(CommandSpec { argv, env, inherit, max_bytes, max_memory, dir }))
}

const HELP: &str = "write the program and its arguments as a list: [\"python3\", \"read.py\"]";

fn program(source: &mut Section<'_>) -> Option<Vec<String>> {
    if !source.has("command") {
        source.missing("command", HELP);
    }
    Some(source.texts("command")?.into_iter().map(|word| word.value.text).collect())
}

/// One line for the system's shell.
fn shell_line(source: &mut Section<'_>) -> Option<Vec<String>> {
    let help = "with `shell = true` write one line, as in \"psql -c '…' | sed 1d\"";
    let line = source.required_text("command", help)?.value.text;
    Some(vec!["sh".to_owned(), "-c".to_owned(), line])
}
