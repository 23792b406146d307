//! The `slack` channel: an incoming webhook, or a bot that can show a chart. All foreign text is
//! `plain_text`, in which nothing is markup, and escaped besides.

use reqwest::{RequestBuilder, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::time;
use url::form_urlencoded;

use super::{
    Message, Note, Outcome,
    call::{Caller, Told, text_at},
    limits::{cut, joined},
    note::Door,
};
use crate::domain::{Secret, SlackSpec, Span, words};

/// Slack's limits, in characters; escaping may make five of one.
const LONGEST_HEADER: usize = 150;
const LONGEST_TEXT: usize = 3_000;
const LONGEST_FIELD: usize = 2_000;
const MOST_FIELDS: usize = 10;
/// Alerts that are written out; each takes at most four of fifty blocks.
const MOST_ALERTS: usize = 10;

const UPLOAD: &str = "files.getUploadURLExternal";
const FORM: &str = "application/x-www-form-urlencoded";

/// Slack's errors that time may mend.
const PASSING: [&str; 5] = [
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
];

/// Sends the message once.
pub(super) async fn post(spec: &SlackSpec, message: &Message, caller: &Caller<'_>) -> Outcome {
    match spec {
        SlackSpec::Webhook { url } => {
            let image = message.alerts.first().and_then(|note| note.links.chart.as_deref());
            let outcome = call(url, &body(message, image.map(Image::Address)), caller).await;
            match &outcome {
                // It could not fetch the picture. The words matter more.
                Outcome::Refused { reason, .. } if image.is_some() && is_about_blocks(reason) => {
                    call(url, &body(message, None), caller).await
                }
                _ => outcome,
            }
        }
        SlackSpec::Bot { token, channel, api } => {
            let bot = Bot { token, channel, api, caller };
            let limit = caller.timeout();
            let said = time::timeout(limit.to_std(), bot.say(message)).await;
            said.unwrap_or_else(|_| Outcome::Retry {
                reason: format!("no answer within {limit}"),
                status: None,
                ambiguous: true,
            })
        }
    }
}

async fn call(url: &Secret, body: &Value, caller: &Caller<'_>) -> Outcome {
    let request = caller.address(url.reveal(), &[]);
    caller.exchange(request.and_then(|url| caller.post_json(url, body)), explain).await
}

/// Whether Slack found fault with the blocks, as with a picture it does not get.
fn is_about_blocks(reason: &str) -> bool {
    reason.contains("invalid_blocks")
}

fn explain(body: &Value) -> Told {
    let reason = text_at(body, "/error").or_else(|| text_at(body, ""));
    Told { reason, wait_secs: None }
}

struct Bot<'a> {
    token: &'a Secret,
    channel: &'a str,
    api: &'a str,
    caller: &'a Caller<'a>,
}

impl Bot<'_> {
    async fn say(&self, message: &Message) -> Outcome {
        let chart = message.alerts.first().and_then(|note| note.chart.as_ref());
        let mut file = None;
        if let Some(chart) = chart {
            file = self.upload(&chart.png, &words::one_line(&chart.alt)).await;
        }
        let outcome = self.post(message, file.as_deref()).await;
        match &outcome {
            // The file may not be ready yet. The words matter more than the picture.
            Outcome::Refused { reason, .. } if file.is_some() && is_about_blocks(reason) => {
                self.post(message, None).await
            }
            _ => outcome,
        }
    }

    async fn post(&self, message: &Message, file: Option<&str>) -> Outcome {
        let mut body = body(message, file.map(Image::File));
        body["channel"] = self.channel.into();
        match self.call("chat.postMessage", &body).await {
            Ok(_) => Outcome::Sent,
            Err(outcome) => outcome,
        }
    }

    /// The id of the file that holds the picture. Without one the message goes without it.
    async fn upload(&self, png: &[u8], alt: &str) -> Option<String> {
        let uploaded = async {
            // This method takes a form only.
            let form = form_urlencoded::Serializer::new(String::new())
                .append_pair("filename", "chart.png")
                .append_pair("length", &png.len().to_string())
                .append_pair("alt_txt", &cut(alt, 900))
                .finish();
            let url = self.caller.address(self.api, &[UPLOAD])?;
            let request = self.caller.post(url)?.header(CONTENT_TYPE, FORM).body(form);
            let place = self.answered(UPLOAD, request).await?;
            let text = |pointer| text_at(&place, pointer).unwrap_or_default();
            let url = self.caller.address(&text("/upload_url"), &[])?;
            let answer = self.caller.send(self.caller.post(url)?.body(png.to_vec())).await?;
            if !answer.status().is_success() {
                return Err(answer.outcome(Told::default()));
            }
            let id = text("/file_id");
            let done = json!({ "files": [{ "id": id, "title": cut(alt, 200) }] });
            self.call("files.completeUploadExternal", &done).await.map(|_| id)
        };
        match uploaded.await {
            Ok(id) => Some(id),
            Err(outcome) => {
                tracing::warn!("the message goes to Slack without its chart: {outcome:?}");
                None
            }
        }
    }

    /// Calls a method of the API; its status says nothing of success.
    async fn call(&self, method: &str, body: &Value) -> Result<Value, Outcome> {
        let url = self.caller.address(self.api, &[method])?;
        let request = self.caller.post_json(url, body)?;
        self.answered(method, request).await
    }

    async fn answered(&self, method: &str, request: RequestBuilder) -> Result<Value, Outcome> {
        let mut answer = self.caller.send(request.bearer_auth(self.token.reveal())).await?;
        if !answer.status().is_success() {
            return Err(answer.explained(explain).await);
        }
        let Some(said) = answer.json().await.filter(Value::is_object) else {
            let reason = format!("Slack's answer to {method} is not JSON");
            return Err(Outcome::Retry { reason, status: None, ambiguous: true });
        };
        if said["ok"] == true {
            return Ok(said);
        }
        let error = text_at(&said, "/error").unwrap_or_else(|| "no reason given".into());
        if ["ratelimited", "rate_limited"].contains(&error.as_str()) {
            return Err(Outcome::Throttled { after: None::<Span> });
        }
        let reason = format!("Slack refused {method}: {}", self.caller.quoted(&error));
        Err(match PASSING.contains(&error.as_str()) {
            true => Outcome::Retry { reason, status: None, ambiguous: true },
            false => Outcome::Refused { reason, status: None },
        })
    }
}

/// Where Slack finds the picture.
#[derive(Debug, Clone, Copy)]
pub(super) enum Image<'a> {
    /// A file that was uploaded, by its id.
    File(&'a str),
    /// It fetches it from there.
    Address(&'a str),
}

/// The message as blocks, with the text that notifications show.
pub(super) fn body(message: &Message, image: Option<Image<'_>>) -> Value {
    let title = message.title();
    let header = plain(&title, LONGEST_HEADER);
    let mut blocks = vec![json!({ "type": "header", "text": header })];
    if let Some(repeat) = message.repeat() {
        blocks.push(json!({ "type": "context", "elements": [plain(repeat, LONGEST_FIELD)] }));
    }
    let body = message.body_lines().join("\n");
    if !body.trim().is_empty() {
        blocks.push(json!({ "type": "section", "text": plain(&body, LONGEST_TEXT) }));
    }
    for (n, note) in message.alerts.iter().take(MOST_ALERTS).enumerate() {
        alert(note, 1 < message.alerts.len(), &mut blocks);
        if let (0, Some(image)) = (n, image) {
            let alt = note
                .chart
                .as_ref()
                .map_or_else(|| note.title(), |chart| words::one_line(&chart.alt));
            let alt = plain_text(&alt, LONGEST_FIELD);
            blocks.push(match image {
                Image::File(id) => {
                    json!({ "type": "image", "slack_file": { "id": id }, "alt_text": alt })
                }
                Image::Address(url) => {
                    json!({ "type": "image", "image_url": url, "alt_text": alt })
                }
            });
        }
    }
    let n_more = message.n_unsaid(MOST_ALERTS);
    if 0 < n_more {
        let more = format!("and {n_more} more");
        blocks.push(json!({ "type": "section", "text": plain(&more, LONGEST_TEXT) }));
    }
    if let Some(link) = message.link.as_deref().filter(|_| 0 < n_more || message.alerts.is_empty())
    {
        blocks.push(links(&[("open", link)]));
    }
    json!({
        "text": plain_text(&title, LONGEST_TEXT),
        "mrkdwn": false,
        "blocks": blocks,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn alert(note: &Note, has_title: bool, blocks: &mut Vec<Value>) {
    let mut said = String::new();
    if has_title {
        said = format!("{}\n", note.title());
    }
    said.push_str(&note.reason());
    if let Some(rarity) = note.rarity() {
        said.push_str(&format!("\n{rarity}"));
    }
    let facts = note.facts();
    let fields: Vec<Value> = facts
        .iter()
        .take(MOST_FIELDS)
        .map(|(label, value)| plain(&format!("{label}: {value}"), LONGEST_FIELD))
        .collect();
    let mut section = json!({ "type": "section", "text": plain(&said, LONGEST_TEXT) });
    if !fields.is_empty() {
        section["fields"] = fields.into();
    }
    blocks.push(section);
    let related = note.related();
    if !related.is_empty() {
        let related = format!("moved with it: {}", related.join("; "));
        blocks.push(json!({ "type": "context", "elements": [plain(&related, LONGEST_FIELD)] }));
    }
    if let Some(explained) = note.explained() {
        blocks.push(json!({ "type": "context", "elements": [plain(&explained, LONGEST_FIELD)] }));
    }
    let doors = note.doors();
    if !doors.is_empty() {
        blocks.push(links(&doors));
    }
}

/// Our own addresses, the only markup there is.
fn links(doors: &[Door<'_>]) -> Value {
    let link = |(words, url): &Door<'_>| {
        format!(
            "<{}|{words}>",
            escaped(url).replace('|', "%7C").replace(char::is_whitespace, "%20")
        )
    };
    let text = joined(doors.iter().map(link), "  ·  ", LONGEST_FIELD);
    json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": text, "verbatim": true }] })
}

fn plain(text: &str, most: usize) -> Value {
    json!({ "type": "plain_text", "text": plain_text(text, most), "emoji": false })
}

/// Cut so that it fits after escaping, and never within an escape.
fn plain_text(text: &str, most: usize) -> String {
    let mut kept = text.to_owned();
    loop {
        let escaped = escaped(&kept);
        let n_over = escaped.encode_utf16().count().saturating_sub(most);
        if n_over == 0 {
            // An empty text is refused.
            return if escaped.is_empty() { "–".into() } else { escaped };
        }
        let n_units = kept.encode_utf16().count();
        kept = cut(&kept, n_units.saturating_sub(n_over.div_ceil(5)).min(most).min(n_units - 1));
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
