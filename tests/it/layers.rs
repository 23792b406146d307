//! Which module may use which, and which foreign crate belongs to which module, read from the
//! source text. A new module or a new arrow has to be entered here, where a reviewer sees it.

use std::{fs, path::Path};

const PURE: &[&str] = &["domain"];
const JOBS: &[&str] = &[
    "domain",
    "config",
    "telemetry",
    "compute",
    "io",
    "net",
    "series",
    "catalog",
    "sources",
    "features",
    "detect",
    "alerting",
    "chart",
    "notify",
];

/// Each top-level module and what else of the crate it may use.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("config", PURE),
    ("telemetry", PURE),
    ("compute", &[]),
    ("io", &["domain", "net", "compute"]),
    ("net", PURE),
    ("series", &["domain", "io", "compute"]),
    ("catalog", PURE),
    ("sources", &["domain", "io", "net", "compute"]),
    ("features", PURE),
    ("detect", &["domain", "features"]),
    ("alerting", PURE),
    ("evaluate", &["domain", "features", "detect", "alerting"]),
    ("chart", PURE),
    ("notify", &["domain", "net"]),
    ("jobs", JOBS),
    ("push", &["domain", "telemetry", "compute", "io", "catalog", "sources"]),
    ("runtime", &["domain", "telemetry", "compute", "io", "catalog"]),
    (
        "http",
        &[
            "domain",
            "chart",
            "config",
            "telemetry",
            "compute",
            "io",
            "net",
            "series",
            "catalog",
            "jobs",
            "push",
        ],
    ),
    (
        "cli",
        &[
            "domain",
            "config",
            "telemetry",
            "compute",
            "io",
            "net",
            "series",
            "catalog",
            "sources",
            "features",
            "detect",
            "alerting",
            "evaluate",
            "chart",
            "notify",
            "jobs",
            "push",
            "runtime",
            "http",
        ],
    ),
];

/// A crate or path, and the only files (by the start of their path below `src`) that may name it.
const OWNERS: &[(&str, &[&str])] = &[
    ("rusqlite::", &["sources/sql"]),
    ("sqlx::", &["catalog/", "sources/sql", "cli/demo/database.rs", "sources/conformance.rs"]),
    ("object_store::", &["io/"]),
    ("axum::", &["http/"]),
    ("hyper::", &["http/"]),
    ("prost::", &["push/"]),
    ("rayon::", &["compute.rs", "jobs/"]),
    ("reqwest::", &["net/", "notify/", "sources/web/", "sources/file/fetch.rs"]),
    ("lettre::", &["notify/email/", "config/channels/email.rs"]),
    ("toml::", &["config/", "io/codec/"]),
    ("std::env::", &["config/", "sources/servers.rs", "io/testing.rs"]),
    ("Utc::now", &["runtime/clock.rs"]),
    (
        "Instant::now",
        &[
            "runtime/",
            "jobs/",
            "http/",
            "cli/",
            "sources/host.rs",
            "sources/web/bad_servers_tests.rs",
        ],
    ),
    (
        "async fn",
        &[
            "compute.rs",
            "io/",
            "net/",
            "series/",
            "catalog/",
            "sources/",
            "notify/",
            "jobs/",
            "push/",
            "runtime/",
            "http/",
            "cli/",
            "main.rs",
        ],
    ),
];

const MAX_LINES: usize = 400;
const BANNED_NAMES: &[&str] =
    &["manager", "handler", "helper", "helpers", "util", "utils", "common", "misc"];

#[test]
fn modules_use_only_the_layers_below_them() {
    assert_none(violations(|file| {
        // A test builds its world from any layer.
        let is_test = file.path.contains("/tests/");
        let (_, allowed) = LAYERS.iter().find(|(name, _)| *name == file.module && !is_test)?;
        let used = crate_uses(&file.code);
        let wrong = used
            .into_iter()
            .find(|name| *name != file.module && !allowed.contains(&name.as_str()))?;
        Some(format!("`{}` must not use `crate::{wrong}`", file.module))
    }));
}

#[test]
fn every_module_has_its_layer() {
    assert_none(violations(|file| {
        let is_known = LAYERS.iter().any(|(name, _)| *name == file.module);
        let is_root = ["lib", "main"].contains(&file.module.as_str());
        (!is_known && !is_root).then(|| format!("`{}` is not in LAYERS", file.module))
    }));
}

#[test]
fn foreign_crates_stay_with_their_owner() {
    assert_none(violations(|file| {
        let (name, _) = OWNERS.iter().find(|(name, owners)| {
            file.code.contains(name) && !owners.iter().any(|owner| file.path.starts_with(owner))
        })?;
        Some(format!("must not name `{name}`"))
    }));
}

#[test]
fn files_are_short_introduced_and_named_for_their_content() {
    assert_none(violations(|file| {
        let n_lines = file.code.lines().count();
        if MAX_LINES < n_lines {
            return Some(format!("{n_lines} lines; split it (at most {MAX_LINES})"));
        }
        if file.path.split(['/', '.', '_']).any(|word| BANNED_NAMES.contains(&word)) {
            return Some("the name says nothing about the content".into());
        }
        (!file.text.starts_with("//!")).then(|| "has no `//!` introduction".into())
    }));
}

#[test]
fn uses_are_found_in_groups_nested_groups_and_inline_paths() {
    let code = "use crate::{domain::{A, B}, io};\nfn f() { crate::jobs::run() }";
    assert_eq!(crate_uses(code), ["domain", "io", "jobs"]);
}

struct Source {
    /// Relative to `src`.
    path: String,
    module: String,
    text: String,
    /// The text without comments and without the tests at its end.
    code: String,
}

fn violations(check: impl Fn(&Source) -> Option<String>) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut pending = vec![root.clone()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = read(&root, &path);
            found.extend(check(&source).map(|problem| format!("{}: {problem}", source.path)));
        }
    }
    found.sort();
    found
}

fn read(root: &Path, path: &Path) -> Source {
    let relative = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    let module = relative.split(['/', '.']).next().unwrap().to_owned();
    let text = fs::read_to_string(path).unwrap();
    let product = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = product.lines().map(|line| line.split("//").next().unwrap());
    let code = lines.collect::<Vec<_>>().join("\n");
    Source { path: relative, module, text, code }
}

/// The first segment of every `crate::…` path, those inside `use crate::{…}` included.
fn crate_uses(code: &str) -> Vec<String> {
    let mut uses = Vec::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            Some(group) => uses.extend(group_items(group)),
            None => uses.extend(first_word(after)),
        }
    }
    uses
}

fn group_items(group: &str) -> Vec<String> {
    let (mut depth, mut is_item_start, mut items) = (0_usize, true, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_item_start = true,
            _ if is_item_start && !c.is_whitespace() => {
                items.extend(first_word(&group[at..]));
                is_item_start = false;
            }
            _ => (),
        }
    }
    items
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

#[track_caller]
fn assert_none(violations: Vec<String>) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}
