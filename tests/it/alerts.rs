//! Every key of `[alert]`, from the batch file to the list of alerts: each scenario has another
//! outcome when the key is another.

use serde_json::Value;

use crate::support::{Csv, END, Project, hours_before_end};

/// A metric `m` that is as usual but for some hours before the end.
fn with_change(change: impl Fn(i64) -> Option<f64>) -> Project {
    let project = Project::empty();
    let csv = Csv::new().metric("m", |ago, value| change(ago).map_or(value, |by| value + by));
    project.write("data/m.csv", &csv.text());
    project
}

/// A spike at each of these hours before the end.
fn with_spikes(hours_ago: &[i64]) -> Project {
    with_change(|ago| hours_ago.contains(&ago).then_some(400.0))
}

/// Hours before the end of every alert under these settings (the defaults of the test: all of the
/// last 48 points can alert, nothing is snoozed, and every hit is an alert), with the report of the run.
fn judge(project: &Project, alert: &str) -> (Vec<i64>, Value) {
    judge_with(project, alert, "")
}

fn judge_with(project: &Project, alert: &str, more: &str) -> (Vec<i64>, Value) {
    let mut keys = vec!["channels = [\"file\"]"];
    for default in ["recent = 48", "snooze = \"0s\"", "resolve_after = 0"] {
        let key = default.split(' ').next().unwrap();
        if !alert.contains(key) {
            keys.push(default);
        }
    }
    // k-nearest neighbours looks at one value at a time here, so that a spike is one high score.
    let text = format!(
        "[source]\nkind = \"file\"\npath = \"data/m.csv\"\n[features]\nlags = 0\n\
         [[detectors]]\nkind = \"knn\"\n[score]\nwindow = \"3d\"\nmax_points = 48\n{more}\n\
         [alert]\n{}\n{alert}\n",
        keys.join("\n")
    );
    project.batch("b", &text);
    if project.root().exists() {
        std::fs::remove_dir_all(project.root()).unwrap();
    }
    // Trained before anything happened.
    let before = hours_before_end(60);
    project.run(&["run", "b", "--job", "ingest,train", "--at", &before]).succeeded();
    project.run(&["run", "b", "--job", "ingest,score,alert", "--at", END]).succeeded();
    let hours: Vec<String> = (0..48).map(hours_before_end).collect();
    let ago = |at: &String| hours.iter().position(|hour| hour == at).unwrap() as i64;
    let mut found: Vec<i64> = project.alerts("b").iter().map(|(_, at)| ago(at)).collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    (found, project.newest_run("b", "alert")["report"].clone())
}

#[test]
fn the_threshold_decides_what_counts() {
    let project = with_spikes(&[6]);
    let alerts_over = |threshold: f64| {
        let (found, _) = judge(&project, &format!("threshold = {threshold}"));
        let alerts = project.list(&["alerts", "list", "--limit", "48"]);
        let is_over = |alert: &Value| threshold <= alert["score"].as_f64().unwrap();
        assert!(alerts.iter().all(is_over), "{threshold}: {alerts:#?}");
        found.len()
    };
    let n_alerts = [0.3, 0.5, 0.8].map(alerts_over);
    assert!(n_alerts[1] < n_alerts[0] && n_alerts[2] < n_alerts[1], "{n_alerts:?}");
    assert_eq!(n_alerts[2], 1);
}

#[test]
fn smoothing_takes_the_mean_of_the_scores_before() {
    let project = with_spikes(&[6]);
    assert_eq!(judge(&project, "smooth = 1").0, [6]);
    assert_eq!(judge(&project, "smooth = 4").0, Vec::<i64>::new());
    let project = with_spikes(&[9, 8, 7, 6]);
    assert_eq!(
        judge(&project, "smooth = 4\nthreshold = 0.95").0,
        [6],
        "the mean reaches it at the last of four"
    );
}

#[test]
fn only_recent_points_alert() {
    let project = with_spikes(&[30, 6, 0]);
    assert_eq!(judge(&project, "recent = 48").0, [30, 6, 0]);
    let (found, report) = judge(&project, "recent = 7");
    assert_eq!(found, [6, 0]);
    assert_eq!(report["suppressed"]["recent"], 1);
    assert_eq!(judge(&project, "recent = 1").0, [0]);
}

#[test]
fn a_snooze_silences_for_a_time_or_for_points() {
    let project = with_spikes(&[30, 25, 20, 5]);
    assert_eq!(judge(&project, "snooze = \"0s\"").0, [30, 25, 20, 5]);
    let (found, report) = judge(&project, "snooze = \"6h\"");
    assert_eq!((found, &report["suppressed"]["snooze"]), (vec![30, 20, 5], &1.into()));
    assert_eq!(judge(&project, "snooze = 11").0, [30, 5], "eleven points are eleven hours");
    assert_eq!(judge(&project, "snooze = \"2d\"").0, [30]);
}

#[test]
fn a_snooze_holds_over_passes() {
    let alerts_after_two_passes = |snooze: &str| {
        let project = with_spikes(&[10, 4]);
        judge(&project, &format!("snooze = \"{snooze}\""));
        let earlier = hours_before_end(8);
        std::fs::remove_dir_all(project.root()).unwrap();
        let before = hours_before_end(60);
        project.run(&["run", "b", "--job", "ingest,train", "--at", &before]).succeeded();
        for at in [earlier.as_str(), END] {
            project.run(&["run", "b", "--job", "ingest,score,alert", "--at", at]).succeeded();
        }
        project.alerts("b").len()
    };
    assert_eq!((alerts_after_two_passes("5h"), alerts_after_two_passes("7h")), (2, 1));
}

#[test]
fn the_direction_decides_which_side_counts() {
    let project = with_change(|ago| match ago {
        20 => Some(400.0),
        6 => Some(-400.0),
        _ => None,
    });
    assert_eq!(judge(&project, "direction = \"both\"").0, [20, 6]);
    let (found, report) = judge(&project, "direction = \"up\"");
    assert_eq!((found, &report["suppressed"]["direction"]), (vec![20], &1.into()));
    assert_eq!(judge(&project, "direction = \"down\"").0, [6]);
}

#[test]
fn a_delay_waits_for_consecutive_hits() {
    let project = with_spikes(&[30, 12, 11, 10]);
    assert_eq!(judge(&project, "delay = 1").0, [30, 12, 11, 10]);
    let (found, report) = judge(&project, "delay = 2");
    assert_eq!((found, &report["suppressed"]["delay"]), (vec![11, 10], &2.into()));
    assert_eq!(judge(&project, "delay = 3").0, [10]);
    assert_eq!(judge(&project, "delay = 4").0, Vec::<i64>::new());
}

#[test]
fn a_change_too_small_for_people_is_left_out() {
    let project = with_spikes(&[6]);
    for (least, n_expected) in [
        ("{ absolute = 300 }", 1),
        ("{ absolute = 500 }", 0),
        ("{ relative = 3.0 }", 1),
        ("{ relative = 6.0 }", 0),
    ] {
        let (found, report) = judge(&project, &format!("min_change = {least}"));
        assert_eq!(found.len(), n_expected, "{least}");
        assert_eq!(report["suppressed"]["min_change"].is_u64(), n_expected == 0, "{least}");
    }
}

#[test]
fn a_batch_and_a_metric_can_be_silent_or_have_their_own_settings() {
    let project = with_spikes(&[6]);
    assert_eq!(judge(&project, "enabled = false").0, Vec::<i64>::new());
    let (found, report) = judge(&project, "exclude = [\"m*\"]");
    assert_eq!((found, &report["suppressed"]["excluded"]), (vec![], &1.into()));
    let own = |settings: &str| format!("[metrics.m]\nalert = {settings}\n");
    assert_eq!(judge_with(&project, "", &own("{ direction = \"down\" }")).0, Vec::<i64>::new());
    assert_eq!(judge_with(&project, "delay = 2", &own("{ delay = 1 }")).0, [6]);
}

#[test]
fn a_metric_that_stops_is_reported_once_however_often_it_is_looked_at() {
    let project = Project::shop();
    let text = project.read("metric_batches/shop.toml") + "[absence]\nafter = \"6h\"\n";
    project.write("metric_batches/shop.toml", &text);
    let csv = Csv::shop().text();
    let is_kept = |line: &&str| !line.contains("latency") || line < &"\"2026-02-28T12";
    let lines: Vec<&str> = csv
        .lines()
        .enumerate()
        .filter(|(n, line)| *n == 0 || is_kept(line))
        .map(|(_, line)| line)
        .collect();
    project.write("data/shop.csv", &lines.join("\n"));
    for _ in 0..2 {
        project.pass();
        let silent = project.list(&["alerts", "list", "--metric", "latency"]);
        assert_eq!(silent.len(), 1, "{silent:#?}");
        assert_eq!(
            (&silent[0]["kind"], &silent[0]["at"]),
            (&"absence".into(), &"2026-02-28T11:00:00Z".into())
        );
    }
}

#[test]
fn people_silence_a_batch_look_after_an_alert_and_close_it() {
    let project = Project::shop();
    project.pass();
    let alert = project.list(&["alerts", "list", "--state", "firing"]).remove(0);
    let id = alert["id"].as_str().unwrap();
    project.run(&["alerts", "ack", id, "--author", "ana"]).succeeded();
    let shown = project.run(&["alerts", "show", id]).stdout;
    assert!(shown.contains("by ana since"), "{shown}");
    project.run(&["alerts", "resolve", id]).succeeded();
    assert!(project.list(&["alerts", "list", "--state", "firing"]).is_empty());
    assert_eq!(project.list(&["alerts", "list", "--state", "resolved"])[0]["resolution"], "closed");
    for what in [id, "shop", "shop/orders"] {
        project.run(&["alerts", "snooze", what, "--for", "4h"]).succeeded();
    }
    for wrong in
        [&["shop", "--for", "0s"][..], &["shop", "--for", "91d"], &["nothing", "--for", "4h"]]
    {
        let ran = project.run(&[&["alerts", "snooze"], wrong].concat());
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{wrong:?}");
    }
}
