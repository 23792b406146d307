//! Deliver: the outbox to the channels, at least once, each repeat under the same id. Channels are
//! independent: one that is down holds up no other.

use std::collections::BTreeMap;

use crate::{
    catalog::{
        alerts,
        alerts::AlertRow,
        outbox,
        outbox::{Delivery, Refusal},
    },
    domain::{BatchSpec, ChannelSpec, Span, Timestamp},
    net::Client,
    notify::{self, Message, Outcome},
    telemetry::DeliveryOutcome,
};

use super::{JobContext, JobError};

/// Messages claimed at once.
const AT_ONCE: u32 = 32;

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

/// Sends what is due, until nothing is.
///
/// # Errors
/// [`JobError::Catalog`] when the outbox cannot be read or marked; messages then stay due.
pub async fn deliver(
    ctx: &JobContext,
    audience: &Audience<'_>,
    client: &Client,
    random: fn() -> f64,
) -> Result<Delivered, JobError> {
    let mut total = Delivered::default();
    loop {
        let mut tx = ctx.catalog.begin().await?;
        let due = outbox::due(&mut tx, (ctx.clock)(), AT_ONCE).await?;
        tx.commit().await?;
        if due.is_empty() {
            return Ok(total);
        }
        let sends = due.into_iter().map(|delivery| async move {
            let outcome = attempt(ctx, audience, client, &delivery).await?;
            Ok::<_, JobError>((delivery, outcome))
        });
        for done in futures::future::join_all(sends).await {
            let (delivery, outcome) = done?;
            settle(ctx, &delivery, outcome, random(), &mut total).await?;
        }
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
        return Ok(Outcome::Refused { reason });
    };
    let mut reader = ctx.catalog.reader().await?;
    let row = alerts::get(&mut reader, &delivery.alert_id).await?;
    drop(reader);
    let Some(row) = row else {
        return Ok(Outcome::Refused { reason: "its alert is gone".into() });
    };
    let message = message(audience, delivery, row, (ctx.clock)());
    Ok(notify::send(channel, &message, client).await)
}

fn message(audience: &Audience<'_>, delivery: &Delivery, row: AlertRow, now: Timestamp) -> Message {
    let alert = row.alert;
    let batch = audience.batches.iter().find(|batch| batch.name == alert.batch);
    let mut tags = batch.map(|batch| batch.tags.clone()).unwrap_or_default();
    let own = batch.and_then(|batch| batch.metrics.get(&alert.metric));
    tags.extend(own.map(|metric| metric.tags.clone()).unwrap_or_default());
    Message {
        id: delivery.idem_key.clone(),
        raised_at: row.raised_at,
        tags,
        owner: batch.and_then(|batch| batch.owner.clone()),
        link: Some(format!("{}/alerts/{}", audience.dashboard, alert.id)),
        attempt: delivery.attempts + 1,
        sent_at: now,
        alert,
    }
}

async fn settle(
    ctx: &JobContext,
    delivery: &Delivery,
    outcome: Outcome,
    random: f64,
    total: &mut Delivered,
) -> Result<(), JobError> {
    let now = (ctx.clock)();
    let channel = &delivery.channel;
    let mut tx = ctx.catalog.begin().await?;
    let next = next(&outcome, delivery, random, now);
    ctx.metrics.delivery(channel, next.counted());
    match next {
        Next::Done => {
            outbox::sent(&mut tx, delivery, now).await?;
            total.sent += 1;
        }
        Next::Postponed { at } => {
            outbox::postpone(&mut tx, delivery, at).await?;
            total.waiting += 1;
        }
        Next::Again { at, reason } => {
            let alert = &delivery.alert_id;
            tracing::warn!(%channel, %alert, "message waits for another try: {reason}");
            let refusal = Refusal { status: None, error: reason };
            outbox::retry(&mut tx, delivery, at, &refusal).await?;
            total.waiting += 1;
        }
        Next::GiveUp { reason } => {
            let alert = &delivery.alert_id;
            tracing::error!(%channel, %alert, "message given up: {reason}");
            let refusal = Refusal { status: None, error: reason };
            outbox::dead(&mut tx, delivery, &refusal, now).await?;
            total.dead += 1;
        }
    }
    Ok(tx.commit().await?)
}

enum Next {
    Done,
    Postponed { at: Timestamp },
    Again { at: Timestamp, reason: String },
    GiveUp { reason: String },
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
fn next(outcome: &Outcome, delivery: &Delivery, random: f64, now: Timestamp) -> Next {
    let later = notify::backoff(delivery.attempts, random);
    match outcome {
        Outcome::Sent => Next::Done,
        Outcome::Throttled { after } => {
            Next::Postponed { at: now + after.or(later).unwrap_or(Span::hours(1)) }
        }
        Outcome::Retry { reason, .. } => match later {
            Some(wait) => Next::Again { at: now + wait, reason: reason.clone() },
            None => Next::GiveUp { reason: format!("tried to the end: {reason}") },
        },
        Outcome::Refused { reason } => Next::GiveUp { reason: reason.clone() },
    }
}
