//! Attend: what people do about alerts. They say that they look after one, ask for silence, or close it;
//! what is closed is told wherever it was told that it fired.

use std::collections::BTreeSet;

use crate::{
    catalog::{
        Catalog, Tx, alerts, alerts::AlertRow, episodes, messages, snoozes, snoozes::SnoozeRow,
    },
    domain::{
        Alert, AlertId, AlertKind, BatchName, MessageEvent, MetricName, Resolution, Span, Timestamp,
    },
};

use super::{
    JobError,
    tell::{Telling, tell},
    watch::PROGRAM,
};

/// Nobody forgets longer than this what they asked for.
pub const LONGEST_SNOOZE: Span = Span::days(90);

/// What somebody does about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attention {
    /// Looks after it: there are no reminders any more.
    Ack,
    /// Asks for silence about its metric.
    Snooze(Span),
    /// Closes it.
    Resolve,
}

/// Does something about an alert; gives it as it is then, or nothing when there is none. What was done
/// already stays as it is.
///
/// # Errors
/// [`JobError::Catalog`].
pub async fn attend(
    catalog: &Catalog,
    id: &AlertId,
    (what, author): (Attention, &str),
    now: Timestamp,
) -> Result<Option<AlertRow>, JobError> {
    let mut tx = catalog.begin().await?;
    let Some(row) = alerts::get(&mut tx, id).await? else { return Ok(None) };
    act(&mut tx, &row, (what, author), now).await?;
    let row = alerts::get(&mut tx, id).await?;
    tx.commit().await?;
    Ok(row)
}

/// Does something about an alert, as a part of what a transaction does.
pub(super) async fn act(
    tx: &mut Tx,
    row: &AlertRow,
    (what, author): (Attention, &str),
    now: Timestamp,
) -> Result<(), JobError> {
    let id = &row.alert.id;
    match what {
        Attention::Ack => drop(alerts::ack(tx, id, author, now).await?),
        Attention::Snooze(length) => {
            let until = now + length.min(LONGEST_SNOOZE);
            let (batch, metric) = (row.alert.batch.clone(), Some(row.alert.metric.clone()));
            let author = author.to_owned();
            snoozes::add(tx, &SnoozeRow { batch, metric, since: now, until, author }).await?;
        }
        Attention::Resolve => {
            if episodes::resolve(tx, id, Resolution::Closed, now).await? {
                tell_over(tx, &row.alert, now).await?;
            }
        }
    }
    Ok(())
}

/// Asks for silence about a batch, or one metric of it.
///
/// # Errors
/// [`JobError::Catalog`], also for a length of nothing.
pub async fn snooze(
    catalog: &Catalog,
    (batch, metric): (BatchName, Option<MetricName>),
    (length, author): (Span, &str),
    now: Timestamp,
) -> Result<SnoozeRow, JobError> {
    let until = now + length.min(LONGEST_SNOOZE);
    let row = SnoozeRow { batch, metric, since: now, until, author: author.to_owned() };
    let mut tx = catalog.begin().await?;
    snoozes::add(&mut tx, &row).await?;
    tx.commit().await?;
    Ok(row)
}

/// Closes the alerts of batches that nobody looks at any more; gives their number. Those about the
/// program itself are of no batch.
///
/// # Errors
/// [`JobError::Catalog`].
pub async fn close_abandoned(
    catalog: &Catalog,
    batches: &BTreeSet<BatchName>,
    now: Timestamp,
) -> Result<u64, JobError> {
    let mut tx = catalog.begin().await?;
    let mut n_closed = 0;
    for row in episodes::all_firing(&mut tx).await? {
        let Alert { batch, kind, .. } = &row.alert;
        let is_programs = *kind == AlertKind::Pipeline && batch.as_str() == PROGRAM;
        let is_kept = is_programs || batches.contains(batch);
        if !is_kept && episodes::resolve(&mut tx, &row.alert.id, Resolution::Closed, now).await? {
            tell_over(&mut tx, &row.alert, now).await?;
            n_closed += 1;
        }
    }
    tx.commit().await?;
    Ok(n_closed)
}

async fn tell_over(tx: &mut Tx, alert: &Alert, now: Timestamp) -> Result<u64, JobError> {
    let told = messages::told(tx, &[&alert.id]).await?.remove(&alert.id);
    // It was over before, where late data took it back and gave it back.
    let before = messages::said_before(tx, &[&alert.id], MessageEvent::Resolved).await?;
    let again = if before.is_empty() { String::new() } else { now.micros().to_string() };
    let telling = Telling {
        event: MessageEvent::Resolved,
        batch: Some(alert.batch.clone()),
        alerts: vec![alert.id.clone()],
        words: None,
        again,
        channels: told.unwrap_or_default(),
    };
    tell(tx, &telling, now).await
}
