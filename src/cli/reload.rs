//! Changed configuration while the daemon runs: used as a whole when all of it is valid, refused as
//! a whole otherwise. What cannot change under running work waits for a restart, and that is said.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use tokio::sync::{mpsc, watch};

use crate::{
    compute::{Compute, ComputeError},
    config::{Problems, Project, Reading, Snapshot},
    domain::{BatchSpec, ServerSpec, SystemSpec},
    runtime::{
        OnBeats,
        reload::{Debounce, Step, Verdict},
    },
    telemetry::{Metrics, Readiness},
};

use super::check;

/// The configuration files as they were at the start.
pub(super) struct Files {
    pub(super) dir: PathBuf,
    pub(super) snapshot: Snapshot,
    /// The system's settings as written, before the command line changed any.
    pub(super) system: SystemSpec,
}

/// Where the configuration in use and what is wrong with a newer one are published.
pub(super) struct Published {
    pub(super) project: watch::Sender<Arc<Project>>,
    pub(super) batches: watch::Sender<Arc<[BatchSpec]>>,
    pub(super) ready: watch::Sender<Readiness>,
    pub(super) metrics: Metrics,
}

/// Follows the files.
pub(super) struct Reload {
    dir: PathBuf,
    started_with: SystemSpec,
    looks: Debounce<Snapshot>,
    published: Published,
    compute: Compute,
}

/// What changed files come to.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// They are used, except for these settings.
    Used { project: Box<Project>, wait_for_restart: Vec<&'static str> },
    /// Nothing of them is used.
    Refused { problems: Vec<String> },
}

impl Reload {
    pub(super) fn new(files: Files, published: Published, compute: Compute) -> Self {
        let Files { dir, snapshot, system } = files;
        let looks = Debounce::new(snapshot);
        Self { dir, started_with: system, looks, published, compute }
    }

    /// Looks at every beat.
    pub(super) fn on_beats(mut self) -> OnBeats {
        Box::new(move |mut beats: mpsc::Receiver<()>| {
            Box::pin(async move {
                while beats.recv().await.is_some() {
                    if let Err(error) = self.look().await {
                        tracing::error!("could not look for changed configuration: {error}");
                    }
                }
            })
        })
    }

    async fn look(&mut self) -> Result<(), ComputeError> {
        let (before, dir) = (self.looks.newest().clone(), self.dir.clone());
        let seen = self.compute.run(move || before.again(&dir)).await?;
        if self.looks.look(seen) != Step::Read {
            return Ok(());
        }
        let dir = self.dir.clone();
        let Reading { outcome, snapshot } = self.compute.run(move || check::read(&dir)).await?;
        if self.looks.read(snapshot) == Verdict::Use {
            let running = Arc::clone(&self.published.project.borrow());
            self.publish(&running, decide(&running, &self.started_with, outcome));
        }
        Ok(())
    }

    fn publish(&self, running: &Project, outcome: Outcome) {
        let Published { project: to_project, batches, ready, metrics } = &self.published;
        match outcome {
            Outcome::Used { project, wait_for_restart } => {
                tracing::info!(
                    "the changed configuration is in use: {}",
                    changes(running, &project)
                );
                batches.send_if_modified(|batches| {
                    let is_changed = **batches != *project.batches;
                    if is_changed {
                        *batches = project.batches.clone().into();
                    }
                    is_changed
                });
                to_project.send_replace(Arc::from(project));
                for setting in &wait_for_restart {
                    tracing::warn!("a change of {setting} waits for a restart");
                }
                metrics.config_loaded();
                let waits =
                    |name: &&str| format!("configuration: a change of {name} waits for a restart");
                let concerns = wait_for_restart.iter().map(waits).collect();
                ready.send_modify(|now| now.concerns = concerns);
            }
            Outcome::Refused { problems } => {
                tracing::error!(
                    "the changed configuration is not used, the one before stays: {}",
                    problems.join("; ")
                );
                metrics.config_refused();
                let refused = |text: &String| format!("configuration not used: {text}");
                let concerns = problems.iter().map(refused).collect();
                ready.send_modify(|now| now.concerns = concerns);
            }
        }
    }
}

/// All of the new files, or nothing of them.
fn decide(
    running: &Project,
    started_with: &SystemSpec,
    outcome: Result<Project, Problems>,
) -> Outcome {
    let mut project = match outcome {
        Ok(project) => project,
        Err(problems) => {
            return Outcome::Refused {
                problems: problems.0.iter().map(ToString::to_string).collect(),
            };
        }
    };
    let SystemSpec { storage, server, log, .. } = &project.system;
    let fixed = [
        (*storage != started_with.storage, "`storage`"),
        (address(server) != address(&started_with.server), "`server`"),
        (*log != started_with.log, "`log`"),
    ];
    let wait_for_restart =
        fixed.iter().filter(|(waits, _)| *waits).map(|(_, name)| *name).collect();
    let SystemSpec { storage, server, log, .. } = running.system.clone();
    // Who may use the server, and how people call it, can change under it; where it listens cannot.
    let ServerSpec { tokens, base_url, .. } = project.system.server.clone();
    let server = ServerSpec { tokens, base_url, ..server };
    project.system = SystemSpec { storage, server, log, ..project.system };
    Outcome::Used { project: Box::new(project), wait_for_restart }
}

const fn address(server: &ServerSpec) -> (IpAddr, u16) {
    (server.host, server.port)
}

/// What differs, for the log.
fn changes(before: &Project, after: &Project) -> String {
    let find = |project: &Project, name| -> Option<BatchSpec> {
        project.batches.iter().find(|batch| batch.name == name).cloned()
    };
    let mut parts: Vec<String> = Vec::new();
    for batch in &after.batches {
        match find(before, batch.name.clone()) {
            None => parts.push(format!("batch `{}` is new", batch.name)),
            Some(old) if old != *batch => parts.push(format!("batch `{}` is changed", batch.name)),
            Some(_) => {}
        }
    }
    for batch in &before.batches {
        if find(after, batch.name.clone()).is_none() {
            parts.push(format!("batch `{}` is gone", batch.name));
        }
    }
    if before.system != after.system {
        parts.push("channels or tokens are changed".to_owned());
    }
    if parts.is_empty() { "nothing differs".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const SHOP: &str = "[source]\nkind = \"file\"\npath = \"shop.csv\"\n";

    struct Fixture {
        folder: tempfile::TempDir,
        reload: Reload,
        project: watch::Receiver<Arc<Project>>,
        batches: watch::Receiver<Arc<[BatchSpec]>>,
        ready: watch::Receiver<Readiness>,
        metrics: Metrics,
    }

    impl Fixture {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            write(folder.path(), "config/anomstack.toml", "[server]\nport = 8087\n");
            write(folder.path(), "metric_batches/shop.toml", SHOP);
            let Reading { outcome, snapshot } = check::read(folder.path());
            let loaded = outcome.unwrap();
            let system = loaded.system.clone();
            let files = Files { dir: folder.path().to_owned(), snapshot, system };
            let (give_project, project) = watch::channel(Arc::new(loaded.clone()));
            let (give_batches, batches) = watch::channel(loaded.batches.into());
            let (give_ready, ready) = watch::channel(Readiness::ready());
            let metrics = Metrics::new().unwrap();
            metrics.config_loaded();
            let published = Published {
                project: give_project,
                batches: give_batches,
                ready: give_ready,
                metrics: metrics.clone(),
            };
            let reload = Reload::new(files, published, Compute::new(1).unwrap());
            Self { folder, reload, project, batches, ready, metrics }
        }

        fn write(&self, name: &str, text: &str) {
            write(self.folder.path(), name, text);
        }

        async fn look(&mut self, times: usize) {
            for _ in 0..times {
                self.reload.look().await.unwrap();
            }
        }

        fn names(&self) -> Vec<String> {
            let names = |batches: &[BatchSpec]| -> Vec<String> {
                batches.iter().map(|batch| batch.name.to_string()).collect()
            };
            let of_project = names(&self.project.borrow().batches);
            assert_eq!(names(&self.batches.borrow()), of_project);
            of_project
        }

        fn concerns(&self) -> String {
            self.ready.borrow().concerns.join("\n")
        }

        #[track_caller]
        fn check_metric(&self, value: u8) {
            let line = format!("anomstack_config_last_reload_successful {value}");
            assert!(self.metrics.render().unwrap().contains(&line), "{line}");
        }
    }

    fn write(dir: &Path, name: &str, text: &str) {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[tokio::test]
    async fn a_valid_change_is_used_when_two_looks_agree() {
        let mut fixture = Fixture::new();
        fixture.look(2).await;
        assert!(!fixture.project.has_changed().unwrap());
        fixture.write("metric_batches/mail.toml", SHOP);
        fixture.look(1).await;
        assert_eq!(fixture.names(), ["shop"], "it may still be being written");
        fixture.look(1).await;
        assert_eq!(fixture.names(), ["mail", "shop"]);
        std::fs::remove_file(fixture.folder.path().join("metric_batches/shop.toml")).unwrap();
        fixture.look(2).await;
        assert_eq!(fixture.names(), ["mail"]);
        fixture.check_metric(1);
    }

    #[tokio::test]
    async fn one_bad_file_keeps_all_of_the_old_set_and_is_told_until_it_is_mended() {
        let mut fixture = Fixture::new();
        fixture.write("metric_batches/mail.toml", SHOP);
        fixture.write("metric_batches/shop.toml", &format!("{SHOP}[scheduel]\n"));
        fixture.reload.published.ready.send_replace(Readiness::waiting("catalog"));
        fixture.look(3).await;
        assert_eq!(fixture.names(), ["shop"]);
        assert!(!fixture.ready.borrow().is_ready(), "what else is missing stays missing");
        let concerns = fixture.concerns();
        assert!(concerns.contains("metric_batches/shop.toml:4:2"), "{concerns}");
        assert!(concerns.contains("schedule"), "{concerns}");
        fixture.check_metric(0);
        fixture.write("metric_batches/shop.toml", SHOP);
        fixture.look(2).await;
        assert_eq!(fixture.names(), ["mail", "shop"]);
        assert_eq!(fixture.concerns(), "");
        fixture.check_metric(1);
    }

    #[tokio::test]
    async fn a_file_written_bit_by_bit_is_used_only_when_whole() {
        let mut fixture = Fixture::new();
        let text = format!("name = \"other\"\n{SHOP}");
        for n_bytes in 0..text.len() {
            fixture.write("metric_batches/shop.toml", &text[..n_bytes]);
            fixture.look(1).await;
            assert_eq!(
                (fixture.names().as_slice(), fixture.concerns()),
                (["shop".into()].as_slice(), String::new())
            );
        }
        fixture.write("metric_batches/shop.toml", &text);
        fixture.look(2).await;
        assert_eq!(fixture.names(), ["other"]);
    }

    #[tokio::test]
    async fn storage_and_address_stay_and_wait_for_a_restart_while_the_rest_is_used() {
        let mut fixture = Fixture::new();
        let before = fixture.project.borrow().system.clone();
        let text = "[server]\nport = 9000\n[storage]\nroot = \"elsewhere\"\n[channels.log]\nkind = \"log\"\n";
        fixture.write("config/anomstack.toml", text);
        fixture.look(2).await;
        let after = fixture.project.borrow().system.clone();
        assert_eq!((&after.server, &after.storage), (&before.server, &before.storage));
        assert!(after.channels.contains_key("log"));
        let expected = "configuration: a change of `storage` waits for a restart\n\
                        configuration: a change of `server` waits for a restart";
        assert_eq!(fixture.concerns(), expected);
        fixture.check_metric(1);
        fixture.write("config/anomstack.toml", "[server]\nport = 8087\n");
        fixture.look(2).await;
        assert_eq!(fixture.concerns(), "");
    }

    #[tokio::test]
    async fn a_rotated_token_is_used_without_a_restart() {
        let mut fixture = Fixture::new();
        let token = |token: &str| {
            format!(
                "[server]\nport = 8087\n[server.tokens.a]\nrole = \"admin\"\ntoken = \"{token}\"\n"
            )
        };
        fixture.write("config/anomstack.toml", &token("0123456789abcdef"));
        fixture.look(3).await;
        let in_use = fixture.project.borrow().system.server.tokens[0].token.reveal().to_owned();
        assert_eq!((in_use.as_str(), fixture.concerns().as_str()), ("0123456789abcdef", ""));
    }

    #[tokio::test]
    async fn a_new_query_file_and_a_swapped_link_are_seen() {
        let mut fixture = Fixture::new();
        let query = "[source]\nkind = \"sql\"\nurl = \"sqlite://a.db\"\nquery_file = \"q.sql\"\n";
        fixture.write("metric_batches/.one/q.sql", "SELECT 1");
        fixture.write("metric_batches/.two/q.sql", "SELECT 2");
        let dir = fixture.folder.path().join("metric_batches");
        std::os::unix::fs::symlink(".one", dir.join(".now")).unwrap();
        std::os::unix::fs::symlink(".now/q.sql", dir.join("q.sql")).unwrap();
        fixture.write("metric_batches/shop.toml", query);
        fixture.look(3).await;
        let first = fixture.project.borrow().batches[0].config_hash.clone();
        std::os::unix::fs::symlink(".two", dir.join(".next")).unwrap();
        std::fs::rename(dir.join(".next"), dir.join(".now")).unwrap();
        fixture.look(2).await;
        let batch = fixture.project.borrow().batches[0].clone();
        assert_ne!(batch.config_hash, first);
        assert!(format!("{:?}", batch.source).contains("SELECT 2"));
    }
}
