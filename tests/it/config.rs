//! Mistakes in the configuration: all of them at once, and nothing is begun on them.

use std::collections::BTreeMap;

use crate::support::Project;

/// Twelve different mistakes in three files.
fn mistaken() -> Project {
    let project = Project::empty();
    project.write(
        "config/anomstack.toml",
        "[server]\nport = \"high\"\nhots = \"127.0.0.1\"\n\n[log]\nformat = \"xml\"\n\n\
         [channels.oncall]\nkind = \"webhook\"\n",
    );
    project.write(
        "metric_batches/defaults.toml",
        "[alert]\nsnooze = \"6 hours\"\n\n[train]\nmin_points = -1\n\n[history]\nretention = 5\n",
    );
    project.write(
        "metric_batches/shop.toml",
        "timezone = \"Mars/Olympus\"\n\n[source]\nkind = \"sql\"\nurl = \"${NO_SUCH_VARIABLE}\"\n\
         query = \"SELECT 1\"\n\n[schedule]\ntrain = \"99 * * * *\"\n\n[alert]\n\
         channels = [\"oncal\"]\n\n[[detectors]]\nkind = \"psa\"\n",
    );
    project
}

#[test]
fn check_reports_every_mistake_of_every_file_with_its_place() {
    let project = mistaken();
    let ran = project.run(&["check"]);
    ran.exited(1);
    assert_eq!(ran.stdout, "");
    for place in [
        "config/anomstack.toml:2:8",
        "config/anomstack.toml:3:1",
        "config/anomstack.toml:6:10",
        "config/anomstack.toml:8:11",
        "metric_batches/defaults.toml:2:10",
        "metric_batches/defaults.toml:5:14",
        "metric_batches/defaults.toml:8:13",
        "metric_batches/shop.toml:1:12",
        "metric_batches/shop.toml:5:7",
        "metric_batches/shop.toml:9:9",
        "metric_batches/shop.toml:12:13",
        "metric_batches/shop.toml:15:8",
    ] {
        assert_eq!(ran.stderr.matches(&format!("{place}\n")).count(), 1, "{place}\n{}", ran.stderr);
    }
    for suggestion in ["did you mean `host`?", "did you mean `oncall`?", "did you mean `pca`?"] {
        assert!(ran.stderr.contains(suggestion), "{suggestion}\n{}", ran.stderr);
    }
    assert!(ran.stderr.contains("hots = \"127.0.0.1\""), "the line itself\n{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "no colours where no person reads");
}

#[test]
fn check_gives_every_mistake_to_programs() {
    let ran = mistaken().run(&["check", "--json"]);
    ran.exited(1);
    let answer: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let mut by_file: BTreeMap<&str, usize> = BTreeMap::new();
    for problem in answer["problems"].as_array().unwrap() {
        *by_file.entry(problem["file"].as_str().unwrap()).or_default() += 1;
        assert!(problem["line"].is_u64() && problem["column"].is_u64(), "{problem}");
        assert!(!problem["message"].as_str().unwrap().is_empty(), "{problem}");
    }
    let expected = [
        ("config/anomstack.toml", 4),
        ("metric_batches/defaults.toml", 3),
        ("metric_batches/shop.toml", 5),
    ];
    assert_eq!(by_file, BTreeMap::from(expected), "{answer:#}");
}

#[test]
fn nothing_is_begun_on_a_broken_configuration() {
    let project = mistaken();
    for command in [&["run", "--all"][..], &["serve"], &["metrics", "list"], &["alerts", "list"]] {
        let ran = project.run(command);
        ran.exited(2);
        assert!(ran.stderr.contains("Mars/Olympus"), "{command:?}\n{}", ran.stderr);
    }
    assert!(!project.root().exists());
}

#[test]
fn a_right_configuration_has_no_problems() {
    let project = Project::shop();
    let ran = project.run(&["check"]);
    ran.succeeded();
    assert_eq!(ran.stdout, "1 batch, no problems\n");
    assert_eq!(project.json(&["check"]), serde_json::json!({ "problems": [], "batches": 1 }));
}

#[test]
fn the_environment_and_a_dotenv_file_override_any_key() {
    let project = Project::shop();
    let hash = |project: &Project| {
        project.run(&["run", "shop", "--job", "ingest"]).succeeded();
        project.newest_run("shop", "ingest")["config_hash"].clone()
    };
    let plain = hash(&project);
    let mut command = project.command(&["check"]);
    let output = command.env("ANOMSTACK__BATCH__SHOP__ALERT__THRESHOLD", "loud").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("ANOMSTACK__BATCH__SHOP__ALERT__THRESHOLD"), "{stderr}");
    project.write(".env", "ANOMSTACK__BATCH__SHOP__ALERT__THRESHOLD=0.9\n");
    assert_ne!(hash(&project), plain);
}
