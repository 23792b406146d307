//! Telling people: one message to one channel, one attempt. What is due and what follows from an
//! outcome is the outbox's business; nothing here retries or remembers.

mod alertmanager;
mod call;
mod digest;
mod discord;
mod email;
mod file;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod hostile_tests;
mod html;
mod limits;
mod message;
mod note;
mod ntfy;
mod pagerduty;
#[cfg(test)]
mod receivers_tests;
mod retry;
mod signature;
mod slack;
mod teams;
mod telegram;
#[cfg(test)]
mod testing;
mod webhook;
#[cfg(test)]
mod webhook_tests;

pub use message::{Chart, Links, Message, Note};
pub use retry::backoff;

use call::Caller;

use crate::{
    domain::{AlertId, ChannelKind, ChannelSpec, Span, words},
    net::Client,
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

/// One attempt, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What became of it.
    pub outcome: Outcome,
    /// The alerts the receiver took, where it takes each by itself and not all were taken.
    pub taken: Vec<AlertId>,
}

impl From<Outcome> for Attempt {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, taken: Vec::new() }
    }
}

/// As [`attempt`], for a message of which a part is as good as nothing.
pub async fn send(channel: &ChannelSpec, message: &Message, client: &Client) -> Outcome {
    attempt(channel, message, client).await.outcome
}

/// Sends a message to a channel once. The message's id is the same on every attempt, so that the
/// receiver can tell a repeat.
///
/// Dropping the future may leave the message sent or not: treat it as ambiguous.
pub async fn attempt(channel: &ChannelSpec, message: &Message, client: &Client) -> Attempt {
    let caller = Caller::new(client, channel, message.sent_at);
    let outcome = match &channel.kind {
        ChannelKind::Log => {
            log(message);
            Outcome::Sent
        }
        ChannelKind::File { path } => file::append(path, message).await,
        ChannelKind::Webhook { url, keys } => webhook::post(url, keys, message, &caller).await,
        ChannelKind::Alertmanager(spec) => alertmanager::post(spec, message, &caller).await,
        ChannelKind::Email(spec) => email::send(spec, message, &caller).await,
        ChannelKind::Slack(spec) => slack::post(spec, message, &caller).await,
        ChannelKind::Pagerduty(spec) => return pagerduty::post(spec, message, &caller).await,
        ChannelKind::Teams { url } => teams::post(url, message, &caller).await,
        ChannelKind::Discord { url } => discord::post(url, message, &caller).await,
        ChannelKind::Telegram(spec) => telegram::post(spec, message, &caller).await,
        ChannelKind::Ntfy(spec) => ntfy::post(spec, message, &caller).await,
    };
    outcome.into()
}

fn log(message: &Message) {
    if message.alerts.is_empty() {
        // An entry a line, so that none of them can be mistaken for another program's.
        message.text().lines().for_each(|line| tracing::warn!(event = %message.event, "{line}"));
    }
    for note in &message.alerts {
        let alert = &note.alert;
        tracing::warn!(
            event = %message.event,
            batch = words::shown(alert.batch.as_str()),
            metric = ?alert.metric.as_str(),
            alert = %alert.id,
            severity = %alert.severity,
            at = %alert.at,
            "{}: {}",
            message.title(),
            note.reason()
        );
    }
}
