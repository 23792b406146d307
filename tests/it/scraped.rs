//! Prometheus scrapes the daemon, and the daemon reads that back: its own metrics as a batch. With
//! the real Prometheus, where `ANOMSTACK_TEST_PROMETHEUS_URL` says that there is one.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{Csv, Daemon, Project};

const LONGEST_START: Duration = Duration::from_secs(60);

/// Ended with the test.
struct Prometheus(Child);

impl Prometheus {
    /// One that scrapes what the file names, as soon as it does.
    fn start(project: &Project, port: u16) -> Self {
        let scrapes = "global: { scrape_interval: 1s }\n\
            scrape_configs: [{ job_name: own, file_sd_configs: [{ files: [targets.json] }] }]\n";
        project.write("prometheus.yml", scrapes);
        let child = Command::new("prometheus")
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=tsdb")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(project.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut started = Self(child);
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = started.0.try_wait().unwrap() {
                panic!("Prometheus ended before it answered: {status}");
            }
            assert!(begin.elapsed() < LONGEST_START, "Prometheus does not answer");
            std::thread::yield_now();
        }
        started
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn the_daemon_reads_back_what_prometheus_scraped_of_it() {
    if option_env!("ANOMSTACK_TEST_PROMETHEUS_URL").is_none() {
        eprintln!("not tested with Prometheus: ANOMSTACK_TEST_PROMETHEUS_URL is not set");
        return;
    }
    let (project, port) = (Project::empty(), free_port());
    project.write("data/shop.csv", &Csv::shop().text());
    let jobs = "train = \"never\"\nscore = \"never\"\nalert = \"never\"\n";
    let shop = "[source]\nkind = \"file\"\npath = \"data/shop.csv\"\n";
    project.write(
        "metric_batches/shop.toml",
        &format!("{shop}[schedule]\ningest = \"every 1s\"\n{jobs}"),
    );
    let own = format!(
        "[source]\nkind = \"prometheus\"\nurl = \"http://127.0.0.1:{port}\"\nallow_private = true\n\
         query = \"sum by (batch) (anomstack_rows_ingested_total)\"\nstep = \"1s\"\n\
         lookback = \"1m\"\nname = \"rows of {{{{ batch }}}}\"\n"
    );
    project.write(
        "metric_batches/own.toml",
        &format!("{own}[schedule]\ningest = \"every 1s\"\n{jobs}"),
    );
    let _prometheus = Prometheus::start(&project, port);
    let mut daemon = Daemon::start(&project);
    project.write("targets.json", &format!("[{{\"targets\":[{:?}]}}]", daemon.address));
    loop {
        let line = daemon.wait_for("ngest of batch `own`");
        assert!(!line.contains("failed"), "{line}");
        if !line.contains(": 0 rows read") {
            break;
        }
    }
    let found = project.json(&["source", "test", "own"]);
    let rows = found["first_rows"].as_array().unwrap();
    let shop = rows.iter().find(|row| row[1] == "rows of shop").unwrap();
    let n_rows: f64 = shop[2].as_str().unwrap().parse().unwrap();
    assert!(0.0 < n_rows, "{found}");
}
