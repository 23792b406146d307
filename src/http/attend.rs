//! What people do about alerts from pages and programs: POST only, for operators. Pages of other sites
//! are refused by `auth`.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Redirect,
};
use serde::Deserialize;

use crate::{
    catalog::{alerts, alerts::AlertRow, feedback, snoozes::SnoozeRow},
    domain::{AlertId, Feedback, MetricName, Span, Verdict},
    jobs::{self, Attention, LONGEST_SNOOZE, TrialError, Tried},
};

use super::{
    App,
    ask::{Asked, Named},
    auth,
    failure::Failure,
    site::Site,
};

/// Longest note, in characters.
const MOST_NOTE: usize = 2_000;

/// What the query says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    r#for: Option<String>,
    verdict: Option<String>,
    note: Option<String>,
}

/// `POST /api/v1/alerts/{id}/ack|snooze|resolve|feedback`.
pub(super) async fn by_program(
    State(site): State<Arc<Site>>,
    Named((id, action)): Named<(String, String)>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Json<AlertRow>, Failure> {
    act(&site, AlertId(id), (&action, &wanted), &author(&site, &headers)).await.map(Json)
}

/// `POST /alerts/{id}/ack|snooze|resolve|feedback`, by a button of the alert's page.
pub(super) async fn by_page(
    State(site): State<Arc<Site>>,
    Named((id, action)): Named<(String, String)>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Redirect, Failure> {
    let row = act(&site, AlertId(id), (&action, &wanted), &author(&site, &headers)).await?;
    Ok(Redirect::to(&format!("/alerts/{}", row.alert.id)))
}

/// What the query of `POST /api/v1/snoozes` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedSnooze {
    batch: String,
    metric: Option<String>,
    r#for: String,
}

/// `POST /api/v1/snoozes`.
pub(super) async fn snooze(
    State(site): State<Arc<Site>>,
    Asked(wanted): Asked<WantedSnooze>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<SnoozeRow>), Failure> {
    let batch = site.batch(&wanted.batch)?.name;
    let metric = wanted.metric.as_deref().map(MetricName::parse).transpose();
    let metric = metric.map_err(|error| Failure::bad(error.to_string()))?;
    let length = length(Some(&wanted.r#for))?;
    let author = author(&site, &headers);
    let catalog = &site.app.catalog;
    let row = jobs::snooze(catalog, (batch, metric), (length, &author), site.now()).await;
    Ok((StatusCode::CREATED, Json(row.map_err(|error| Failure::internal(&error))?)))
}

/// `POST /api/v1/channels/{name}/test`: a message that says it is a test, and what became of it.
pub(super) async fn try_channel(
    State(site): State<Arc<Site>>,
    Named(name): Named<String>,
) -> Result<Json<Tried>, Failure> {
    let project = site.project();
    let system = &project.system;
    let channel = system.channels.get(&name).ok_or_else(|| Failure::missing("such channel"))?;
    let App { client, compute, paces, .. } = &*site.app;
    let dashboard = system.server.address();
    let tried = jobs::try_channel(channel, &dashboard, (client, compute, paces), site.now()).await;
    tried.map(Json).map_err(|error| match error {
        TrialError::TooSoon => {
            Failure::new(StatusCode::TOO_MANY_REQUESTS, &error.to_string()).after(1)
        }
        TrialError::Compute(_) | TrialError::Name(_) => Failure::internal(&error),
    })
}

async fn act(
    site: &Site,
    id: AlertId,
    (action, wanted): (&str, &Wanted),
    author: &str,
) -> Result<AlertRow, Failure> {
    let what = match action {
        "ack" => Attention::Ack,
        "resolve" => Attention::Resolve,
        "snooze" => Attention::Snooze(length(wanted.r#for.as_deref())?),
        "feedback" => return say(site, id, wanted, author).await,
        _ => return Err(Failure::missing("such thing to do about an alert")),
    };
    let row = jobs::attend(&site.app.catalog, &id, (what, author), site.now()).await;
    row.map_err(|error| Failure::internal(&error))?.ok_or_else(|| Failure::missing("such alert"))
}

async fn say(site: &Site, id: AlertId, wanted: &Wanted, author: &str) -> Result<AlertRow, Failure> {
    let verdict = wanted.verdict.as_deref().unwrap_or_default().parse::<Verdict>();
    let verdict = verdict.map_err(|error| Failure::bad(format!("`verdict`: {error}")))?;
    let note = wanted.note.clone().unwrap_or_default();
    if MOST_NOTE < note.chars().count() {
        return Err(Failure::bad(format!("`note` is longer than {MOST_NOTE} characters")));
    }
    let internal = |error| Failure::internal(&error);
    let mut tx = site.app.catalog.begin().await.map_err(internal)?;
    let row = alerts::get(&mut tx, &id).await.map_err(internal)?;
    let row = row.ok_or_else(|| Failure::missing("such alert"))?;
    let (author, at) = (author.to_owned(), site.now());
    let said = Feedback { alert: id, verdict, note, author, at, until: None };
    feedback::add(&mut tx, &said).await.map_err(internal)?;
    tx.commit().await.map_err(internal)?;
    site.app.metrics.people.feedback(&row.alert.batch, verdict);
    Ok(row)
}

fn length(text: Option<&str>) -> Result<Span, Failure> {
    let text = text.ok_or_else(|| Failure::bad("`for` is missing, as in for=4h".to_owned()))?;
    let length = Span::parse(text).map_err(|error| Failure::bad(format!("`for`: {error}")))?;
    if length <= Span::ZERO || LONGEST_SNOOZE < length {
        let message = format!("`for` must lie over 0 and be at most {LONGEST_SNOOZE}");
        return Err(Failure::bad(message));
    }
    Ok(length)
}

/// Whose token it is.
fn author(site: &Site, headers: &HeaderMap) -> String {
    let project = site.project();
    auth::name(&project.system.server.tokens, headers).unwrap_or_else(|| "api".to_owned())
}
