//! The daemon from outside: it starts, refuses a second one, ends on SIGTERM, and goes on after
//! kill -9. The tests wait for its log lines, never for time to pass.

use std::time::{Duration, Instant};

use crate::support::{Csv, Daemon, Project};

const BATCH: &str = r#"
[source]
kind = "file"
path = "data/shop.csv"

[schedule]
ingest = "every 1s"
train = "never"
score = "never"
alert = "never"
"#;

fn project() -> Project {
    let project = Project::empty();
    project.write("metric_batches/shop.toml", BATCH);
    project.write("data/shop.csv", &Csv::shop().text());
    project
}

#[test]
fn pages_probes_and_metrics_answer_while_batches_run() {
    let project = project();
    let mut daemon = Daemon::start(&project);
    daemon.wait_for("ingest of batch `shop`");
    assert!(daemon.get("/healthz").starts_with("HTTP/1.1 200"));
    assert!(daemon.get("/readyz").contains("\"ready\":true"));
    assert!(daemon.get("/").contains("shop"));
    assert!(daemon.get("/batches/shop/metrics/orders").contains("<svg"));
    let metrics = daemon.get("/metrics");
    assert!(metrics.contains("anomstack_rows_ingested_total{batch=\"shop\"}"), "{metrics}");
    assert!(metrics.contains("anomstack_runs_total{batch=\"shop\",job=\"ingest\""), "{metrics}");
}

#[test]
fn a_second_daemon_on_the_folder_refuses_and_names_the_first() {
    let project = project();
    let daemon = Daemon::start(&project);
    let second = project.run(&["serve", "--port", "0"]);
    let said = &second.stderr;
    assert_eq!(second.code, Some(2), "{said}");
    assert!(said.contains(&format!("process {}", daemon.child.id())), "{said}");
    assert!(said.contains(&daemon.address), "{said}");
}

#[test]
fn sigterm_ends_the_daemon_in_order_within_ten_seconds() {
    let project = project();
    let mut daemon = Daemon::start(&project);
    daemon.wait_for("ingest of batch `shop`");
    let begun = Instant::now();
    daemon.terminate();
    daemon.wait_for("ended in order");
    assert!(daemon.child.wait().unwrap().success());
    assert!(begun.elapsed() < Duration::from_secs(10));
    let runs = project.json(&["runs", "list", "--state", "running"]);
    assert_eq!(runs, serde_json::json!([]));
}

#[test]
fn after_kill_9_the_daemon_starts_at_once_and_goes_on_without_doubling_a_row() {
    let project = project();
    for _ in 0..3 {
        let mut daemon = Daemon::start(&project);
        daemon.wait_for("ingest of batch `shop`");
        daemon.child.kill().unwrap();
    }
    let mut daemon = Daemon::start(&project);
    daemon.wait_for("ingest of batch `shop`");
    drop(daemon);
    let metrics = project.json(&["metrics", "list", "shop"]);
    let stored: Vec<u64> =
        metrics.as_array().unwrap().iter().map(|m| m["n_points"].as_u64().unwrap()).collect();
    let rows = Csv::shop().text().lines().count() as u64 - 1;
    assert_eq!(stored.iter().sum::<u64>(), rows);
}
