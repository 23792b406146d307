//! `anomstack init`: a folder that checks, runs and finds the incident it ships.

use std::fs;

use crate::support::{Ran, files_below, program};

#[test]
fn a_new_project_checks_runs_and_finds_the_incident_in_its_example() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("project");
    let run = |arguments: &[&str]| Ran::of(program().arg("--config").arg(&dir).args(arguments));
    Ran::of(program().arg("init").arg(&dir)).succeeded();
    run(&["check"]).succeeded();
    run(&["run", "--all"]).succeeded();
    let listed = run(&["alerts", "list", "--batch", "web", "--json"]);
    listed.succeeded();
    let alerts: Vec<serde_json::Value> = serde_json::from_str(&listed.stdout).unwrap();
    assert!(!alerts.is_empty(), "the example holds an incident");
    let hosts = run(&["metrics", "list", "host", "--json"]);
    let hosts: Vec<serde_json::Value> = serde_json::from_str(&hosts.stdout).unwrap();
    assert!(5 <= hosts.len(), "this machine's own metrics: {hosts:?}");
}

#[test]
fn a_second_init_refuses_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    Ran::of(program().arg("init").arg(dir)).succeeded();
    fs::write(dir.join("metric_batches/web.toml"), "mine").unwrap();
    let contents = || -> Vec<(String, Vec<u8>)> {
        let files = files_below(dir);
        files.into_iter().map(|name| (name.clone(), fs::read(dir.join(&name)).unwrap())).collect()
    };
    let before = contents();
    let ran = Ran::of(program().arg("init").arg(dir));
    ran.exited(2);
    assert!(ran.stderr.contains("refuse to overwrite"), "{}", ran.stderr);
    assert_eq!(contents(), before);
}
