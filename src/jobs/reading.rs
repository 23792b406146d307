//! Reading: a language model elsewhere puts alerts into plain words, where `[explain]` asks for it.
//!
//! Whoever tells of an alert notes in the same transaction that words are wanted, and keeps the
//! message back for as long as an answer may take. The asking is done apart from that: it lets go
//! of the message when there is an answer, or a failure. When nobody asks, the message leaves by itself.

use futures::{StreamExt, stream};

use crate::{
    alerting::{Facts, Prompt, plain_words, prompt},
    catalog::{Connection, alerts, alerts::AlertRow, outbox, readings, readings::Asking},
    domain::{
        Alert, AlertId, AlertKind, BatchSpec, ExplainSpec, MessageId, PlainWords, Span, Timestamp,
    },
    net::{self, ChatError, Client, Question},
    telemetry::ReadingOutcome,
};

use super::{Archive, JobContext, JobError, about};

/// Alerts of a message that are asked about; the loudest come first.
const MOST_OF_A_MESSAGE: u64 = 3;
/// Questions on their way at once.
const AT_ONCE: usize = 4;
/// Alerts taken at once, so that a process that ends leaves few behind.
const AT_A_TIME: u32 = 16;

/// What became of questions about alerts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Readings {
    /// There are words.
    pub given: u64,
    /// There are none.
    pub missing: u64,
}

/// The alerts that a model can say something of: those about a metric.
pub(super) fn readable(alerts: &[&Alert]) -> Vec<AlertId> {
    let of_metric = |alert: &&&Alert| !matches!(alert.kind, AlertKind::Pipeline | AlertKind::Rows);
    alerts.iter().filter(of_metric).map(|alert| alert.id.clone()).collect()
}

/// A message about alerts that words are wanted of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Which.
    pub(super) message: &'a MessageId,
    /// Whether it has just come up; else these alerts have joined it.
    pub(super) is_new: bool,
    /// The alerts it is about from now on, the loudest first.
    pub(super) alerts: &'a [AlertId],
}

/// Notes that words are wanted about a message's first alerts, and keeps it back for them when it is
/// new; neither where `[explain]` is off or has been asked enough today. What joins a message must be
/// answered by the time it leaves.
pub(super) async fn want(
    conn: &mut Connection,
    batch: &BatchSpec,
    Wanted { message, is_new, alerts }: Wanted<'_>,
    now: Timestamp,
) -> Result<(), JobError> {
    let Some(spec) = &batch.explain else { return Ok(()) };
    let n_today = readings::n_since(conn, now - Span::days(1)).await?;
    let n_left = (spec.daily_limit as u64).saturating_sub(n_today);
    let n_asked = readings::n_of_message(conn, message).await?;
    let most = n_left.min(MOST_OF_A_MESSAGE.saturating_sub(n_asked));
    let mut until = now + spec.timeout;
    if !is_new {
        until = outbox::held_until(conn, message).await?.map_or(now, |held| held.min(until));
    }
    if until <= now {
        return Ok(());
    }
    let mut n_wanted = 0_u64;
    for alert in alerts.iter().take(usize::try_from(most).unwrap_or(usize::MAX)) {
        n_wanted += u64::from(readings::want(conn, alert, now, until).await?);
    }
    if is_new && 0 < n_wanted {
        outbox::hold(conn, message, until).await?;
    }
    Ok(())
}

/// Asks about every alert that words are wanted of, and lets go of the messages that wait for them.
/// Without a specification, `[explain]` was switched off: what was wanted before is given up on when
/// it is late.
///
/// # Errors
/// [`JobError::Catalog`]; messages then leave by themselves when they have waited long enough. That
/// the model gives no answer is none.
pub async fn read_alerts(
    ctx: &JobContext,
    batches: &[BatchSpec],
    spec: Option<&ExplainSpec>,
    client: &Client,
) -> Result<Readings, JobError> {
    let mut total = Readings::default();
    loop {
        let now = (ctx.clock)();
        let mut tx = ctx.catalog.begin().await?;
        let n_late = readings::expire(&mut tx, now).await?;
        let taken = match spec {
            Some(_) => readings::take(&mut tx, now, AT_A_TIME).await?,
            None => Vec::new(),
        };
        tx.commit().await?;
        total.missing += n_late;
        ctx.metrics.people.readings(ReadingOutcome::Late, n_late);
        let Some(spec) = spec.filter(|_| !taken.is_empty()) else { return Ok(total) };
        let mut asking = stream::iter(taken)
            .map(async |asked| {
                let came = ask(ctx, batches, spec, client, &asked).await;
                (asked, came)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((asked, came)) = asking.next().await {
            if !settle(ctx, batches, &asked, came.as_ref()).await? {
                // It was given up on meanwhile, and counted then.
                continue;
            }
            let counted = match came {
                Ok(_) => ReadingOutcome::Given,
                Err(missing) => missing.outcome,
            };
            ctx.metrics.people.readings(counted, 1);
            match counted {
                ReadingOutcome::Given => total.given += 1,
                ReadingOutcome::Failed | ReadingOutcome::Late => total.missing += 1,
            }
        }
    }
}

/// Why there are no words.
#[derive(Debug)]
struct Missing {
    outcome: ReadingOutcome,
    reason: String,
}

impl Missing {
    fn failed(reason: impl Into<String>) -> Self {
        Self { outcome: ReadingOutcome::Failed, reason: reason.into() }
    }
}

impl From<ChatError> for Missing {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::Late => Self { outcome: ReadingOutcome::Late, reason: error.to_string() },
            _ => Self::failed(error.to_string()),
        }
    }
}

/// The model's words about one alert, or why there are none.
async fn ask(
    ctx: &JobContext,
    batches: &[BatchSpec],
    spec: &ExplainSpec,
    client: &Client,
    asked: &Asking,
) -> Result<PlainWords, Missing> {
    let question = question(ctx, batches, asked).await;
    let question = question.map_err(|error| Missing::failed(net::chain(&error)))?;
    let question = question.ok_or_else(|| Missing::failed("there is nothing to tell about it"))?;
    let left = asked.until - (ctx.clock)();
    let question = Question { rules: question.rules, facts: &question.facts };
    let patience = left.clamp(Span::ZERO, spec.timeout).to_std();
    let answer = net::ask(client, spec, question, patience).await?;
    Ok(plain_words(&answer, &spec.model).ok_or(ChatError::NoText)?)
}

/// What is asked; `None` when the alert or its batch is gone.
async fn question(
    ctx: &JobContext,
    batches: &[BatchSpec],
    asked: &Asking,
) -> Result<Option<Prompt>, JobError> {
    let row = alerts::get(&mut *ctx.catalog.reader().await?, &asked.alert).await?;
    let Some(row) = row else { return Ok(None) };
    let batch = batches.iter().find(|batch| batch.name == row.alert.batch);
    let Some(batch) = batch else { return Ok(None) };
    let beside = about(Archive::from(ctx), (ctx.clock)(), batch, &row).await?;
    let own = batch.metrics.get(&row.alert.metric);
    let rarity = beside.rarity.map(|rarity| rarity.to_string());
    let related: Vec<String> = beside.related.iter().map(ToString::to_string).collect();
    Ok(Some(prompt(&Facts {
        alert: &row.alert,
        unit: own.and_then(|metric| metric.unit.as_deref()),
        rarity: rarity.as_deref(),
        related: &related,
        tags: &batch.tags_of(&row.alert.metric),
        timezone: batch.timezone,
    })))
}

/// Writes down what came of asking, and lets go of what waits for it; `false` when it was given up on
/// already.
async fn settle(
    ctx: &JobContext,
    batches: &[BatchSpec],
    asked: &Asking,
    came: Result<&PlainWords, &Missing>,
) -> Result<bool, JobError> {
    let now = (ctx.clock)();
    let mut tx = ctx.catalog.begin().await?;
    if let Err(missing) = came {
        tracing::warn!(alert = %asked.alert, "told without plain words: {}", missing.reason);
    }
    let said = came.map_err(|missing| missing.reason.as_str());
    let is_settled = readings::settle(&mut tx, &asked.alert, said).await?;
    let row = alerts::get(&mut tx, &asked.alert).await?;
    let of_row = |row: AlertRow| {
        let batch = batches.iter().find(|batch| batch.name == row.alert.batch)?;
        Some(batch.alert_for(&row.alert.metric).group_wait)
    };
    let group_wait = row.and_then(of_row).unwrap_or(Span::ZERO);
    outbox::release(&mut tx, &asked.alert, now, group_wait).await?;
    tx.commit().await?;
    Ok(is_settled)
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
