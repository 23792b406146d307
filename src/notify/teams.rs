//! The `teams` channel: a Workflows webhook that posts an Adaptive Card. Foreign text is in text
//! runs, in which nothing is markup.

use serde_json::{Value, json};

use super::{
    Message, Note, Outcome,
    call::{Caller, Told, text_at},
    limits::cut,
    note::Door,
};
use crate::domain::{Secret, Severity};

/// Teams takes 28 KB; its own envelope needs some of it.
const LONGEST_BODY: usize = 27_000;
const LONGEST_RUN: usize = 1_000;
const MOST_ALERTS: usize = 20;
const MOST_LINES: usize = 40;
const MOST_FACTS: usize = 30;

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
    let body = message.body_lines();
    parts.extend(body.iter().take(MOST_LINES).map(|text| line(text, longest, &json!({}))));
    for note in message.alerts.iter().take(n_alerts) {
        alert(note, 1 < message.alerts.len(), longest, &mut parts);
    }
    let n_more = message.n_unsaid(n_alerts);
    if 0 < n_more {
        parts.push(line(&format!("and {n_more} more"), longest, &quiet));
    }
    let actions = match message.alerts.as_slice() {
        [note] => actions(note),
        _ => buttons(message.link.iter().map(|link| ("open", link.as_str())).collect()),
    };
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

/// Teams shows six buttons at most, so those for what can be said lie behind one.
fn actions(note: &Note) -> Vec<Value> {
    let mut actions = buttons(note.deeds());
    let verdicts = buttons(note.verdicts());
    if !verdicts.is_empty() {
        actions.push(json!({
            "type": "Action.ShowCard",
            "title": "worth knowing?",
            "card": { "type": "AdaptiveCard", "actions": verdicts },
        }));
    }
    actions
}

fn buttons(doors: Vec<Door<'_>>) -> Vec<Value> {
    let button = |(title, url)| json!({ "type": "Action.OpenUrl", "title": title, "url": url });
    doors.into_iter().map(button).collect()
}

fn alert(note: &Note, has_title: bool, longest: usize, parts: &mut Vec<Value>) {
    if has_title {
        let color = match note.alert.severity {
            Severity::Warning => "Warning",
            Severity::Critical => "Attention",
        };
        parts.push(line(&note.title(), longest, &json!({ "weight": "Bolder", "color": color })));
    }
    parts.push(line(&note.reason(), longest, &json!({})));
    if let Some(chart) = &note.links.chart {
        let alt = cut(&note.title(), longest);
        parts.push(json!({ "type": "Image", "url": chart, "altText": alt, "size": "Stretch" }));
    }
    for text in note.lines().iter().take(MOST_FACTS) {
        parts.push(line(text, longest, &json!({ "size": "Small", "isSubtle": true })));
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
