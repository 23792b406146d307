//! The `alertmanager` channel: Prometheus's Alertmanager, API v2. It is told the state an alert is in
//! now, whatever the message is about, so that messages which overtake each other do no harm.
//!
//! Its labels are an alert's identity, with the id among them: two alerts of one metric never meet.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Message, Note, Outcome,
    call::{Caller, Told, signed_in, text_at},
};
use crate::domain::{
    AlertKind, AlertState, AlertmanagerSpec, MessageEvent, Severity, Span, Timestamp, words,
};

/// Labels that tags do not replace.
const OWN_LABELS: [&str; 6] = ["alertname", "alert_id", "batch", "metric", "kind", "severity"];

/// Hands the message over once.
pub(super) async fn post(
    spec: &AlertmanagerSpec,
    message: &Message,
    caller: &Caller<'_>,
) -> Outcome {
    let url = match caller.address(spec.url.reveal(), &["api", "v2", "alerts"]) {
        Ok(url) => url,
        Err(outcome) => return outcome,
    };
    let request = caller.post_json(url, &body(message, spec.hold));
    caller.exchange(request.map(|request| signed_in(request, &spec.auth)), explain).await
}

/// Its explanation is a text, or behind some proxies an object with one.
fn explain(body: &Value) -> Told {
    let reason = text_at(body, "").or_else(|| text_at(body, "/message"));
    Told { reason, wait_secs: None }
}

/// The list of alerts to post.
pub(super) fn body(message: &Message, hold: Span) -> Value {
    if message.alerts.is_empty() {
        return json!([notice(message, hold)]);
    }
    let mut alerts = Vec::new();
    for note in &message.alerts {
        if message.event == MessageEvent::Escalated {
            // The severity is a label: the milder alert is another one, which is over.
            alerts.push(alert(note, Severity::Warning, message.sent_at, message.sent_at));
        }
        let ends_at = match note.episode.state {
            AlertState::Firing => message.sent_at + hold,
            AlertState::Resolved => note.episode.resolved_at.unwrap_or(message.sent_at),
        };
        alerts.push(alert(note, note.alert.severity, message.sent_at, ends_at));
    }
    alerts.into()
}

fn alert(note: &Note, severity: Severity, now: Timestamp, ends_at: Timestamp) -> Value {
    let alert = &note.alert;
    let mut labels = BTreeMap::from([
        ("alertname".to_owned(), alertname(alert.kind).to_owned()),
        ("alert_id".into(), alert.id.to_string()),
        ("batch".into(), alert.batch.to_string()),
        ("metric".into(), alert.metric.to_string()),
        ("kind".into(), alert.kind.to_string()),
        ("severity".into(), severity.to_string()),
    ]);
    for (tag, value) in &note.tags {
        let label = label(tag);
        // An empty value is the same as no label.
        if !OWN_LABELS.contains(&label.as_str()) && !value.is_empty() {
            labels.entry(label).or_insert_with(|| value.clone());
        }
    }
    let mut annotations =
        BTreeMap::from([("summary", note.title()), ("description", note.reason())]);
    annotations.extend(note.owner.as_deref().map(words::shown).map(|owner| ("owner", owner)));
    annotations.extend(note.rarity().map(|rarity| ("rarity", rarity)));
    annotations.extend(note.explained().map(|explained| ("explanation", explained)));
    let related = note.related();
    if !related.is_empty() {
        annotations.insert("related", related.join("; "));
    }
    // A start in its future would be refused, as would an end before the start.
    let starts_at = note.raised_at.min(ends_at).min(now);
    json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": starts_at,
        "endsAt": ends_at,
        "generatorURL": note.links.page.clone().unwrap_or_default(),
    })
}

/// Something about the program itself.
fn notice(message: &Message, hold: Span) -> Value {
    let ends_at = message.sent_at + hold.min(Span::hours(1));
    json!({
        "labels": {
            "alertname": "AnomstackNotice",
            "alert_id": message.id,
            "kind": message.event,
            "severity": Severity::Warning,
        },
        "annotations": {
            "summary": message.title(),
            "description": message.body_lines().join("\n"),
        },
        "startsAt": message.created_at.min(message.sent_at),
        "endsAt": ends_at,
        "generatorURL": message.link.clone().unwrap_or_default(),
    })
}

const fn alertname(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Anomaly => "AnomstackAnomaly",
        AlertKind::Threshold => "AnomstackThreshold",
        AlertKind::Change => "AnomstackChange",
        AlertKind::Absence => "AnomstackAbsence",
        AlertKind::Frozen => "AnomstackFrozen",
        AlertKind::Zeros => "AnomstackZeros",
        AlertKind::Rows => "AnomstackRows",
        AlertKind::Pipeline => "AnomstackPipeline",
    }
}

/// A tag's name as Prometheus writes labels: letters, digits and `_`, and no digit first.
fn label(tag: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = tag.chars().map(fits).collect();
    match name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
        true => format!("_{name}"),
        false => name,
    }
}

#[cfg(test)]
#[path = "alertmanager_tests.rs"]
mod tests;
