//! A Python function as a `command` source: the user's own text in a file of its own, and a small
//! program that runs it and prints what it gives.

use super::{
    Written,
    report::{Report, Verdict},
    tables::Tables,
};
use crate::config::BATCH_DIR;

/// What the user's files are called, after the batch.
pub(super) const ENDING: &str = ".ingest.py";
/// The program that runs them.
pub(super) const RUNNER_PATH: &str = "metric_batches/anomstack_ingest.py";
/// Its text.
pub(super) const RUNNER: &str = include_str!("anomstack_ingest.py");

/// Writes the source of a batch whose rows a function gives.
pub(super) fn write(
    (batch, stem): (&str, &str),
    text: Result<String, String>,
    tables: &mut Tables,
    report: &mut Report,
) -> Vec<Written> {
    let text = match text {
        Ok(text) => text,
        Err(problem) => {
            report.add((batch, "ingest_fn"), Verdict::Cannot, "", &problem);
            format!("def ingest():\n    raise RuntimeError({problem:?})\n")
        }
    };
    let path = format!("{BATCH_DIR}/{stem}{ENDING}");
    let command = ["python3", RUNNER_PATH, &path].map(str::to_owned).to_vec();
    tables.put("source", "kind", "command");
    tables.put("source", "command", command);
    let variables = variables(&text);
    if !variables.is_empty() {
        tables.put("source", "inherit", variables.clone());
    }
    let mut note =
        "a program of its own runs the function: `pip install` what it imports for that python3"
            .to_owned();
    if !variables.is_empty() {
        note += &format!("; it gets these variables: {}", variables.join(", "));
    }
    report.add((batch, "ingest_fn"), Verdict::Changes, "kind = \"command\"", &note);
    if !text.contains("def ingest(") {
        report.add((batch, "ingest_fn"), Verdict::Cannot, "", "the text defines no `ingest()`");
    }
    vec![Written { path, text }]
}

/// Variables of the environment that a program asks for by name.
fn variables(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["getenv(", "environ[", "environ.get("] {
        for rest in text.split(start).skip(1) {
            let rest = rest.trim_start();
            let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
                continue;
            };
            let name = rest[1..].split(quote).next().unwrap_or_default();
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if !name.is_empty() && name.chars().all(is_word) && !found.contains(&name.to_owned()) {
                found.push(name.to_owned());
            }
        }
    }
    found.sort();
    found
}
