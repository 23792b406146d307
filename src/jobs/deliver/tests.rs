//! Deliveries to small receivers on this machine, under a clock that stands still.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{
    super::fixture::{Fixture, open},
    Audience, Delivered, JobError, deliver,
};
use crate::{
    catalog::{
        alerts, channel_states, messages,
        messages::MessageRow,
        outbox,
        outbox::{DeliveryState, Taking},
    },
    domain::{
        Alert, AlertId, AlertKind, BatchName, ChannelKind, ChannelSpec, MessageEvent, MessageId,
        MetricName, OnAmbiguous, PaceSpec, RunId, Secret, Severity, Span, Timestamp,
    },
};

pub(super) fn alert(id: &str, at: Timestamp) -> Alert {
    Alert {
        id: AlertId(id.into()),
        batch: BatchName::parse("shop").unwrap(),
        metric: MetricName::parse("orders").unwrap(),
        kind: AlertKind::Absence,
        severity: Severity::Warning,
        at,
        since: at,
        value: None,
        band: None,
        score: None,
        threshold: None,
        model: None,
        reason: "nothing came".into(),
    }
}

pub(super) async fn enqueue(fixture: &Fixture, id: &str, channel: &str) {
    let now = (fixture.ctx.clock)();
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    alerts::insert(&mut tx, &alert(id, now), RunId(1), now).await.unwrap();
    let message = MessageRow {
        id: MessageId(id.into()),
        event: MessageEvent::Firing,
        batch: None,
        title: None,
        text: None,
        created_at: now,
    };
    messages::insert(&mut tx, &message, &[AlertId(id.into())]).await.unwrap();
    outbox::enqueue(&mut tx, &message.id, channel, now).await.unwrap();
    tx.commit().await.unwrap();
}

pub(super) fn hook(name: &str, listener: &TcpListener) -> (String, ChannelSpec) {
    let kind = ChannelKind::Webhook {
        url: Secret::new(format!("http://{}/", listener.local_addr().unwrap())),
        keys: Vec::new(),
    };
    let spec = ChannelSpec {
        name: name.to_owned(),
        kind,
        timeout: Span::secs(20),
        allow_private: true,
        pace: PaceSpec::UNLIMITED,
        fallback: Vec::new(),
    };
    (name.to_owned(), spec)
}

/// Answers every request alike, for ever.
async fn answer(listener: &TcpListener, status: &str) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_buf(&mut Vec::with_capacity(4_096)).await.unwrap();
        let text = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
    }
}

pub(super) async fn drain(
    fixture: &Fixture,
    channels: &BTreeMap<String, ChannelSpec>,
) -> Result<Delivered, JobError> {
    let audience = Audience { channels, batches: &[], dashboard: "http://x", is_public: false };
    deliver(&fixture.ctx, &audience, &fixture.ctx.client, || 0.0).await
}

pub(super) async fn state(fixture: &Fixture, channel: &str) -> Vec<(DeliveryState, u64)> {
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let counts = outbox::counts(&mut reader).await.unwrap();
    counts.into_iter().filter(|row| row.0 == channel).map(|row| (row.1, row.2)).collect()
}

/// When the one message in the outbox is next due after an answer; a second or more from now.
async fn wait_after(status: &str) -> (Span, u32) {
    let fixture = open().await;
    enqueue(&fixture, "a", "hook").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channels = BTreeMap::from([hook("hook", &listener)]);
    let patience = std::time::Duration::from_secs(5);
    let drained = tokio::select! {
        drained = tokio::time::timeout(patience, drain(&fixture, &channels)) => drained,
        () = answer(&listener, status) => unreachable!(),
    };
    let drained = drained.expect("the drain must end").unwrap();
    assert_eq!(drained, Delivered { waiting: 1, ..Delivered::default() });
    let now = (fixture.ctx.clock)();
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    for secs in 0..10 {
        let wait = Span::secs(secs);
        let taking = Taking::at(now + wait);
        let due = outbox::take(&mut tx, "hook", taking, 1).await.unwrap();
        if let [delivery] = due.as_slice() {
            return (wait, delivery.attempts);
        }
    }
    panic!("{status}: not due within ten seconds");
}

#[tokio::test]
async fn what_was_put_off_or_failed_is_not_tried_again_in_the_same_drain() {
    assert_eq!(wait_after("503 Busy").await, (Span::secs(5), 0));
    assert_eq!(wait_after("429 Slow down\r\nretry-after: 0").await, (Span::secs(1), 0));
    assert_eq!(wait_after("500 Oh no").await, (Span::secs(1), 1));
}

#[tokio::test]
async fn a_channel_that_never_answers_holds_up_no_other() {
    let fixture = open().await;
    let (slow, fast) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let channels = BTreeMap::from([hook("slow", &slow), hook("fast", &fast)]);
    for n in 0..40 {
        enqueue(&fixture, &format!("a{n:02}"), "slow").await;
    }
    enqueue(&fixture, "b", "fast").await;
    let told = async {
        let mut later = true;
        loop {
            let sent = state(&fixture, "fast").await;
            if later && sent == [(DeliveryState::Sent, 1)] {
                enqueue(&fixture, "c", "fast").await;
                later = false;
            }
            if sent == [(DeliveryState::Sent, 2)] {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(10);
    tokio::select! {
        ended = drain(&fixture, &channels) => panic!("it has not waited: {ended:?}"),
        () = answer(&fast, "200 OK") => unreachable!(),
        told = tokio::time::timeout(patience, told) => told.expect("both must be told"),
    }
    let waiting = [(DeliveryState::Pending, 39), (DeliveryState::Sending, 1)];
    assert_eq!(state(&fixture, "slow").await, waiting);
}

#[tokio::test]
async fn the_status_of_a_refusal_is_kept() {
    let fixture = open().await;
    enqueue(&fixture, "a", "hook").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channels = BTreeMap::from([hook("hook", &listener)]);
    tokio::select! {
        drained = drain(&fixture, &channels) => assert_eq!(drained.unwrap().dead, 1),
        () = answer(&listener, "410 Gone") => unreachable!(),
    }
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let letters = outbox::dead_letters(&mut reader, 10).await.unwrap();
    let told: Vec<_> =
        letters.iter().map(|l| (l.message.0.as_str(), l.attempts, l.status)).collect();
    assert_eq!(told, [("a", 1, Some(410))]);
    assert_eq!(letters[0].error.as_deref(), Some("the receiver answered 410 Gone"));
}

thread_local! {
    pub(super) static NOW: Cell<Timestamp> = const { Cell::new(Timestamp::MIN) };
}

/// A fixture whose clock goes as it is told.
pub(super) async fn timed() -> Fixture {
    let mut fixture = open().await;
    NOW.set(Timestamp::parse("2026-06-01T00:00:00Z").unwrap());
    fixture.ctx.clock = || NOW.get();
    fixture
}

pub(super) fn pass(span: Span) {
    NOW.set(NOW.get() + span);
}

/// A request as a receiver sees it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) may_be_there: bool,
    pub(super) event: String,
    pub(super) n_alerts: u64,
}

/// Reads one request whole and answers it; an empty status closes the connection without a word.
pub(super) async fn receive(listener: &TcpListener, status: impl FnOnce(&Seen) -> &'static str) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    let body = loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.unwrap().parse::<usize>().unwrap() == body.len() {
                break body.to_owned();
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "half a request");
    };
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let told = body["data"]["alerts"].as_array().unwrap().len() as u64;
    let seen = Seen {
        id: body["id"].as_str().unwrap().to_owned(),
        may_be_there: body["data"]["may_be_there"].as_bool().unwrap(),
        event: body["type"].as_str().unwrap().to_owned(),
        n_alerts: told + body["data"]["n_more"].as_u64().unwrap(),
    };
    let status = status(&seen);
    if !status.is_empty() {
        let text = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
    }
}

/// Drains while a receiver answers every request alike; gives what it saw.
pub(super) async fn drain_with(
    fixture: &Fixture,
    channels: &BTreeMap<String, ChannelSpec>,
    listener: &TcpListener,
    status: &'static str,
) -> (Delivered, Vec<Seen>) {
    let seen = RefCell::new(Vec::new());
    let receiver = async {
        loop {
            let mut one = None;
            receive(listener, |request| {
                let Seen { id, may_be_there, event, n_alerts } = request;
                let (id, event) = (id.clone(), event.clone());
                one = Some(Seen { id, may_be_there: *may_be_there, event, n_alerts: *n_alerts });
                status
            })
            .await;
            seen.borrow_mut().extend(one);
        }
    };
    let drained = tokio::select! {
        drained = drain(fixture, channels) => drained.unwrap(),
        () = receiver => unreachable!(),
    };
    (drained, seen.into_inner())
}

#[tokio::test]
async fn nothing_is_sent_to_a_channel_before_it_wants_to_be_asked_again() {
    let fixture = timed().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channels = BTreeMap::from([hook("hook", &listener)]);
    for n in 0..5 {
        enqueue(&fixture, &format!("a{n}"), "hook").await;
    }
    let (drained, seen) =
        drain_with(&fixture, &channels, &listener, "429 Busy\r\nretry-after: 90").await;
    assert_eq!((drained.waiting, seen.len()), (1, 1), "the first answer counts for all");
    pass(Span::secs(89));
    enqueue(&fixture, "b", "hook").await;
    assert_eq!(drain(&fixture, &channels).await.unwrap(), Delivered::default());
    pass(Span::secs(1));
    let (drained, seen) = drain_with(&fixture, &channels, &listener, "200 OK").await;
    assert_eq!((drained.sent, seen.len()), (6, 6));
}

#[tokio::test]
async fn what_may_have_arrived_is_sent_again_with_a_word_or_parked() {
    for (on_ambiguous, expected) in
        [(OnAmbiguous::Resend, DeliveryState::Sent), (OnAmbiguous::Park, DeliveryState::Unknown)]
    {
        let fixture = timed().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut channels = BTreeMap::from([hook("hook", &listener)]);
        channels.get_mut("hook").unwrap().pace.on_ambiguous = on_ambiguous;
        enqueue(&fixture, "a", "hook").await;
        let (_, first) = drain_with(&fixture, &channels, &listener, "").await;
        pass(Span::hours(1));
        let (_, later) = drain_with(&fixture, &channels, &listener, "200 OK").await;
        let marks: Vec<bool> =
            first.iter().chain(&later).map(|request| request.may_be_there).collect();
        let all_marks: &[bool] = &[false, true];
        let n = if on_ambiguous == OnAmbiguous::Resend { 2 } else { 1 };
        assert_eq!(marks, all_marks[..n], "{on_ambiguous}");
        assert_eq!(state(&fixture, "hook").await, [(expected, 1)]);
    }
}

#[tokio::test]
async fn a_channel_that_is_gone_is_disabled_keeps_its_messages_and_others_are_told() {
    let mut fixture = timed().await;
    fixture.batch.alert.channels = vec!["hook".into(), "other".into()];
    let (gone, other) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let channels = BTreeMap::from([hook("hook", &gone), hook("other", &other)]);
    for n in 0..3 {
        enqueue(&fixture, &format!("a{n}"), "hook").await;
    }
    let told = async { receive(&other, |_| "200 OK").await };
    let audience = Audience {
        channels: &channels,
        batches: &[fixture.batch.clone()],
        dashboard: "http://x",
        is_public: false,
    };
    let drained = async {
        let draining = deliver(&fixture.ctx, &audience, &fixture.ctx.client, || 0.0);
        tokio::select! {
            drained = draining => drained.unwrap(),
            () = answer(&gone, "410 Gone") => unreachable!(),
        }
    };
    let (drained, ()) = tokio::join!(drained, told);
    assert_eq!((drained.dead, drained.sent), (1, 1), "the notice went to the other one");
    let waiting = [(DeliveryState::Dead, 1), (DeliveryState::Pending, 2)];
    assert_eq!(state(&fixture, "hook").await, waiting);
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let closed = channel_states::all(&mut tx).await.unwrap().remove(0);
    assert_eq!((closed.channel.as_str(), closed.is_closed(NOW.get())), ("hook", true));
    assert!(channel_states::enable(&mut tx, "hook").await.unwrap());
    assert_eq!(outbox::revive(&mut tx, None, NOW.get()).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let (drained, _) = drain_with(&fixture, &channels, &gone, "200 OK").await;
    assert_eq!(drained.sent, 3, "nothing was lost");
}

#[tokio::test]
async fn what_waits_for_a_channel_that_was_disabled_and_then_removed_is_given_up() {
    let fixture = timed().await;
    enqueue(&fixture, "a", "hook").await;
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    channel_states::disable(&mut tx, "hook", NOW.get(), "gone").await.unwrap();
    tx.commit().await.unwrap();
    let drained = drain(&fixture, &BTreeMap::new()).await.unwrap();
    assert_eq!(drained, Delivered { dead: 1, ..Delivered::default() });
    let mut reader = fixture.ctx.catalog.reader().await.unwrap();
    let letters = outbox::dead_letters(&mut reader, 10).await.unwrap();
    let error = letters[0].error.as_deref();
    assert_eq!(error, Some("no channel `hook` is configured any more"));
}

#[tokio::test]
async fn the_end_of_an_alert_is_not_told_before_its_beginning() {
    let fixture = timed().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channels = BTreeMap::from([hook("hook", &listener)]);
    enqueue(&fixture, "a", "hook").await;
    let (drained, _) = drain_with(&fixture, &channels, &listener, "500 No").await;
    assert_eq!(drained.waiting, 1);
    pass(Span::from_micros(1));
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    let message = MessageRow {
        id: MessageId("over".into()),
        event: MessageEvent::Resolved,
        batch: None,
        title: None,
        text: None,
        created_at: NOW.get(),
    };
    messages::insert(&mut tx, &message, &[AlertId("a".into())]).await.unwrap();
    outbox::enqueue(&mut tx, &message.id, "hook", NOW.get()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(drain(&fixture, &channels).await.unwrap(), Delivered::default());
    pass(Span::hours(1));
    let (_, seen) = drain_with(&fixture, &channels, &listener, "200 OK").await;
    let events: Vec<&str> = seen.iter().map(|request| request.event.as_str()).collect();
    assert_eq!(events, ["alert.firing", "alert.resolved"]);
}
