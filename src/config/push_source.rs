//! `[source]` of kind `push`: who may send rows, and how many may wait.

use crate::domain::{InboxSpec, PushSpec, SourceKind, Span};

use super::{section::Section, system::push_token};

pub(super) const KEYS: &[&str] = &["token", "name", "max_body", "inbox"];

const DEFAULT_MAX_BODY: usize = 32 << 20;
const DEFAULT_INBOX_ROWS: usize = 10_000_000;
const DEFAULT_INBOX_BYTES: usize = 1 << 30;

pub(super) fn read(source: &mut Section<'_>) -> Option<SourceKind> {
    let token = push_token(source);
    let name = source.text("name").map(|text| text.value.text);
    let max_body = source.size("max_body", DEFAULT_MAX_BODY);
    let inbox = source.table("inbox", |inbox| InboxSpec {
        rows: inbox.count("rows", 1..=usize::MAX, DEFAULT_INBOX_ROWS) as u64,
        bytes: inbox.size("bytes", DEFAULT_INBOX_BYTES) as u64,
        age: inbox.positive_span_or("age", Span::days(1)),
    });
    Some(SourceKind::Push(PushSpec { token, name, max_body, inbox }))
}
