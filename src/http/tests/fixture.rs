//! A project with two batches and a small history, behind the router.

use std::{path::Path, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use tokio::{sync::watch, task::JoinSet};
use tower::ServiceExt;

use crate::{
    catalog::{Catalog, alerts, metrics, models, run_log, runs, segments},
    compute::Compute,
    config::{self, Environment, Project},
    domain::{
        Alert, AlertId, AlertKind, Aspect, Band, BatchName, DetectorCard, JobKind, MetricName,
        ModelCard, ModelQuality, ModelVersion, NoScore, Period, Point, RunId, RunReport,
        ScorePoint, Severity, Skipped, Span, Timestamp, TrainReport, WarmingUp,
    },
    http::{App, Limits, assets, guard::Hosts, pages::Pages, routes, site::Site},
    io::{Key, Store, WriteMode, parquet::Compression},
    net::Client,
    series::History,
    telemetry::{Metrics, Readiness},
};

/// Names as hostile as they come; each has ten points, scores and an alert.
pub(super) const NAMES: &[&str] = &[
    "orders.total",
    "../../x",
    "..",
    "<script>alert(1)</script>",
    "two\nlines",
    "🚀 launches",
    "a/b?c#d&e=%2F\"'",
];

const SHOP: &str = r#"
description = "Orders & <revenue>"
timezone = "Europe/Dublin"
[source]
kind = "file"
path = "shop.csv"
[alert]
threshold = 0.9
[metrics."orders.total"]
display_name = "Orders"
unit = "1/h"
"#;

pub(super) struct Fixture {
    router: Router,
    pub(super) catalog: Catalog,
    ready: watch::Sender<Readiness>,
    _project: watch::Sender<Arc<Project>>,
    _tasks: JoinSet<()>,
    _dir: tempfile::TempDir,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// As text, where it is one.
    pub(super) body: String,
    pub(super) bytes: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Noon of a summer day, when Dublin is an hour ahead.
pub(super) fn noon() -> Timestamp {
    Timestamp::parse("2026-06-10T12:00:00Z").unwrap()
}

pub(super) fn hour(n: i64) -> Timestamp {
    noon() - Span::hours(10 - n)
}

impl Fixture {
    pub(super) async fn new() -> Self {
        Self::with_system("").await
    }

    /// With a system file of this text.
    pub(super) async fn with_system(system: &str) -> Self {
        Self::with_batches(system, &[]).await
    }

    /// With batches of these names and files beside the usual ones.
    pub(super) async fn with_batches(system: &str, batches: &[(String, String)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let project = project(dir.path(), system, batches);
        let store = Store::memory();
        let history = History::new(store.clone(), Compute::new(1).unwrap(), Compression::Off);
        let catalog = Catalog::open(&dir.path().join("catalog.db")).await.unwrap();
        fill(&catalog, &history, &store).await;
        let compute = Compute::new(1).unwrap();
        let (give_project, project) = watch::channel(Arc::new(project));
        let (ready, is_ready) = watch::channel(Readiness::ready());
        let metrics = Metrics::new().unwrap();
        let app = App {
            catalog: catalog.clone(),
            history,
            store,
            compute,
            client: Client::new(),
            paces: Arc::default(),
            metrics,
            project,
            ready: is_ready,
            clock: noon,
        };
        let pages = Pages::new(assets::stamp()).unwrap();
        let hosts = Hosts::new("127.0.0.1".parse().unwrap());
        let (site, clerk) = Site::new(Arc::new(app), pages, hosts, Limits::default());
        let router = routes::router(Arc::new(site));
        let mut tasks = JoinSet::new();
        tasks.spawn(clerk.work());
        Self { router, catalog, ready, _project: give_project, _tasks: tasks, _dir: dir }
    }

    pub(super) fn set_ready(&self, readiness: Readiness) {
        self.ready.send_replace(readiness);
    }

    pub(super) async fn get(&self, uri: &str) -> Answer {
        self.ask(Method::GET, uri, &[("host", "localhost")]).await
    }

    pub(super) async fn ask(&self, method: Method, uri: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let bytes = body.to_vec();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: head.status, headers: head.headers, body, bytes }
    }
}

fn project(dir: &Path, system: &str, batches: &[(String, String)]) -> Project {
    std::fs::create_dir_all(dir.join("config")).unwrap();
    std::fs::create_dir_all(dir.join("metric_batches")).unwrap();
    std::fs::write(dir.join("config/anomstack.toml"), system).unwrap();
    std::fs::write(dir.join("metric_batches/shop.toml"), SHOP).unwrap();
    let quiet = "[source]\nkind = \"file\"\npath = \"quiet.csv\"\n";
    std::fs::write(dir.join("metric_batches/quiet.toml"), quiet).unwrap();
    for (name, text) in batches {
        std::fs::write(dir.join(format!("metric_batches/{name}.toml")), text).unwrap();
    }
    config::load(dir, &Environment::from_pairs([])).unwrap()
}

fn shop() -> BatchName {
    BatchName::parse("shop").unwrap()
}

async fn fill(catalog: &Catalog, history: &History, store: &Store) {
    let model = ModelVersion::at(hour(0));
    let band = Band { expected: 10.0, lower: 8.0, upper: 12.0 };
    let (mut points, mut scores, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for name in NAMES {
        let metric = MetricName::parse(name).unwrap();
        for n in 0..10 {
            let at = hour(n);
            let value = if n == 8 { 42.0 } else { 10.0 };
            let score = if n == 8 { 0.995 } else { 0.1 };
            points.push(Point { metric: metric.clone(), at, value });
            let (metric, model) = (metric.clone(), model.clone());
            let aspect = (n == 8).then_some(Aspect::NovelValue);
            scores.push(ScorePoint { metric, at, value, score, band: Some(band), aspect, model });
        }
        seen.push(metrics::MetricSeen {
            metric,
            newest_at: hour(9),
            newest_value: 10.0,
            n_new: 10,
        });
    }
    let key = |name: &str| Key::parse(&format!("data/processed/shop/{name}.parquet")).unwrap();
    let points = history.write_points(key("points"), &shop(), points).await.unwrap();
    let segment = history.write_scores(key("scores"), &shop(), scores.clone()).await.unwrap();
    let card = serde_json::to_vec(&card(&scores[0].metric)).unwrap();
    let card_key = Key::parse("models/shop/0/metadata.json").unwrap();
    store.put(&card_key, card.into(), WriteMode::CreateOnly).await.unwrap();
    let mut tx = catalog.begin().await.unwrap();
    run(&mut tx, JobKind::Train, None).await;
    run(&mut tx, JobKind::Ingest, Some("open `shop.csv`: no <such> file")).await;
    segments::insert(&mut tx, &points, RunId(1)).await.unwrap();
    segments::insert(&mut tx, &segment, RunId(1)).await.unwrap();
    metrics::touch(&mut tx, &shop(), &seen, noon()).await.unwrap();
    metrics::note_scores(&mut tx, &shop(), &scores).await.unwrap();
    let warming = NoScore::WarmingUp { need: 30, have: 10, every: Some(Span::hours(1)) };
    let skipped = Skipped { metric: seen[1].metric.clone(), reason: warming };
    metrics::note_skips(&mut tx, &shop(), &[skipped]).await.unwrap();
    for (n, metric) in seen.iter().enumerate() {
        models::register(&mut tx, &model_row(&metric.metric, n), RunId(1)).await.unwrap();
        alerts::insert(&mut tx, &alert(&metric.metric, n), RunId(1), noon()).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// A run of the batch, ended well or with an error.
async fn run(conn: &mut crate::catalog::Connection, job: JobKind, error: Option<&str>) {
    let at = hour(9);
    let new = runs::NewRun {
        batch: shop(),
        job,
        slot: at,
        cause: runs::RunCause::Manual,
        due: at,
        config_hash: "c0ffee".repeat(10),
    };
    let id = runs::materialise(conn, &new, at).await.unwrap().unwrap();
    let lease = runs::Lease { worker: "here", length: Span::secs(60) };
    let claim = runs::claim_one(conn, id, at, lease).await.unwrap().unwrap();
    let message = "read <b>shop.csv</b>".to_owned();
    let line = run_log::LogLine { at, level: run_log::LogLevel::Info, message };
    run_log::add(conn, id, &line).await.unwrap();
    let end = at + Span::secs(2);
    match error {
        None => {
            let report = TrainReport { trained: 7, ..TrainReport::default() };
            runs::succeed(conn, &claim, &RunReport::Train(report), end).await.unwrap();
        }
        Some(error) => {
            let failure = runs::Failure { error_chain: error.to_owned(), retry_at: None };
            runs::fail(conn, &claim, &failure, end).await.unwrap();
        }
    }
}

fn model_row(metric: &MetricName, n: usize) -> models::ModelRow {
    models::ModelRow {
        batch: shop(),
        metric: metric.clone(),
        version: ModelVersion::at(hour(0)),
        model_key: format!("models/shop/{n}/model.pkl"),
        metadata_key: format!("models/shop/{n}/metadata.json"),
        sha256: "ab".repeat(32),
        size: 2_048,
        trained_at: hour(0),
        rows: 10,
        detectors: vec!["auto".to_owned()],
        state: models::ModelState::Verified,
        reason: None,
        quality: None,
    }
}

fn card(metric: &MetricName) -> ModelCard {
    let detector = DetectorCard {
        tag: "auto".to_owned(),
        kind: "seasonal".to_owned(),
        params: serde_json::Map::from_iter([("<period>".to_owned(), 24.into())]),
        threshold: None,
    };
    ModelCard {
        batch: shop(),
        metric: metric.clone(),
        version: ModelVersion::at(hour(0)),
        sha256: "ab".repeat(32),
        size: 2_048,
        detectors: vec![detector],
        challengers: Vec::new(),
        left_out: Vec::new(),
        trained_from: hour(0),
        trained_to: hour(9),
        rows: 10,
        data_fingerprint: "cd".repeat(32),
        quality: ModelQuality {
            in_sample_alert_rate: 0.012,
            self_test_score: 0.999,
            median_score: 0.2,
            period: Some(Period { length: Span::hours(12), weekly: false, confidence: 0.9 }),
            seasonality_strength: Some(0.75),
            warming_up: Some(WarmingUp { have: 24, need: 336 }),
            ..ModelQuality::default()
        },
        config_hash: "c0ffee".repeat(10),
        program: "0.1.0".to_owned(),
    }
}

pub(super) fn alert(metric: &MetricName, n: usize) -> Alert {
    Alert {
        id: AlertId(format!("alert-{n}")),
        batch: shop(),
        metric: metric.clone(),
        kind: AlertKind::Anomaly,
        severity: Severity::Critical,
        at: hour(8),
        since: hour(7),
        value: Some(42.0),
        band: Some(Band { expected: 10.0, lower: 8.0, upper: 12.0 }),
        score: Some(0.995),
        threshold: Some(0.9),
        model: Some(ModelVersion::at(hour(0))),
        reason: "42 <i>is</i> far above 8 to 12".to_owned(),
    }
}
