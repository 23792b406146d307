//! The `ntfy` channel: a topic's message, with the chart attached where the server takes files. What is
//! said goes into the address's query or the JSON body, never into headers.

use reqwest::{RequestBuilder, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::{
    Message, Outcome,
    call::{Caller, Told, signed_in, text_at},
    limits::{cut, cut_bytes},
};
use crate::domain::{AlertState, NtfySpec, Severity};

/// A longer one would become a file.
const LONGEST_MESSAGE: usize = 4_096;
/// In an address it is written with up to three bytes for one.
const LONGEST_IN_QUERY: usize = 1_200;
const LONGEST_TITLE: usize = 200;
const MOST_ACTIONS: usize = 3;

/// Sends the message once.
pub(super) async fn post(spec: &NtfySpec, message: &Message, caller: &Caller<'_>) -> Outcome {
    let chart = match message.alerts.as_slice() {
        [note] => note.chart.as_ref(),
        _ => None,
    };
    if let Some(chart) = chart {
        let outcome = caller.exchange(attached(spec, message, &chart.png, caller), explain).await;
        // Many servers take no files, or none as large.
        if !matches!(outcome, Outcome::Refused { status: Some(400 | 413 | 507), .. }) {
            return outcome;
        }
    }
    let request = caller.address(spec.url.reveal(), &[]);
    let request = request.and_then(|url| caller.post_json(url, &body(spec, message)));
    caller.exchange(request.map(|request| signed_in(request, &spec.auth)), explain).await
}

fn attached(
    spec: &NtfySpec,
    message: &Message,
    png: &[u8],
    caller: &Caller<'_>,
) -> Result<RequestBuilder, Outcome> {
    let mut url = caller.address(spec.url.reveal(), &[spec.topic.reveal().trim()])?;
    let body = body(spec, message);
    for key in ["title", "priority", "click", "actions"] {
        let value = match &body[key] {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        url.query_pairs_mut().append_pair(key, &value);
    }
    let text = cut_bytes(body["message"].as_str().unwrap_or_default(), LONGEST_IN_QUERY);
    url.query_pairs_mut()
        .append_pair("tags", tag(message))
        .append_pair("filename", "chart.png")
        .append_pair("message", &text);
    let request = caller.post(url)?.header(CONTENT_TYPE, "image/png").body(png.to_vec());
    Ok(signed_in(request, &spec.auth))
}

fn explain(body: &Value) -> Told {
    Told { reason: text_at(body, "/error"), wait_secs: None }
}

/// The message without a file.
pub(super) fn body(spec: &NtfySpec, message: &Message) -> Value {
    let (doors, page) = match message.alerts.as_slice() {
        [note] => (note.doors(), note.links.page.as_ref()),
        _ => (Vec::new(), message.link.as_ref()),
    };
    let actions: Vec<Value> = doors
        .into_iter()
        .take(MOST_ACTIONS)
        .map(|(label, url)| json!({ "action": "view", "label": label, "url": url }))
        .collect();
    let mut body = json!({
        "topic": spec.topic.reveal().trim(),
        "title": cut(&message.title(), LONGEST_TITLE),
        "message": cut_bytes(&message.brief(), LONGEST_MESSAGE),
        "priority": priority(message),
        "tags": [tag(message)],
    });
    if let Some(page) = page {
        body["click"] = page.as_str().into();
    }
    if !actions.is_empty() {
        body["actions"] = actions.into();
    }
    body
}

fn is_firing(message: &Message, severity: Severity) -> bool {
    let mut notes = message.alerts.iter();
    notes.any(|note| note.episode.state == AlertState::Firing && note.alert.severity == severity)
}

/// 5 rings, 4 is shown at once, 3 is usual, 2 is silent.
fn priority(message: &Message) -> u8 {
    if is_firing(message, Severity::Critical) {
        5
    } else if is_firing(message, Severity::Warning) {
        4
    } else if message.alerts.is_empty() {
        3
    } else {
        2
    }
}

fn tag(message: &Message) -> &'static str {
    match priority(message) {
        5 => "rotating_light",
        4 => "warning",
        3 => "information_source",
        _ => "white_check_mark",
    }
}
