//! The first page: every batch, how it is doing, and the newest alerts.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, response::Html};

use crate::{
    catalog::{
        Connection, alerts, alerts::AlertFilter, channel_states, metrics, pauses, runs,
        runs::RunFilter,
    },
    domain::{BatchSpec, JobKind, Span, Timestamp},
};

use super::super::{
    failure::Failure,
    pages::filled,
    site::{Site, all_alerts},
    view::{AlertView, BatchFacts, BatchView, Health, RunView},
};

/// Alerts of a week are counted up to this many.
const MAX_COUNTED: u32 = 10_000;
const N_NEWEST: u32 = 10;

pub(in crate::http) async fn page(State(site): State<Arc<Site>>) -> Result<Html<String>, Failure> {
    let project = site.project();
    let batches = batch_views(&site).await?;
    let mut reader = site.reader().await?;
    let newest = alerts::list(&mut reader, &all_alerts(N_NEWEST)).await;
    let newest = newest.map_err(|error| Failure::internal(&error))?;
    let closed = channel_states::all(&mut reader).await;
    let mut closed = closed.map_err(|error| Failure::internal(&error))?;
    let is_configured = |name: &String| project.system.channels.contains_key(name);
    closed.retain(|state| state.is_closed(site.now()) && is_configured(&state.channel));
    let alerts: Vec<AlertView> =
        newest.into_iter().map(|row| AlertView::new(row, &project.batches)).collect();
    let needs_care = |batch: &&BatchView| matches!(batch.health, Health::Warn | Health::Bad);
    let totals = filled! {
        batches => batches.len() as u64,
        metrics => batches.iter().map(|batch| batch.n_metrics as u64).sum::<u64>(),
        alerts_day => batches.iter().map(|batch| batch.alerts_day).sum::<u64>(),
        failing => batches.iter().filter(needs_care).count() as u64,
    };
    let readiness = site.app.ready.borrow().clone();
    let concerns: Vec<&str> = readiness.lines().collect();
    let page = site.page("Overview", "/");
    site.render("overview.html", filled! { page, concerns, closed, totals, batches, alerts })
}

/// Every batch and how it is doing.
pub(in crate::http) async fn batch_views(site: &Site) -> Result<Vec<BatchView>, Failure> {
    let mut views = Vec::new();
    for batch in &site.project().batches {
        views.push(batch_view(site, batch).await?);
    }
    Ok(views)
}

/// A batch and how it is doing.
pub(in crate::http) async fn batch_view(
    site: &Site,
    batch: &BatchSpec,
) -> Result<BatchView, Failure> {
    let now = site.now();
    let mut reader = site.reader().await?;
    let facts = facts(&mut reader, batch, now).await;
    let facts = facts.map_err(|error| Failure::internal(&error))?;
    Ok(BatchView::new(batch, facts, now))
}

async fn facts(
    conn: &mut Connection,
    batch: &BatchSpec,
    now: Timestamp,
) -> Result<BatchFacts, crate::catalog::CatalogError> {
    let metrics = metrics::list(conn, &batch.name).await?;
    let week = AlertFilter {
        batch: Some(batch.name.clone()),
        since: Some(now - Span::days(7)),
        ..all_alerts(MAX_COUNTED)
    };
    let week = alerts::list(conn, &week).await?;
    let yesterday = now - Span::days(1);
    let mut newest = BTreeMap::new();
    for job in JobKind::ALL {
        let filter = RunFilter {
            batch: Some(batch.name.clone()),
            job: Some(*job),
            state: None,
            limit: 1,
            offset: 0,
        };
        if let Some(run) = runs::list(conn, &filter).await?.pop() {
            newest.insert(*job, RunView::from(run));
        }
    }
    Ok(BatchFacts {
        n_metrics: metrics.len(),
        newest_at: metrics.iter().map(|metric| metric.newest_at).max(),
        alerts_day: week.iter().filter(|row| yesterday <= row.alert.at).count() as u64,
        alerts_week: week.len() as u64,
        paused_since: pauses::all(conn).await?.remove(&batch.name),
        runs: newest,
    })
}
