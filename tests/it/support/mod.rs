//! What the tests share: project folders, the program run on them, and what it left there.

#[allow(dead_code, reason = "the tests of the crate itself use the rest of it")]
mod bucket_server;
mod contents;
mod csv;
mod daemon;
mod receiver;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) use bucket_server::{BucketServer, Fault};
pub(crate) use contents::Contents;
pub(crate) use csv::{Csv, END, hours_before_end, random, usual};
pub(crate) use daemon::{Daemon, ask};
pub(crate) use receiver::Receiver;

/// Jobs that run only when asked to.
pub(crate) const BY_HAND: &str = "
[schedule]
ingest = \"never\"
train = \"never\"
score = \"never\"
alert = \"never\"
";

const SYSTEM: &str = "[channels.file]\nkind = \"file\"\npath = \"alerts.jsonl\"\n";

const SHOP: &str = r#"
[source]
kind = "file"
path = "data/shop.csv"

[score]
window = "3d"
max_points = 48

[alert]
recent = 48
channels = ["file"]
"#;

/// A project folder that is removed at the end of the test.
pub(crate) struct Project {
    dir: TempDir,
}

impl Project {
    /// A folder with nothing in it.
    pub(crate) fn bare() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A system file with the channel `file`, and no batch.
    pub(crate) fn empty() -> Self {
        let project = Self::bare();
        project.write("config/anomstack.toml", SYSTEM);
        project
    }

    /// A batch `shop` of four hourly metrics in a CSV file; `orders` ends in an obvious spike.
    pub(crate) fn shop() -> Self {
        let project = Self::empty();
        project.batch("shop", SHOP);
        project.write("data/shop.csv", &Csv::shop().text());
        project
    }

    /// Writes a batch whose jobs run only when asked to.
    pub(crate) fn batch(&self, name: &str, text: &str) {
        self.write(&format!("metric_batches/{name}.toml"), &format!("{text}{BY_HAND}"));
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

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// The program with this project, ready for more arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.arg("--config").arg(self.path()).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// Runs the whole pass of `shop` as of the end of its history; it must succeed.
    #[track_caller]
    pub(crate) fn pass(&self) {
        self.run(&["run", "shop", "--at", END]).succeeded();
    }

    /// Standard output of a listing as JSON.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["--json"], arguments].concat());
        ran.succeeded();
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// A listing's records.
    #[track_caller]
    pub(crate) fn list(&self, arguments: &[&str]) -> Vec<Value> {
        match self.json(arguments) {
            Value::Array(records) => records,
            other => panic!("{arguments:?} gave {other}"),
        }
    }

    /// The newest run of a job, as `runs show` gives it.
    #[track_caller]
    pub(crate) fn newest_run(&self, batch: &str, job: &str) -> Value {
        let runs = self.list(&["runs", "list", "--batch", batch, "--job", job, "--limit", "1"]);
        self.json(&["runs", "show", &runs[0]["id"].to_string()])
    }

    /// Metric and time of every alert of a batch, oldest first.
    #[track_caller]
    pub(crate) fn alerts(&self, batch: &str) -> Vec<(String, String)> {
        let found = self.list(&["alerts", "list", "--batch", batch, "--limit", "1000"]);
        let text = |alert: &Value, key: &str| alert[key].as_str().unwrap().to_owned();
        let found = found.iter().map(|alert| (text(alert, "metric"), text(alert, "at")));
        found.rev().collect()
    }

    /// Every file below the storage root, relative to it, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        files_below(&self.root())
    }
}

/// The program without anything this process's environment would tell it.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anomstack"));
    command.env_remove("RUST_LOG");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANOMSTACK_")) {
        command.env_remove(name);
    }
    command
}

/// Every file below a folder, relative to it, sorted.
pub(crate) fn files_below(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => pending.push(path),
                false => {
                    let relative = path.strip_prefix(root).unwrap();
                    found.push(relative.to_str().unwrap().to_owned());
                }
            }
        }
    }
    found.sort();
    found
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        Self {
            code: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn succeeded(&self) {
        self.exited(0);
    }

    #[track_caller]
    pub(crate) fn exited(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
    }
}
