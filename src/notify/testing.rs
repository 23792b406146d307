//! A small receiver on this machine, and a channel of every kind that calls it.

use std::cell::RefCell;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Chart, Message, Outcome, message::tests::message, send};
use crate::{
    domain::{
        AlertmanagerSpec, ChannelKind, ChannelSpec, NtfySpec, PaceSpec, PagerSeverity,
        PagerdutySpec, Secret, SlackSpec, Span, TelegramSpec, WebAuth,
    },
    net::Client,
};

/// In every secret of [`kinds`].
pub(super) const TOKEN: &str = "t0ken-in-the-path";

/// Reads a request up to the end of its body.
pub(super) async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if length <= bytes.len() - end - 4 {
                return text.into_owned();
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request ended early");
    }
}

pub(super) fn channel(kind: ChannelKind) -> ChannelSpec {
    let pace = PaceSpec::UNLIMITED;
    let timeout = Span::secs(20);
    ChannelSpec { name: "x".into(), kind, timeout, allow_private: true, pace, fallback: Vec::new() }
}

/// Every kind that speaks HTTP, calling this address.
pub(super) fn kinds(base: &str) -> Vec<ChannelKind> {
    let url = || Secret::new(format!("{base}/{TOKEN}"));
    let token = || Secret::new(TOKEN.into());
    vec![
        ChannelKind::Webhook { url: url(), keys: Vec::new() },
        ChannelKind::Alertmanager(AlertmanagerSpec {
            url: url(),
            auth: WebAuth::Bearer(token()),
            hold: Span::days(7),
        }),
        ChannelKind::Slack(SlackSpec::Webhook { url: url() }),
        slack_bot(base),
        ChannelKind::Pagerduty(PagerdutySpec {
            routing_key: token(),
            url: format!("{base}/v2/enqueue"),
            warning: PagerSeverity::Warning,
            critical: PagerSeverity::Critical,
        }),
        ChannelKind::Teams { url: url() },
        ChannelKind::Discord { url: url() },
        telegram(base),
        ntfy(base),
    ]
}

pub(super) fn slack_bot(base: &str) -> ChannelKind {
    let api = format!("{base}/api");
    ChannelKind::Slack(SlackSpec::Bot {
        token: Secret::new(TOKEN.into()),
        channel: "C1".into(),
        api,
    })
}

pub(super) fn telegram(base: &str) -> ChannelKind {
    let token = Secret::new(TOKEN.into());
    ChannelKind::Telegram(TelegramSpec {
        token,
        chat: "-100".into(),
        thread: None,
        api: base.into(),
    })
}

pub(super) fn ntfy(base: &str) -> ChannelKind {
    ChannelKind::Ntfy(NtfySpec {
        url: Secret::new(base.into()),
        topic: Secret::new(TOKEN.into()),
        auth: WebAuth::Bearer(Secret::new(TOKEN.into())),
    })
}

/// The test message with a chart.
pub(super) fn charted() -> Message {
    let mut message = message();
    let png = b"\x89PNG\r\n\x1a\nnot really".to_vec();
    message.alerts[0].chart = Some(Chart { png, svg: "<svg/>".into(), alt: "orders".into() });
    message
}

/// Sends a message to a receiver that answers each request so; gives the requests and the outcome.
pub(super) async fn exchange(
    kind: impl FnOnce(&str) -> ChannelKind,
    message: &Message,
    answer: impl Fn(&str, &str) -> String,
) -> (Vec<String>, Outcome) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (channel, client) = (channel(kind(&base)), Client::new());
    let requests = RefCell::new(Vec::new());
    let serving = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = request(&mut stream).await;
            let answer = answer(&request, &base);
            requests.borrow_mut().push(request);
            // Who has heard enough hangs up.
            stream.write_all(answer.as_bytes()).await.unwrap_or_default();
        }
    };
    let outcome = tokio::select! {
        outcome = send(&channel, message, &client) => outcome,
        () = serving => unreachable!(),
    };
    assert!(!format!("{outcome:?}").contains(TOKEN), "{outcome:?}");
    (requests.into_inner(), outcome)
}

/// An answer with this status and body.
pub(super) fn answered(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
