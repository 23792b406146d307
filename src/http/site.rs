//! What every route works with: the program's parts, the templates, and the reads they share.

use std::{collections::BTreeMap, sync::Arc};

use axum::response::Html;
use minijinja::Value;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::{
    catalog::{
        Reader,
        alerts::{self, AlertFilter, AlertRow},
        metrics,
        metrics::MetricRow,
        models::ModelRow,
        readings,
        readings::ReadingRow,
        segments,
    },
    chart::Window,
    config::Project,
    domain::{
        AlertId, BatchName, BatchSpec, MetricName, ModelCard, ScorePoint, Segment, SegmentKind,
        Series, Timestamp,
    },
    io::{Key, StoreError, json},
    jobs::{self, AlertContext, Archive, Explanation},
    push::{self, Clerk, Inbox},
    series::Range,
};

use super::{App, failure::Failure, guard::Hosts, limits::Limits, pages::Pages};

/// Requests that may read history at once: each can cost a scan of a batch's objects.
const MAX_READS: usize = 4;

/// The state behind the routes.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) app: Arc<App>,
    pub(super) pages: Pages,
    pub(super) hosts: Hosts,
    pub(super) limits: Limits,
    /// Where pushed rows go.
    pub(super) inbox: Inbox,
    /// KiB of all bodies that are being read or stored.
    pub(super) bodies: Semaphore,
    reads: Semaphore,
}

/// What every page shows around its content.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    pub(super) title: String,
    /// The main menu's entry it belongs to.
    pub(super) nav: &'static str,
    pub(super) now: Timestamp,
    /// Zone of the times on it.
    pub(super) tz: String,
}

impl Site {
    /// With the clerk who stores what is pushed; he has to be at work.
    pub(super) fn new(app: Arc<App>, pages: Pages, hosts: Hosts, limits: Limits) -> (Self, Clerk) {
        let parts = (app.catalog.clone(), app.store.clone(), app.compute.clone());
        let (inbox, clerk) = push::open(parts, app.clock);
        let bodies = Semaphore::new(limits.all_body_bytes >> 10);
        let reads = Semaphore::new(MAX_READS);
        (Self { app, pages, hosts, limits, inbox, bodies, reads }, clerk)
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.app.clock)()
    }

    pub(super) fn project(&self) -> Arc<Project> {
        Arc::clone(&self.app.project.borrow())
    }

    /// The head of a page whose times are UTC.
    pub(super) fn page(&self, title: &str, nav: &'static str) -> Page {
        Page { title: title.to_owned(), nav, now: self.now(), tz: "UTC".to_owned() }
    }

    /// The head of a page about one batch, its times in the batch's zone.
    pub(super) fn page_of(&self, title: &str, nav: &'static str, batch: &BatchSpec) -> Page {
        Page { tz: batch.timezone.name().to_owned(), ..self.page(title, nav) }
    }

    pub(super) fn render(&self, template: &str, context: Value) -> Result<Html<String>, Failure> {
        self.pages.render(template, context)
    }

    /// The settings of a batch.
    pub(super) fn batch(&self, name: &str) -> Result<BatchSpec, Failure> {
        let project = self.project();
        let found = project.batches.iter().find(|batch| batch.name.as_str() == name);
        found.cloned().ok_or_else(|| Failure::missing(&format!("batch called `{name}`")))
    }

    /// The names of all batches.
    pub(super) fn batch_names(&self) -> Vec<String> {
        self.project().batches.iter().map(|batch| batch.name.to_string()).collect()
    }

    pub(super) async fn reader(&self) -> Result<Reader, Failure> {
        self.app.catalog.reader().await.map_err(|error| Failure::internal(&error))
    }

    /// What is known of one metric.
    pub(super) async fn metric(&self, batch: &BatchName, name: &str) -> Result<MetricRow, Failure> {
        let rows = metrics::list(&mut *self.reader().await?, batch).await;
        let rows = rows.map_err(|error| Failure::internal(&error))?;
        let found = rows.into_iter().find(|row| row.metric.as_str() == name);
        found.ok_or_else(|| Failure::missing(&format!("metric called `{name}` in `{batch}`")))
    }

    /// A batch's points in a window, of one metric or of all.
    pub(super) async fn points(
        &self,
        batch: &BatchName,
        metric: Option<&MetricName>,
        window: Window,
    ) -> Result<Vec<Series>, Failure> {
        let _turn = self.turn().await?;
        let listed = self.segments(batch, SegmentKind::Points, window).await?;
        let range = Range { metric: metric.cloned(), ..Range::between(window.from, window.to) };
        let points = self.app.history.read_points(&listed, &range).await;
        points.map_err(|error| Failure::internal(&error))
    }

    /// A batch's scores in a window, by metric.
    pub(super) async fn scores(
        &self,
        batch: &BatchName,
        metric: Option<&MetricName>,
        window: Window,
    ) -> Result<BTreeMap<MetricName, Vec<ScorePoint>>, Failure> {
        let _turn = self.turn().await?;
        let listed = self.segments(batch, SegmentKind::Scores, window).await?;
        let range = Range { metric: metric.cloned(), ..Range::between(window.from, window.to) };
        let scores = self.app.history.read_scores(&listed, &range).await;
        scores.map_err(|error| Failure::internal(&error))
    }

    /// An alert, and what a language model was asked about it.
    pub(super) async fn alert(
        &self,
        id: &AlertId,
    ) -> Result<(AlertRow, Option<ReadingRow>), Failure> {
        let mut reader = self.reader().await?;
        let row = alerts::get(&mut reader, id).await.map_err(|error| Failure::internal(&error))?;
        let row = row.ok_or_else(|| Failure::missing("such alert"))?;
        let reading = readings::of(&mut reader, id).await;
        Ok((row, reading.map_err(|error| Failure::internal(&error))?))
    }

    /// How an alert came about.
    pub(super) async fn explain_alert(
        &self,
        batch: &BatchSpec,
        row: &AlertRow,
    ) -> Result<Explanation, Failure> {
        let _turn = self.turn().await?;
        let found = jobs::explain_alert(self.archive(), batch, row).await;
        found.map_err(|error| Failure::internal(&error))
    }

    /// Why a metric did or did not alert at an instant.
    pub(super) async fn explain_at(
        &self,
        batch: &BatchSpec,
        metric: &MetricName,
        at: Timestamp,
    ) -> Result<Explanation, Failure> {
        let _turn = self.turn().await?;
        let found = jobs::explain_at(self.archive(), batch, metric, at).await;
        found.map_err(|error| Failure::internal(&error))
    }

    /// What is told of an alert beside the alert itself.
    pub(super) async fn about(
        &self,
        batch: &BatchSpec,
        row: &AlertRow,
    ) -> Result<AlertContext, Failure> {
        let _turn = self.turn().await?;
        let found = jobs::about(self.archive(), self.now(), batch, row).await;
        found.map_err(|error| Failure::internal(&error))
    }

    fn archive(&self) -> Archive<'_> {
        let App { catalog, store, history, compute, .. } = &*self.app;
        Archive { catalog, store, history, compute }
    }

    /// What a model's training wrote about it.
    pub(super) async fn model_card(&self, model: &ModelRow) -> Result<ModelCard, Failure> {
        let key = Key::parse(&model.metadata_key).map_err(|error| Failure::internal(&error))?;
        let bytes = match self.app.store.get(&key).await {
            Ok(bytes) => bytes,
            Err(StoreError::NotFound { .. }) => {
                return Err(Failure::missing("card of this model in the store"));
            }
            Err(error) => return Err(Failure::internal(&error)),
        };
        json::decode(&bytes).map_err(|error| Failure::internal(&error))
    }

    async fn segments(
        &self,
        batch: &BatchName,
        kind: SegmentKind,
        window: Window,
    ) -> Result<Vec<Segment>, Failure> {
        let mut reader = self.reader().await?;
        let listed = segments::live(&mut reader, batch, kind, window.from, window.to).await;
        listed.map_err(|error| Failure::internal(&error))
    }

    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Failure> {
        self.reads.acquire().await.map_err(|error| Failure::internal(&error))
    }
}

/// Every alert: narrow it by what is asked for.
pub(super) fn all_alerts(limit: u32) -> AlertFilter {
    AlertFilter { limit, ..AlertFilter::default() }
}
