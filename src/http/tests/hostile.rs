//! Every page and listing that shows names, against every hostile text.

use axum::http::StatusCode;

use super::{
    super::words::metric_href,
    fixture::{Fixture, alert, hour, noon},
};
use crate::{
    catalog::{alerts, channel_states, metrics},
    domain::{
        Alert, AlertId, BatchName, RunId,
        hostile::{assert_markup, assert_plain, metric, texts},
    },
};

const TAGS: &[&str] = &[
    "!doctype",
    "html",
    "head",
    "meta",
    "title",
    "link",
    "script",
    "body",
    "a",
    "header",
    "svg",
    "path",
    "nav",
    "main",
    "footer",
    "span",
    "div",
    "h1",
    "h2",
    "h3",
    "p",
    "section",
    "article",
    "b",
    "small",
    "code",
    "dl",
    "dt",
    "dd",
    "ul",
    "ol",
    "li",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "time",
    "form",
    "button",
    "label",
    "input",
    "select",
    "option",
    "figure",
    "figcaption",
    "noscript",
    "g",
    "rect",
    "line",
    "text",
    "circle",
    "polyline",
    "polygon",
    "desc",
    "defs",
    "clippath",
    "use",
    "details",
    "summary",
    "pre",
    "tspan",
    "style",
];

/// A batch with the text wherever its file can hold one.
fn batch(n: usize, text: &str) -> (String, String) {
    // JSON's texts are TOML's too; a `$` before a brace would name a variable.
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let (key, name) = (quoted(text), quoted(metric(text).as_str()));
    let text = key.replace("${", "$${");
    let batch = format!(
        "description = {text}\nowner = {text}\ntags = {{ {key} = {text} }}\n\
         [source]\nkind = \"file\"\npath = \"x.csv\"\n\
         [metrics.{name}]\ndisplay_name = {text}\nunit = {text}\n"
    );
    (format!("h{n}"), batch)
}

/// A channel that the texts are what the other side said of.
fn channel(n: usize) -> String {
    format!("channel-{n}")
}

async fn filled() -> Fixture {
    let batches: Vec<_> = texts().iter().enumerate().map(|(n, text)| batch(n, text)).collect();
    let channel = |n: usize| format!("[channels.\"{}\"]\nkind = \"log\"\n", channel(n));
    let channels: String = (0..texts().len()).map(channel).collect();
    let fixture = Fixture::with_batches(&channels, &batches).await;
    let mut tx = fixture.catalog.begin().await.unwrap();
    for (n, text) in texts().iter().enumerate() {
        let (batch, metric) = (BatchName::parse(&format!("h{n}")).unwrap(), metric(text));
        let alert = Alert {
            id: AlertId(format!("hostile-{n}")),
            batch: batch.clone(),
            reason: text.clone(),
            model: None,
            ..alert(&metric, n)
        };
        alerts::insert(&mut tx, &alert, RunId(1), noon()).await.unwrap();
        let seen = metrics::MetricSeen { metric, newest_at: hour(9), newest_value: 10.0, n_new: 1 };
        metrics::touch(&mut tx, &batch, &[seen], noon()).await.unwrap();
        channel_states::disable(&mut tx, &channel(n), noon(), text).await.unwrap();
    }
    tx.commit().await.unwrap();
    fixture
}

#[tokio::test]
async fn pages_show_every_text_and_nothing_of_it_is_markup() {
    let fixture = filled().await;
    let mut uris = vec!["/".to_owned(), "/alerts".to_owned(), "/alerts?state=firing".to_owned()];
    for (n, text) in texts().iter().enumerate() {
        uris.extend([
            format!("/batches/h{n}"),
            metric_href(&format!("h{n}"), metric(text).as_str()),
            format!("/alerts?batch=h{n}"),
            format!("/alerts/hostile-{n}"),
        ]);
    }
    for uri in uris {
        let page = fixture.get(&uri).await;
        assert_eq!(page.status, StatusCode::OK, "{uri}: {}", page.body);
        let is_attribute = |name: &str| !name.starts_with("on") && name != "style";
        assert_markup(&page.body, TAGS, is_attribute, &["/", "https://", "#", "?"]);
        // A form sends a name back as it is.
        let is_field = |line: &&str| line.contains("<input");
        page.body.split('\n').filter(|line| !is_field(line)).for_each(assert_plain);
        assert_eq!(page.body.matches("<script").count(), 1, "{uri}");
        assert!(!page.body.contains(">49 "), "{uri}: no template is filled in twice");
    }
}

#[tokio::test]
async fn listings_give_every_name_as_it_is_and_as_nothing_but_json() {
    let fixture = filled().await;
    for (n, text) in texts().iter().enumerate() {
        let name = metric(text);
        for uri in [format!("/api/v1/batches/h{n}/metrics"), format!("/api/v1/alerts?batch=h{n}")] {
            let answer = fixture.get(&uri).await;
            assert_eq!(answer.status, StatusCode::OK, "{uri}");
            assert_eq!(answer.headers["content-type"], "application/json", "{uri}");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{uri}");
            assert_eq!(answer.json()["items"][0]["metric"], name.as_str(), "{uri}");
        }
    }
}
