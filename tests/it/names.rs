//! Metric names as data from outside: kept as they are, harmless wherever they are used.

use std::{collections::BTreeSet, fs};

use crate::support::{Csv, END, Project, files_below, usual};

fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "../../x",
        "../../../../../../../../tmp/anomstack-escaped",
        "/etc/anomstack-escaped",
        "..",
        ".",
        "two\nlines",
        "🚀 größe",
        "Orders",
        "orders",
        "ORDERS",
        "'; DROP TABLE runs;--",
        "{{7*7}}",
        "<script>alert(1)</script>",
        "%2e%2e",
        "%2E%2E",
        "a%2Fb",
        "a/b",
        "a\\b",
        "model#1",
        "=cmd()",
        "\u{202e}txt.exe\u{1b}[31m",
        "con",
        " spaces around ",
        "e\u{301}",
        "\u{e9}",
    ]
    .map(str::to_owned)
    .into();
    names.push("n".repeat(300));
    names.push(format!("{}m", "n".repeat(299)));
    names
}

#[test]
fn hostile_names_are_stored_trained_scored_and_listed_and_escape_nowhere() {
    let project = Project::shop();
    let csv = names().iter().fold(Csv::new(), |csv, name| csv.metric(name, usual));
    project.write("data/shop.csv", &csv.text());
    let outside = || -> Vec<String> {
        let files = files_below(project.path());
        files.into_iter().filter(|file| !file.starts_with(".anomstack/")).collect()
    };
    let before = outside();
    project.pass();
    assert_eq!(outside(), before, "something was written outside the storage root");
    assert!(!fs::exists("/tmp/anomstack-escaped").unwrap());
    assert!(!fs::exists("/etc/anomstack-escaped").unwrap());

    let expected: BTreeSet<String> = names().into_iter().collect();
    let listed = project.list(&["metrics", "list", "shop"]);
    let name_of = |record: &serde_json::Value| record["metric"].as_str().unwrap().to_owned();
    assert_eq!(listed.iter().map(name_of).collect::<BTreeSet<_>>(), expected);
    assert!(listed.iter().all(|metric| metric["last_score"].is_f64()), "{listed:#?}");
    let models = project.list(&["models", "list", "shop"]);
    assert_eq!(models.iter().map(name_of).collect::<BTreeSet<_>>(), expected);
    for name in names() {
        assert_eq!(name_of(&project.json(&["metrics", "show", "shop", "--", &name])), name);
    }
}

#[test]
fn a_spreadsheet_takes_no_exported_name_for_a_formula_unless_names_are_asked_for_as_they_are() {
    let project = Project::shop();
    let names = ["=cmd|' /C calc'!A0", "@SUM(1)", "+1", "-1", "\tx", "plain"];
    let csv = names.iter().fold(Csv::new(), |csv, name| csv.metric(name, usual));
    project.write("data/shop.csv", &csv.text());
    project.run(&["run", "shop", "--job", "ingest", "--at", END]).succeeded();
    let exported = project.run(&["metrics", "export", "shop"]);
    let begins = |line: &str| line.trim_start_matches('"').chars().next();
    let formulas = ['=', '@', '+', '-', '\t'];
    assert!(exported.stdout.contains("'=cmd|' /C calc'!A0"), "{:.500}", exported.stdout);
    for line in exported.stdout.lines() {
        assert!(!begins(line).is_some_and(|c| formulas.contains(&c)), "{line}");
    }
    let raw = project.run(&["metrics", "export", "shop", "--raw"]).stdout;
    assert!(raw.lines().any(|line| line.starts_with("=cmd|' /C calc'!A0")), "{raw:.500}");
}

#[test]
fn every_name_has_a_model_folder_of_its_own_also_where_case_does_not_count() {
    let project = Project::shop();
    let csv = names().iter().fold(Csv::new(), |csv, name| csv.metric(name, usual));
    project.write("data/shop.csv", &csv.text());
    project.pass();
    let entries = fs::read_dir(project.root().join("models/shop")).unwrap();
    let folders: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let distinct: BTreeSet<String> = folders.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!((folders.len(), distinct.len()), (names().len(), names().len()), "{folders:#?}");
    for folder in folders {
        let files = files_below(&project.root().join("models/shop").join(&folder));
        assert!(
            files.len() == 2 && files[0].starts_with("metadata_") && files[1].starts_with("model_"),
            "{folder}: {files:?}"
        );
    }
}

#[test]
fn tables_show_every_name_on_one_line_without_control_characters() {
    let project = Project::shop();
    let csv = names().iter().fold(Csv::new(), |csv, name| csv.metric(name, usual));
    project.write("data/shop.csv", &csv.text());
    project.run(&["run", "shop", "--job", "ingest,train", "--at", END]).succeeded();
    for listing in ["metrics", "models"] {
        let ran = project.run(&[listing, "list", "shop"]);
        ran.succeeded();
        assert_eq!(ran.stdout.trim_end().lines().count(), names().len() + 1, "{}", ran.stdout);
        let is_unsafe = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ran.stdout.contains(is_unsafe), "{}", ran.stdout);
    }
}
