//! The `teams` channel: a Workflows webhook that posts an Adaptive Card. Foreign text is in text
//! runs, in which nothing is markup.

use serde_json::{Value, json};

use super::{
    Message, Note, Outcome,
    call::{Caller, Told, text_at},
    limits::cut,
};
use crate::domain::{Secret, Severity};

/// Teams takes 28 KB; its own envelope needs some of it.
const LONGEST_BODY: usize = 27_000;
const LONGEST_RUN: usize = 1_000;
const MOST_ALERTS: usize = 20;

/// Sends the message once.
pub(super) async fn post(url: &Secret, message: &Message, caller: &Caller<'_>) -> Outcome {
    let request = caller.address(url.reveal(), &[]);
    caller.exchange(request.and_then(|url| caller.post_json(url, &body(message))), explain).await
}

fn explain(body: &Value) -> Told {
    let reason = text_at(body, "/error/message").or_else(|| text_at(body, "/message"));
    Told { reason, wait_secs: None }
}

/// The message as a card that fits.
pub(super) fn body(message: &Message) -> Value {
    let mut n_alerts = message.alerts.len().min(MOST_ALERTS);
    let mut longest = LONGEST_RUN;
    loop {
        let body = card(message, n_alerts, longest);
        if body.to_string().len() <= LONGEST_BODY || longest < 20 {
            return body;
        }
        if 1 < n_alerts { n_alerts /= 2 } else { longest /= 2 }
    }
}

fn card(message: &Message, n_alerts: usize, longest: usize) -> Value {
    let mut parts =
        vec![line(&message.title(), longest, &json!({ "size": "Large", "weight": "Bolder" }))];
    let quiet = json!({ "isSubtle": true });
    if let Some(repeat) = message.repeat() {
        parts.push(line(repeat, longest, &quiet));
    }
    if let Some(body) = message.body.as_deref() {
        parts.extend(body.lines().take(40).map(|text| line(text, longest, &json!({}))));
    }
    for note in message.alerts.iter().take(n_alerts) {
        alert(note, 1 < message.alerts.len(), longest, &mut parts);
    }
    let n_more = message.n_unsaid(n_alerts);
    if 0 < n_more {
        parts.push(line(&format!("and {n_more} more"), longest, &quiet));
    }
    let doors = match message.alerts.as_slice() {
        [note] => note.doors(),
        _ => message.link.iter().map(|link| ("open", link.as_str())).collect(),
    };
    let actions: Vec<Value> = doors
        .into_iter()
        .map(|(title, url)| json!({ "type": "Action.OpenUrl", "title": title, "url": url }))
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": parts,
                "actions": actions,
            },
        }],
    })
}

fn alert(note: &Note, has_title: bool, longest: usize, parts: &mut Vec<Value>) {
    if has_title {
        let color = match note.alert.severity {
            Severity::Warning => "Warning",
            Severity::Critical => "Attention",
        };
        parts.push(line(&note.title(), longest, &json!({ "weight": "Bolder", "color": color })));
    }
    parts.push(line(&note.alert.reason, longest, &json!({})));
    let said = note.rarity.iter().cloned();
    let facts = note.facts().into_iter().map(|(label, value)| format!("{label}: {value}"));
    let related = note.related.iter().map(|metric| format!("moved with it: {metric}"));
    for text in said.chain(note.explained()).chain(facts).chain(related).take(30) {
        parts.push(line(&text, longest, &json!({ "size": "Small", "isSubtle": true })));
    }
}

/// A paragraph of one text run, in which nothing is markup.
fn line(text: &str, longest: usize, look: &Value) -> Value {
    let mut run = json!({ "type": "TextRun", "text": cut(text, longest) });
    if let (Some(run), Some(look)) = (run.as_object_mut(), look.as_object()) {
        run.extend(look.clone());
    }
    json!({ "type": "RichTextBlock", "inlines": [run] })
}
