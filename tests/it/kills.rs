//! kill -9 at random moments of a pass: whatever the moment, the next pass leaves what one
//! undisturbed pass leaves. How many moments: `ANOMSTACK_TEST_KILLS` (a few by default).

use std::{
    collections::BTreeSet,
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use anomstack::{
    catalog::{Catalog, models, segments},
    compute::Compute,
    domain::{BatchName, SegmentKind, StorageBackend, StorageSpec, Span, Timestamp},
    io::{Key, Store},
    series::{History, Range},
};

use crate::support::{END, Project, random};

#[test]
fn a_pass_killed_at_any_moment_loses_and_doubles_nothing() {
    let n_kills: u32 = match std::env::var("ANOMSTACK_TEST_KILLS") {
        Ok(text) => text.parse().unwrap(),
        Err(_) => 6,
    };
    let whole = Project::new();
    let begun = Instant::now();
    whole.pass();
    let length = begun.elapsed();
    let expected = State::of(&whole);
    assert!(!expected.alerts.is_empty(), "the scenario must end in an alert");

    let mut seed = 2_026_u64;
    let mut n_interrupted = 0;
    for kill in 0..n_kills {
        let moment = length.mul_f64(random(&mut seed) * 1.05);
        let project = Project::new();
        n_interrupted += u32::from(kill_after(&project, moment));
        project.pass();
        let state = State::of(&project);
        let place = format!("kill {kill} after {moment:?} of {length:?}");
        assert_eq!(state.points, expected.points, "{place}");
        assert_eq!(state.scored, expected.scored, "{place}");
        assert_eq!(state.alerts, expected.alerts, "{place}");
        assert_eq!(state.delivered, expected.delivered, "{place}");
        assert_eq!(state.models, expected.models, "{place}");
        assert_eq!(state.temporary, Vec::<String>::new(), "{place}");
    }
    println!("{n_interrupted} of {n_kills} kills hit a running pass");
}

/// Starts a pass and kills it after so long; whether it was still running.
fn kill_after(project: &Project, moment: Duration) -> bool {
    let mut command = project.command(&["run", "shop", "--at", END]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while begun.elapsed() < moment {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

/// Everything a pass leaves that another pass must leave too.
#[derive(Debug, PartialEq)]
struct State {
    /// Metric, time and value of every stored row, by segment: a doubled row would show twice.
    points: Vec<(String, Timestamp, u64)>,
    /// Metric and time of every score.
    scored: Vec<(String, Timestamp)>,
    alerts: BTreeSet<String>,
    /// Distinct ids in the receiving file.
    delivered: BTreeSet<String>,
    /// Metrics whose current model is whole.
    models: Vec<String>,
    /// Files a write in progress leaves.
    temporary: Vec<String>,
}

impl State {
    fn of(project: &Project) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Self::read(project))
    }

    async fn read(project: &Project) -> Self {
        let store = Store::open(&StorageSpec {
            backend: StorageBackend::Local,
            root: project.root(),
            chunk_size: 10_000,
            compression: true,
            cache_ttl: Span::hours(1),
        });
        let store = store.unwrap();
        let history = History::new(store.clone(), Compute::new(1).unwrap(), true);
        let catalog = Catalog::open(&project.root().join("catalog.db")).await.unwrap();
        let mut reader = catalog.reader().await.unwrap();
        let batch = BatchName::parse("shop").unwrap();
        let all = Range { from: Timestamp::MIN, to: Timestamp::MAX, metric: None };

        let mut points = Vec::new();
        let kind = SegmentKind::Points;
        let live = segments::live(&mut reader, &batch, kind, all.from, all.to).await.unwrap();
        for segment in live {
            for series in history.read_points(&[segment], &all).await.unwrap() {
                let rows = series.at.iter().zip(&series.value);
                let name = series.metric.to_string();
                points.extend(rows.map(|(at, value)| (name.clone(), *at, value.to_bits())));
            }
        }
        points.sort();

        let kind = SegmentKind::Scores;
        let live = segments::live(&mut reader, &batch, kind, all.from, all.to).await.unwrap();
        let scores = history.read_scores(&live, &all).await.unwrap();
        let scored = scores.values().flatten().map(|s| (s.metric.to_string(), s.at)).collect();

        let mut whole = Vec::new();
        for row in models::currents(&mut reader, &batch).await.unwrap() {
            let key = Key::parse(&row.model_key).unwrap();
            store.get_verified(&key, &row.sha256, row.size).await.unwrap();
            whole.push(row.metric.to_string());
        }
        drop(reader);
        catalog.close().await;

        let alerts = ids(project.json(&["alerts", "list"]).as_array().unwrap());
        let lines = fs::read_to_string(project.path().join("alerts.jsonl")).unwrap_or_default();
        let lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let delivered = lines.iter().map(|line| line["data"]["id"].as_str().unwrap().to_owned());
        Self {
            points,
            scored,
            alerts,
            delivered: delivered.collect(),
            models: whole,
            temporary: project.files().into_iter().filter(|name| name.contains('#')).collect(),
        }
    }
}

fn ids(records: &[serde_json::Value]) -> BTreeSet<String> {
    records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}
