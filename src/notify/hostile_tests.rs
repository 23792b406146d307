//! Every channel against every hostile text, in every place where a text from outside can stand.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use serde_json::Value;

use super::{
    Message, Note, alertmanager, discord, file,
    message::tests::message,
    ntfy, pagerduty, slack, teams, telegram,
    testing::{answered, charted, exchange, kinds},
};
use crate::domain::{
    AlertDigest, BatchDigest, BatchName, ChannelKind, Digest, JobKind, MessageEvent, PlainWords,
    Span,
    hostile::{assert_markup, assert_plain, metric, texts},
};

const OWN: &str = "http://127.0.0.1:8087/";

/// An alert with this text wherever one can stand.
fn note(text: &str) -> Note {
    let mut note = charted().alerts.remove(0);
    note.alert.metric = metric(text);
    note.alert.batch = batch(text);
    note.alert.reason = text.to_owned();
    note.display_name = text.to_owned();
    (note.unit, note.owner, note.rarity) =
        (Some(text.into()), Some(text.into()), Some(text.into()));
    note.plain_words = Some(PlainWords { text: text.to_owned(), model: text.to_owned() });
    note.related = vec![text.to_owned(); 2];
    note.tags = [(text.to_owned(), text.to_owned())].into();
    note.links.ack = Some(format!("{OWN}l/ack"));
    note.links.incident = Some(format!("{OWN}l/incident"));
    if let Some(chart) = &mut note.chart {
        chart.alt = text.to_owned();
    }
    note
}

fn batch(text: &str) -> BatchName {
    let name: String = text.chars().filter(|c| !c.is_control()).take(30).collect();
    BatchName::parse(&name).unwrap()
}

/// A digest with this text wherever one can stand.
fn digest(text: &str) -> Message {
    let note = note(text);
    let alert = AlertDigest {
        severity: note.alert.severity,
        kind: note.alert.kind,
        metric: metric(text),
        since: note.alert.since,
        lasted: Span::hours(1),
        is_over: false,
        reason: text.to_owned(),
    };
    let of_batch = BatchDigest {
        batch: batch(text),
        n_raised: 2,
        n_firing: 1,
        alerts: vec![alert],
        noisiest: vec![(metric(text), 2)],
        silent: vec![metric(text)],
        failed: vec![(JobKind::Ingest, 1)],
        n_rejected: 3,
        precision: Some(0.5),
        response_rate: Some(0.5),
        model_age: Some(Span::days(2)),
    };
    let until = message().created_at;
    let digest = Digest {
        from: until - Span::days(1),
        until,
        timezone: chrono_tz::UTC,
        batches: vec![of_batch],
    };
    Message {
        event: MessageEvent::Digest,
        alerts: Vec::new(),
        headline: Some(digest.title()),
        body: Some(digest.text()),
        digest: Some(digest),
        link: Some(format!("{OWN}alerts")),
        ..message()
    }
}

/// Messages of every shape with a text: about one alert, about several, and about none.
fn messages(text: &str) -> [Message; 4] {
    let one = Message { alerts: vec![note(text)], ..message() };
    let several = Message { alerts: vec![note(text), note(text)], ..message() };
    let none = Message {
        event: MessageEvent::Notice,
        alerts: Vec::new(),
        headline: Some(text.into()),
        body: Some(format!("{text}\n{text}")),
        link: Some(format!("{OWN}alerts")),
        ..message()
    };
    [one, several, none, digest(text)]
}

fn all() -> impl Iterator<Item = Message> {
    texts().into_iter().flat_map(|text| messages(&text))
}

/// Every text in a JSON value, with the key it stands under.
fn strings<'a>(key: &'a str, value: &'a Value, found: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::String(text) => found.push((key, text)),
        Value::Array(values) => values.iter().for_each(|value| strings(key, value, found)),
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            found.push(("key", key));
            strings(key, value, found);
        }),
        _ => (),
    }
}

/// Asserts that no line of any text in it hides or turns round anything.
#[track_caller]
fn assert_plain_lines(value: &Value) {
    let mut found = Vec::new();
    strings("", value, &mut found);
    found.iter().flat_map(|(_, text)| text.split('\n')).for_each(assert_plain);
}

#[test]
fn texts_and_titles_show_all_they_hold() {
    for message in all() {
        assert_plain(&message.title());
        message.text().split('\n').for_each(assert_plain);
        let n_lines = message.text().lines().count();
        assert!(n_lines < 40, "{n_lines} lines");
    }
}

#[test]
fn the_page_has_no_markup_but_its_own() {
    let tags = [
        "!doctype", "html", "head", "meta", "title", "body", "table", "tr", "td", "h1", "h2", "p",
        "br", "div", "img", "a", "b",
    ];
    let attributes = [
        "lang",
        "charset",
        "name",
        "content",
        "style",
        "role",
        "width",
        "cellpadding",
        "cellspacing",
        "src",
        "alt",
        "href",
    ];
    for message in all() {
        let html = message.html(|n| Some(format!("cid:{n}"))).unwrap();
        assert_markup(&html, &tags, |name| attributes.contains(&name), &[OWN, "cid:"]);
        html.split('\n').for_each(assert_plain);
        assert!(!html.contains(">49 "), "no template is filled in twice");
    }
}

#[tokio::test]
async fn requests_have_the_usual_headers_and_no_others() {
    const HEADERS: &[&str] = &[
        "accept",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "webhook-id",
        "webhook-timestamp",
    ];
    for text in texts() {
        let [one, ..] = messages(&text);
        for n in 0..kinds("http://x").len() {
            let kind = |base: &str| kinds(base).remove(n);
            let answer = |_: &str, _: &str| answered("200 OK", r#"{"ok":true}"#);
            let (requests, _) = exchange(kind, &one, answer).await;
            for request in requests {
                let (head, _) = request.split_once("\r\n\r\n").unwrap();
                for line in head.split("\r\n").skip(1) {
                    let name = line.split(':').next().unwrap();
                    assert!(HEADERS.contains(&name), "{line:.200}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_file_has_one_line_a_message_and_every_text_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.jsonl");
    for message in all() {
        file::append(&path, &message).await;
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert_eq!(written.lines().count(), all().count());
    for (line, message) in written.lines().zip(all()) {
        let line: Value = serde_json::from_str(line).unwrap();
        for (said, note) in line["data"]["alerts"].as_array().unwrap().iter().zip(&message.alerts) {
            assert_eq!(said["metric"], note.alert.metric.as_str());
            assert_eq!(said["display_name"], note.display_name.as_str());
        }
        assert_eq!(line["data"]["title"], message.title());
    }
}

/// What is written through it.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_log_has_whole_lines_that_show_all_they_hold() {
    for message in texts().iter().flat_map(|text| messages(text)) {
        let written = Written::default();
        let writer = written.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || super::log(&message));
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.split('\n').for_each(assert_plain);
        let begins_as_logs_do = |line: &str| line.starts_with("20") && line.contains("WARN");
        let n_lines = text.lines().filter(|line| begins_as_logs_do(line)).count();
        let n_entries = match message.alerts.len() {
            0 => message.text().lines().count(),
            n_alerts => n_alerts,
        };
        assert_eq!(n_lines, n_entries, "{text}");
    }
}

#[test]
fn slack_shows_no_markup_but_links_to_pages_of_this_program() {
    for message in all() {
        let body = slack::body(&message, Some(slack::Image::File("F1")));
        assert_plain_lines(&body);
        let mut found = Vec::new();
        strings("", &body, &mut found);
        assert_eq!(body["mrkdwn"], false);
        for (key, text) in found.iter().filter(|(key, _)| ["text", "alt_text"].contains(key)) {
            let ours = text.replace(&format!("<{OWN}"), "");
            let n_open = ours.matches('<').count();
            assert_eq!(n_open, 0, "{key}: {text:.300}");
        }
    }
}

#[test]
fn teams_has_texts_in_runs_alone_and_buttons_to_this_program() {
    for message in all() {
        let body = teams::body(&message);
        assert_plain_lines(&body);
        let mut found = Vec::new();
        strings("", &body, &mut found);
        for (key, text) in found {
            match key {
                "type" => assert!(
                    [
                        "message",
                        "AdaptiveCard",
                        "RichTextBlock",
                        "TextRun",
                        "Action.OpenUrl",
                        "Action.ShowCard",
                        "Image"
                    ]
                    .contains(&text),
                    "{text}"
                ),
                "url" => assert!(text.starts_with(OWN), "{text}"),
                _ => (),
            }
        }
    }
}

/// Asserts that each of Markdown's characters stands behind a backslash.
#[track_caller]
fn assert_escaped(text: &str) {
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c == '\\' {
            characters.next();
            continue;
        }
        assert!(!"*_~`|<>[]()#@".contains(c), "{c} in {text:.300}");
    }
}

#[test]
fn discord_shows_no_markdown_but_links_to_this_program_and_mentions_nobody() {
    for message in all() {
        let body = discord::body(&message);
        assert_plain_lines(&body);
        assert_eq!(body["allowed_mentions"], serde_json::json!({ "parse": [] }));
        let embed = &body["embeds"][0];
        assert_escaped(embed["title"].as_str().unwrap());
        for field in embed["fields"].as_array().unwrap() {
            assert_escaped(field["name"].as_str().unwrap());
            assert_escaped(field["value"].as_str().unwrap());
        }
        let description = embed["description"].as_str().unwrap();
        for line in description.lines().filter(|line| !line.starts_with(&format!("[open](<{OWN}")))
        {
            assert_escaped(line);
        }
    }
}

#[test]
fn telegram_has_no_tags_but_its_own() {
    let ChannelKind::Telegram(spec) = super::testing::telegram("http://x") else { unreachable!() };
    for message in all() {
        let body = telegram::body(&spec, &message);
        assert_plain_lines(&body);
        assert_markup(body["text"].as_str().unwrap(), &["b", "a"], |name| name == "href", &[OWN]);
        let caption = telegram::text(&message, 1_024);
        assert_markup(&caption, &["b", "a"], |name| name == "href", &[OWN]);
    }
}

#[test]
fn ntfy_and_pagerduty_get_plain_lines_and_links_to_this_program() {
    let ChannelKind::Ntfy(ntfy_spec) = super::testing::ntfy("http://x") else { unreachable!() };
    let kinds = kinds("http://x");
    let pager = kinds.iter().find_map(|kind| match kind {
        ChannelKind::Pagerduty(spec) => Some(spec),
        _ => None,
    });
    for message in all() {
        let events = pagerduty::events(pager.unwrap(), &message);
        let mut bodies = vec![ntfy::body(&ntfy_spec, &message)];
        bodies.extend(events);
        for body in bodies {
            assert_plain_lines(&body);
            let mut found = Vec::new();
            strings("", &body, &mut found);
            for (key, text) in found {
                if ["url", "href", "click", "client_url"].contains(&key) {
                    assert!(text.starts_with(OWN), "{text}");
                }
            }
        }
    }
}

#[test]
fn alertmanager_gets_names_as_they_are_as_labels_and_plain_annotations() {
    for message in all() {
        let alerts = alertmanager::body(&message, Span::days(7));
        for (alert, note) in alerts.as_array().unwrap().iter().zip(&message.alerts) {
            assert_eq!(alert["labels"]["metric"], note.alert.metric.as_str());
            for label in alert["labels"].as_object().unwrap().keys() {
                assert!(label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{label}");
            }
        }
        for alert in alerts.as_array().unwrap() {
            assert_plain_lines(&alert["annotations"]);
            assert!(alert["generatorURL"].as_str().unwrap().starts_with(OWN));
        }
    }
}
