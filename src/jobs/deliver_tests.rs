//! Deliveries to small receivers on this machine, under a clock that stands still.

use std::collections::BTreeMap;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{
    Audience, Delivered, JobError, deliver,
    fixture::{Fixture, open},
};
use crate::{
    catalog::{
        alerts, messages,
        messages::MessageRow,
        outbox,
        outbox::{DeliveryState, Taking},
    },
    domain::{
        Alert, AlertId, AlertKind, BatchName, ChannelKind, ChannelSpec, MessageEvent, MessageId,
        MetricName, PaceSpec, RunId, Secret, Severity, Span, Timestamp,
    },
};

fn alert(id: &str, at: Timestamp) -> Alert {
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

async fn enqueue(fixture: &Fixture, id: &str, channel: &str) {
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

fn hook(name: &str, listener: &TcpListener) -> (String, ChannelSpec) {
    let kind = ChannelKind::Webhook {
        url: Secret::new(format!("http://{}/", listener.local_addr().unwrap())),
        secret: None,
    };
    let spec = ChannelSpec {
        name: name.to_owned(),
        kind,
        timeout: Span::secs(20),
        allow_private: true,
        pace: PaceSpec::UNLIMITED,
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

async fn drain(
    fixture: &Fixture,
    channels: &BTreeMap<String, ChannelSpec>,
) -> Result<Delivered, JobError> {
    let audience = Audience { channels, batches: &[], dashboard: "http://x" };
    deliver(&fixture.ctx, &audience, &fixture.ctx.client, || 0.0).await
}

async fn state(fixture: &Fixture, channel: &str) -> Vec<(DeliveryState, u64)> {
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
        let due = outbox::due(&mut tx, &Taking::at(now + wait), 1).await.unwrap();
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
    let waiting = [(DeliveryState::Pending, 8), (DeliveryState::Sending, 32)];
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
