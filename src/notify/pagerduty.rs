//! The `pagerduty` channel: Events API v2, one event for each alert under the alert's id. It is told
//! the state an alert is in now, so that messages which overtake each other do no harm, and events
//! that are repeated change nothing.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use futures::{StreamExt as _, poll, stream::FuturesUnordered};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    Attempt, Message, Note, Outcome,
    call::{Caller, Told, text_at},
    limits::{cut, cut_bytes},
};
use crate::domain::{AlertState, MessageEvent, PagerSeverity, PagerdutySpec, Severity, words};

const LONGEST_SUMMARY: usize = 1_024;
const LONGEST_KEY: usize = 255;
const LONGEST_DETAIL: usize = 8 << 10;
const MOST_DETAILS: usize = 40;
/// Events on their way at once.
const AT_ONCE: usize = 8;
/// No event is begun later; shorter than the time after which the message would be taken for
/// abandoned by the longest time-out of a channel.
const LONGEST: Duration = Duration::from_secs(50);

/// Sends the message once, event by event until one is not taken; those on their way by then come to
/// their end, so that it is known of every event what became of it.
pub(super) async fn post(spec: &PagerdutySpec, message: &Message, caller: &Caller<'_>) -> Attempt {
    let mut deadline = pin!(sleep(LONGEST));
    let ids = message.alerts.iter().map(|note| Some(&note.alert.id)).chain([None]);
    let mut events = ids.zip(events(spec, message));
    let (mut on_way, mut taken) = (FuturesUnordered::new(), Vec::new());
    let mut failed: Option<Outcome> = None;
    loop {
        while failed.is_none() && on_way.len() < AT_ONCE {
            let Some((id, event)) = events.next() else { break };
            if poll!(deadline.as_mut()).is_ready() {
                failed = Some(too_slow());
                break;
            }
            on_way.push(async move {
                let request = caller.address(&spec.url, &[]);
                let request = request.and_then(|url| caller.post_json(url, &event));
                (id, caller.exchange(request, explain).await)
            });
        }
        match on_way.next().await {
            Some((id, Outcome::Sent)) => taken.extend(id.cloned()),
            Some((_, outcome)) => failed = Some(worse(failed, outcome)),
            None => break,
        }
    }
    match failed {
        Some(outcome) => Attempt { outcome, taken },
        None => Outcome::Sent.into(),
    }
}

fn too_slow() -> Outcome {
    let reason = format!("not all alerts were taken within {} s", LONGEST.as_secs());
    Outcome::Retry { reason, status: None, ambiguous: false }
}

/// What is told of two events that were not taken.
fn worse(one: Option<Outcome>, other: Outcome) -> Outcome {
    let rank = |outcome: &Outcome| match outcome {
        Outcome::Sent => 0,
        Outcome::Retry { ambiguous: false, .. } => 1,
        // What the receiver asks for counts, unless more has to be remembered.
        Outcome::Throttled { .. } => 2,
        Outcome::Retry { ambiguous: true, .. } => 3,
        Outcome::Refused { .. } => 4,
    };
    match one {
        Some(one) if rank(&other) <= rank(&one) => one,
        _ => other,
    }
}

fn explain(body: &Value) -> Told {
    let errors = body["errors"].as_array().into_iter().flatten();
    let errors: Vec<&str> = errors.filter_map(Value::as_str).collect();
    let reason = match errors.is_empty() {
        true => text_at(body, "/message"),
        false => Some(errors.join("; ")),
    };
    Told { reason, wait_secs: None }
}

/// The events that say the message.
pub(super) fn events(spec: &PagerdutySpec, message: &Message) -> Vec<Value> {
    if message.alerts.is_empty() {
        return vec![news(spec, message)];
    }
    message.alerts.iter().map(|note| event(spec, note)).collect()
}

fn event(spec: &PagerdutySpec, note: &Note) -> Value {
    let alert = &note.alert;
    let key = cut(&alert.id.0, LONGEST_KEY);
    if note.episode.state == AlertState::Resolved {
        return json!({
            "routing_key": spec.routing_key.reveal(),
            "event_action": "resolve",
            "dedup_key": key,
        });
    }
    let severity = match alert.severity {
        Severity::Warning => spec.warning,
        Severity::Critical => spec.critical,
    };
    let said = [Some(note.reason()), note.rarity()].into_iter().flatten();
    let mut details: BTreeMap<String, String> = BTreeMap::new();
    for (label, value) in note.facts().into_iter().take(MOST_DETAILS) {
        // A tag does not replace what is said under the same name.
        let label = cut_bytes(&label, LONGEST_KEY);
        details.entry(label).or_insert_with(|| cut_bytes(&value, LONGEST_DETAIL));
    }
    details
        .insert("reason".into(), cut_bytes(&said.collect::<Vec<_>>().join("\n"), LONGEST_DETAIL));
    if let Some(explained) = note.explained() {
        details.insert("explanation".into(), cut_bytes(&explained, LONGEST_DETAIL));
    }
    let related = note.related();
    if !related.is_empty() {
        details.insert("moved with it".into(), cut_bytes(&related.join("; "), LONGEST_DETAIL));
    }
    let links: Vec<Value> = note
        .doors()
        .into_iter()
        .map(|(text, href)| json!({ "href": href, "text": text }))
        .collect();
    json!({
        "routing_key": spec.routing_key.reveal(),
        "event_action": "trigger",
        "dedup_key": key,
        "client": "Anomstack",
        "client_url": note.links.page,
        "links": links,
        "payload": {
            "summary": cut(&note.title(), LONGEST_SUMMARY),
            "source": cut(&words::one_line(alert.batch.as_str()), LONGEST_SUMMARY),
            "severity": severity,
            "timestamp": alert.at,
            "component": cut(&words::one_line(alert.metric.as_str()), LONGEST_SUMMARY),
            "group": cut(&words::one_line(alert.batch.as_str()), LONGEST_SUMMARY),
            "class": alert.kind,
            "custom_details": details,
        },
    })
}

/// What is not about alerts.
fn news(spec: &PagerdutySpec, message: &Message) -> Value {
    let key = cut(&message.id, LONGEST_KEY);
    let is_news = matches!(message.event, MessageEvent::Test | MessageEvent::Digest);
    json!({
        "routing_key": spec.routing_key.reveal(),
        "event_action": "trigger",
        "dedup_key": key,
        "client": "Anomstack",
        "client_url": message.link,
        "payload": {
            "summary": cut(&message.title(), LONGEST_SUMMARY),
            "source": "anomstack",
            "severity": if is_news { PagerSeverity::Info } else { spec.warning },
            "timestamp": message.created_at,
            "class": message.event,
            "custom_details": { "text": cut_bytes(&message.text(), LONGEST_DETAIL) },
        },
    })
}
