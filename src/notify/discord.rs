//! The `discord` channel: a webhook that posts an embed and the chart. Foreign text is Markdown with
//! everything escaped, and nobody can be mentioned.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::{
    Message, Outcome,
    call::{Caller, Told, refused, text_at},
    limits::{backslashed, cut, joined},
    note::Door,
};
use crate::domain::{AlertState, Secret, Severity};

/// Discord's limits, in UTF-16 units; all texts of a message together have at most 6,000.
const LONGEST_TITLE: usize = 256;
const LONGEST_TEXT: usize = 4_900;
const LONGEST_DESCRIPTION: usize = 4_096;
/// All links to what can be done, as Markdown.
const LONGEST_LINKS: usize = 2_000;
const MOST_FIELDS: usize = 10;
const MOST_ALERTS: usize = 20;

const SPECIAL: &str = "\\*_~`|>[]()#-+:@<!";

/// Sends the message once.
pub(super) async fn post(url: &Secret, message: &Message, caller: &Caller<'_>) -> Outcome {
    let request = caller.address(url.reveal(), &[]).and_then(|mut url| {
        // Answered when the message is there, not before.
        url.query_pairs_mut().append_pair("wait", "true");
        let (body, png) = (body(message), png(message));
        let Some(png) = png else { return caller.post_json(url, &body) };
        let part = Part::bytes(png.to_vec()).file_name("chart.png").mime_str("image/png");
        let part = part.map_err(|error| refused(error.to_string()))?;
        let form = Form::new().text("payload_json", body.to_string()).part("files[0]", part);
        Ok(caller.post(url)?.multipart(form))
    });
    caller.exchange(request, explain).await
}

fn explain(body: &Value) -> Told {
    Told { reason: text_at(body, "/message"), wait_secs: body["retry_after"].as_f64() }
}

fn png(message: &Message) -> Option<&[u8]> {
    Some(message.alerts.first()?.chart.as_ref()?.png.as_slice())
}

/// The message as one embed.
pub(super) fn body(message: &Message) -> Value {
    let mut left = LONGEST_TEXT;
    let title = taken(&message.title(), LONGEST_TITLE, &mut left);
    let mut lines = Vec::new();
    lines.extend(message.repeat().map(str::to_owned));
    lines.extend(message.body_lines());
    for note in message.alerts.iter().take(MOST_ALERTS) {
        if 1 < message.alerts.len() {
            lines.push(note.title());
        }
        lines.push(note.reason());
        lines.extend(note.rarity());
        lines.extend(note.related().into_iter().map(|metric| format!("moved with it: {metric}")));
        lines.extend(note.explained());
    }
    let n_more = message.n_unsaid(MOST_ALERTS);
    if 0 < n_more {
        lines.push(format!("and {n_more} more"));
    }
    let mut description =
        taken(&lines.join("\n"), LONGEST_DESCRIPTION - LONGEST_LINKS - 1, &mut left);
    let mut fields = Vec::new();
    if let [note] = message.alerts.as_slice() {
        for (label, value) in note.facts().into_iter().take(MOST_FIELDS) {
            let (name, value) = (taken(&label, 128, &mut left), taken(&value, 256, &mut left));
            fields.push(json!({ "name": name, "value": value, "inline": true }));
        }
        let link = |(words, url): Door<'_>| format!("[{words}](<{}>)", url.replace(['<', '>'], ""));
        let doors = joined(note.doors().into_iter().map(link), " · ", LONGEST_LINKS);
        if !doors.is_empty() {
            description = format!("{description}\n{doors}");
        }
    }
    let mut embed = json!({
        "title": title,
        "description": description,
        "color": color(message),
        "fields": fields,
        "timestamp": message.created_at,
    });
    let page = match message.alerts.as_slice() {
        [note] => note.links.page.as_ref(),
        _ => message.link.as_ref(),
    };
    if let Some(page) = page {
        embed["url"] = page.as_str().into();
    }
    if png(message).is_some() {
        embed["image"] = json!({ "url": "attachment://chart.png" });
    }
    json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

/// Grey for news, green for what is over, amber and red for what goes on.
fn color(message: &Message) -> u32 {
    let (firing, loud) = message.alerts.iter().fold((false, false), |(firing, loud), note| {
        let is_firing = note.episode.state == AlertState::Firing;
        (firing || is_firing, loud || is_firing && note.alert.severity == Severity::Critical)
    });
    match (message.alerts.is_empty(), firing, loud) {
        (true, ..) => 0x56_61_73,
        (_, false, _) => 0x1e_7d_34,
        (_, _, false) => 0xb2_6a_00,
        (_, _, true) => 0xb3_26_1e,
    }
}

/// An escaped text of at most so many units, and of at most what is left of the whole.
fn taken(text: &str, most: usize, left: &mut usize) -> String {
    let most = most.min(*left);
    let mut kept = text.to_owned();
    loop {
        let escaped = backslashed(&kept, SPECIAL);
        let n_units = escaped.encode_utf16().count();
        if n_units <= most || kept.chars().count() <= 1 {
            *left = left.saturating_sub(n_units);
            // A field's value must not be empty.
            return if escaped.is_empty() { "–".into() } else { escaped };
        }
        let n_kept = kept.encode_utf16().count();
        kept = cut(&kept, n_kept.saturating_sub((n_units - most).div_ceil(2)).min(n_kept - 1));
    }
}
