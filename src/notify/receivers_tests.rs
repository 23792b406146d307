//! Receivers that misbehave, and names that try to be more than names: every kind of channel through
//! the same tables.

use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use super::{
    Message, Outcome, discord,
    message::tests::message,
    ntfy, pagerduty, send, slack, teams, telegram,
    testing::{TOKEN, answered, channel, charted, exchange, kinds, request, slack_bot},
};
use crate::{
    domain::{
        ChannelKind, PagerSeverity, PagerdutySpec, PlainWords, Secret, Span, TelegramSpec,
        hostile::{metric, texts},
    },
    net::Client,
};

const N_KINDS: usize = 9;

fn kind(n: usize) -> impl FnOnce(&str) -> ChannelKind {
    move |base| kinds(base).remove(n)
}

async fn check_all(answer: &str, check: impl Fn(&Outcome) -> bool) {
    for n in 0..N_KINDS {
        let (requests, outcome) = exchange(kind(n), &message(), |_, _| answer.to_owned()).await;
        assert!(check(&outcome), "{answer:.60} {outcome:?} {}", requests[0]);
        assert_eq!(requests.len(), 1, "{}", requests[0]);
    }
}

#[tokio::test]
async fn every_kind_takes_the_answers_alike() {
    let ok = answered("200 OK", r#"{"ok":true}"#);
    check_all(&ok, |outcome| *outcome == Outcome::Sent).await;
    let throttled = |after| move |outcome: &Outcome| *outcome == Outcome::Throttled { after };
    check_all(&answered("429 X", ""), throttled(None)).await;
    check_all("HTTP/1.1 429 X\r\nretry-after: 7\r\n\r\n", throttled(Some(Span::secs(7)))).await;
    for status in [400, 401, 404, 410] {
        check_all(&answered(&format!("{status} X"), ""), |outcome| {
            matches!(outcome, Outcome::Refused { status: Some(told), .. } if *told == status)
        })
        .await;
    }
    check_all(&answered("500 X", ""), |outcome| {
        matches!(outcome, Outcome::Retry { status: Some(500), ambiguous: true, .. })
    })
    .await;
    check_all("HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:1/\r\n\r\n", |outcome| {
        matches!(outcome, Outcome::Refused { status: Some(302), .. })
    })
    .await;
    check_all("", |outcome| matches!(outcome, Outcome::Retry { ambiguous: true, .. })).await;
}

#[tokio::test]
async fn an_answer_of_50_megabytes_is_not_read() {
    let long =
        format!("HTTP/1.1 200 OK\r\ncontent-length: 50000000\r\n\r\n{}", "x".repeat(9 << 20));
    check_all(&long, |outcome| {
        // Slack says in its answer whether it worked.
        matches!(outcome, Outcome::Sent | Outcome::Retry { ambiguous: true, .. })
    })
    .await;
    let long = long.replace("200 OK", "400 X");
    check_all(&long, |outcome| matches!(outcome, Outcome::Refused { status: Some(400), .. })).await;
}

#[tokio::test]
async fn a_receiver_that_hangs_is_left_after_the_time_limit_and_may_have_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    for kind in kinds(&base) {
        let mut channel = channel(kind);
        channel.timeout = Span::from_micros(100_000);
        let (message, client) = (message(), Client::new());
        let held = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            request(&mut stream).await;
            stream
        };
        let (_held, outcome) = tokio::join!(held, send(&channel, &message, &client));
        assert!(matches!(outcome, Outcome::Retry { ambiguous: true, .. }), "{outcome:?}");
        assert!(!format!("{outcome:?}").contains(TOKEN), "{outcome:?}");
    }
}

#[tokio::test]
async fn without_tls_where_it_is_expected_nothing_has_arrived() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let serving = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap_or_default();
        }
    };
    let sending = async {
        for kind in kinds(&base) {
            let outcome = send(&channel(kind), &message(), &Client::new()).await;
            assert!(matches!(outcome, Outcome::Retry { ambiguous: false, .. }), "{outcome:?}");
            assert!(!format!("{outcome:?}").contains(TOKEN), "{outcome:?}");
        }
    };
    tokio::select! {
        () = sending => (),
        () = serving => unreachable!(),
    }
}

#[tokio::test]
async fn a_private_receiver_is_called_by_no_kind_unless_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for kind in kinds(&format!("http://localhost:{port}")) {
        let mut channel = channel(kind);
        channel.allow_private = false;
        let outcome = send(&channel, &charted(), &Client::new()).await;
        let Outcome::Refused { reason, .. } = outcome else { panic!("{outcome:?}") };
        assert!(reason.contains("allow_private") && !reason.contains(TOKEN), "{reason}");
    }
    // Nobody knocked: the first to come is this one.
    let own = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (_, caller) = listener.accept().await.unwrap();
    assert_eq!(caller, own.local_addr().unwrap());
}

#[tokio::test]
async fn a_receiver_that_repeats_what_it_was_told_in_secret_is_not_quoted() {
    for n in 0..N_KINDS {
        let echo = |request: &str, _: &str| {
            let first = request.lines().next().unwrap();
            let told = format!("{first} {TOKEN}");
            let body =
                json!({ "error": told, "message": told, "description": told, "errors": [told] });
            answered("400 X", &body.to_string())
        };
        // The check is in `exchange`.
        let (_, outcome) = exchange(kind(n), &message(), echo).await;
        assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    }
}

#[tokio::test]
async fn waits_told_in_the_answer_are_kept_to() {
    let wait = |n, body: Value| async move {
        let answer = answered("429 X", &body.to_string());
        exchange(kind(n), &message(), |_, _| answer.clone()).await.1
    };
    let discord = wait(6, json!({ "message": "slow", "retry_after": 0.65 })).await;
    assert_eq!(discord, Outcome::Throttled { after: Some(Span::from_micros(650_000)) });
    let telegram = wait(7, json!({ "ok": false, "parameters": { "retry_after": 9_999 } })).await;
    assert_eq!(telegram, Outcome::Throttled { after: Some(Span::hours(1)) });
}

#[tokio::test]
async fn slack_says_in_its_answer_whether_it_worked() {
    let said = |body: &'static str| async move {
        exchange(slack_bot, &message(), |_, _| answered("200 OK", body)).await.1
    };
    assert_eq!(said(r#"{"ok":true}"#).await, Outcome::Sent);
    let refused = said(r#"{"ok":false,"error":"channel_not_found"}"#).await;
    let reason = "Slack refused chat.postMessage: channel_not_found".to_owned();
    assert_eq!(refused, Outcome::Refused { reason, status: None });
    let limited = said(r#"{"ok":false,"error":"ratelimited"}"#).await;
    assert_eq!(limited, Outcome::Throttled { after: None });
    for unclear in [r#"{"ok":false,"error":"internal_error"}"#, "<html>", "[]"] {
        let outcome = said(unclear).await;
        assert!(matches!(outcome, Outcome::Retry { ambiguous: true, .. }), "{outcome:?}");
    }
}

#[tokio::test]
async fn slack_gets_the_chart_first_and_the_message_even_without_it() {
    let works = |request: &str, base: &str| match request.split(' ').nth(1).unwrap() {
        "/api/files.getUploadURLExternal" => {
            let body = json!({ "ok": true, "upload_url": format!("{base}/up"), "file_id": "F1" });
            answered("200 OK", &body.to_string())
        }
        "/up" => answered("200 OK", "OK - 17"),
        _ => answered("200 OK", r#"{"ok":true}"#),
    };
    let (requests, outcome) = exchange(slack_bot, &charted(), works).await;
    assert_eq!(outcome, Outcome::Sent);
    assert_eq!(requests.len(), 4);
    assert!(requests[0].contains("filename=chart.png&length=18"), "{}", requests[0]);
    assert!(requests[3].contains(r#""slack_file":{"id":"F1"}"#), "{}", requests[3]);
    let fails = |request: &str, base: &str| match request.contains("chat.postMessage") {
        true => answered("200 OK", r#"{"ok":true}"#),
        false => works(request, base).replace("200 OK", "500 X"),
    };
    let (requests, outcome) = exchange(slack_bot, &charted(), fails).await;
    assert_eq!((requests.len(), outcome), (2, Outcome::Sent));
    let refuses = |request: &str, base: &str| match request.contains("slack_file") {
        true => answered("200 OK", r#"{"ok":false,"error":"invalid_blocks"}"#),
        false => works(request, base),
    };
    let (requests, outcome) = exchange(slack_bot, &charted(), refuses).await;
    assert_eq!((requests.len(), outcome), (5, Outcome::Sent));
}

#[tokio::test]
async fn charts_go_along_where_they_can() {
    let ok = |_: &str, _: &str| answered("200 OK", r#"{"ok":true}"#);
    for (n, place) in [(6, "?wait=true"), (7, "/sendPhoto"), (8, "filename=chart.png")] {
        let (requests, outcome) = exchange(kind(n), &charted(), ok).await;
        assert_eq!(outcome, Outcome::Sent);
        assert!(requests[0].contains(place), "{}", requests[0]);
        assert!(requests[0].contains("not really"), "{}", requests[0]);
    }
    // A server that takes no files gets the words.
    let no_files = |request: &str, _: &str| match request.contains("filename=") {
        true => answered("400 X", r#"{"error":"attachments not allowed"}"#),
        false => answered("200 OK", "{}"),
    };
    let (requests, outcome) = exchange(kind(8), &charted(), no_files).await;
    assert_eq!((requests.len(), outcome), (2, Outcome::Sent));
}

#[tokio::test]
async fn a_chart_that_others_can_fetch_is_shown_where_none_can_be_sent_along() {
    let mut message = message();
    let chart = "https://anomstack.example.com/c/x.y".to_owned();
    message.alerts[0].links.chart = Some(chart.clone());
    let ok = |_: &str, _: &str| answered("200 OK", "ok");
    for (n, place) in [(2, r#""image_url":"#), (5, r#""type":"Image""#)] {
        let (requests, outcome) = exchange(kind(n), &message, ok).await;
        assert_eq!(outcome, Outcome::Sent);
        assert!(requests[0].contains(place) && requests[0].contains(&chart), "{}", requests[0]);
    }
    // Slack takes no message whose picture it cannot fetch.
    let unreachable = |request: &str, _: &str| match request.contains("image_url") {
        true => answered("400 X", "invalid_blocks"),
        false => answered("200 OK", "ok"),
    };
    let (requests, outcome) = exchange(kind(2), &message, unreachable).await;
    assert_eq!((requests.len(), outcome), (2, Outcome::Sent));
}

fn telegram_spec() -> TelegramSpec {
    let token = Secret::new(TOKEN.into());
    TelegramSpec { token, chat: "-100".into(), thread: Some(7), api: "http://x".into() }
}

fn pagerduty_spec() -> PagerdutySpec {
    PagerdutySpec {
        routing_key: Secret::new(TOKEN.into()),
        url: "http://x".into(),
        warning: PagerSeverity::Warning,
        critical: PagerSeverity::Critical,
    }
}

/// The texts of all kinds for this message, those that are markup last.
fn bodies(message: &Message) -> [(&'static str, Value); 6] {
    let ChannelKind::Ntfy(ntfy_spec) = super::testing::ntfy("http://x") else { unreachable!() };
    [
        ("pagerduty", pagerduty::events(&pagerduty_spec(), message).into()),
        ("teams", teams::body(message)),
        ("ntfy", ntfy::body(&ntfy_spec, message)),
        ("slack", slack::body(message, Some(slack::Image::File("F1")))),
        ("discord", discord::body(message)),
        ("telegram", telegram::body(&telegram_spec(), message)),
    ]
}

#[test]
fn each_kind_says_the_alert_in_its_own_form() {
    let said: Vec<String> = bodies(&message())
        .iter()
        .map(|(kind, body)| format!("{kind}\n{}\n", serde_json::to_string_pretty(body).unwrap()))
        .collect();
    insta::assert_snapshot!("bodies", said.join("\n"));
}

fn named(name: &str, n_alerts: usize) -> Message {
    let mut message = charted();
    let note = &mut message.alerts[0];
    note.alert.metric = metric(name);
    note.display_name = name.into();
    note.alert.reason = format!("{name} was 812");
    note.rarity = Some(name.into());
    note.related = vec![name.into(); 5];
    note.plain_words = Some(PlainWords { text: name.into(), model: name.into() });
    note.owner = Some(name.into());
    note.tags = (0..30).map(|n| (format!("{n}{name}"), name.to_owned())).collect();
    let note = note.clone();
    message.alerts = vec![note; n_alerts];
    message
}

fn units(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.encode_utf16().count())
}

#[test]
fn the_longest_message_keeps_to_every_limit() {
    for (name, n_alerts) in texts().iter().flat_map(|name| [(name, 1), (name, 200)]) {
        let mut message = named(name, n_alerts);
        message.body = Some(format!("{name}\n").repeat(200));
        let [pagerduty, teams, ntfy, slack, discord, telegram] =
            bodies(&message).map(|(_, body)| body);
        for event in pagerduty.as_array().unwrap() {
            assert!(event.to_string().len() < 512 << 10);
            assert!(units(&event["payload"]["summary"]) <= 1_024);
            assert!((1..=255).contains(&units(&event["dedup_key"])));
        }
        assert!(teams.to_string().len() <= 28_000, "{}", teams.to_string().len());
        assert!(ntfy["message"].as_str().unwrap().len() <= 4_096);
        let blocks = slack["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50, "{}", blocks.len());
        for block in blocks {
            let text = units(&block["text"]["text"]);
            assert!(text <= if block["type"] == "header" { 150 } else { 3_000 }, "{block}");
            let fields = block["fields"].as_array().cloned().unwrap_or_default();
            assert!(
                fields.len() <= 10 && fields.iter().all(|field| units(&field["text"]) <= 2_000)
            );
        }
        let embed = &discord["embeds"][0];
        assert!(units(&embed["title"]) <= 256 && units(&embed["description"]) <= 4_096);
        let fields = embed["fields"].as_array().unwrap();
        assert!(fields.len() <= 25);
        let in_fields: usize =
            fields.iter().map(|field| units(&field["name"]) + units(&field["value"])).sum();
        assert!(units(&embed["title"]) + units(&embed["description"]) + in_fields <= 6_000);
        for (text, most) in [
            (telegram["text"].as_str().unwrap().to_owned(), 4_096),
            (telegram::text(&message, 1_024), 1_024),
        ] {
            assert!(shown(&text) <= most, "{} {text}", shown(&text));
        }
    }
}

/// UTF-16 units of a text of Telegram's HTML that are shown.
fn shown(html: &str) -> usize {
    let mut text = String::new();
    let mut in_tag = false;
    for c in html.chars() {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if !in_tag => text.push(c),
            _ => (),
        }
    }
    for (escape, c) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
    {
        text = text.replace(escape, c);
    }
    text.encode_utf16().count()
}
