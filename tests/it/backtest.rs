//! A backtest is what the jobs do: the same scores bit for bit and the same alerts, and nothing is
//! left of it.

use std::collections::BTreeMap;

use crate::support::{Csv, END, Project, hours_before_end, usual};

const BATCH: &str = r#"
[source]
kind = "file"
path = "data/shop.csv"

[score]
window = "3d"

[schedule]
ingest = "0 */6 * * *"
train = "0 0 * * *"
score = "after ingest"
alert = "after score"

[alert]
recent = 6
snooze = "1h"
"#;

/// 20 days of two metrics, one with a spike four days before the end.
fn project() -> Project {
    let project = Project::empty();
    project.write("metric_batches/shop.toml", BATCH);
    let spike = |ago, value| if ago == 100 { 5.0 * value } else { value };
    let csv = Csv::new().metric("orders", spike).metric("revenue", usual);
    project.write("data/shop.csv", &csv.text());
    project
}

/// `metric,timestamp` to value and score, as text: the program writes every bit of them.
fn scores(text: &str) -> BTreeMap<String, String> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let place = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let places = [
        place("metric"),
        header.iter().position(|one| ["at", "timestamp"].contains(one)).unwrap(),
        place("value"),
        place("score"),
    ];
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let [metric, at, value, score] = places.map(|n| cells[n].trim_matches('"'));
            let number = |text: &str| text.parse::<f64>().unwrap().to_bits();
            let at = at.get(..13).unwrap().replace('T', " ");
            (format!("{metric} {at}"), format!("{:x} {:x}", number(value), number(score)))
        })
        .collect()
}

#[test]
fn a_backtest_gives_the_scores_and_alerts_of_the_jobs_and_leaves_nothing() {
    let (from, to) = (hours_before_end(24 * 6), END);
    let ran = project();
    // What the newest training before the stretch was.
    ran.run(&["run", "shop", "--job", "ingest,train", "--at", &from]).succeeded();
    ran.run(&["backfill", "shop", "--from", &from, "--to", to, "--reprocess", "all"]).succeeded();
    let exported = ran.run(&["metrics", "export", "shop", "--scores", "--from", &from]);

    let tested = project();
    tested.run(&["run", "shop", "--job", "ingest", "--at", to]).succeeded();
    let objects = || -> Vec<String> {
        let files = tested.files().into_iter();
        files.filter(|name| !name.starts_with("catalog.db")).collect()
    };
    let before = objects();
    let path = tested.path().join("scores.csv");
    let arguments =
        ["backtest", "shop", "--from", &from, "--to", to, "--scores", path.to_str().unwrap()];
    let report = tested.json(&arguments);
    let (jobs, backtest) = (scores(&exported.stdout), scores(&tested.read("scores.csv")));
    assert!(200 < backtest.len(), "{}", backtest.len());
    assert_eq!(backtest, jobs);

    let found: Vec<(String, String)> = report["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["metric"].as_str().unwrap().into(), one["at"].as_str().unwrap().into()))
        .collect();
    assert_eq!(found, ran.alerts("shop"));
    assert!(found.contains(&("orders".into(), hours_before_end(100))), "{found:?}");

    assert_eq!(objects(), before, "no object was added");
    assert_eq!(tested.alerts("shop"), []);
    assert_eq!(tested.list(&["models", "list", "shop"]).len(), 0);
}

#[test]
fn a_backtest_of_nothing_is_refused() {
    let project = project();
    let said = project.run(&["backtest", "shop", "--from", &hours_before_end(24), "--to", END]);
    assert!(said.stderr.contains("has no points before"), "{}", said.stderr);
    assert_eq!(said.code, Some(2));
    let said = project.run(&["backtest", "shop", "--from", END, "--to", END]);
    assert!(said.stderr.contains("does not come after"), "{}", said.stderr);
}

#[test]
fn a_report_is_a_page_by_itself_in_which_names_are_text() {
    let project = Project::empty();
    project.write("metric_batches/shop.toml", BATCH);
    let spike = |ago, value| if ago == 30 { 5.0 * value } else { value };
    let csv = Csv::new().metric("<script>alert(1)</script>", spike).metric("a\u{202e}b", usual);
    project.write("data/shop.csv", &csv.text());
    project.run(&["run", "shop", "--job", "ingest", "--at", END]).succeeded();
    let (out, from) = (project.path().join("report"), hours_before_end(72));
    let arguments =
        ["backtest", "shop", "--from", &from, "--to", END, "--out", out.to_str().unwrap()];
    project.run(&arguments).succeeded();
    let page = project.read("report/report.html");
    assert!(page.contains("&lt;script&gt;alert"), "the metric is named");
    for foreign in ["<script", "\u{202e}", "http://", "https://", "href=\"/", "@import", "NaN"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert_eq!(page.matches("class=\"plot\"").count(), 2, "one chart a metric");
    assert!(page.contains("prefers-color-scheme: dark"));
    let report: serde_json::Value =
        serde_json::from_str(&project.read("report/report.json")).unwrap();
    let n_alerts = report["n_alerts"].as_u64().unwrap();
    assert!(0 < n_alerts);
    let noun = if n_alerts == 1 { "alert" } else { "alerts" };
    assert!(page.contains(&format!("{n_alerts} {noun} from")), "{n_alerts}");
}
