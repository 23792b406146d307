//! Telling people: one message to one channel, one attempt. What is due and what follows from an
//! outcome is the outbox's business; nothing here retries or remembers.

mod file;
mod message;
mod retry;
mod signature;
mod webhook;
#[cfg(test)]
mod webhook_tests;

pub use message::{Chart, Links, Message, Note};
pub use retry::backoff;

use crate::{
    domain::{ChannelKind, ChannelSpec, Span},
    net::{Client, Reach},
};

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Sent,
    /// The receiver asks to wait; does not count as an attempt.
    Throttled {
        /// How long it asked for, at most an hour.
        after: Option<Span>,
    },
    /// May work later.
    Retry {
        /// What happened, without secrets.
        reason: String,
        /// What the receiver answered, where it did.
        status: Option<u16>,
        /// Whether the receiver may have it all the same.
        ambiguous: bool,
    },
    /// Will not work however often it is tried.
    Refused {
        /// What happened, without secrets.
        reason: String,
        /// What the receiver answered, where it did.
        status: Option<u16>,
    },
}

/// Sends a message to a channel once. The message's id is the same on every attempt, so that the
/// receiver can tell a repeat.
///
/// Dropping the future may leave the message sent or not: treat it as ambiguous.
pub async fn send(channel: &ChannelSpec, message: &Message, client: &Client) -> Outcome {
    let reach = if channel.allow_private { Reach::Anywhere } else { Reach::Public };
    match &channel.kind {
        ChannelKind::Log => {
            log(message);
            Outcome::Sent
        }
        ChannelKind::File { path } => file::append(path, message).await,
        ChannelKind::Webhook { url, secret } => {
            let secret = secret.as_ref();
            let hook = webhook::Hook { url, secret, reach, timeout: channel.timeout };
            webhook::post(&hook, message, client).await
        }
    }
}

fn log(message: &Message) {
    if message.alerts.is_empty() {
        tracing::warn!("{}", message.text().trim_end());
    }
    for note in &message.alerts {
        let alert = &note.alert;
        tracing::warn!(
            event = %message.event,
            batch = %alert.batch,
            metric = ?alert.metric.as_str(),
            alert = %alert.id,
            severity = %alert.severity,
            at = %alert.at,
            "{}: {}",
            message.title(),
            alert.reason
        );
    }
}
