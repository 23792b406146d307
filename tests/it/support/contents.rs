//! What a project holds, read through the library and past the catalog where that matters.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anomstack::{
    catalog::{Catalog, Connection, alerts, models, outbox, segments},
    compute::Compute,
    domain::{BatchName, ModelVersion, SegmentKind, Timestamp},
    io::{Key, Store},
    series::{History, Range},
};
use serde_json::Value;

use super::Project;

/// Everything a pass leaves behind, of one batch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Contents {
    /// Metric, time and value bits of every stored row; a row stored twice shows twice.
    pub(crate) points: Vec<(String, Timestamp, u64)>,
    /// Metric, time and model of every stored score; one stored twice shows twice.
    pub(crate) scores: Vec<(String, Timestamp, ModelVersion)>,
    /// Ids of the alerts.
    pub(crate) alerts: BTreeSet<String>,
    /// Ids in the receiving file, and how often each came.
    pub(crate) delivered: BTreeMap<String, usize>,
    /// Ids whose end is in the receiving file, and how often each came.
    pub(crate) ended: BTreeMap<String, usize>,
    /// Deliveries by channel and state.
    pub(crate) outbox: Vec<(String, String, u64)>,
    /// Metrics whose current model is whole, with the number of their versions.
    pub(crate) models: BTreeMap<String, usize>,
    /// Files that a write in progress leaves.
    pub(crate) temporary: Vec<String>,
}

impl Contents {
    pub(crate) fn of(project: &Project, batch: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Self::read(project, batch))
    }

    async fn read(project: &Project, batch: &str) -> Self {
        let batch = BatchName::parse(batch).unwrap();
        let store = open(project);
        let catalog = Catalog::open(&project.root().join("catalog.db")).await.unwrap();
        let mut reader = catalog.reader().await.unwrap();
        let (points, scores) = history(&mut reader, &store, &batch).await;
        let filter = alerts::AlertFilter {
            batch: Some(batch.clone()),
            limit: u32::MAX,
            ..alerts::AlertFilter::default()
        };
        let alerts = alerts::list(&mut reader, &filter).await.unwrap();
        let outbox = outbox::counts(&mut reader).await.unwrap();
        let models = whole_models(&mut reader, &store, &batch).await;
        drop(reader);
        catalog.close().await.unwrap();
        let is_staged = |name: &String| name.contains('#');
        Self {
            points,
            scores,
            alerts: alerts.into_iter().map(|row| row.alert.id.0).collect(),
            delivered: delivered(project, "alert.firing"),
            ended: delivered(project, "alert.resolved"),
            outbox: outbox
                .into_iter()
                .map(|(name, state, n)| (name, state.to_string(), n))
                .collect(),
            models,
            temporary: project.files().into_iter().filter(is_staged).collect(),
        }
    }

    /// Without what may differ between two honest runs: which versions made the scores, how many
    /// versions there are, how often a message came.
    pub(crate) fn essence(&self) -> Essence {
        Essence {
            points: self.points.clone(),
            scores: self.scores.iter().map(|(metric, at, _)| (metric.clone(), *at)).collect(),
            alerts: self.alerts.clone(),
            delivered: self.delivered.keys().cloned().collect(),
            ended: self.ended.keys().cloned().collect(),
            models: self.models.keys().cloned().collect(),
        }
    }
}

/// What every way to the same end must leave.
#[derive(Debug, PartialEq)]
pub(crate) struct Essence {
    pub(crate) points: Vec<(String, Timestamp, u64)>,
    pub(crate) scores: BTreeSet<(String, Timestamp)>,
    pub(crate) alerts: BTreeSet<String>,
    pub(crate) delivered: BTreeSet<String>,
    pub(crate) ended: BTreeSet<String>,
    pub(crate) models: Vec<String>,
}

impl Essence {
    /// Compares the small parts first, because a failure shows what it compared.
    #[track_caller]
    pub(crate) fn assert_is(&self, expected: &Self, place: &str) {
        assert_eq!(self.alerts, expected.alerts, "{place}");
        assert_eq!(self.delivered, expected.delivered, "{place}");
        assert_eq!(self.ended, expected.ended, "ends; {place}");
        assert_eq!(self.models, expected.models, "{place}");
        assert_eq!(self.points.len(), expected.points.len(), "stored rows; {place}");
        assert!(self.points == expected.points, "other rows are stored; {place}");
        assert_eq!(self.scores.len(), expected.scores.len(), "scores; {place}");
        assert!(self.scores == expected.scores, "other points are scored; {place}");
    }
}

fn open(project: &Project) -> Store {
    Store::local(&project.root()).unwrap()
}

type Points = Vec<(String, Timestamp, u64)>;
type Scores = Vec<(String, Timestamp, ModelVersion)>;

/// Read segment by segment, so that nothing is merged away.
async fn history(reader: &mut Connection, store: &Store, batch: &BatchName) -> (Points, Scores) {
    let history = History::new(store.clone(), Compute::new(1).unwrap(), true.into());
    let all = Range::between(Timestamp::MIN, Timestamp::MAX);
    let (mut points, mut scores) = (Vec::new(), Vec::new());
    let kind = SegmentKind::Points;
    for segment in segments::live(reader, batch, kind, all.from, all.to).await.unwrap() {
        for series in history.read_points(&[segment], &all).await.unwrap() {
            let name = series.metric.to_string();
            let rows = series.at.iter().zip(&series.value);
            points.extend(rows.map(|(at, value)| (name.clone(), *at, value.to_bits())));
        }
    }
    let kind = SegmentKind::Scores;
    for segment in segments::live(reader, batch, kind, all.from, all.to).await.unwrap() {
        let found = history.read_scores(&[segment], &all).await.unwrap();
        scores.extend(found.into_values().flatten().map(|s| (s.metric.to_string(), s.at, s.model)));
    }
    points.sort();
    scores.sort();
    (points, scores)
}

async fn whole_models(
    reader: &mut Connection,
    store: &Store,
    batch: &BatchName,
) -> BTreeMap<String, usize> {
    let mut whole = BTreeMap::new();
    for row in models::currents(reader, batch).await.unwrap() {
        let key = Key::parse(&row.model_key).unwrap();
        store.get_verified(&key, &row.sha256, row.size).await.unwrap();
        let versions = models::versions(reader, batch, &row.metric).await.unwrap();
        whole.insert(row.metric.to_string(), versions.len());
    }
    whole
}

fn delivered(project: &Project, event: &str) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(project.path().join("alerts.jsonl")).unwrap_or_default();
    let mut delivered = BTreeMap::new();
    // A line that a kill cut short is followed by its repeat.
    for message in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if message["type"] != event {
            continue;
        }
        for alert in message["data"]["alerts"].as_array().unwrap() {
            let id = alert["id"].as_str().unwrap();
            *delivered.entry(id.to_owned()).or_default() += 1;
        }
    }
    delivered
}
