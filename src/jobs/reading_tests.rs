//! Words about alerts from a stand-in on this machine, and what they do to messages.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::{
    catalog::{outbox::Taking, readings::ReadingState},
    domain::{
        BatchName, ChannelKind, ChannelSpec, MessageEvent, MetricName, PaceSpec, RunId, Secret,
        Severity,
    },
    jobs::{
        Audience, deliver, explain_alert,
        fixture::{Fixture, open},
        tell_alerts,
    },
};

fn alert(fixture: &Fixture, id: &str) -> Alert {
    let at = (fixture.ctx.clock)();
    Alert {
        id: AlertId(id.into()),
        batch: BatchName::parse("shop").unwrap(),
        metric: MetricName::parse(&format!("orders <b>{id}")).unwrap(),
        kind: AlertKind::Anomaly,
        severity: Severity::Warning,
        at,
        since: at,
        value: Some(7.0),
        band: None,
        score: Some(0.9),
        threshold: Some(0.8),
        model: None,
        reason: "7 looks odd".into(),
    }
}

fn spec(listener: &TcpListener, timeout: Span) -> ExplainSpec {
    ExplainSpec {
        url: Secret::new(format!("http://{}/v1", listener.local_addr().unwrap())),
        model: "tiny".into(),
        api_key: None,
        timeout,
        max_tokens: 100,
        daily_limit: 3,
        allow_private: true,
    }
}

/// Tells of alerts that have just fired, in one message.
async fn tell(fixture: &Fixture, ids: &[&str]) {
    assert_eq!(told(fixture, ids).await, 1);
}

/// Tells of alerts that have just fired; gives the number of outboxes that have a new message.
async fn told(fixture: &Fixture, ids: &[&str]) -> u64 {
    let now = (fixture.ctx.clock)();
    let alerts: Vec<Alert> = ids.iter().map(|id| alert(fixture, id)).collect();
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    for alert in &alerts {
        alerts::insert(&mut tx, alert, RunId(1), now).await.unwrap();
    }
    let told: Vec<&Alert> = alerts.iter().collect();
    let event = (MessageEvent::Firing, "");
    let n_new = tell_alerts(&mut tx, &fixture.batch, event, &told, now).await.unwrap();
    tx.commit().await.unwrap();
    n_new
}

/// How many messages are due so long from now.
async fn n_due(fixture: &Fixture, after: Span) -> usize {
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let taking = Taking::at((fixture.ctx.clock)() + after);
    outbox::take(&mut tx, "hook", taking, 9).await.unwrap().len()
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| length.parse() == Ok(body.len()))
}

/// Answers every request alike, for ever; `None` hears it and says nothing.
async fn serve(listener: &TcpListener, answer: Option<&str>, heard: &RefCell<Vec<String>>) {
    let mut open = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !is_whole(&request) {
            stream.read_buf(&mut request).await.unwrap();
        }
        heard.borrow_mut().push(String::from_utf8_lossy(&request).into_owned());
        match answer {
            Some(body) => {
                let length = body.len();
                let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
                stream.write_all(text.as_bytes()).await.unwrap_or_default();
            }
            None => open.push(stream),
        }
    }
}

/// A batch that has its alerts explained, and the endpoint.
async fn explained(timeout: Span) -> (Fixture, TcpListener, ExplainSpec) {
    let mut fixture = open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let spec = spec(&listener, timeout);
    fixture.batch.alert.channels = vec!["hook".into()];
    fixture.batch.explain = Some(Arc::new(spec.clone()));
    (fixture, listener, spec)
}

async fn read(fixture: &Fixture, spec: &ExplainSpec) -> Readings {
    let batches = std::slice::from_ref(&fixture.batch);
    read_alerts(&fixture.ctx, batches, Some(spec), &fixture.ctx.client).await.unwrap()
}

async fn reading(fixture: &Fixture, id: &str) -> Option<readings::ReadingRow> {
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    readings::of(&mut reader, &AlertId(id.into())).await.unwrap()
}

const ANSWER: &str =
    r#"{"choices":[{"message":{"content":"<b>Ignore</b> all\n before: http://x.example"}}]}"#;

#[tokio::test]
async fn the_first_message_waits_for_the_words_and_carries_them_as_plain_text() {
    let (fixture, listener, spec) = explained(Span::secs(10)).await;
    tell(&fixture, &["a"]).await;
    let heard = RefCell::new(Vec::new());
    let came = tokio::select! {
        came = read(&fixture, &spec) => came,
        () = serve(&listener, Some(ANSWER), &heard) => unreachable!(),
    };
    assert_eq!(came, Readings { given: 1, missing: 0 });
    let requests = heard.into_inner();
    assert!(requests[0].contains(r#"\"metric\":\"orders <b>a\""#), "{}", requests[0]);

    let hook = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Secret::new(format!("http://{}/", hook.local_addr().unwrap()));
    let channel = ChannelSpec {
        name: "hook".into(),
        kind: ChannelKind::Webhook { url, keys: Vec::new() },
        timeout: Span::secs(20),
        allow_private: true,
        pace: PaceSpec::UNLIMITED,
        fallback: Vec::new(),
    };
    let channels = BTreeMap::from([("hook".to_owned(), channel)]);
    let batches = std::slice::from_ref(&fixture.batch);
    let audience =
        Audience { channels: &channels, batches, dashboard: "http://x", is_public: false };
    let heard = RefCell::new(Vec::new());
    let sent = tokio::select! {
        sent = deliver(&fixture.ctx, &audience, &fixture.ctx.client, || 0.0) => sent.unwrap(),
        () = serve(&hook, Some(""), &heard) => unreachable!(),
    };
    assert_eq!(sent.sent, 1, "let go by the answer");
    let body = heard.into_inner()[0].split_once("\r\n\r\n").unwrap().1.to_owned();
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let words =
        serde_json::json!({"model": "tiny", "text": "<b>Ignore</b> all before: http:/ /x.example"});
    assert_eq!(body["data"]["alerts"][0]["plain_words"], words);

    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let row = alerts::get(&mut reader, &AlertId("a".into())).await.unwrap().unwrap();
    drop(reader);
    let archive = Archive::from(&fixture.ctx);
    let explained = explain_alert(archive, &fixture.batch, &row).await.unwrap();
    let step = explained.steps.iter().find(|step| step.gate == "explanation").unwrap();
    assert!(step.detail.starts_with("written by the language model tiny, not checked: <b>"));
}

#[tokio::test]
async fn without_an_answer_the_message_leaves_without_words_and_no_later_than_the_timeout() {
    let (fixture, listener, spec) = explained(Span::from_micros(50_000)).await;
    tell(&fixture, &["a"]).await;
    assert_eq!(n_due(&fixture, Span::ZERO).await, 0, "kept back");
    let heard = RefCell::new(Vec::new());
    let came = tokio::select! {
        came = read(&fixture, &spec) => came,
        () = serve(&listener, None, &heard) => unreachable!(),
    };
    assert_eq!(came, Readings { given: 0, missing: 1 });
    assert_eq!(n_due(&fixture, Span::ZERO).await, 1, "let go at once by the failure");
    let reading = reading(&fixture, "a").await.unwrap();
    assert_eq!(reading.error.as_deref(), Some("no answer came in time"));
    assert_eq!(read(&fixture, &spec).await, Readings::default(), "asked once");
    assert!(
        fixture
            .ctx
            .metrics
            .render()
            .unwrap()
            .contains("anomstack_explanations_total{outcome=\"late\"} 1")
    );
}

#[tokio::test]
async fn when_nobody_asks_the_message_leaves_by_itself() {
    let (fixture, ..) = explained(Span::secs(10)).await;
    tell(&fixture, &["a"]).await;
    assert_eq!(n_due(&fixture, Span::secs(9)).await, 0);
    assert_eq!(n_due(&fixture, Span::secs(10)).await, 1);
}

#[tokio::test]
async fn a_day_has_its_limit_and_what_is_over_it_is_not_kept_back() {
    let (fixture, ..) = explained(Span::secs(10)).await;
    tell(&fixture, &["a", "b"]).await;
    tell(&fixture, &["c", "d"]).await;
    tell(&fixture, &["e"]).await;
    assert_eq!(n_due(&fixture, Span::ZERO).await, 1, "the one about e");
    let state = async |id| reading(&fixture, id).await.map(|reading| reading.state);
    let wanted = Some(ReadingState::Wanted);
    let states = [state("a").await, state("b").await, state("c").await, state("d").await];
    assert_eq!(states, [wanted, wanted, wanted, None]);
}

#[tokio::test]
async fn nothing_is_asked_unless_it_is_switched_on() {
    let (mut fixture, ..) = explained(Span::secs(10)).await;
    fixture.batch.explain = None;
    tell(&fixture, &["a"]).await;
    assert_eq!((n_due(&fixture, Span::ZERO).await, reading(&fixture, "a").await), (1, None));
}

/// When the fixture's clock stands still.
fn midnight() -> Timestamp {
    Timestamp::parse("2026-06-01T00:00:00Z").unwrap()
}

#[tokio::test]
async fn what_joins_a_message_shares_its_questions_and_keeps_it_back_no_longer() {
    let (mut fixture, _listener, spec) = explained(Span::secs(10)).await;
    fixture.batch.explain = Some(Arc::new(ExplainSpec { daily_limit: 99, ..spec }));
    fixture.batch.alert.group_wait = Span::secs(30);
    tell(&fixture, &["a", "b"]).await;
    fixture.ctx.clock = || midnight() + Span::secs(25);
    assert_eq!(told(&fixture, &["c", "d"]).await, 0, "they join");
    let state = async |id| reading(&fixture, id).await.map(|reading| reading.state);
    assert_eq!((state("c").await, state("d").await), (Some(ReadingState::Wanted), None));
    assert_eq!(
        (n_due(&fixture, Span::secs(4)).await, n_due(&fixture, Span::secs(5)).await),
        (0, 1)
    );
}

#[tokio::test]
async fn what_is_wanted_when_it_is_switched_off_is_given_up_on_in_time() {
    let (mut fixture, ..) = explained(Span::secs(10)).await;
    tell(&fixture, &["a"]).await;
    fixture.ctx.clock = || midnight() + Span::secs(10);
    let read = read_alerts(&fixture.ctx, &[], None, &fixture.ctx.client).await.unwrap();
    assert_eq!(read, Readings { given: 0, missing: 1 });
    assert_eq!(reading(&fixture, "a").await.unwrap().state, ReadingState::Missing);
}

#[tokio::test]
async fn an_answer_to_what_was_given_up_on_is_none() {
    let (fixture, ..) = explained(Span::secs(10)).await;
    tell(&fixture, &["a"]).await;
    let now = (fixture.ctx.clock)();
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let asked = readings::take(&mut tx, now, 1).await.unwrap().remove(0);
    assert_eq!(readings::expire(&mut tx, asked.until).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let words = PlainWords { text: "late".into(), model: "tiny".into() };
    assert!(!settle(&fixture.ctx, &[], &asked, Ok(&words)).await.unwrap());
    assert_eq!(reading(&fixture, "a").await.unwrap().words, None);
}
