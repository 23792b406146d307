//! Every stored score is made again, every gate is named, and what cannot be told is said.

use std::fs;

use serde_json::Value;

use crate::support::{Csv, END, Project, hours_before_end, usual};

const BATCH: &str = r#"
[source]
kind = "file"
path = "data/shop.csv"
lateness = "90d"

[features]
resample = "1h"

[score]
window = "10d"
max_points = 48

[alert]
threshold = 0.8
recent = 48
snooze = "3h"
channels = ["file"]
"#;

/// Two metrics; one has a spike six hours before the end, and another an hour later.
fn project() -> Project {
    let project = Project::empty();
    project.batch("shop", BATCH);
    project.write("data/shop.csv", &csv(5.0).text());
    project.run(&["run", "shop", "--job", "ingest,train", "--at", &hours_before_end(60)]);
    for hours in [30, 0] {
        let at = hours_before_end(hours);
        project.run(&["run", "shop", "--job", "ingest,score,alert", "--at", &at]).succeeded();
    }
    project
}

fn csv(factor: f64) -> Csv {
    let spike = move |ago, value| if ago == 6 || ago == 5 { factor * value } else { value };
    Csv::new().metric("orders", spike).metric("revenue", usual)
}

fn explain(project: &Project, metric: &str, hours_ago: i64) -> Value {
    project.json(&["explain", "shop", metric, "--at", &hours_before_end(hours_ago)])
}

#[track_caller]
fn check_all_same(project: &Project) {
    for metric in ["orders", "revenue"] {
        for hours_ago in (1..60).step_by(7) {
            let found = explain(project, metric, hours_ago);
            assert_eq!(found["recomputed"]["outcome"], "same", "{hours_ago}: {found:#}");
        }
    }
}

#[test]
fn every_score_is_made_again_bit_for_bit() {
    check_all_same(&project());
    // Detectors of rows with lags, and two that are combined.
    let two =
        "[[detectors]]\nkind = \"pca\"\ntag = \"a\"\n[[detectors]]\nkind = \"ar\"\ntag = \"b\"\n";
    let project = project();
    project.batch("shop", &format!("{BATCH}{two}"));
    for job in ["train", "score"] {
        project.run(&["run", "shop", "--job", job, "--at", END]).succeeded();
    }
    check_all_same(&project);
}

#[test]
fn an_alert_is_explained_from_its_value_to_its_message() {
    let project = project();
    let id = project.list(&["alerts", "list"])[0]["id"].as_str().unwrap().to_owned();
    let found = project.json(&["alerts", "explain", &id]);
    assert_eq!(found["alert"], id.as_str());
    assert_eq!(found["recomputed"]["outcome"], "same");
    assert_eq!(found["stopped_by"], Value::Null);
    assert!(found["summary"].as_str().unwrap().starts_with("alerted: orders was"), "{found:#}");
    let steps: Vec<&str> = found["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["gate"].as_str().unwrap())
        .collect();
    let expected = [
        "observed",
        "score",
        "smooth",
        "threshold",
        "excluded",
        "direction",
        "min_change",
        "open",
        "delay",
        "recent",
        "snooze",
        "maintenance",
        "holiday",
        "snoozed_by_person",
        "episode",
        "delivery",
        "delivery",
    ];
    assert_eq!(steps, expected);
    let told = found["steps"][15]["detail"].as_str().unwrap();
    assert!(told.starts_with("firing to `file`: sent at "), "{told}");
    let text = project.run(&["alerts", "explain", &id]);
    text.succeeded();
    assert!(text.stdout.starts_with("alerted: orders was"), "{}", text.stdout);
    assert!(text.stdout.contains("bit for bit"), "{}", text.stdout);
}

#[test]
fn an_alert_keeps_the_score_it_was_raised_by_when_a_newer_model_scores_its_point() {
    let project = project();
    let alert = project.list(&["alerts", "list"])[0].clone();
    let id = alert["id"].as_str().unwrap();
    for job in ["train", "score"] {
        project.run(&["run", "shop", "--job", job, "--at", END]).succeeded();
    }
    let found = project.json(&["alerts", "explain", id]);
    assert_eq!(found["model"], alert["model"]);
    assert_eq!(found["score"], alert["score"]);
    assert_eq!(found["recomputed"]["outcome"], "same");
    assert_eq!(found["steps"][2]["gate"], "rescored", "{found:#}");
    assert_eq!(found["stopped_by"], Value::Null);
}

#[test]
fn the_gate_that_stopped_a_point_is_named_first() {
    let project = project();
    let quiet = explain(&project, "revenue", 20);
    assert_eq!(quiet["stopped_by"], "threshold");
    let summary = quiet["summary"].as_str().unwrap();
    assert!(summary.starts_with("did not alert: the score 0"), "{summary}");
    assert!(summary.ends_with("is under the threshold 0.8 (set for the batch)"), "{summary}");
    let open = explain(&project, "orders", 5);
    assert_eq!(open["stopped_by"], "open", "{open:#}");
    let long_ago = explain(&project, "orders", 24 * 30);
    assert_eq!(long_ago["stopped_by"], "observed");
    let unscored = explain(&project, "orders", 24 * 9);
    assert_eq!(unscored["stopped_by"], "score", "{unscored:#}");
}

#[test]
fn what_hinders_a_score_from_being_made_again_is_said() {
    let project = project();
    project.write("data/shop.csv", &csv(3.0).text());
    project.run(&["run", "shop", "--job", "ingest", "--at", END]).succeeded();
    let revised = explain(&project, "orders", 6);
    assert_eq!(revised["recomputed"]["outcome"], "other");
    let why = revised["recomputed"]["why"].as_str().unwrap();
    assert!(why.starts_with("the value was "), "{why}");
    let models = project.files().into_iter().filter(|name| name.ends_with(".pkl"));
    for name in models {
        fs::write(project.root().join(name), "damaged").unwrap();
    }
    let damaged = explain(&project, "revenue", 6);
    assert_eq!(damaged["recomputed"]["outcome"], "impossible");
    assert_eq!(damaged["stopped_by"], "threshold", "the gates are walked nevertheless");
}

#[test]
fn nothing_to_explain_is_an_error_that_says_what_is_missing() {
    let project = project();
    for (arguments, words) in [
        (&["explain", "shop", "order"][..], "no metric `order`"),
        (&["explain", "shup", "orders"][..], "no batch `shup`"),
        (&["alerts", "explain", "x\u{1b}[31m"][..], "no alert `x\\u{1b}[31m`"),
    ] {
        let ran = project.run(arguments);
        ran.exited(1);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}
