//! Deliver: the outbox to the channels, at least once, each repeat under the same id. Channels are
//! independent: one that is down holds up no other.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};

use crate::{
    catalog::{
        alerts,
        alerts::AlertRow,
        messages,
        messages::MessageRow,
        outbox,
        outbox::{Delivery, Refusal, Taking},
    },
    domain::{BatchSpec, ChannelSpec, Span, Timestamp},
    net::Client,
    notify::{self, Links, Message, Note, Outcome},
    telemetry::DeliveryOutcome,
};

use super::{JobContext, JobError};

/// Messages claimed at once; a channel gets its next when it is through with them.
const AT_ONCE: u32 = 32;

/// How often a drain that waits for a slow channel looks for messages to the others.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// No message is tried again sooner, whatever chance or the channel says.
const SHORTEST_WAIT: Span = Span::secs(1);

/// Who is told, and what they are told beside the alert itself.
#[derive(Debug, Clone, Copy)]
pub struct Audience<'a> {
    /// The configured channels by name.
    pub channels: &'a BTreeMap<String, ChannelSpec>,
    /// The batches, for tags and owners.
    pub batches: &'a [BatchSpec],
    /// Address of the dashboard, without a slash at its end.
    pub dashboard: &'a str,
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
}

/// Sends what is due, until nothing is; each message at most once.
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
    let mut drain = Drain { ctx, began, random, total: Delivered::default() };
    let mut failed = None;
    let mut in_flight = BTreeMap::<String, usize>::new();
    let mut sends = FuturesUnordered::new();
    loop {
        // After a failure only what is on its way is brought to its end.
        while failed.is_none() {
            let busy: Vec<&str> = in_flight.keys().map(String::as_str).collect();
            match drain.take(&busy).await {
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
            Ok(outcome) => drain.settle(&delivery, outcome).await,
            Err(error) => Err(error),
        };
        failed = failed.or(settled.err());
    }
}

async fn attempt(
    ctx: &JobContext,
    audience: &Audience<'_>,
    client: &Client,
    delivery: &Delivery,
) -> Result<Outcome, JobError> {
    let Some(channel) = audience.channels.get(&delivery.channel) else {
        let reason = format!("no channel `{}` is configured any more", delivery.channel);
        return Ok(Outcome::Refused { reason, status: None });
    };
    let mut reader = ctx.catalog.reader().await?;
    let row = messages::get(&mut reader, &delivery.message).await?;
    let mut about = Vec::new();
    for id in messages::alerts_of(&mut reader, &delivery.message).await? {
        about.extend(alerts::get(&mut reader, &id).await?);
    }
    drop(reader);
    let Some(row) = row.filter(|row| !about.is_empty() || row.text.is_some()) else {
        return Ok(Outcome::Refused { reason: "its alert is gone".into(), status: None });
    };
    let message = message(audience, delivery, row, about, (ctx.clock)());
    Ok(notify::send(channel, &message, client).await)
}

fn message(
    audience: &Audience<'_>,
    delivery: &Delivery,
    row: MessageRow,
    about: Vec<AlertRow>,
    now: Timestamp,
) -> Message {
    Message {
        id: delivery.idem_key.clone(),
        event: row.event,
        alerts: about.into_iter().map(|row| note(audience, row)).collect(),
        batch: row.batch,
        headline: row.title,
        body: row.text,
        created_at: row.created_at,
        link: Some(format!("{}/alerts", audience.dashboard)),
        attempt: delivery.attempts + 1,
        may_be_there: delivery.may_be_there,
        sent_at: now,
    }
}

fn note(audience: &Audience<'_>, row: AlertRow) -> Note {
    let alert = row.alert;
    let batch = audience.batches.iter().find(|batch| batch.name == alert.batch);
    let mut tags = batch.map(|batch| batch.tags.clone()).unwrap_or_default();
    let own = batch.and_then(|batch| batch.metrics.get(&alert.metric));
    tags.extend(own.map(|metric| metric.tags.clone()).unwrap_or_default());
    let name = own.and_then(|metric| metric.display_name.clone());
    let page = Some(format!("{}/alerts/{}", audience.dashboard, alert.id));
    Note {
        episode: row.episode,
        raised_at: row.raised_at,
        display_name: name.unwrap_or_else(|| alert.metric.to_string()),
        unit: own.and_then(|metric| metric.unit.clone()),
        owner: batch.and_then(|batch| batch.owner.clone()),
        tags,
        timezone: batch.map_or(chrono_tz::UTC, |batch| batch.timezone),
        rarity: None,
        related: Vec::new(),
        links: Links { page, ..Links::default() },
        chart: None,
        alert,
    }
}

/// One emptying of the outbox.
struct Drain<'a> {
    ctx: &'a JobContext,
    began: Timestamp,
    random: fn() -> f64,
    total: Delivered,
}

impl Drain<'_> {
    async fn take(&self, busy: &[&str]) -> Result<Vec<Delivery>, JobError> {
        let taking = Taking { now: self.now(), began: self.began, busy };
        let mut tx = self.ctx.catalog.begin().await?;
        let due = outbox::due(&mut tx, &taking, AT_ONCE).await?;
        tx.commit().await?;
        Ok(due)
    }

    /// A clock set back must not make due what this drain has put off.
    fn now(&self) -> Timestamp {
        (self.ctx.clock)().max(self.began)
    }

    async fn settle(&mut self, delivery: &Delivery, outcome: Outcome) -> Result<(), JobError> {
        let now = self.now();
        let (channel, message) = (&delivery.channel, &delivery.message);
        let next = next(outcome, delivery, (self.random)(), now);
        let mut tx = self.ctx.catalog.begin().await?;
        match &next {
            Next::Done => outbox::sent(&mut tx, delivery, now).await?,
            Next::Postponed { at } => outbox::postpone(&mut tx, delivery, *at).await?,
            Next::Again { at, refusal } => {
                let error = &refusal.error;
                tracing::warn!(%channel, %message, "message waits for another try: {error}");
                outbox::retry(&mut tx, delivery, *at, refusal).await?
            }
            Next::GiveUp { refusal } => {
                tracing::error!(%channel, %message, "message given up: {}", refusal.error);
                outbox::dead(&mut tx, delivery, refusal, now).await?
            }
        };
        tx.commit().await?;
        self.ctx.metrics.delivery(channel, next.counted());
        match next {
            Next::Done => self.total.sent += 1,
            Next::Postponed { .. } | Next::Again { .. } => self.total.waiting += 1,
            Next::GiveUp { .. } => self.total.dead += 1,
        }
        Ok(())
    }
}

enum Next {
    Done,
    Postponed { at: Timestamp },
    Again { at: Timestamp, refusal: Refusal },
    GiveUp { refusal: Refusal },
}

impl Next {
    const fn counted(&self) -> DeliveryOutcome {
        match self {
            Self::Done => DeliveryOutcome::Sent,
            Self::Postponed { .. } => DeliveryOutcome::Throttled,
            Self::Again { .. } => DeliveryOutcome::Retried,
            Self::GiveUp { .. } => DeliveryOutcome::Dead,
        }
    }
}

/// Being throttled is not an attempt that failed, so it never uses up the schedule.
fn next(outcome: Outcome, delivery: &Delivery, random: f64, now: Timestamp) -> Next {
    match outcome {
        Outcome::Sent => Next::Done,
        Outcome::Throttled { after } => {
            let wait = after.unwrap_or_else(|| patience(now - delivery.first_at, random));
            Next::Postponed { at: now + wait.max(SHORTEST_WAIT) }
        }
        Outcome::Retry { reason: error, status, .. } => {
            match notify::backoff(delivery.attempts.saturating_add(1), random) {
                Some(wait) => Next::Again {
                    at: now + wait.max(SHORTEST_WAIT),
                    refusal: Refusal { status, error },
                },
                None => {
                    let error = format!("tried to the end: {error}");
                    Next::GiveUp { refusal: Refusal { status, error } }
                }
            }
        }
        Outcome::Refused { reason: error, status } => {
            Next::GiveUp { refusal: Refusal { status, error } }
        }
    }
}

/// How long a channel is left alone that asks for patience and does not say how much: half as long
/// to as long again as the message has waited so far, so that the waits grow.
fn patience(waited: Span, unit_random: f64) -> Span {
    let share = 0.5 + unit_random.clamp(0.0, 1.0) / 2.0;
    let wait = Span::from_micros((waited.micros() as f64 * share) as i64);
    wait.clamp(Span::secs(5), Span::hours(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MessageId;

    fn delivery(attempts: u32, waited: Span) -> (Delivery, Timestamp) {
        let first_at = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
        let (message, channel) = (MessageId("a".into()), "hook".to_owned());
        let idem_key = "a.hook".to_owned();
        let delivery = Delivery {
            message,
            channel,
            attempts,
            may_be_there: false,
            idem_key,
            first_at,
            epoch: 1,
        };
        (delivery, first_at + waited)
    }

    fn wait(outcome: Outcome, (delivery, now): (Delivery, Timestamp)) -> Option<Span> {
        match next(outcome, &delivery, 1.0, now) {
            Next::Postponed { at } | Next::Again { at, .. } => Some(at - now),
            Next::Done | Next::GiveUp { .. } => None,
        }
    }

    #[test]
    fn a_channel_that_is_throttled_without_end_is_asked_ever_less_often() {
        let after = |waited| wait(Outcome::Throttled { after: None }, delivery(0, waited)).unwrap();
        assert_eq!(after(Span::ZERO), Span::secs(5));
        assert_eq!(after(Span::secs(40)), Span::secs(40));
        assert_eq!(after(Span::days(30)), Span::hours(1));
        assert_eq!(patience(Span::secs(40), 0.0), Span::secs(20));
        assert_eq!(patience(Span::secs(-40), f64::NAN), Span::secs(5));
    }

    #[test]
    fn the_first_failure_is_followed_by_the_schedules_second_step() {
        let retry = || Outcome::Retry { reason: "no".into(), status: None, ambiguous: false };
        let after = |attempts| wait(retry(), delivery(attempts, Span::ZERO));
        assert_eq!(after(0), Some(Span::secs(5)));
        assert_eq!(after(1), Some(Span::secs(30)));
        assert_eq!(after(9), Some(Span::hours(24)));
        assert_eq!(after(10), None, "eleven attempts are all");
    }
}
