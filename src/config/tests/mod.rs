//! What a project's files mean, and what is said of those that mean nothing.

mod calendar;
mod channels;
mod kinds;
mod overrides;
mod reports;
mod routes;
mod rules;
mod secrets;
mod server;
mod storage;
mod files;
mod web;

use std::{fs, path::Path};

use tempfile::TempDir;

use super::*;
/// The least a batch says.
const SOURCE: &str = "[source]\nkind = \"file\"\npath = \"x.csv\"\n";

fn project(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join(BATCH_DIR)).unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn problems(files: &[(&str, &str)], env: &Environment) -> Vec<String> {
    let dir = project(files);
    let found = load(dir.path(), env).map_or_else(|problems| problems.0, |_| Vec::new());
    let place = |problem: &Problem| {
        let name = problem.file.rsplit('/').next().unwrap_or_default();
        let help = problem.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{name}:{}:{}: {}{help}", problem.line, problem.column, problem.message)
    };
    found.iter().map(place).collect()
}

fn batch(text: &str) -> BatchSpec {
    let dir = project(&[("metric_batches/a.toml", text)]);
    load(dir.path(), &Environment::default()).unwrap().batches.remove(0)
}

#[track_caller]
fn check_batch(text: &str, expected: &[&str]) {
    let text =
        if text.contains("[source]") { text.to_owned() } else { format!("{text}\n{SOURCE}") };
    let files = [("metric_batches/a.toml", text.as_str())];
    assert_eq!(problems(&files, &Environment::default()), expected);
}

#[track_caller]
fn check_system(text: &str, expected: &[&str]) {
    assert_eq!(problems(&[(SYSTEM_FILE, text)], &Environment::default()), expected);
}
