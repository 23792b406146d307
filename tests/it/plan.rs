//! What a change of configuration does to the alerts of the past: the alerts the jobs themselves
//! would have raised, and nothing that is live changes.

use serde_json::Value;

use crate::support::{Csv, END, Project, hours_before_end};

const SOURCE: &str = "[source]\nkind = \"file\"\npath = \"data/m.csv\"\n[features]\nlags = 0\n\
                      [[detectors]]\nkind = \"knn\"\n[score]\nwindow = \"3d\"\nmax_points = 48\n";
const SCHEDULE: &str = "[schedule]\ningest = \"0 * * * *\"\ntrain = \"0 0 * * *\"\n\
                        score = \"after ingest\"\nalert = \"after score\"\n";

fn batch(alert: &str) -> String {
    format!("{SOURCE}{SCHEDULE}[alert]\nchannels = [\"file\"]\n{alert}\n")
}

/// A project with alerts by these settings over the last five days of its history.
fn project(alert: &str) -> Project {
    let project = Project::empty();
    // Spikes that last three hours.
    let spike =
        |ago: i64, value| if [6, 5, 4, 50, 49, 48].contains(&ago) { 4.0 * value } else { value };
    let csv = Csv::new().metric("m", spike).metric("<b>quiet</b>", |_, value| value);
    project.write("data/m.csv", &csv.text());
    project.write("metric_batches/b.toml", &batch(alert));
    let from = hours_before_end(24 * 6);
    project.run(&["run", "b", "--job", "ingest,train", "--at", &from]).succeeded();
    project.run(&["backfill", "b", "--from", &from, "--to", END]).succeeded();
    project
}

fn plan(project: &Project, new: &str, more: &[&str]) -> Value {
    project.write("new/b.toml", new);
    let path = project.path().join("new/b.toml");
    let arguments = ["plan", path.to_str().unwrap(), "--last", "5d", "--to", END];
    project.json(&[&arguments[..], more].concat())
}

fn hours(alerts: &Value) -> Vec<String> {
    let of = |alert: &Value| alert["at"].as_str().unwrap().to_owned();
    let mut found: Vec<String> = alerts.as_array().unwrap().iter().map(of).collect();
    found.sort();
    found
}

#[test]
fn alerts_that_other_settings_add_and_remove_are_those_of_a_project_with_them() {
    let usual = "snooze = \"6h\"";
    let project_now = project(usual);
    let before = (project_now.files(), project_now.alerts("b"));
    for other in [
        "snooze = \"0s\"",
        "snooze = \"6h\"\ndelay = 4",
        "snooze = \"6h\"\nsmooth = 2",
        "snooze = \"6h\"\ndirection = \"down\"",
        "snooze = \"6h\"\nmin_change = { absolute = 100.0 }",
    ] {
        let planned = plan(&project_now, &batch(other), &[]);
        let found = &planned["batches"][0];
        assert_eq!(found["reach"], "alerts", "{other}");
        let really = project(other).alerts("b");
        let n_really = really.len() as u64;
        assert_eq!(found["alerts"][0], before.1.len() as u64, "{other}: {found:#}");
        assert_eq!(found["alerts"][1], n_really, "{other}: {found:#}");
        for at in hours(&found["added"]) {
            assert!(really.iter().any(|(_, time)| *time == at), "{other}: {at} {really:?}");
        }
    }
    assert_eq!((project_now.files(), project_now.alerts("b")), before);
}

#[test]
fn a_change_of_detectors_runs_the_jobs_anew_and_tells_what_it_costs() {
    let project = project("snooze = \"6h\"");
    let before = (project.files(), project.alerts("b"));
    let other = batch("snooze = \"6h\"").replace("kind = \"knn\"", "kind = \"mad\"");
    let planned = plan(&project, &other, &[]);
    let found = &planned["batches"][0];
    assert_eq!((&found["reach"], &found["models_invalidated"]), (&"models".into(), &2.into()));
    let cost = &found["cost"];
    assert_eq!(cost["rows"][0], cost["rows"][1]);
    assert!(200 < cost["rows"][0].as_u64().unwrap(), "{cost}");
    assert_ne!(cost["model_bytes"][0], cost["model_bytes"][1]);
    assert_eq!((project.files(), project.alerts("b")), before);
}

#[test]
fn nothing_changed_is_said_and_a_broken_side_lists_all_its_problems() {
    let project = project("snooze = \"6h\"");
    assert_eq!(plan(&project, &batch("snooze = \"6h\""), &[])["batches"], Value::Array(Vec::new()));
    project.write("new/b.toml", "[sauce]\nkind = \"file\"\n[alert]\nthreshold = 7\n");
    let ran = project.run(&["plan", project.path().join("new/b.toml").to_str().unwrap()]);
    ran.exited(1);
    for words in ["sauce", "threshold", "metric_batches/b.toml"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
}

#[test]
fn two_folders_are_compared_on_the_history_of_the_first() {
    let old = project("snooze = \"6h\"");
    let new = Project::empty();
    new.write("metric_batches/b.toml", &batch("enabled = false"));
    new.write("metric_batches/c.toml", &batch(""));
    let paths = [&old, &new].map(|project| project.path().to_str().unwrap().to_owned());
    let planned = new.json(&["plan", &paths[0], &paths[1], "--last", "5d", "--to", END]);
    let found = planned["batches"].as_array().unwrap();
    assert_eq!(found[0]["alerts"][1], 0, "{found:#?}");
    assert_eq!(found[0]["removed"].as_array().unwrap().len(), old.alerts("b").len());
    assert_eq!(found[1]["notes"][0], "the batch is new and has no history");
    let text = new.run(&["plan", &paths[0], &paths[1], "--last", "5d", "--to", END, "--alerts"]);
    text.succeeded();
    assert!(text.stdout.contains("0 added"), "{}", text.stdout);
}
