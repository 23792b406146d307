//! Servers that misbehave, and mails that names try to change.

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use super::mime;
use crate::{
    domain::{ChannelKind, ChannelSpec, EmailSpec, MailTls, PaceSpec, PlainWords, Span, hostile},
    net::Client,
    notify::{Message, Outcome, message::tests::message, send},
};

fn spec(port: u16) -> EmailSpec {
    EmailSpec {
        host: "127.0.0.1".into(),
        port,
        tls: MailTls::None,
        login: None,
        ca_file: None,
        from: "alerts@example.com".into(),
        to: vec!["ann@example.com".into()],
    }
}

fn channel(port: u16) -> ChannelSpec {
    ChannelSpec {
        name: "mail".into(),
        kind: ChannelKind::Email(spec(port)),
        timeout: Span::from_micros(500_000),
        allow_private: true,
        pace: PaceSpec::UNLIMITED,
        fallback: Vec::new(),
    }
}

/// Sends to a server that greets, takes every command and answers the one that begins with this
/// word so; an empty answer hangs up.
async fn against(word: &str, answer: &str) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = channel(listener.local_addr().unwrap().port());
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 ready\r\n").await.unwrap();
        let mut line = String::new();
        while 0 < stream.read_line(&mut line).await.unwrap_or(0) {
            let command = std::mem::take(&mut line);
            // The mail itself: only its last line is answered.
            let is_command = ["EHLO", "MAIL", "RCPT", "DATA", ".\r", "QUIT"]
                .iter()
                .any(|known| command.starts_with(known));
            let reply = match is_command {
                _ if command.starts_with(word) && answer.is_empty() => break,
                _ if command.starts_with(word) => answer,
                true if command.starts_with("DATA") => "354 go on\r\n",
                true => "250 OK\r\n",
                false => continue,
            };
            if stream.write_all(reply.as_bytes()).await.is_err() {
                break;
            }
        }
        drop(stream);
        std::future::pending::<()>().await;
    };
    let (message, client) = (message(), Client::new());
    tokio::select! {
        outcome = send(&channel, &message, &client) => outcome,
        () = serving => unreachable!(),
    }
}

fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Sent => "sent",
        Outcome::Retry { ambiguous: true, .. } => "perhaps",
        Outcome::Retry { .. } => "later",
        Outcome::Refused { .. } => "never",
        Outcome::Throttled { .. } => "throttled",
    }
}

#[tokio::test]
async fn each_answer_at_each_step_has_its_outcome() {
    let long = "x".repeat(3 << 20);
    for (word, answer, expected) in [
        ("NOOP", "", "sent"),
        ("EHLO", "", "later"),
        ("MAIL", "421 busy\r\n", "later"),
        ("MAIL", "550 no\r\n", "never"),
        ("RCPT", "450 greylisted\r\n", "later"),
        ("RCPT", "550 unknown\r\n", "never"),
        ("RCPT", "", "later"),
        ("DATA", "451 later\r\n", "later"),
        ("DATA", "", "later"),
        (".\r", "451 disk full\r\n", "later"),
        (".\r", "554 spam\r\n", "never"),
        (".\r", "", "perhaps"),
        (".\r", "what?\r\n", "perhaps"),
        (".\r", "2", "perhaps"),
        ("EHLO", long.as_str(), "later"),
        ("QUIT", "", "sent"),
    ] {
        let outcome = against(word, answer).await;
        assert_eq!(kind(&outcome), expected, "{word} {outcome:?}");
    }
}

#[tokio::test]
async fn a_private_server_is_not_called_unless_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut channel = channel(listener.local_addr().unwrap().port());
    channel.allow_private = false;
    let outcome = send(&channel, &message(), &Client::new()).await;
    let Outcome::Refused { reason, .. } = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("allow_private"), "{reason}");
}

fn written(message: &Message) -> String {
    String::from_utf8(mime::letter(&spec(25), message).unwrap().bytes).unwrap()
}

#[test]
fn the_same_message_gives_the_same_mail() {
    assert_eq!(written(&message()), written(&Message { attempt: 7, ..message() }));
}

#[test]
fn a_name_adds_no_header_and_no_markup() {
    for name in hostile::texts() {
        let mut message = message();
        let note = &mut message.alerts[0];
        note.alert.metric = hostile::metric(&name);
        note.display_name = name.clone();
        note.alert.reason = format!("{name} was 3");
        note.tags.insert(name.clone(), name.clone());
        note.owner = Some(name.clone());
        note.plain_words = Some(PlainWords { text: name.clone(), model: name.clone() });
        let mail = written(&message);
        let (head, body) = mail.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = head
            .lines()
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        let expected = [
            "From",
            "Subject",
            "Date",
            "Message-ID",
            "Auto-Submitted",
            "Importance",
            "To",
            "MIME-Version",
            "Content-Type",
        ];
        assert_eq!(names, expected, "{name:?}");
        let (_, html) = body.split_once("text/html").unwrap();
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    }
}
