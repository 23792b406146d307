//! Scores, and why there is none yet, in words.

use crate::support::{Csv, Project, hours_before_end};

#[test]
fn a_metrics_newest_score_is_told_in_words_and_one_without_says_how_long_it_takes() {
    let project = Project::shop();
    let csv = Csv::shop();
    let rows = ["3", "2", "1", "0"]
        .into_iter()
        .fold(csv, |csv, hours| csv.row(&hours_before_end(hours.parse().unwrap()), "young", hours));
    project.write("data/shop.csv", &rows.text());
    project.pass();
    let orders = project.json(&["metrics", "show", "shop", "orders"]);
    let reason = orders["reason"].as_str().unwrap();
    assert!(reason.starts_with("very unusual: ") && reason.contains(" above; "), "{reason}");
    let shown = project.run(&["metrics", "show", "shop", "orders"]);
    assert!(shown.stdout.contains(&format!("why           {reason}")), "{}", shown.stdout);
    let young = "warming up: 4 of 30 points, about 26 h more";
    let listed = project.run(&["metrics", "list", "shop"]);
    assert!(listed.stdout.contains(young), "{}", listed.stdout);
    let shown = project.run(&["metrics", "show", "shop", "young"]);
    assert!(shown.stdout.contains(young), "{}", shown.stdout);
    let report = &project.newest_run("shop", "train")["report"];
    assert_eq!(report["skipped"][0]["reason"], "warming_up", "{report}");
}
