//! Deliver: the outbox to the channels, at least once, each repeat under the same id. Channels are
//! independent: each has one message on its way at a time, and one that is down holds up no other.

mod links;
mod pace;
mod reopen;
mod say;
mod settle;
mod storm;
#[cfg(test)]
mod storm_tests;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use sha2::{Digest, Sha256};

use crate::{
    catalog::{
        channel_states, outbox,
        outbox::{Delivery, Settled, Taking},
    },
    domain::{BatchSpec, ChannelSpec, OnAmbiguous, Span, Timestamp},
    net::Client,
    notify::{self, Attempt, Outcome},
};

use super::{JobContext, JobError};

pub use pace::Paces;
pub use reopen::reopen_changed;
use settle::{Channel, Next};

/// Messages to a channel on this machine that are taken at once; others are taken one by one, so
/// that a request for patience counts for all that wait.
const AT_ONCE: u32 = 32;

/// How often a drain that waits for a slow channel looks for messages to the others.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Who is told, and what they are told beside the alert itself.
#[derive(Debug, Clone, Copy)]
pub struct Audience<'a> {
    /// The configured channels by name.
    pub channels: &'a BTreeMap<String, ChannelSpec>,
    /// The batches, for tags and owners.
    pub batches: &'a [BatchSpec],
    /// Address of the dashboard, without a slash at its end.
    pub dashboard: &'a str,
    /// Whether it is the one that people and receivers of messages reach it by.
    pub is_public: bool,
}

/// What a drain of the outbox did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Messages the other side took.
    pub sent: u64,
    /// Messages that wait for another try.
    pub waiting: u64,
    /// Messages given up.
    pub dead: u64,
    /// Messages that may have arrived and are not repeated.
    pub unknown: u64,
    /// Messages said by another one.
    pub merged: u64,
}

/// Sends what is due and what its channel takes now; each message at most once.
///
/// # Errors
/// The first [`JobError::Catalog`], when the outbox cannot be read or marked; messages that it kept
/// from being marked are due again later, all others are settled.
pub async fn deliver(
    ctx: &JobContext,
    audience: &Audience<'_>,
    client: &Client,
    random: fn() -> f64,
) -> Result<Delivered, JobError> {
    let began = (ctx.clock)();
    let mut drain = Drain { ctx, audience, began, random, total: Delivered::default() };
    let mut failed = None;
    let mut in_flight = BTreeMap::<String, usize>::new();
    let mut sends = FuturesUnordered::new();
    loop {
        // After a failure only what is on its way is brought to its end.
        while failed.is_none() {
            match drain.take(&in_flight).await {
                Ok(due) if due.is_empty() => break,
                Ok(due) => {
                    for delivery in due {
                        *in_flight.entry(delivery.channel.clone()).or_default() += 1;
                        sends.push(async move {
                            let outcome = attempt(ctx, audience, client, &delivery).await;
                            (delivery, outcome)
                        });
                    }
                }
                Err(error) => failed = Some(error),
            }
        }
        let (delivery, outcome) = match tokio::time::timeout(LOOK_AGAIN, sends.next()).await {
            Ok(Some(done)) => done,
            Ok(None) => return failed.map_or(Ok(drain.total), Err),
            Err(_) => continue,
        };
        if let Some(n_left) = in_flight.get_mut(&delivery.channel) {
            *n_left -= 1;
        }
        in_flight.retain(|_, n_left| 0 < *n_left);
        let settled = match outcome {
            Ok(attempt) => drain.settle(delivery, attempt).await,
            Err(error) => Err(error),
        };
        failed = failed.or(settled.err());
    }
}

/// A short name for a text, fit for a header.
fn fingerprint(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

async fn attempt(
    ctx: &JobContext,
    audience: &Audience<'_>,
    client: &Client,
    delivery: &Delivery,
) -> Result<Attempt, JobError> {
    let Some(channel) = audience.channels.get(&delivery.channel) else {
        let reason = format!("no channel `{}` is configured any more", delivery.channel);
        return Ok(Outcome::Refused { reason, status: None }.into());
    };
    if delivery.may_be_there && channel.pace.on_ambiguous == OnAmbiguous::Park {
        let reason = "who sent it ended before it was known what became of it".to_owned();
        return Ok(Outcome::Retry { reason, status: None, ambiguous: true }.into());
    }
    match say::message(ctx, audience, &channel.kind, delivery).await? {
        Some(message) => Ok(notify::attempt(channel, &message, client).await),
        None => Ok(Outcome::Refused { reason: "its alert is gone".into(), status: None }.into()),
    }
}

/// One emptying of the outbox.
struct Drain<'a> {
    ctx: &'a JobContext,
    audience: &'a Audience<'a>,
    began: Timestamp,
    random: fn() -> f64,
    total: Delivered,
}

impl Drain<'_> {
    /// What may be sent now, to channels that nothing is on its way to.
    async fn take(&mut self, busy: &BTreeMap<String, usize>) -> Result<Vec<Delivery>, JobError> {
        let now = self.now();
        let open = self.open(busy, now).await?;
        let mut due = Vec::new();
        for name in open {
            let Some(channel) = self.audience.channels.get(&name) else {
                due.extend(self.take_from(&name, AT_ONCE, now).await?);
                continue;
            };
            let most = if channel.kind.is_remote() { 1 } else { AT_ONCE };
            let granted = self.ctx.paces.take(&name, &channel.pace, now, most);
            if granted == 0 {
                continue;
            }
            let n_merged = storm::calm(self.ctx, channel, now).await?;
            if 0 < n_merged {
                self.ctx.metrics.delivery.merged(&name, n_merged);
                self.total.merged += n_merged;
            }
            let taken = self.take_from(&name, granted, now).await?;
            let n_taken = u32::try_from(taken.len()).unwrap_or(granted);
            self.ctx.paces.give_back(&name, granted.saturating_sub(n_taken));
            due.extend(taken);
        }
        Ok(due)
    }

    /// The channels that anything waits for and that may be spoken to.
    async fn open(
        &self,
        busy: &BTreeMap<String, usize>,
        now: Timestamp,
    ) -> Result<Vec<String>, JobError> {
        // Not a reader: attempts that are not polled meanwhile may hold all of them.
        let mut tx = self.ctx.catalog.begin().await?;
        let mut waiting = outbox::waiting_channels(&mut tx).await?;
        let states = channel_states::all(&mut tx).await?;
        drop(tx);
        // What waits for one that is not configured any more is given up.
        let closed: BTreeSet<&str> = states
            .iter()
            .filter(|state| state.is_closed(now))
            .filter(|state| self.audience.channels.contains_key(&state.channel))
            .map(|state| state.channel.as_str())
            .collect();
        waiting.retain(|name| !busy.contains_key(name) && !closed.contains(name.as_str()));
        Ok(waiting)
    }

    async fn take_from(
        &self,
        channel: &str,
        most: u32,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, JobError> {
        let taking = Taking { now, began: self.began };
        let mut tx = self.ctx.catalog.begin().await?;
        let due = outbox::take(&mut tx, channel, taking, most).await?;
        tx.commit().await?;
        Ok(due)
    }

    /// A clock set back must not make due what this drain has put off.
    fn now(&self) -> Timestamp {
        (self.ctx.clock)().max(self.began)
    }

    async fn settle(&mut self, mut delivery: Delivery, done: Attempt) -> Result<(), JobError> {
        let now = self.now();
        let channel = self.audience.channels.get(&delivery.channel);
        let mut waited = now - delivery.first_at;
        if !done.taken.is_empty() {
            // It goes on: the rest is as if it were tried for the first time.
            (delivery.attempts, waited) = (0, Span::ZERO);
            delivery.taken.extend(done.taken);
        }
        let delivery = &delivery;
        let tried = (delivery.attempts, waited);
        let next: Next = settle::next(done.outcome, tried, channel, ((self.random)(), now));
        let mut tx = self.ctx.catalog.begin().await?;
        settle::store(&mut tx, self.audience, delivery, &next, now).await?;
        tx.commit().await?;
        let metrics = &self.ctx.metrics;
        metrics.delivery(&delivery.channel, next.counted());
        if matches!(next.channel, Channel::Disabled { .. }) {
            metrics.delivery.set_disabled(&delivery.channel, true);
        }
        match next.settled {
            Settled::Sent => {
                metrics.delivery.waited(now - delivery.first_at);
                self.total.sent += 1;
            }
            Settled::Postponed { .. } | Settled::Again { .. } => self.total.waiting += 1,
            Settled::Parked { .. } => self.total.unknown += 1,
            Settled::Dead { .. } => self.total.dead += 1,
        }
        Ok(())
    }
}
