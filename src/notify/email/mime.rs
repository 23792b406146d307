//! The mail itself: headers, text, HTML and charts. The same message gives the same mail under the
//! same `Message-ID`, so that mailboxes can tell a repeat.

use std::time::{Duration, SystemTime};

use lettre::{
    Address,
    message::{
        Attachment, Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};

use super::super::{Message, Note, html::MOST_ALERTS};
use crate::domain::{EmailSpec, MessageEvent, Severity, words};

const MOST_CHARTS: usize = 5;
/// Longest subject, in characters.
const LONGEST_SUBJECT: usize = 150;

/// A mail that could not be written.
#[derive(Debug, thiserror::Error)]
pub(in crate::notify) enum LetterError {
    #[error("read the address `{text}`")]
    Address { text: String, source: lettre::address::AddressError },
    #[error("fill the template")]
    Template(#[from] minijinja::Error),
    #[error("put it together")]
    Mail(#[from] lettre::error::Error),
}

/// A mail and its envelope.
#[derive(Debug)]
pub(in crate::notify) struct Letter {
    pub(super) from: Address,
    pub(super) to: Vec<Address>,
    pub(super) bytes: Vec<u8>,
}

/// Writes the mail.
pub(in crate::notify) fn letter(
    spec: &EmailSpec,
    message: &Message,
) -> Result<Letter, LetterError> {
    let from = mailbox(&spec.from)?;
    let domain = from.email.domain().to_owned();
    let sent_at = u64::try_from(message.sent_at.secs()).unwrap_or(0);
    let (id, thread) = ids(message, &domain);
    let mut mail = lettre::Message::builder()
        .from(from.clone())
        .subject(subject(message))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(sent_at))
        .message_id(Some(id))
        // Keeps absence notes from answering.
        .raw_header(header("Auto-Submitted", "auto-generated"));
    if message.alerts.iter().any(|note| note.alert.severity == Severity::Critical) {
        mail = mail.raw_header(header("Importance", "high"));
    }
    if let Some(thread) = thread {
        mail = mail.in_reply_to(thread.clone()).references(thread);
    }
    let mut to = Vec::new();
    for text in &spec.to {
        let recipient = mailbox(text)?;
        to.push(recipient.email.clone());
        mail = mail.to(recipient);
    }
    let text = SinglePart::plain(message.text());
    let shown: Vec<usize> = charts(message).map(|(n, _)| n).collect();
    let address = |n| shown.contains(&n).then(|| format!("cid:{}", cid(n)));
    let html = SinglePart::html(message.html(address)?);
    let charts: Vec<SinglePart> = charts(message).map(|(n, note)| chart(n, note)).collect();
    let alternatives = MultiPart::alternative().boundary("=_anomstack_words").singlepart(text);
    let body = if charts.is_empty() {
        alternatives.singlepart(html)
    } else {
        let related = MultiPart::related().boundary("=_anomstack_charts").singlepart(html);
        alternatives.multipart(charts.into_iter().fold(related, MultiPart::singlepart))
    };
    let bytes = mail.multipart(body)?.formatted();
    Ok(Letter { from: from.email, to, bytes })
}

fn mailbox(text: &str) -> Result<Mailbox, LetterError> {
    text.parse().map_err(|source| LetterError::Address { text: text.into(), source })
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// This mail's id, and that of the mail it continues. What first tells of a single alert has the
/// alert's own id, so that what follows can answer to it.
fn ids(message: &Message, domain: &str) -> (String, Option<String>) {
    let id = |kind: &str, id: &str| format!("<{kind}.{}@{domain}>", atom(id));
    let alert = match message.alerts.as_slice() {
        [note] => Some(id("alert", &note.alert.id.0)),
        _ => None,
    };
    match (alert, message.event) {
        (Some(alert), MessageEvent::Firing) => (alert, None),
        (alert, _) => (id("message", &message.id), alert),
    }
}

/// A text as part of a message's id: what may not stand there is written in hex.
fn atom(text: &str) -> String {
    let mut atom = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => atom.push(char::from(byte)),
            _ => atom.push_str(&format!("={byte:02x}")),
        }
    }
    atom
}

/// A message that continues another has its subject, so that mailboxes show them together.
fn subject(message: &Message) -> String {
    let title = words::one_line(&message.title());
    match title.char_indices().nth(LONGEST_SUBJECT) {
        Some((end, _)) => format!("{}…", &title[..end]),
        None => title,
    }
}

/// The charts that are shown, by the number of their alert.
fn charts(message: &Message) -> impl Iterator<Item = (usize, &Note)> {
    let notes = message.alerts.iter().take(MOST_ALERTS).enumerate();
    notes.filter(|(_, note)| note.chart.is_some()).take(MOST_CHARTS)
}

fn chart(n: usize, note: &Note) -> SinglePart {
    let png = note.chart.as_ref().map(|chart| chart.png.clone()).unwrap_or_default();
    // Encoded here so that the way never depends on the bytes.
    let body =
        Body::new_with_encoding(png, ContentTransferEncoding::Base64).unwrap_or_else(Body::new);
    let png = ContentType::parse("image/png").unwrap_or(ContentType::TEXT_PLAIN);
    Attachment::new_inline_with_name(cid(n), format!("chart-{}.png", n + 1)).body(body, png)
}

fn cid(n: usize) -> String {
    format!("chart-{n}@anomstack")
}
