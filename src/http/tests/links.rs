//! Signed links, opened and followed as people, mail scanners and forgers do.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use axum::http::{Method, StatusCode};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::fixture::{Answer, Fixture, NAMES, noon};
use crate::{
    catalog::{alerts, feedback, links, messages, messages::MessageRow, outbox, snoozes},
    compute::Compute,
    domain::{
        AlertId, BatchName, ChannelKind, ChannelSpec, Link, LinkAction, LinkKey, MessageEvent,
        MessageId, PaceSpec, Secret, Span, Timestamp, Verdict,
    },
    io::{Store, parquet::Compression},
    jobs::{Audience, JobContext, Notify, Progress, VersionClock, deliver},
    net::Client,
    series::History,
    telemetry::Metrics,
};

/// Roles change nothing about links.
const TOKENS: &str = "
[server.tokens.reader]
role = \"viewer\"
token = \"viewer-token-0123456789\"
";

fn key() -> LinkKey {
    LinkKey::new([7; 32])
}

async fn fixture(system: &str) -> Fixture {
    let fixture = Fixture::with_system(system).await;
    let mut tx = fixture.catalog.begin().await.unwrap();
    links::keep_key(&mut tx, &key()).await.unwrap();
    links::keep_key(&mut tx, &LinkKey::new([9; 32])).await.unwrap();
    assert_eq!(links::key(&mut tx).await.unwrap(), Some(key()), "the first key stays");
    tx.commit().await.unwrap();
    fixture
}

fn link(action: LinkAction, alert: &str) -> Link {
    let alert = AlertId(alert.into());
    let nonce = key().nonce("delivery", action, &alert);
    Link { action, alert, expires: noon() + Link::LIFE, nonce }
}

fn address(link: &Link) -> String {
    format!("/l/{}", key().sign(link))
}

/// As a browser sends the page's form, under a name this server does not know.
async fn post(fixture: &Fixture, uri: &str) -> Answer {
    let headers =
        [("host", "anomstack.example"), ("origin", "null"), ("sec-fetch-site", "same-origin")];
    fixture.ask(Method::POST, uri, &headers).await
}

async fn acked(fixture: &Fixture, alert: &str) -> Option<(Timestamp, String)> {
    let mut reader = fixture.catalog.reader().await.unwrap();
    alerts::get(&mut reader, &AlertId(alert.into())).await.unwrap().unwrap().acked
}

#[tokio::test]
async fn opening_a_link_only_asks_and_its_button_acts_once() {
    for system in ["", TOKENS] {
        let fixture = fixture(system).await;
        let uri = address(&link(LinkAction::Ack, "alert-0"));
        for method in [Method::GET, Method::HEAD, Method::GET] {
            let headers = [("host", "anomstack.example")];
            let asked = fixture.ask(method, &uri, &headers).await;
            assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        }
        let asked = fixture.get(&uri).await;
        assert!(asked.body.contains("<form class=\"act\" method=\"post\">"), "{}", asked.body);
        assert!(asked.body.contains("I look after it"), "{}", asked.body);
        assert_eq!(acked(&fixture, "alert-0").await, None, "nobody pressed the button");

        let done = post(&fixture, &uri).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.body);
        assert_eq!(acked(&fixture, "alert-0").await, Some((noon(), "link".to_owned())));
        assert_eq!(acked(&fixture, "alert-1").await, None, "another alert's");

        for replayed in [post(&fixture, &uri).await, fixture.get(&uri).await] {
            assert_eq!(replayed.status, StatusCode::GONE);
            assert!(replayed.body.contains("was used already"), "{}", replayed.body);
        }
    }
}

#[tokio::test]
async fn a_chart_is_fetched_by_its_signed_address_without_a_token() {
    let fixture = fixture(TOKENS).await;
    let address =
        |alert: &str, expires| format!("/c/{}", key().sign_chart(&AlertId(alert.into()), expires));
    let later = noon() + Span::days(1);
    let headers = [("host", "anomstack.example")];
    for _ in 0..2 {
        let chart = fixture.ask(Method::GET, &address("alert-0", later), &headers).await;
        assert_eq!(chart.status, StatusCode::OK, "{}", chart.body);
        assert_eq!(
            (&chart.bytes[1..4], &chart.headers["content-type"]),
            (&b"PNG"[..], &"image/png".parse().unwrap())
        );
    }
    let link = address("alert-0", later).replacen("/c/", "/l/", 1);
    for (uri, status) in [
        (address("alert-0", noon()), StatusCode::GONE),
        (address("none", later), StatusCode::NOT_FOUND),
        (link, StatusCode::FORBIDDEN),
        ("/c/x.y".to_owned(), StatusCode::FORBIDDEN),
        (format!("{}?scale=4", address("alert-0", later)), StatusCode::OK),
    ] {
        assert_eq!(fixture.ask(Method::GET, &uri, &headers).await.status, status, "{uri}");
    }
}

#[tokio::test]
async fn forged_expired_and_pointless_links_do_nothing() {
    let fixture = fixture("").await;
    let mine = link(LinkAction::Ack, "alert-0");
    let (one, other) = (key().sign(&mine), key().sign(&link(LinkAction::Ack, "alert-1")));
    let (said, mac) = (one.split_once('.').unwrap().0, other.split_once('.').unwrap().1);
    let forged = [
        format!("/l/{said}.{mac}"),
        format!("/l/{}", LinkKey::new([8; 32]).sign(&mine)),
        format!("/l/{said}"),
        "/l/x".to_owned(),
        "/l/%00%ff".to_owned(),
    ];
    let expired = address(&Link { expires: noon(), ..mine.clone() });
    let pointless = address(&link(LinkAction::Ack, "gone"));
    let forged = forged.iter().map(|uri| (uri.as_str(), StatusCode::FORBIDDEN));
    let others =
        [(expired.as_str(), StatusCode::GONE), (pointless.as_str(), StatusCode::NOT_FOUND)];
    for (uri, expected) in forged.chain(others) {
        // What is no text is no token either.
        let expected = if uri.contains("%ff") { StatusCode::BAD_REQUEST } else { expected };
        for answer in [fixture.get(uri).await, post(&fixture, uri).await] {
            assert_eq!(answer.status, expected, "{uri}: {}", answer.body);
            assert!(answer.body.contains("<h1>"), "a page says so: {}", answer.body);
        }
    }
    for alert in ["alert-0", "alert-1"] {
        assert_eq!(acked(&fixture, alert).await, None, "{alert}");
    }
}

#[tokio::test]
async fn without_a_key_every_link_is_forged() {
    let fixture = Fixture::new().await;
    let answer = post(&fixture, &address(&link(LinkAction::Ack, "alert-0"))).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn each_link_does_what_it_says() {
    let fixture = fixture("").await;
    for action in LinkAction::ALL {
        let answer = post(&fixture, &address(&link(*action, "alert-0"))).await;
        assert_eq!(answer.status, StatusCode::OK, "{action}: {}", answer.body);
    }
    let mut reader = fixture.catalog.reader().await.unwrap();
    let shop = BatchName::parse("shop").unwrap();
    let silences = snoozes::ending_after(&mut reader, &shop, noon()).await.unwrap();
    let [silence] = silences.as_slice() else { panic!("{silences:?}") };
    assert_eq!((silence.until, silence.author.as_str()), (noon() + Span::hours(4), "link"));
    let said = feedback::of_alert(&mut reader, &AlertId("alert-0".into())).await.unwrap();
    let said: Vec<Verdict> = said.iter().map(|said| said.verdict).collect();
    let all = [Verdict::Up, Verdict::Down, Verdict::Expected, Verdict::Incident];
    assert!(said.len() == all.len() && all.iter().all(|one| said.contains(one)), "{said:?}");
}

#[tokio::test]
async fn names_on_the_page_are_text_and_large_bodies_are_refused() {
    let fixture = fixture("").await;
    for n in 0..NAMES.len() {
        let uri = address(&link(LinkAction::Down, &format!("alert-{n}")));
        for body in [fixture.get(&uri).await.body, post(&fixture, &uri).await.body] {
            assert!(!body.contains("<script>alert") && !body.contains("<i>"), "{body}");
        }
    }
    let uri = address(&link(LinkAction::Ack, "alert-0"));
    let headers = [("host", "localhost"), ("content-length", "5000")];
    let answer = fixture.ask(Method::POST, &uri, &headers).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(acked(&fixture, "alert-0").await, None);
}

/// What a webhook gets of a message about an alert, told for the first time.
async fn delivered(fixture: &Fixture, message: &str) -> Value {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Secret::new(format!("http://{}/", listener.local_addr().unwrap()));
    let hook = ChannelSpec {
        name: "hook".to_owned(),
        kind: ChannelKind::Webhook { url, keys: Vec::new() },
        timeout: Span::secs(20),
        allow_private: true,
        pace: PaceSpec::UNLIMITED,
        fallback: Vec::new(),
    };
    let channels = BTreeMap::from([("hook".to_owned(), hook)]);
    let (store, compute) = (Store::memory(), Compute::new(1).unwrap());
    let ctx = JobContext {
        client: Client::new(),
        catalog: fixture.catalog.clone(),
        history: History::new(store.clone(), compute.clone(), Compression::Off),
        store,
        compute,
        metrics: Metrics::new().unwrap(),
        versions: Arc::new(VersionClock::default()),
        clock: noon,
        program: PathBuf::new(),
        environment: Arc::default(),
        progress: Arc::new(Progress::default()),
        notify: Notify::Queue,
        paces: Arc::default(),
    };
    let row = MessageRow {
        id: MessageId(message.into()),
        event: MessageEvent::Firing,
        batch: None,
        title: None,
        text: None,
        created_at: noon(),
    };
    let mut tx = ctx.catalog.begin().await.unwrap();
    messages::insert(&mut tx, &row, &[AlertId("alert-0".into())]).await.unwrap();
    outbox::enqueue(&mut tx, &row.id, "hook", noon()).await.unwrap();
    tx.commit().await.unwrap();
    let dashboard = "https://anomstack.example";
    let audience = Audience { channels: &channels, batches: &[], dashboard, is_public: true };
    let received = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        loop {
            stream.read_buf(&mut bytes).await.unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((_, body)) = text.split_once("\r\n\r\n") else { continue };
            let Ok(payload) = serde_json::from_str::<Value>(body) else { continue };
            let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            return payload;
        }
    };
    let (sent, payload) = tokio::join!(deliver(&ctx, &audience, &ctx.client, || 0.0), received);
    assert_eq!(sent.unwrap().sent, 1);
    payload
}

#[tokio::test]
async fn the_links_of_a_delivered_message_do_what_they_are_called() {
    let fixture = fixture(TOKENS).await;
    let payload = delivered(&fixture, "m-1").await;
    let path = |name: &str| {
        let url = payload["data"]["alerts"][0]["links"][name].as_str();
        let url = url.unwrap_or_else(|| panic!("no link `{name}`: {payload}"));
        url.strip_prefix("https://anomstack.example").unwrap().to_owned()
    };
    assert_eq!(path("page"), "/alerts/alert-0");
    for name in ["snooze", "up", "down"] {
        assert_eq!(fixture.get(&path(name)).await.status, StatusCode::OK, "{name}");
    }
    assert_eq!(acked(&fixture, "alert-0").await, None);
    let answer = post(&fixture, &path("ack")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(acked(&fixture, "alert-0").await, Some((noon(), "link".to_owned())));
    assert_eq!(post(&fixture, &path("ack")).await.status, StatusCode::GONE);
    let again = delivered(&fixture, "m-2").await;
    let other = &again["data"]["alerts"][0]["links"]["ack"];
    assert_ne!(other, &payload["data"]["alerts"][0]["links"]["ack"], "another message's");
}
