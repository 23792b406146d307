//! Damaged models: the version before serves, nothing is lost, and the next training heals.

use std::{fs, path::PathBuf, process::Command};

use anomstack::{domain::Plain, io};
use serde_json::{Value, json};

use crate::support::{Csv, END, Project, Ran};

/// A project with two versions of each model, and a row to score that came after.
fn trained_twice() -> Project {
    let project = Project::shop();
    for _ in 0..2 {
        project.run(&["run", "shop", "--job", "ingest,train", "--at", END]).succeeded();
    }
    project
}

fn versions(project: &Project, metric: &str) -> Vec<Value> {
    project.list(&["models", "list", "shop", metric])
}

fn object(project: &Project, version: &Value) -> PathBuf {
    project.root().join(version["model_key"].as_str().unwrap())
}

#[track_caller]
fn score(project: &Project) -> Value {
    project.run(&["run", "shop", "--job", "score", "--at", END]).succeeded();
    project.newest_run("shop", "score")["report"].clone()
}

/// Damages the current model of `orders`; the version before must serve, and the damaged bytes
/// must be kept aside.
#[track_caller]
fn check(what: &str, damage: impl Fn(&Project, &[u8]) -> Vec<u8>) {
    let project = trained_twice();
    let newest = &versions(&project, "orders")[0];
    let path = object(&project, newest);
    let damaged = damage(&project, &fs::read(&path).unwrap());
    fs::write(&path, &damaged).unwrap();

    let report = score(&project);
    assert_eq!(report["fallbacks"], json!(["orders"]), "{what}");
    assert_eq!(report["skipped"], json!([]), "{what}");
    let states: Vec<Value> =
        versions(&project, "orders").iter().map(|version| version["state"].clone()).collect();
    assert_eq!(states, ["quarantined", "verified"], "{what}");
    let aside = project.root().join("quarantine").join(newest["model_key"].as_str().unwrap());
    assert_eq!(fs::read(aside).unwrap(), damaged, "{what}");
    assert!(!path.exists(), "{what}");
    let served = project.json(&["models", "show", "shop", "orders"]);
    assert_eq!(served["version"], versions(&project, "orders")[1]["version"], "{what}");
    assert_eq!(score(&project)["fallbacks"], json!([]), "{what}: the next run has nothing to do");
}

#[test]
fn a_model_cut_short_is_set_aside_and_the_version_before_serves() {
    check("half", |_, bytes| bytes[..bytes.len() / 2].to_vec());
    check("empty", |_, _| Vec::new());
    check("last byte", |_, bytes| bytes[..bytes.len() - 1].to_vec());
}

/// Where the last float of a pickle begins that is neither tiny nor huge: only a checksum can tell
/// it from one with another last digit.
fn last_float(bytes: &[u8]) -> usize {
    let float_at = |at: &usize| {
        let eight = bytes.get(at + 1..at + 9).and_then(|eight| eight.try_into().ok());
        let float = eight.map_or(0.0, f64::from_be_bytes).abs();
        bytes[*at] == b'G' && (1e-3..1e6).contains(&float)
    };
    (0..bytes.len()).rev().find(float_at).unwrap()
}

#[test]
fn a_model_with_one_bit_flipped_is_set_aside() {
    let flip = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    check("first byte", |_, bytes| flip(bytes, 0));
    check("in the middle", |_, bytes| flip(bytes, bytes.len() / 2));
    check("last digit of a number", |_, bytes| flip(bytes, last_float(bytes) + 8));
}

#[test]
fn a_model_of_another_metric_is_set_aside() {
    check("another metric", |project, _| {
        fs::read(object(project, &versions(project, "revenue")[0])).unwrap()
    });
    check("a program", |_, _| b"cos\nsystem\n(S'touch /tmp/anomstack-pickle'\ntR.".to_vec());
    assert!(!fs::exists("/tmp/anomstack-pickle").unwrap());
}

/// Puts other bytes in the place of the current model of `orders` and has the catalog take them for
/// what was trained; they must be refused for this reason, and the version before must serve.
#[track_caller]
fn check_refused(bytes: impl Fn(&Project, &[u8]) -> Vec<u8>, reason: &str) {
    let project = trained_twice();
    let newest = &versions(&project, "orders")[0];
    let path = object(&project, newest);
    let bytes = bytes(&project, &fs::read(&path).unwrap());
    fs::write(&path, &bytes).unwrap();
    let catalog = rusqlite::Connection::open(project.root().join("catalog.db")).unwrap();
    let n_changed = catalog.execute(
        "UPDATE models SET sha256 = ?1, size = ?2 WHERE model_key = ?3",
        (io::sha256_hex(&bytes), bytes.len() as i64, newest["model_key"].as_str()),
    );
    assert_eq!(n_changed.unwrap(), 1);
    drop(catalog);

    let ran = project.run(&["run", "shop", "--job", "score", "--at", END]);
    ran.succeeded();
    assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    assert_eq!(versions(&project, "orders")[0]["reason"], reason);
    let report = &project.newest_run("shop", "score")["report"];
    assert_eq!(report["fallbacks"], json!(["orders"]), "{reason}");
}

/// The file with the first `format` inside `place` put to 9.
fn of_format_nine(bytes: &[u8], place: &[&str]) -> Vec<u8> {
    fn set(node: &mut Plain, place: &[&str]) {
        match (node, place) {
            (Plain::List(items), place) => set(&mut items[0], place),
            (Plain::Dict(entries), [key, rest @ ..]) => {
                set(&mut entries.iter_mut().find(|(name, _)| name == key).unwrap().1, rest);
            }
            (node, _) => *node = Plain::Int(9),
        }
    }
    let mut model = io::pickle::decode(bytes).unwrap();
    set(&mut model, place);
    io::pickle::encode(&model).unwrap()
}

#[test]
fn a_whole_model_of_another_metric_is_refused_as_such() {
    let other = |project: &Project, _: &[u8]| {
        fs::read(object(project, &versions(project, "revenue")[0])).unwrap()
    };
    check_refused(other, "the file holds the metric of another model");
}

#[test]
fn a_model_of_a_newer_program_is_refused_as_such() {
    check_refused(
        |_, bytes| of_format_nine(bytes, &["format"]),
        "model file format 9 is newer than 1; a newer program wrote it",
    );
    check_refused(
        |_, bytes| of_format_nine(bytes, &["detectors", "detector", "format"]),
        "read detector `auto`: model format 9 of `auto` is newer than 3; a newer program wrote it",
    );
}

#[test]
fn a_model_that_is_gone_is_replaced_by_the_version_before() {
    let project = trained_twice();
    fs::remove_file(object(&project, &versions(&project, "orders")[0])).unwrap();
    assert_eq!(score(&project)["fallbacks"], json!(["orders"]));
}

#[test]
fn without_a_whole_version_a_metric_is_passed_over_until_the_next_training() {
    let project = trained_twice();
    for version in versions(&project, "orders") {
        fs::write(object(&project, &version), b"x").unwrap();
    }
    let report = score(&project);
    assert_eq!(report["skipped"], json!([{ "metric": "orders", "reason": "damaged_model" }]));
    assert_eq!(report["fallbacks"], json!([]));
    assert_eq!(report["scored"], 3 * 48, "the other metrics are scored");
    let shown = project.json(&["metrics", "show", "shop", "orders"]);
    assert_eq!(shown["skip_reason"], json!({ "reason": "damaged_model" }));

    project.run(&["run", "shop", "--job", "train", "--at", END]).succeeded();
    let report = score(&project);
    assert_eq!(report["skipped"], json!([]));
    let states: Vec<Value> =
        versions(&project, "orders").iter().map(|version| version["state"].clone()).collect();
    assert_eq!(states, ["verified", "quarantined", "quarantined"]);
    let shown = project.json(&["metrics", "show", "shop", "orders"]);
    assert_eq!(shown["skip_reason"], Value::Null);
}

#[test]
fn each_training_is_listed_as_a_version_and_each_score_names_its_own() {
    let project = trained_twice();
    for metric in ["orders", "revenue", "latency", "errors"] {
        let versions = versions(&project, metric);
        assert_eq!(versions.len(), 2, "{metric}");
        assert!(versions[1]["version"].as_str() < versions[0]["version"].as_str());
        assert!(versions.iter().all(|version| version["state"] == "verified"));
        for version in &versions {
            let text = version["version"].as_str().unwrap();
            let card = project.json(&["models", "show", "shop", metric, text]);
            assert_eq!(
                (&card["version"], &card["sha256"]),
                (&version["version"], &version["sha256"])
            );
        }
    }
    project.run(&["run", "shop", "--job", "score,alert", "--at", END]).succeeded();
    let alerts = project.list(&["alerts", "list"]);
    assert_eq!(alerts[0]["model"], versions(&project, "orders")[0]["version"]);
}

#[test]
fn metrics_that_cannot_be_trained_are_entries_of_the_report() {
    let project = Project::shop();
    let csv = Csv::new().metric("orders", |_, value| value).metric("flat", |_, _| 5.0);
    let csv =
        (0..10).fold(csv, |csv, hour| csv.row(&format!("2026-02-28T0{hour}:00:00Z"), "new", "1"));
    project.write("data/shop.csv", &csv.text());
    project.run(&["run", "shop", "--job", "ingest,train,score", "--at", END]).succeeded();
    let report = &project.newest_run("shop", "train")["report"];
    assert_eq!(report["trained"], 2);
    let every = "1h";
    let skipped = json!([
        { "metric": "new", "reason": "warming_up", "need": 30, "have": 10, "every": every }
    ]);
    assert_eq!(report["skipped"], skipped);
}

#[test]
fn python_opens_a_model_with_pickle_load() {
    let script = "import pickle, sys; m = pickle.load(open(sys.argv[1], 'rb')); print(m['metric'])";
    let mut probe = Command::new("python3");
    if probe.args(["-c", "import pickle"]).output().is_err() {
        println!("skipped: there is no python3 here");
        return;
    }
    let project = trained_twice();
    let path = object(&project, &versions(&project, "orders")[0]);
    let ran = Ran::of(Command::new("python3").args(["-c", script]).arg(path));
    ran.succeeded();
    assert_eq!(ran.stdout, "orders\n");
}

const CHALLENGED: &str = r#"
[source]
kind = "file"
path = "data/shop.csv"

[[detectors]]
kind = "auto"
[[detectors]]
kind = "zscore"
role = "challenger"
"#;

#[test]
fn a_challenger_is_compared_with_the_champion_and_without_one_that_is_said() {
    let project = Project::shop();
    let compare = ["models", "compare", "shop", "--last", "10000d"];
    let said = project.run(&compare);
    assert!(said.stderr.contains("has no challenger; add a detector"), "{}", said.stderr);
    assert_eq!(said.code, Some(1));

    project.batch("shop", CHALLENGED);
    project.pass();
    let found = project.list(&compare);
    assert_eq!(found.len(), 4);
    let one = project.list(&["models", "compare", "shop", "orders", "--last", "10000d"]);
    assert_eq!(one.len(), 1);
    assert_eq!((&one[0]["metric"], &one[0]["points"]), (&json!("orders"), &json!(25)));
    assert_eq!(one[0]["champion_alerts"], 1);
    assert_eq!(one[0]["model"]["challenger"]["detectors"], json!(["zscore"]));
    let card = project.json(&["models", "show", "shop", "orders"]);
    assert_eq!(card["detectors"][0]["tag"], "auto");
    assert_eq!(card["challengers"][0]["tag"], "zscore");
    let table = project.run(&compare).stdout;
    assert!(table.contains("CHALLENGER") && table.contains("zscore"), "{table}");
}
