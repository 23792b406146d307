//! The webhook against a small receiver on this machine.

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use super::{
    Outcome,
    message::tests::message,
    send,
    signature::sign,
    testing::{TOKEN, answered, request},
};
use crate::{
    domain::{ChannelKind, ChannelSpec, PaceSpec, Secret, Span},
    net::Client,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn channel(url: String) -> ChannelSpec {
    ChannelSpec {
        name: "hook".into(),
        kind: ChannelKind::Webhook {
            url: Secret::new(url),
            keys: vec![Secret::new(SECRET.into())],
        },
        timeout: Span::secs(20),
        allow_private: true,
        pace: PaceSpec::UNLIMITED,
        fallback: Vec::new(),
    }
}

/// Sends the test message to a receiver that answers with this; gives the request and the outcome.
async fn exchange(answer: &str) -> (String, Outcome) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/{TOKEN}", listener.local_addr().unwrap());
    let receiver = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        request
    };
    let (channel, message, client) = (channel(url), message(), Client::new());
    let (request, outcome) = tokio::join!(receiver, send(&channel, &message, &client));
    assert!(!format!("{outcome:?}").contains(TOKEN), "{outcome:?}");
    (request, outcome)
}

async fn check(answer: &str, expected: Outcome) {
    let (_, outcome) = exchange(&format!("HTTP/1.1 {answer}\r\n\r\n")).await;
    assert_eq!(outcome, expected, "{answer}");
}

fn retry(status: u16, reason: &str) -> Outcome {
    Outcome::Retry { reason: reason.into(), status: Some(status), ambiguous: true }
}

fn refused(status: u16, reason: &str) -> Outcome {
    Outcome::Refused { reason: reason.into(), status: Some(status) }
}

#[tokio::test]
async fn the_receiver_gets_the_alert_signed_and_with_a_stable_id() {
    let (request, outcome) = exchange("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(outcome, Outcome::Sent);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.as_bytes(), message().payload().unwrap());
    let secs = message().sent_at.secs();
    let signature = sign(&Secret::new(SECRET.into()), "msg_1", secs, body.as_bytes()).unwrap();
    for line in [
        format!("POST /{TOKEN} HTTP/1.1"),
        "content-type: application/json".into(),
        "webhook-id: msg_1".into(),
        format!("webhook-timestamp: {secs}"),
        format!("webhook-signature: {signature}"),
        format!("user-agent: anomstack/{}", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(head.lines().any(|header| header == line), "{line} not in {head}");
    }
}

#[tokio::test]
async fn while_keys_change_each_signs() {
    const BEFORE: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let kind = |base: &str| ChannelKind::Webhook {
        url: Secret::new(base.into()),
        keys: [SECRET, BEFORE].map(|key| Secret::new(key.into())).into(),
    };
    let (requests, outcome) =
        super::testing::exchange(kind, &message(), |_, _| answered("200 OK", "")).await;
    assert_eq!(outcome, Outcome::Sent);
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    let secs = message().sent_at.secs();
    let signature =
        |key: &str| sign(&Secret::new(key.into()), "msg_1", secs, body.as_bytes()).unwrap();
    let line = format!("webhook-signature: {} {}", signature(SECRET), signature(BEFORE));
    assert!(head.lines().any(|header| header == line), "{line} not in {head}");
}

#[tokio::test]
async fn the_status_decides_what_follows() {
    check("200 OK\r\ncontent-length: 0", Outcome::Sent).await;
    check("202 Accepted", Outcome::Sent).await;
    check("408 Request Timeout", retry(408, "the receiver answered 408 Request Timeout")).await;
    check("500 Oh no", retry(500, "the receiver answered 500 Internal Server Error")).await;
    check("502 Bad Gateway", retry(502, "the receiver answered 502 Bad Gateway")).await;
    check("504 Slow", retry(504, "the receiver answered 504 Gateway Timeout")).await;
    check("400 Bad Request", refused(400, "the receiver answered 400 Bad Request")).await;
    check("401 Who", refused(401, "the receiver answered 401 Unauthorized")).await;
    check("404 Not Found", refused(404, "the receiver answered 404 Not Found")).await;
    check("410 Gone", refused(410, "the receiver answered 410 Gone")).await;
}

#[tokio::test]
async fn a_throttled_message_waits_as_long_as_it_was_told() {
    let throttled = |after| Outcome::Throttled { after };
    check("429 Slow down", throttled(None)).await;
    check("429 Slow down\r\nretry-after: 7", throttled(Some(Span::secs(7)))).await;
    check("503 Busy\r\nretry-after: 86400", throttled(Some(Span::hours(1)))).await;
    let date = "503 Busy\r\nretry-after: Sat, 31 Jan 2026 10:01:05 GMT";
    check(date, throttled(Some(Span::secs(30)))).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let reason = "the receiver answered 302 Found, and redirects are not followed";
    check("302 Found\r\nlocation: http://127.0.0.1:1/", refused(302, reason)).await;
}

#[tokio::test]
async fn an_endless_answer_is_not_read() {
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n{}", "x".repeat(10_000));
    assert_eq!(exchange(&answer).await.1, Outcome::Sent);
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_ambiguous() {
    let (_, outcome) = exchange("SSH-2.0-OpenSSH_9.9\r\n").await;
    assert!(matches!(outcome, Outcome::Retry { ambiguous: true, .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_connection_cut_after_the_body_is_ambiguous() {
    let (_, outcome) = exchange("").await;
    assert!(matches!(outcome, Outcome::Retry { ambiguous: true, .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_ambiguous() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut channel = channel(format!("http://{}/{TOKEN}", listener.local_addr().unwrap()));
    channel.timeout = Span::from_micros(100_000);
    let receiver = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        request(&mut stream).await;
        stream
    };
    let (message, client) = (message(), Client::new());
    let (_stream, outcome) = tokio::join!(receiver, send(&channel, &message, &client));
    let Outcome::Retry { reason, ambiguous: true, .. } = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("timed out") && !reason.contains(TOKEN), "{reason}");
}

#[tokio::test]
async fn a_closed_port_surely_got_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = channel(format!("http://{}/{TOKEN}", listener.local_addr().unwrap()));
    drop(listener);
    let outcome = send(&channel, &message(), &Client::new()).await;
    let Outcome::Retry { reason, ambiguous: false, .. } = outcome else { panic!("{outcome:?}") };
    assert!(!reason.contains(TOKEN), "{reason}");
}

#[tokio::test]
async fn a_receiver_that_does_not_speak_tls_surely_got_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = channel(format!("https://{}/{TOKEN}", listener.local_addr().unwrap()));
    let receiver = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    };
    let (message, client) = (message(), Client::new());
    // Where no root certificates are installed, the receiver is not even called.
    let outcome = tokio::select! {
        outcome = send(&channel, &message, &client) => outcome,
        () = async { receiver.await; std::future::pending().await } => unreachable!(),
    };
    let Outcome::Retry { reason, ambiguous: false, .. } = outcome else { panic!("{outcome:?}") };
    assert!(!reason.contains(TOKEN), "{reason}");
}

#[tokio::test]
async fn a_private_receiver_is_not_called_unless_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]"] {
        let mut channel = channel(format!("http://{host}:{port}/{TOKEN}"));
        channel.allow_private = false;
        let outcome = send(&channel, &message(), &Client::new()).await;
        let Outcome::Refused { reason, status: None } = outcome else {
            panic!("{host}: {outcome:?}")
        };
        assert!(reason.contains("allow_private") && !reason.contains(TOKEN), "{reason}");
    }
    // Nobody knocked: the first to come is this one.
    let own = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (_, caller) = listener.accept().await.unwrap();
    assert_eq!(caller, own.local_addr().unwrap());
}

#[tokio::test]
async fn an_allowed_private_name_is_looked_up_and_called() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = channel(format!("http://localhost:{}/", listener.local_addr().unwrap().port()));
    let receiver = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    };
    let (message, client) = (message(), Client::new());
    let ((), outcome) = tokio::join!(receiver, send(&channel, &message, &client));
    assert_eq!(outcome, Outcome::Sent);
}

#[tokio::test]
async fn a_channel_set_up_wrongly_is_refused_without_its_secrets() {
    for url in [TOKEN, "", "http://", "hunter2:x", "file:///etc/passwd"] {
        let outcome = send(&channel(url.into()), &message(), &Client::new()).await;
        let Outcome::Refused { reason, status: None } = outcome else { panic!("{outcome:?}") };
        assert!(!reason.contains(TOKEN) && !reason.contains("hunter2"), "{reason}");
    }
    let mut channel = channel("http://127.0.0.1:1/".into());
    if let ChannelKind::Webhook { keys, .. } = &mut channel.kind {
        keys.push(Secret::new("hunter2!".into()));
    }
    assert_eq!(
        send(&channel, &message(), &Client::new()).await,
        Outcome::Refused {
            reason: "read the channel's secret: it must be `whsec_` followed by base64".into(),
            status: None
        }
    );
}
