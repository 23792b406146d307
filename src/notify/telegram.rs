//! The `telegram` channel: a bot's message, or its photo with a caption. Texts are Telegram's HTML.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::{
    Message, Outcome,
    call::{Caller, Told, refused, text_at},
    limits::{cut, html},
};
use crate::domain::TelegramSpec;

/// Telegram's limits, in UTF-16 units after its tags are read.
const LONGEST_CAPTION: usize = 1_024;
const LONGEST_TEXT: usize = 4_096;
/// A line is cut before it takes the place of all others.
const LONGEST_LINE: usize = 500;
const MOST_ALERTS: usize = 20;

/// Sends the message once.
pub(super) async fn post(spec: &TelegramSpec, message: &Message, caller: &Caller<'_>) -> Outcome {
    caller.exchange(request(spec, message, caller), explain).await
}

fn request(
    spec: &TelegramSpec,
    message: &Message,
    caller: &Caller<'_>,
) -> Result<reqwest::RequestBuilder, Outcome> {
    let bot = format!("bot{}", spec.token.reveal().trim());
    let Some(png) = png(message) else {
        let url = caller.address(&spec.api, &[&bot, "sendMessage"])?;
        return caller.post_json(url, &body(spec, message));
    };
    let url = caller.address(&spec.api, &[&bot, "sendPhoto"])?;
    let part = Part::bytes(png.to_vec()).file_name("chart.png").mime_str("image/png");
    let part = part.map_err(|error| refused(error.to_string()))?;
    let mut form = Form::new()
        .text("chat_id", spec.chat.clone())
        .text("caption", text(message, LONGEST_CAPTION))
        .text("parse_mode", "HTML")
        .part("photo", part);
    if let Some(thread) = spec.thread {
        form = form.text("message_thread_id", thread.to_string());
    }
    Ok(caller.post(url)?.multipart(form))
}

fn explain(body: &Value) -> Told {
    let wait_secs = body.pointer("/parameters/retry_after").and_then(Value::as_f64);
    Told { reason: text_at(body, "/description"), wait_secs }
}

/// The picture of a message about one alert.
fn png(message: &Message) -> Option<&[u8]> {
    match message.alerts.as_slice() {
        [note] => Some(note.chart.as_ref()?.png.as_slice()),
        _ => None,
    }
}

/// The message without a picture.
pub(super) fn body(spec: &TelegramSpec, message: &Message) -> Value {
    let mut body = json!({
        "chat_id": spec.chat,
        "text": text(message, LONGEST_TEXT),
        "parse_mode": "HTML",
        "link_preview_options": { "is_disabled": true },
    });
    if let Some(thread) = spec.thread {
        body["message_thread_id"] = thread.into();
    }
    body
}

/// As many whole lines as fit; the links always do.
pub(super) fn text(message: &Message, most: usize) -> String {
    let (doors, n_doors) = doors(message);
    let mut left = most.saturating_sub(n_doors + 40);
    let title = cut(&message.title(), LONGEST_LINE.min(left));
    left = left.saturating_sub(title.encode_utf16().count());
    let mut text = format!("<b>{}</b>", html(&title));
    let lines = lines(message);
    for (n, line) in lines.iter().enumerate() {
        let line = cut(line, LONGEST_LINE);
        let n_units = line.encode_utf16().count() + 1;
        if left < n_units {
            text.push_str(&format!("\nand {} more lines", lines.len() - n));
            break;
        }
        left -= n_units;
        text.push('\n');
        text.push_str(&html(&line));
    }
    text + &doors
}

fn lines(message: &Message) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(message.repeat().map(str::to_owned));
    lines.extend(message.body_lines());
    for note in message.alerts.iter().take(MOST_ALERTS) {
        if 1 < message.alerts.len() {
            lines.push(note.title());
        }
        lines.push(note.reason());
        lines.extend(note.lines());
    }
    let n_more = message.n_unsaid(MOST_ALERTS);
    if 0 < n_more {
        lines.push(format!("and {n_more} more"));
    }
    lines
}

/// Links, and how many units of text they show.
fn doors(message: &Message) -> (String, usize) {
    let doors = match message.alerts.as_slice() {
        [note] => note.doors(),
        _ => message.link.iter().map(|link| ("open", link.as_str())).collect(),
    };
    let (mut text, mut n_units) = (String::new(), 0);
    for (n, (words, url)) in doors.into_iter().enumerate() {
        let before = if n == 0 { "\n" } else { " · " };
        text.push_str(&format!("{before}<a href=\"{}\">{words}</a>", html(url)));
        n_units += before.len() + words.len();
    }
    (text, n_units)
}
