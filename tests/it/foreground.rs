//! `anomstack run` when it is not left alone, and when nothing is kept.

use std::process::{Command, Stdio};

use crate::support::Project;

const HANGING: &str = r#"
[source]
kind = "command"
command = ["sh", "-c", "touch started; exec sleep 600"]
timeout = "900s"
"#;

#[test]
fn a_run_that_is_interrupted_is_handed_back_at_once_and_the_batch_is_free() {
    let project = Project::shop();
    project.batch("hanging", HANGING);
    let mut command = project.command(&["run", "hanging", "--job", "ingest"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !project.path().join("started").exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it was interrupted");
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let runs = project.json(&["runs", "list", "--batch", "hanging"]);
    let states: Vec<_> = runs.as_array().unwrap().iter().map(|run| &run["state"]).collect();
    assert_eq!(states, ["retry_wait"]);
}

#[test]
fn storage_in_memory_leaves_nothing_behind_and_starts_anew_each_time() {
    let project = Project::shop();
    for _ in 0..2 {
        let mut command = project.command(&["run", "shop"]);
        let status = command.env("ANOMSTACK_STORAGE_BACKEND", "memory").status().unwrap();
        assert!(status.success());
    }
    assert_eq!(project.files(), ["daemon.lock"]);
}
