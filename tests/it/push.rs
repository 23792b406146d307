//! Rows that are sent to the daemon: acknowledged is durable, whatever happens next.

use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Daemon, Project, ask};

const POINTS: &str = "/api/v1/batches/shop/points";
const TOKEN: &str = "shop-push-token-0123456789";
const BEARER: (&str, &str) = ("Authorization", "Bearer shop-push-token-0123456789");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const CSV: (&str, &str) = ("Content-Type", "text/csv");

/// A batch that is pushed to, and what further its files say.
fn project(source: &str, schedule: &str, system: &str) -> Project {
    let project = Project::bare();
    project.write("config/anomstack.toml", system);
    let batch = format!(
        "[source]\nkind = \"push\"\ntoken = \"{TOKEN}\"\n{source}\n\
         [schedule]\n{schedule}train = \"never\"\nscore = \"never\"\nalert = \"never\"\n"
    );
    project.write("metric_batches/shop.toml", &batch);
    project
}

/// Rows that wait until somebody runs the ingest.
fn waiting(source: &str) -> Project {
    project(source, "ingest = \"never\"\n", "")
}

/// Stored points of the batch, by metric.
fn stored(project: &Project) -> BTreeMap<String, u64> {
    let metrics = project.list(&["metrics", "list", "shop"]);
    let entry = |metric: &Value| {
        (metric["metric"].as_str().unwrap().to_owned(), metric["n_points"].as_u64().unwrap())
    };
    metrics.iter().map(entry).collect()
}

fn body(answer: &str) -> Value {
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

#[test]
fn a_pushed_row_is_a_point_within_seconds() {
    let project = project("", "", "");
    let mut daemon = Daemon::start(&project);
    let rows = json!([
        { "timestamp": "2026-01-01T00:00:00Z", "metric": "orders", "value": 1.5 },
        { "timestamp": "2026-01-01T00:00:00Z", "metric": "visits", "value": null },
    ]);
    daemon.wait_for("ingest of batch `shop`");
    let answer = daemon.post(POINTS, &[BEARER, JSON], rows.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text);
    let receipt = body(&answer.text);
    assert_eq!(receipt["accepted"], 1);
    assert_eq!(receipt["rejected"], json!({ "not_a_number": 1 }));
    daemon.wait_for("1 stored");
    let points = daemon.get("/api/v1/batches/shop/metrics/orders/points?range=all");
    assert_eq!(body(&points)["items"][0]["value"], 1.5);
    let metrics = daemon.get("/metrics");
    for line in [
        "anomstack_push_requests_total{batch=\"shop\",code=\"200\"} 1",
        "anomstack_push_rows_total{batch=\"shop\"} 1",
        "anomstack_push_inbox_rows{batch=\"shop\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    drop(daemon);
    assert_eq!(project.files().iter().filter(|file| file.contains("inbox")).count(), 0);
}

#[test]
fn a_key_stores_its_body_once_also_after_a_restart() {
    let project = waiting("");
    let csv = |value: u8| format!("timestamp,metric,value\n2026-01-01,orders,{value}\n");
    let key = ("Idempotency-Key", "3f7a");
    let daemon = Daemon::start(&project);
    let first = daemon.post(POINTS, &[BEARER, CSV, key], csv(1).as_bytes());
    assert_eq!(first.status, 200, "{}", first.text);
    daemon.kill();
    let daemon = Daemon::start(&project);
    let again = daemon.post(POINTS, &[BEARER, CSV, key], csv(1).as_bytes());
    assert_eq!((again.status, body(&again.text)), (200, body(&first.text)));
    let other = daemon.post(POINTS, &[BEARER, CSV, key], csv(2).as_bytes());
    assert_eq!(other.status, 422, "{}", other.text);
    drop(daemon);
    let ran = project.run(&["run", "shop", "--job", "ingest"]);
    ran.succeeded();
    assert!(ran.stderr.contains("1 rows read, 1 stored"), "{}", ran.stderr);
}

#[test]
fn kill_9_at_any_moment_loses_no_acknowledged_row() {
    let project = project("", "", "");
    let mut acknowledged: u64 = 0;
    let mut sent: u64 = 0;
    for life in 0..4 {
        let daemon = Daemon::start(&project);
        let address = daemon.address.clone();
        let is_over = AtomicBool::new(false);
        let (acked, tried) = thread::scope(|scope| {
            let pushing = scope.spawn(|| {
                let (mut acked, mut tried) = (Vec::new(), 0_u64);
                while !is_over.load(Ordering::Relaxed) {
                    let n = sent + tried;
                    tried += 1;
                    let at = 1_767_225_600 + n;
                    let csv = format!("timestamp,metric,value\n{at},life{life},{n}\n");
                    let answer = ask(&address, "POST", POINTS, &[BEARER, CSV], csv.as_bytes());
                    match answer {
                        Some(answer) if answer.status == 200 => acked.push(n),
                        Some(answer) => panic!("{}", answer.text),
                        None => return (acked, tried),
                    }
                    if acked.len() as u64 == 40 + 35 * life {
                        is_over.store(true, Ordering::Relaxed);
                    }
                }
                (acked, tried)
            });
            while !is_over.load(Ordering::Relaxed) && !pushing.is_finished() {
                thread::yield_now();
            }
            daemon.kill();
            pushing.join().unwrap()
        });
        acknowledged += acked.len() as u64;
        sent += tried;
    }
    project.run(&["run", "shop", "--job", "ingest"]).succeeded();
    let n_stored: u64 = stored(&project).values().sum();
    assert!(acknowledged <= n_stored && n_stored <= sent, "{acknowledged} {n_stored} {sent}");
    let again = project.run(&["run", "shop", "--job", "ingest"]);
    assert!(again.stderr.contains("0 rows read"), "{}", again.stderr);
}

#[test]
fn a_full_inbox_says_when_to_come_back() {
    let project = waiting("inbox = { rows = 1 }");
    let daemon = Daemon::start(&project);
    let csv = b"timestamp,metric,value\n2026-01-01,orders,1\n";
    assert_eq!(daemon.post(POINTS, &[BEARER, CSV], csv).status, 200);
    let full = daemon.post(POINTS, &[BEARER, CSV], csv);
    assert_eq!(full.status, 429, "{}", full.text);
    assert!(full.text.contains("retry-after: 10"), "{}", full.text);
    let write = daemon.post("/api/v1/batches/shop/write", &[BEARER, PROTOBUF], b"");
    assert_eq!(write.status, 503, "Prometheus sends again what gets a 503: {}", write.text);
    assert!(write.text.contains("retry-after: 10"), "{}", write.text);

    let waits = project.json(&["source", "test", "shop"]);
    assert_eq!(waits["rows_waiting"], 1);
    project.run(&["run", "shop", "--job", "ingest"]).succeeded();
    assert_eq!(daemon.post(POINTS, &[BEARER, CSV], csv).status, 200);
}

const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");

#[test]
fn who_may_push_and_what_is_taken() {
    let tokens = "[server.tokens.a]\nrole = \"viewer\"\ntoken = \"viewer-token-0123456789\"\n\
                  [server.tokens.b]\nrole = \"operator\"\ntoken = \"operator-token-0123456789\"\n";
    let project = project("max_body = 100", "ingest = \"never\"\n", tokens);
    project.write(
        "metric_batches/other.toml",
        "[source]\nkind = \"push\"\n[schedule]\ningest = \"never\"\n",
    );
    project.write("metric_batches/file.toml", "[source]\nkind = \"file\"\npath = \"x.csv\"\n");
    let daemon = Daemon::start(&project);
    let csv = b"timestamp,metric,value\n2026-01-01,orders,1\n";
    let check = |path: &str, headers: &[(&str, &str)], body: &[u8], expected: u16| {
        let answer = daemon.post(path, headers, body);
        assert_eq!(answer.status, expected, "{path} {headers:?}: {}", answer.text);
    };
    let other = "/api/v1/batches/other/points";
    let viewer = ("Authorization", "Bearer viewer-token-0123456789");
    let operator = ("Authorization", "Bearer operator-token-0123456789");
    check(POINTS, &[CSV], csv, 401);
    check(POINTS, &[CSV, viewer], csv, 403);
    check(POINTS, &[CSV, operator], csv, 200);
    check(POINTS, &[CSV, BEARER], csv, 200);
    check(other, &[CSV, BEARER], csv, 401);
    check(other, &[CSV, operator], csv, 200);
    check(POINTS, &[CSV, operator, ("Origin", "http://evil.example")], csv, 403);
    check("/api/v1/batches/file/points", &[CSV, operator], csv, 409);
    check("/api/v1/batches/none/points", &[CSV, operator], csv, 404);
    check(POINTS, &[operator], csv, 415);
    check(POINTS, &[CSV, operator, ("Content-Encoding", "br")], csv, 415);
    check(POINTS, &[CSV, operator], &[b'x'; 101], 413);
    check(POINTS, &[CSV, operator, ("Idempotency-Key", " ")], csv, 400);
    let write = "/api/v1/batches/shop/write";
    let second = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    check(write, &[("Content-Type", second), operator], b"", 415);
    check(write, &[PROTOBUF, operator, ("Content-Encoding", "snappy")], b"\xff\xff\xff", 400);
    check(write, &[PROTOBUF, operator, ("Content-Encoding", "snappy")], b"\0", 204);
}

#[test]
fn names_count_once_on_the_way_to_points() {
    let project = waiting(
        "columns = { timestamp = \"day\", value = \"amount\" }\n\
         rename = { a = \"b\", b = \"c\" }\nexclude = [\"test_*\"]",
    );
    let daemon = Daemon::start(&project);
    let csv = b"day,metric,amount\n2026-01-01,a,1\n2026-01-02,a,2\n2026-01-01,b,3\n\
                2026-01-01,test_x,4\n";
    let answer = daemon.post(POINTS, &[BEARER, CSV], csv);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(body(&answer.text)["rejected"], json!({ "excluded": 1 }));
    drop(daemon);
    project.run(&["run", "shop", "--job", "ingest"]).succeeded();
    assert_eq!(stored(&project), BTreeMap::from([("b".to_owned(), 2), ("c".to_owned(), 1)]));
}

#[test]
fn a_disabled_batch_takes_no_rows() {
    let tokens = "[server.tokens.a]\nrole = \"operator\"\ntoken = \"operator-token-0123456789\"\n";
    let project = project("", "", tokens);
    project.write(
        "metric_batches/shop.toml",
        &format!("enabled = false\n[source]\nkind = \"push\"\ntoken = \"{TOKEN}\"\n"),
    );
    let daemon = Daemon::start(&project);
    let csv = b"timestamp,metric,value\n2026-01-01,orders,1\n";
    let operator = ("Authorization", "Bearer operator-token-0123456789");
    let answer = daemon.post(POINTS, &[operator, CSV], csv);
    assert_eq!(answer.status, 409, "{}", answer.text);
    assert!(answer.text.contains("batch `shop` is disabled"), "{}", answer.text);
    let write = daemon.post("/api/v1/batches/shop/write", &[operator, PROTOBUF], b"\0");
    assert_eq!(write.status, 409, "{}", write.text);
    assert_eq!(daemon.post(POINTS, &[BEARER, CSV], csv).status, 401);
}

#[test]
fn without_any_token_nobody_pushes() {
    let project = Project::bare();
    project.write(
        "metric_batches/shop.toml",
        "[source]\nkind = \"push\"\n[schedule]\ningest = \"never\"\n",
    );
    let daemon = Daemon::start(&project);
    let answer = daemon.post(POINTS, &[BEARER, CSV], b"timestamp,metric,value\n");
    assert_eq!(answer.status, 403, "{}", answer.text);
    assert!(answer.text.contains("set `token` in its [source]"), "{}", answer.text);
}

/// A Prometheus that scrapes us and writes to us; ended with the test.
struct Prometheus {
    child: Child,
    address: String,
    _dir: tempfile::TempDir,
}

impl Prometheus {
    fn start(daemon: &Daemon) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let config = format!(
            "global: {{ scrape_interval: 1s }}\n\
             scrape_configs:\n- job_name: anomstack\n  static_configs: [{{ targets: ['{ours}'] }}]\n\
             remote_write:\n- url: http://{ours}/api/v1/batches/shop/write\n\
             \x20 basic_auth: {{ username: prometheus, password: {TOKEN} }}\n\
             \x20 queue_config: {{ batch_send_deadline: 1s }}\n\
             \x20 write_relabel_configs:\n  - source_labels: [__name__]\n    regex: 'process_.*|up'\n\
             \x20   action: keep\n",
            ours = daemon.address
        );
        let file = dir.path().join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, address, _dir: dir }
    }

    /// Instants in milliseconds and values of a query's one series.
    fn samples(&self, query: &str) -> Vec<(i64, f64)> {
        let path = format!("/api/v1/query?query={query}");
        let Some(answer) = ask(&self.address, "GET", &path, &[], b"") else { return Vec::new() };
        if answer.status != 200 {
            return Vec::new();
        }
        let found = body(&answer.text);
        let values = found["data"]["result"][0]["values"].as_array().cloned().unwrap_or_default();
        let sample = |pair: &Value| {
            let millis = (pair[0].as_f64().unwrap() * 1e3).round() as i64;
            (millis, pair[1].as_str().unwrap().parse().unwrap())
        };
        values.iter().map(sample).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

/// Needs the program `prometheus`, which whoever sets the address of one has.
#[test]
fn a_real_prometheus_writes_what_it_has() {
    if !std::env::vars().any(|(name, _)| name == "ANOMSTACK_TEST_PROMETHEUS_URL") {
        return;
    }
    let project = project("name = \"{{ __name__ }}\"", "ingest = \"every 1s\"\n", "");
    let mut daemon = Daemon::start(&project);
    let prometheus = Prometheus::start(&daemon);
    let begun = Instant::now();
    let metric = "process_resident_memory_bytes";
    while prometheus.samples(&format!("{metric}[5m]")).len() < 5 {
        assert!(begun.elapsed() < Duration::from_secs(60), "Prometheus scrapes nothing");
        daemon.wait_for("ingest of batch `shop`");
    }
    let theirs = prometheus.samples(&format!("{metric}[5m]"));
    let last = theirs.last().unwrap().0;
    let ours = loop {
        assert!(begun.elapsed() < Duration::from_secs(90), "the newest sample never came");
        daemon.wait_for("ingest of batch `shop`");
        let path = format!("/api/v1/batches/shop/metrics/{metric}/points?range=all");
        let Some(items) = body(&daemon.get(&path))["items"].as_array().cloned() else { continue };
        let point = |item: &Value| {
            let at = chrono::DateTime::parse_from_rfc3339(item["at"].as_str().unwrap()).unwrap();
            (at.timestamp_millis(), item["value"].as_f64().unwrap())
        };
        let points: BTreeMap<i64, f64> = items.iter().map(point).collect();
        if points.contains_key(&last) {
            break points;
        }
    };
    for (at, value) in theirs {
        assert_eq!(ours.get(&at), Some(&value), "{at}");
    }
}
