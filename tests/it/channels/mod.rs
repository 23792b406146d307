//! Channels against the real other side, where the environment says where one is.

mod alertmanager;
mod mail;

use std::{collections::BTreeMap, time::SystemTime};

use anomstack::{
    domain::{
        Alert, AlertId, AlertKind, AlertState, Band, BatchName, ChannelKind, ChannelSpec, Episode,
        MessageEvent, MetricName, PaceSpec, Severity, Span, Timestamp,
    },
    net::Client,
    notify::{self, Chart, Links, Message, Note, Outcome},
};

/// What the environment says, where it says anything.
fn told(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration to read it from")]
    let told = std::env::var(name).ok().filter(|told| !told.is_empty());
    if told.is_none() {
        eprintln!("not tested against a real server: {name} is not set");
    }
    told
}

fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the other side has the real time")]
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::parse("1970-01-01T00:00:00Z").unwrap() + Span::secs(since.as_secs() as i64)
}

fn channel(kind: ChannelKind) -> ChannelSpec {
    let pace = PaceSpec::UNLIMITED;
    ChannelSpec {
        name: "x".into(),
        kind,
        timeout: Span::secs(20),
        allow_private: true,
        pace,
        fallback: Vec::new(),
    }
}

/// An alert with this id that fired a minute ago, with names that try to be more than names.
fn message(id: &str) -> Message {
    let now = now();
    let alert = Alert {
        id: AlertId(id.into()),
        batch: BatchName::parse("shop").unwrap(),
        metric: MetricName::parse("<b>orders</b>\r\nBcc: eve@example.com").unwrap(),
        kind: AlertKind::Anomaly,
        severity: Severity::Critical,
        at: now - Span::secs(60),
        since: now - Span::secs(3_600),
        value: Some(812.0),
        band: Some(Band { expected: 1_150.0, lower: 1_040.0, upper: 1_260.0 }),
        score: Some(0.98),
        threshold: Some(0.9),
        model: None,
        reason: "größer & <b>fetter</b>: 812, expected 1,040 to 1,260".into(),
    };
    let note = Note {
        episode: Episode::begun(&alert),
        raised_at: now - Span::secs(30),
        display_name: "orders".into(),
        lasted: Span::secs(3_600),
        unit: None,
        owner: Some("team-commerce".into()),
        tags: BTreeMap::from([("team".into(), "größe".into())]),
        timezone: "UTC".parse().unwrap(),
        rarity: Some("lower than 99.8 % of the last 90 days at this hour".into()),
        related: vec!["revenue fell too".into()],
        plain_words: None,
        links: Links {
            page: Some("https://anomstack.example.com/alerts/a1".into()),
            ..Links::default()
        },
        chart: Some(Chart {
            png: b"\x89PNG\r\n\x1a\nnot really".to_vec(),
            svg: "<svg/>".into(),
            alt: "orders \"over\" a day".into(),
        }),
        alert,
    };
    Message {
        id: format!("{id}.x"),
        event: MessageEvent::Firing,
        alerts: vec![note],
        n_more: 0,
        batch: None,
        headline: None,
        body: None,
        digest: None,
        created_at: now,
        link: None,
        attempt: 1,
        may_be_there: false,
        sent_at: now,
    }
}

fn over(mut message: Message) -> Message {
    let episode = &mut message.alerts[0].episode;
    episode.state = AlertState::Resolved;
    episode.resolved_at = Some(message.sent_at);
    Message { event: MessageEvent::Resolved, id: format!("{}.over", message.id), ..message }
}

fn send(kind: &ChannelKind, message: &Message) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(notify::send(&channel(kind.clone()), message, &Client::new()))
}
