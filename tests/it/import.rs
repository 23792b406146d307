//! `anomstack import-anomstack`: a folder of the Python Anomstack becomes batches that check and run.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{Project, Ran, files_below, program};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/anomstack");

fn import(out: &Path, more: &[&str]) -> Ran {
    Ran::of(program().args(["import-anomstack", FOLDER, "--json", "--out"]).arg(out).args(more))
}

/// What became of a key: verdict, target and note.
fn entry(report: &Value, batch: &str, key: &str) -> (String, String, String) {
    let entries = report["entries"].as_array().unwrap();
    let found = entries.iter().find(|entry| entry["batch"] == batch && entry["key"] == key);
    let found = found.unwrap_or_else(|| panic!("{batch}.{key} is not in {report:#}"));
    let text = |name: &str| found[name].as_str().unwrap().to_owned();
    (text("verdict"), text("becomes"), text("note"))
}

#[test]
fn a_dry_run_reports_every_key_and_writes_nothing() {
    let project = Project::bare();
    let ran = import(project.path(), &["--dry-run"]);
    ran.succeeded();
    assert!(files_below(project.path()).is_empty());
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["batches"], &report["written"]), (&3.into(), &false.into()));
    let is = |batch: &str, key: &str, verdict: &str, part: &str| {
        let (found, becomes, note) = entry(&report, batch, key);
        assert_eq!(found, verdict, "{batch}.{key}: {becomes} {note}");
        assert!(becomes.contains(part) || note.contains(part), "{batch}.{key}: {becomes} {note}");
    };
    is("defaults", "train_metric_timestamp_max_days_ago", "maps", "[train] window = \"90d\"");
    is("defaults", "alert_threshold", "changes", "[alert] threshold = 0.8");
    is("defaults", "train_cron_schedule", "maps", "[schedule] train = \"*/60 * * * *\"");
    is("defaults", "model_configs.KNN", "maps", "kind = \"knn\"");
    is("defaults", "train_sql", "unneeded", "");
    is("defaults", "broken.yml", "cannot", "only .yaml");
    is("Web Shop", "preprocess_params", "maps", "[features] difference = 0");
    is("Web Shop", "model_configs.AutoEncoder", "cannot", "not among the detectors");
    is("Web Shop", "model_configs.IForest", "cannot", "`branches`");
    is("Web Shop", "alert_exclude_metrics", "maps", "[\"test_orders\"]");
    is("Web Shop", "alert_always", "cannot", "without a reason");
    is("Web Shop", "score_cron_schedule", "cannot", "no cron");
    is("Web Shop", "currency", "maps", "variable");
    is("Web Shop", "surprise", "cannot", "no such key");
    is("office", "ingest_fn", "changes", "OFFICE_TEMPERATURE");
    is("office", "disable_alerts", "maps", "alert = \"never\"");
    is("warehouse", "disable_batch", "maps", "enabled = false");
    is("warehouse", "db", "changes", "adbc_driver_snowflake");
    is("warehouse", "ingest_sql", "cannot", "`lookback_days`");
}

#[test]
fn the_environment_is_merged_in_and_said() {
    let project = Project::bare();
    let mut command = program();
    command.args(["import-anomstack", FOLDER, "--json", "--dry-run", "--out"]).arg(project.path());
    let ran = Ran::of(command.env("ANOMSTACK__WEB SHOP__ALERT_THRESHOLD", "0.95"));
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let entries = report["entries"].as_array().unwrap();
    let of_key = |entry: &&Value| entry["batch"] == "Web Shop" && entry["key"] == "alert_threshold";
    let found: Vec<&Value> = entries.iter().filter(of_key).collect();
    assert!(found.iter().any(|e| e["becomes"] == "[alert] threshold = 0.95"), "{found:?}");
    assert!(found.iter().any(|e| e["note"].as_str().unwrap().contains("unset it")), "{found:?}");
}

#[test]
fn what_is_imported_checks_and_its_queries_and_functions_run() {
    let project = Project::bare();
    import(project.path(), &[]).succeeded();
    project.run(&["check"]).succeeded();
    let shop = project.read("metric_batches/web_shop.toml");
    for line in [
        "name = \"Web Shop\"",
        "params = { currency = \"EUR\" }",
        "resample = \"10m\"",
        "aggregate = \"sum\"",
    ] {
        assert!(shop.contains(line), "{line} is not in {shop}");
    }
    sales(&project);
    project.run(&["run", "Web Shop", "--job", "ingest"]).succeeded();
    let names = |batch: &str| -> Vec<String> {
        let rows = project.list(&["metrics", "list", batch]);
        rows.iter().map(|row| row["metric"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("Web Shop"), ["orders", "refunds"]);
    let mut run = project.command(&["run", "office", "--job", "ingest"]);
    Ran::of(run.env("OFFICE_TEMPERATURE", "21")).succeeded();
    assert_eq!(names("office"), ["noise 2500", "temperature 2500"]);
    let office = project.json(&["metrics", "show", "office", "noise 2500"]);
    assert_eq!(office["newest_value"], 25.0);
    let report = &project.newest_run("office", "ingest")["report"];
    assert_eq!(report["rejected"], serde_json::json!({ "not_a_number": 2 }));
    let again = import(project.path(), &[]);
    again.exited(2);
    assert!(again.stderr.contains("refuse to overwrite"), "{}", again.stderr);
}

fn sales(project: &Project) {
    fs::create_dir_all(project.path().join("tmpdata")).unwrap();
    let path = project.path().join("tmpdata/anomstack-sqlite.db");
    let sql = "CREATE TABLE sales (at TEXT, currency TEXT, orders REAL, refunds REAL);
               INSERT INTO sales VALUES ('2026-01-01', 'EUR', 7, 1), ('2026-01-01', 'USD', 9, 2)";
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_folder_of_something_else_is_refused() {
    let project = Project::bare();
    project.write("a.yaml", "x: 1\n");
    let ran = Ran::of(program().arg("import-anomstack").arg(project.path()));
    ran.exited(2);
    assert!(ran.stderr.contains("no folder of Anomstack's batches"), "{}", ran.stderr);
}

/// Imports the project's folder `old` into the project.
fn import_old(project: &Project) -> Ran {
    let (old, out) = (project.path().join("old"), project.path());
    Ran::of(program().args(["import-anomstack", "--json"]).arg(old).arg("--out").arg(out))
}

#[test]
fn of_two_batches_with_one_name_the_second_is_passed_over_and_said() {
    let project = Project::bare();
    project.write("old/defaults/defaults.yaml", "db: sqlite\n");
    project.write("old/a.yaml", "metric_batch: Shop A\ningest_sql: select 1\n");
    project.write("old/b.yaml", "metric_batch: shop_a\ningest_sql: select 2\n");
    let ran = import_old(&project);
    ran.succeeded();
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let (verdict, _, note) = entry(&report, "shop_a", "metric_batch");
    assert_eq!(verdict, "cannot");
    assert!(note.contains("b.yaml was passed over"), "{note}");
    assert_eq!(project.read("metric_batches/shop_a.sql"), "select 1\n");
}

#[test]
fn an_include_that_leaves_the_folder_or_never_ends_is_not_followed() {
    let project = Project::bare();
    project.write("secret.txt", "hunter2");
    project.write("old/defaults/defaults.yaml", "db: sqlite\n");
    let batch = |name: &str, include: &str| {
        format!("metric_batch: {name}\ningest_sql: '{{% include \"{include}\" %}}'\n")
    };
    project.write("old/a.yaml", &batch("a", "../secret.txt"));
    project.write("old/b.yaml", &batch("b", "./b.sql"));
    project.write("old/b.sql", "{% include './b.sql' %}");
    let ran = import_old(&project);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    for (name, why) in [("a", "not in the folder"), ("b", "without end")] {
        let (verdict, _, note) = entry(&report, name, "ingest_sql");
        assert_eq!(verdict, "cannot");
        assert!(note.contains(why), "{note}");
        let query = project.read(&format!("metric_batches/{name}.sql"));
        assert!(!query.contains("hunter2"), "{query}");
    }
}
