//! Very many messages: nothing is lost, and no channel gets more than it takes.

use std::collections::BTreeMap;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{
    Delivered,
    tests::{NOW, alert, drain, drain_with, enqueue, hook, pass, receive, state, timed},
};
use crate::{
    catalog::{alerts, messages, messages::MessageRow, outbox, outbox::DeliveryState},
    config::Environment,
    domain::{
        AlertId, ChannelKind, MessageEvent, MessageId, PagerSeverity, PagerdutySpec, RunId, Secret,
        Span,
    },
    jobs::fixture::Fixture,
};

#[tokio::test]
async fn a_storm_is_said_in_one_message_about_all_of_it() {
    let fixture = timed().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut channels = BTreeMap::from([hook("hook", &listener)]);
    channels.get_mut("hook").unwrap().pace.storm = Some(20);
    for n in 0..20 {
        enqueue(&fixture, &format!("a{n:03}"), "hook").await;
    }
    let (drained, seen) = drain_with(&fixture, &channels, &listener, "200 OK").await;
    assert_eq!((drained.sent, drained.merged, seen.len()), (20, 0, 20));
    for n in 0..230 {
        enqueue(&fixture, &format!("b{n:03}"), "hook").await;
    }
    let (drained, seen) = drain_with(&fixture, &channels, &listener, "500 No").await;
    assert_eq!((drained.merged, drained.waiting), (230, 1));
    assert_eq!((seen[0].event.as_str(), seen[0].n_alerts), ("alert.storm", 230));
    // While it waits, another storm takes it up.
    for n in 0..21 {
        enqueue(&fixture, &format!("c{n:03}"), "hook").await;
    }
    pass(Span::hours(1));
    let (drained, seen) = drain_with(&fixture, &channels, &listener, "200 OK").await;
    assert_eq!((drained.merged, drained.sent), (22, 1));
    assert_eq!((seen[0].n_alerts, seen[0].may_be_there), (251, true));
    let counts = [(DeliveryState::Merged, 252), (DeliveryState::Sent, 21)];
    assert_eq!(state(&fixture, "hook").await, counts, "every message is accounted for");
}

#[tokio::test]
async fn what_waited_too_long_is_said_in_one_message() {
    let fixture = timed().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut channels = BTreeMap::from([hook("hook", &listener)]);
    channels.get_mut("hook").unwrap().pace.max_age = Some(Span::hours(6));
    for n in 0..3 {
        enqueue(&fixture, &format!("a{n}"), "hook").await;
    }
    pass(Span::hours(7));
    enqueue(&fixture, "fresh", "hook").await;
    let (drained, seen) = drain_with(&fixture, &channels, &listener, "200 OK").await;
    assert_eq!((drained.merged, drained.sent), (3, 2));
    let mut n_alerts: Vec<u64> = seen.iter().map(|request| request.n_alerts).collect();
    n_alerts.sort_unstable();
    assert_eq!(n_alerts, [1, 3]);
}

/// Half of the calls fail; half of the failures are kept all the same.
const fn half_fails(chance: u64) -> (bool, &'static str) {
    match chance {
        0..=3 => (true, "200 OK"),
        4 => (true, "500 Kept"),
        5 => (false, "502 Lost"),
        6 => (true, ""),
        _ => (false, "429 Later\r\nretry-after: 2"),
    }
}

async fn revive_all(fixture: &Fixture) {
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    assert_ne!(outbox::revive(&mut tx, None, NOW.get()).await.unwrap(), 0);
    tx.commit().await.unwrap();
}

/// How many: `ANOMSTACK_TEST_STORM` (a few by default; 10,000 in docs/benchmarks.md).
#[tokio::test]
async fn through_a_slow_channel_that_fails_half_the_time_nothing_is_lost_and_repeats_say_so() {
    let asked = Environment::from_process().into_inner();
    let asked = asked.get("ANOMSTACK_TEST_STORM").map(|text| text.parse().unwrap());
    let n_alerts: u64 = asked.unwrap_or(200);
    let fixture = timed().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut channels = BTreeMap::from([hook("hook", &listener)]);
    let pace = &mut channels.get_mut("hook").unwrap().pace;
    (pace.rate, pace.burst) = (Some("1/s".parse().unwrap()), 1);
    for n in 0..n_alerts {
        enqueue(&fixture, &format!("a{n:06}"), "hook").await;
    }
    let (mut taken, mut calls, mut unmarked, mut seed) =
        (BTreeMap::<String, u64>::new(), Vec::new(), 0_u64, 2_026_u64);
    let receiver = async {
        loop {
            receive(&listener, |request| {
                calls.push(NOW.get());
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
                let (is_kept, status) = half_fails(seed >> 61);
                let before = taken.get(&request.id).copied().unwrap_or(0);
                unmarked += u64::from(0 < before && !request.may_be_there);
                if is_kept {
                    taken.insert(request.id.clone(), before + 1);
                }
                status
            })
            .await;
        }
    };
    let draining = async {
        loop {
            let drained = drain(&fixture, &channels).await.unwrap();
            let is_idle = drained == Delivered::default();
            pass(if is_idle { Span::secs(20) } else { Span::secs(1) });
            if !is_idle {
                continue;
            }
            let counts = state(&fixture, "hook").await;
            if counts == [(DeliveryState::Sent, n_alerts)] {
                break;
            }
            if counts.iter().all(|(state, _)| *state != DeliveryState::Pending) {
                revive_all(&fixture).await;
            }
        }
    };
    tokio::select! {
        () = draining => {}
        () = receiver => unreachable!(),
    }
    let n_repeats: u64 = taken.values().map(|n| n - 1).sum();
    println!("{n_alerts} alerts, {} calls, {n_repeats} repeats, {unmarked} unmarked", calls.len());
    assert_eq!((taken.len() as u64, unmarked), (n_alerts, 0));
    assert!(0 < n_repeats, "some must have come twice for this to mean anything");
    assert!(calls.windows(2).all(|two| Span::secs(1) <= two[1] - two[0]), "one a second");
}

/// One message about so many alerts.
async fn put_all(fixture: &Fixture, n_alerts: usize) {
    let ids: Vec<AlertId> = (0..n_alerts).map(|n| AlertId(format!("a{n:03}"))).collect();
    let now = NOW.get();
    let message = MessageRow {
        id: MessageId("all".into()),
        event: MessageEvent::Firing,
        batch: None,
        title: None,
        text: None,
        created_at: now,
    };
    let mut tx = fixture.ctx.catalog.begin().await.unwrap();
    for id in &ids {
        alerts::insert(&mut tx, &alert(&id.0, now), RunId(1), now).await.unwrap();
    }
    messages::insert(&mut tx, &message, &ids).await.unwrap();
    outbox::enqueue(&mut tx, &message.id, "pager", now).await.unwrap();
    tx.commit().await.unwrap();
}

/// The next request's body, and where its answer goes.
async fn posted(listener: &TcpListener) -> (TcpStream, serde_json::Value) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    let body: serde_json::Value = loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
        if let Some(Ok(body)) = body.map(serde_json::from_str) {
            break body;
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "half a request");
    };
    (stream, body)
}

#[tokio::test]
async fn of_many_alerts_each_reaches_a_pager_that_takes_only_some_at_a_time() {
    let fixture = timed().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (name, mut channel) = hook("pager", &listener);
    channel.kind = ChannelKind::Pagerduty(PagerdutySpec {
        routing_key: Secret::new("key".into()),
        url: format!("http://{}/", listener.local_addr().unwrap()),
        warning: PagerSeverity::Warning,
        critical: PagerSeverity::Critical,
    });
    let channels = BTreeMap::from([(name, channel)]);
    put_all(&fixture, 200).await;
    let now = NOW.get();
    // Fifty every three seconds.
    let (mut taken, mut since, mut n_since) = (BTreeMap::<String, u32>::new(), now, 0);
    let receiver = async {
        loop {
            let (mut stream, body) = posted(&listener).await;
            if Span::secs(3) <= NOW.get() - since {
                (since, n_since) = (NOW.get(), 0);
            }
            n_since += 1;
            let status = if n_since <= 50 { "202 Accepted" } else { "429 Later" };
            if n_since <= 50 {
                *taken.entry(body["dedup_key"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            let text =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(text.as_bytes()).await.unwrap();
        }
    };
    let draining = async {
        for n_passed in 0..100 {
            drain(&fixture, &channels).await.unwrap();
            if state(&fixture, "pager").await == [(DeliveryState::Sent, 1)] {
                return n_passed;
            }
            pass(Span::secs(1));
        }
        panic!("it never completes");
    };
    let n_passed = tokio::select! {
        n_passed = draining => n_passed,
        () = receiver => unreachable!(),
    };
    assert_eq!((taken.len(), taken.values().max()), (200, Some(&1)));
    assert!(n_passed <= 20, "the waits do not grow while it goes on: {n_passed} s");
}
