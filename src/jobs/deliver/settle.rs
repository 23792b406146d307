//! What follows from an attempt: for the message, for its channel, and for those who are told that a
//! message is given up.

use std::collections::BTreeSet;

use crate::{
    catalog::{
        Tx, channel_states, messages,
        messages::MessageRow,
        outbox,
        outbox::{Delivery, Refusal, Settled},
    },
    domain::{ChannelSpec, MessageEvent, MessageId, OnAmbiguous, Span, Timestamp, words},
    notify::{self, Outcome},
    telemetry::DeliveryOutcome,
};

use super::{super::JobError, Audience, fingerprint};

/// No message is tried again sooner, whatever chance or the channel says.
const SHORTEST_WAIT: Span = Span::secs(1);
/// The other side's word for "never again".
const GONE: u16 = 410;

/// What follows from an attempt.
#[derive(Debug, PartialEq)]
pub(super) struct Next {
    /// For the message.
    pub(super) settled: Settled,
    /// For the channel.
    pub(super) channel: Channel,
}

/// What follows for a channel.
#[derive(Debug, PartialEq)]
pub(super) enum Channel {
    /// Nothing.
    Open,
    /// It is left alone.
    HeldUntil(Timestamp),
    /// It is not used any more.
    Disabled { reason: String },
}

impl Next {
    pub(super) const fn counted(&self) -> DeliveryOutcome {
        match self.settled {
            Settled::Sent => DeliveryOutcome::Sent,
            Settled::Postponed { .. } => DeliveryOutcome::Throttled,
            Settled::Again { .. } => DeliveryOutcome::Retried,
            Settled::Parked { .. } => DeliveryOutcome::Unknown,
            Settled::Dead { .. } => DeliveryOutcome::Dead,
        }
    }
}

/// After so many attempts before that failed, and so long a wait. Being throttled is not an attempt
/// that failed, so it never uses up the schedule.
pub(super) fn next(
    outcome: Outcome,
    (attempts, waited): (u32, Span),
    channel: Option<&ChannelSpec>,
    (random, now): (f64, Timestamp),
) -> Next {
    let on_ambiguous = channel.map_or(OnAmbiguous::Resend, |channel| channel.pace.on_ambiguous);
    let open = |settled| Next { settled, channel: Channel::Open };
    match outcome {
        Outcome::Sent => open(Settled::Sent),
        Outcome::Throttled { after } => {
            let wait = after.unwrap_or_else(|| patience(waited, random));
            let at = now + wait.max(SHORTEST_WAIT);
            Next { settled: Settled::Postponed { at }, channel: Channel::HeldUntil(at) }
        }
        Outcome::Retry { reason: error, status, ambiguous: true }
            if on_ambiguous == OnAmbiguous::Park =>
        {
            open(Settled::Parked { refusal: Refusal { status, error } })
        }
        Outcome::Retry { reason: error, status, ambiguous: is_ambiguous } => {
            match notify::backoff(attempts.saturating_add(1), random) {
                Some(wait) => open(Settled::Again {
                    at: now + wait.max(SHORTEST_WAIT),
                    refusal: Refusal { status, error },
                    is_ambiguous,
                }),
                None => {
                    let error = format!("tried to the end: {error}");
                    open(Settled::Dead { refusal: Refusal { status, error } })
                }
            }
        }
        Outcome::Refused { reason, status } => Next {
            channel: match status {
                Some(GONE) => Channel::Disabled { reason: reason.clone() },
                _ => Channel::Open,
            },
            settled: Settled::Dead { refusal: Refusal { status, error: reason } },
        },
    }
}

/// How long a channel is left alone that asks for patience and does not say how much: half as long
/// to as long again as the message has waited so far, so that the waits grow.
fn patience(waited: Span, unit_random: f64) -> Span {
    let share = 0.5 + unit_random.clamp(0.0, 1.0) / 2.0;
    let wait = Span::from_micros((waited.micros() as f64 * share) as i64);
    wait.clamp(Span::secs(5), Span::hours(1))
}

/// Stores what follows, all of it or nothing.
pub(super) async fn store(
    tx: &mut Tx,
    audience: &Audience<'_>,
    delivery: &Delivery,
    next: &Next,
    now: Timestamp,
) -> Result<(), JobError> {
    let (channel, message) = (&delivery.channel, &delivery.message);
    if !outbox::settle(tx, delivery, &next.settled, now).await? {
        return Ok(());
    }
    match &next.settled {
        Settled::Sent | Settled::Postponed { .. } => {}
        Settled::Again { refusal, .. } => {
            let error = &refusal.error;
            tracing::warn!(%channel, %message, "message waits for another try: {error}");
        }
        Settled::Parked { refusal } => {
            let error = &refusal.error;
            tracing::warn!(%channel, %message, "message may have arrived and is not repeated: {error}");
        }
        Settled::Dead { refusal } => {
            tracing::error!(%channel, %message, "message given up: {}", refusal.error);
            announce(tx, audience, delivery, &refusal.error, now).await?;
        }
    }
    match &next.channel {
        Channel::Open => {}
        Channel::HeldUntil(at) => {
            channel_states::hold(tx, channel, *at, "it asked for patience").await?;
        }
        Channel::Disabled { reason } => {
            tracing::error!(%channel, "channel is disabled: {reason}");
            channel_states::disable(tx, channel, now, reason).await?;
        }
    }
    Ok(())
}

/// Says elsewhere, once an hour and channel, that messages are given up. That such a notice is given
/// up is said nowhere.
async fn announce(
    tx: &mut Tx,
    audience: &Audience<'_>,
    delivery: &Delivery,
    error: &str,
    now: Timestamp,
) -> Result<(), JobError> {
    let lost = messages::get(tx, &delivery.message).await?;
    if lost.is_none_or(|lost| matches!(lost.event, MessageEvent::Notice | MessageEvent::Test)) {
        return Ok(());
    }
    let name = words::shown(&delivery.channel);
    let hour = now.secs().div_euclid(3_600);
    let notice = MessageRow {
        id: MessageId(format!("dead-{}", fingerprint(&format!("{hour}\0{}", delivery.channel)))),
        event: MessageEvent::Notice,
        batch: None,
        title: Some(format!("messages to `{name}` are given up")),
        text: Some(format!(
            "{}\nList them with `anomstack alerts dead` and try them again with \
             `anomstack alerts dead --retry all`.",
            words::shown(error)
        )),
        created_at: now,
    };
    if messages::insert(tx, &notice, &[]).await? {
        for channel in told_instead(audience, &delivery.channel) {
            outbox::enqueue(tx, &notice.id, channel, now).await?;
        }
    }
    Ok(())
}

/// Who is told when a channel takes nothing: its own `fallback`, else every other channel that a
/// batch names.
fn told_instead<'a>(audience: &Audience<'a>, failing: &str) -> BTreeSet<&'a str> {
    let own = audience.channels.get(failing).map(|channel| channel.fallback.as_slice());
    let named = match own {
        Some(own) if !own.is_empty() => own.iter().map(String::as_str).collect(),
        _ => {
            let of_metrics = audience.batches.iter().flat_map(|batch| batch.metrics.values());
            let own = of_metrics.filter_map(|metric| metric.alert.as_ref());
            let all = audience.batches.iter().map(|batch| &batch.alert).chain(own);
            all.flat_map(|alert| alert.channels.iter().map(String::as_str)).collect()
        }
    };
    let mut named: BTreeSet<&str> = named;
    named.retain(|name| *name != failing && audience.channels.contains_key(*name));
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(outcome: Outcome, tried: (u32, Span)) -> Option<Span> {
        let now = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
        match next(outcome, tried, None, (1.0, now)).settled {
            Settled::Postponed { at } | Settled::Again { at, .. } => Some(at - now),
            Settled::Sent | Settled::Parked { .. } | Settled::Dead { .. } => None,
        }
    }

    #[test]
    fn a_channel_that_is_throttled_without_end_is_asked_ever_less_often() {
        let after = |waited| wait(Outcome::Throttled { after: None }, (0, waited)).unwrap();
        assert_eq!(after(Span::ZERO), Span::secs(5));
        assert_eq!(after(Span::secs(40)), Span::secs(40));
        assert_eq!(after(Span::days(30)), Span::hours(1));
        assert_eq!(patience(Span::secs(40), 0.0), Span::secs(20));
        assert_eq!(patience(Span::secs(-40), f64::NAN), Span::secs(5));
    }

    #[test]
    fn the_first_failure_is_followed_by_the_schedules_second_step() {
        let retry = || Outcome::Retry { reason: "no".into(), status: None, ambiguous: false };
        let after = |attempts| wait(retry(), (attempts, Span::ZERO));
        assert_eq!(after(0), Some(Span::secs(5)));
        assert_eq!(after(1), Some(Span::secs(30)));
        assert_eq!(after(9), Some(Span::hours(24)));
        assert_eq!(after(10), None, "eleven attempts are all");
    }
}
