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
const MOST_OF_A_MESSAGE: usize = 3;
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

/// Notes that words are wanted about a new message's alerts, and keeps it back for them; neither
/// where `[explain]` is off or has been asked enough today.
pub(super) async fn want(
    conn: &mut Connection,
    batch: &BatchSpec,
    (message, alerts): (&MessageId, &[AlertId]),
    now: Timestamp,
) -> Result<(), JobError> {
    let Some(spec) = &batch.explain else { return Ok(()) };
    let n_today = readings::n_since(conn, now - Span::days(1)).await?;
    let n_left = (spec.daily_limit as u64).saturating_sub(n_today);
    let most = MOST_OF_A_MESSAGE.min(usize::try_from(n_left).unwrap_or(usize::MAX));
    let until = now + spec.timeout;
    let mut n_wanted = 0_u64;
    for alert in alerts.iter().take(most) {
        n_wanted += u64::from(readings::want(conn, alert, now, until).await?);
    }
    if 0 < n_wanted {
        outbox::hold(conn, message, until).await?;
    }
    Ok(())
}

/// Asks about every alert that words are wanted of, and lets go of the messages that wait for them.
///
/// # Errors
/// [`JobError::Catalog`]; messages then leave by themselves when they have waited long enough. That
/// the model gives no answer is none.
pub async fn read_alerts(
    ctx: &JobContext,
    batches: &[BatchSpec],
    spec: &ExplainSpec,
    client: &Client,
) -> Result<Readings, JobError> {
    let mut total = Readings::default();
    loop {
        let now = (ctx.clock)();
        let mut tx = ctx.catalog.begin().await?;
        let n_late = readings::expire(&mut tx, now).await?;
        let taken = readings::take(&mut tx, now, AT_A_TIME).await?;
        tx.commit().await?;
        total.missing += n_late;
        ctx.metrics.people.readings(ReadingOutcome::Late, n_late);
        if taken.is_empty() {
            return Ok(total);
        }
        let mut asking = stream::iter(taken)
            .map(async |asked| {
                let came = ask(ctx, batches, spec, client, &asked).await;
                (asked, came)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((asked, came)) = asking.next().await {
            let counted = match &came {
                Ok(_) => ReadingOutcome::Given,
                Err(_) => ReadingOutcome::Failed,
            };
            settle(ctx, batches, &asked, came.as_ref()).await?;
            ctx.metrics.people.readings(counted, 1);
            match came {
                Ok(_) => total.given += 1,
                Err(_) => total.missing += 1,
            }
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
) -> Result<PlainWords, String> {
    let question = question(ctx, batches, asked).await.map_err(|error| net::chain(&error))?;
    let question = question.ok_or("there is nothing to tell about it")?;
    let left = asked.until - (ctx.clock)();
    let question = Question { rules: question.rules, facts: &question.facts };
    let patience = left.clamp(Span::ZERO, spec.timeout).to_std();
    let answer = net::ask(client, spec, question, patience).await;
    let answer = answer.map_err(|error: ChatError| error.to_string())?;
    plain_words(&answer, &spec.model).ok_or_else(|| ChatError::NoText.to_string())
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

async fn settle(
    ctx: &JobContext,
    batches: &[BatchSpec],
    asked: &Asking,
    came: Result<&PlainWords, &String>,
) -> Result<(), JobError> {
    let now = (ctx.clock)();
    let mut tx = ctx.catalog.begin().await?;
    if let Err(error) = came {
        tracing::warn!(alert = %asked.alert, "told without plain words: {error}");
    }
    readings::settle(&mut tx, &asked.alert, came.map_err(String::as_str)).await?;
    let row = alerts::get(&mut tx, &asked.alert).await?;
    let of_row = |row: AlertRow| {
        let batch = batches.iter().find(|batch| batch.name == row.alert.batch)?;
        Some(batch.alert_for(&row.alert.metric).group_wait)
    };
    let group_wait = row.and_then(of_row).unwrap_or(Span::ZERO);
    outbox::release(&mut tx, &asked.alert, now, group_wait).await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
