//! The daemon from outside: it starts, refuses a second one, ends on SIGTERM, and goes on after
//! kill -9. The tests wait for its log lines, never for time to pass.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStderr, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{Csv, Project};

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

/// A running daemon; ended with the test.
struct Daemon {
    child: Child,
    log: BufReader<ChildStderr>,
    /// `127.0.0.1:port`.
    address: String,
}

impl Daemon {
    fn start(project: &Project) -> Self {
        let mut command = project.command(&["serve", "--port", "0"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let line = wait_for(&mut log, "listening on http://");
        let address = line.split("http://").nth(1).unwrap().split_whitespace().next().unwrap();
        Self { child, log, address: address.to_owned() }
    }

    fn wait_for(&mut self, text: &str) -> String {
        wait_for(&mut self.log, text)
    }

    /// The answer to a GET, head and body.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let address = &self.address;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

fn wait_for(log: &mut impl BufRead, text: &str) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        let n_bytes = log.read_line(&mut line).unwrap();
        assert_ne!(n_bytes, 0, "the daemon ended before it said `{text}`:\n{seen}");
        if line.contains(text) {
            return line;
        }
        seen.push_str(&line);
    }
}

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
