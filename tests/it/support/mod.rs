//! What the tests share: a project folder with a small batch, and the program run on it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// The instant the batch's history ends.
pub(crate) const END: &str = "2026-03-01T00:00:00Z";
/// Hours of history.
pub(crate) const HOURS: i64 = 24 * 20;

/// A project folder that is removed at the end of the test.
pub(crate) struct Project {
    dir: TempDir,
}

impl Project {
    /// A batch `shop` of four hourly metrics in a CSV file; `orders` ends in an obvious spike.
    pub(crate) fn new() -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap() };
        project.write(
            "config/anomstack.toml",
            "[channels.file]\nkind = \"file\"\npath = \"alerts.jsonl\"\n",
        );
        project.write("metric_batches/shop.toml", SHOP);
        project.write("data/shop.csv", &history());
        project
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The storage root.
    pub(crate) fn root(&self) -> PathBuf {
        self.path().join(".anomstack")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The program with this project, ready for more arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_anomstack"));
        command.arg("--config").arg(self.path()).args(arguments).env_remove("RUST_LOG");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs the whole pass as of the end of the history; it must succeed.
    pub(crate) fn pass(&self) {
        let output = self.run(&["run", "shop", "--at", END]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Standard output of a listing as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Every file below the storage root, relative to it, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut pending = vec![self.root()];
        while let Some(dir) = pending.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => pending.push(path),
                    false => {
                        let relative = path.strip_prefix(self.root()).unwrap();
                        found.push(relative.to_str().unwrap().to_owned());
                    }
                }
            }
        }
        found.sort();
        found
    }
}

const SHOP: &str = r#"
[source]
kind = "file"
path = "data/shop.csv"

[schedule]
ingest = "never"
train = "never"
score = "never"
alert = "never"

[score]
window = "3d"
max_points = 48

[alert]
recent = 48
channels = ["file"]
"#;

/// Long-form CSV: a daily season and a little seeded noise; the last `orders` value is a spike.
pub(crate) fn history() -> String {
    let end = chrono::DateTime::parse_from_rfc3339(END).unwrap().timestamp();
    let mut text = String::from("timestamp,metric,value\n");
    let mut seed = 7_u64;
    for hour in 0..HOURS {
        let at = chrono::DateTime::from_timestamp(end - (HOURS - 1 - hour) * 3_600, 0).unwrap();
        let at = at.format("%Y-%m-%dT%H:%M:%SZ");
        for (n, metric) in ["orders", "revenue", "latency", "errors"].into_iter().enumerate() {
            let season = (hour as f64 / 24.0 * std::f64::consts::TAU).sin();
            let noise = random(&mut seed) - 0.5;
            let mut value = 100.0 * (n + 1) as f64 + 20.0 * season + 4.0 * noise;
            if metric == "orders" && hour == HOURS - 1 {
                value *= 5.0;
            }
            text.push_str(&format!("{at},{metric},{value:.4}\n"));
        }
    }
    text
}

/// The next number in [0, 1) of a seeded sequence (SplitMix64).
pub(crate) fn random(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
