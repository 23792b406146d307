//! Every address and what answers it. What each needs is in `auth`.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;

use crate::telemetry::StoreCounts;

use super::{
    App, api, ask::Named, assets, attend, dashboard, failure::Failure, guard, links, plots, push,
    site::Site,
};

pub(super) fn router(site: Arc<Site>) -> Router {
    let api = Router::new()
        .route("/batches", get(api::batches))
        .route("/batches/{batch}", get(api::batch))
        .route("/batches/{batch}/metrics", get(api::metrics))
        .route("/batches/{batch}/metrics/{metric}/points", get(api::points))
        .route("/batches/{batch}/metrics/{metric}/scores", get(api::scores))
        .route("/batches/{batch}/metrics/{metric}/plot.png", get(plots::metric_png))
        .route("/batches/{batch}/metrics/{metric}/plot.svg", get(plots::metric_svg))
        .route("/batches/{batch}/points", post(push::points))
        .route("/batches/{batch}/write", post(push::remote_write))
        .route("/alerts", get(api::alerts))
        .route("/alerts/{id}", get(api::alert))
        .route("/alerts/{id}/{action}", post(attend::by_program))
        .route("/channels/{name}/test", post(attend::try_channel))
        .route("/snoozes", post(attend::snooze))
        .route("/alerts/{id}/chart.png", get(plots::alert_png))
        .route("/alerts/{id}/chart.svg", get(plots::alert_svg))
        .route("/alerts/{id}/explain", get(api::explain_alert))
        .route("/batches/{batch}/metrics/{metric}/explain", get(api::explain_metric))
        .route("/runs", get(api::runs))
        .route("/runs/{id}", get(api::run))
        .route("/models", get(api::models))
        .route("/models/card", get(api::model_card));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/assets/{name}", get(asset))
        .route("/", get(dashboard::overview))
        .route("/batches/{batch}", get(dashboard::batch))
        .route("/batches/{batch}/metric", get(dashboard::metric_by_query))
        .route("/batches/{batch}/metrics/{metric}", get(dashboard::metric))
        .route("/alerts", get(dashboard::alerts))
        .route("/alerts/{id}", get(dashboard::alert))
        .route("/alerts/{id}/{action}", post(attend::by_page))
        .route("/l/{token}", get(links::ask).post(links::follow))
        .route("/c/{token}", get(plots::linked_png))
        .route("/runs", get(dashboard::runs))
        .route("/runs/{id}", get(dashboard::run))
        .route("/models", get(dashboard::models))
        .route("/models/card", get(dashboard::model_card))
        .nest("/api/v1", api)
        .fallback(|| async { Failure::missing("such page") })
        .layer(from_fn_with_state(Arc::clone(&site), guard::around))
        .with_state(site)
}

async fn ready(State(site): State<Arc<Site>>) -> Response {
    let readiness = site.app.ready.borrow().clone();
    let is_ready = readiness.is_ready();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let reasons: Vec<&str> = readiness.lines().collect();
    (status, Json(json!({ "ready": is_ready, "reasons": reasons }))).into_response()
}

async fn metrics(State(site): State<Arc<Site>>) -> Result<Response, Failure> {
    count_store(&site.app);
    let text = site.app.metrics.render().map_err(|error| Failure::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// What the store did so far, brought to the metrics when they are asked for.
fn count_store(app: &App) {
    let backend = app.store.location().backend();
    let now = app.store.counters().now();
    let counts = StoreCounts {
        requests: now.requests,
        bytes_sent: now.bytes_sent,
        bytes_read: now.bytes_read,
        retries: now.retries,
        cache_hits: now.cache_hits,
        cache_misses: now.cache_misses,
        damaged: now.damaged,
    };
    app.metrics.store.set(backend, counts);
}

async fn asset(Named(name): Named<String>) -> Result<Response, Failure> {
    assets::serve(&name)
}
