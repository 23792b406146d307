//! Tell: what happened to alerts becomes messages in the outbox, in the caller's transaction. What is
//! told twice has the same name and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    alerting::{self, Router, Saying},
    catalog::{Connection, messages, messages::MessageRow, outbox},
    domain::{
        Alert, AlertId, BatchName, BatchSpec, Grouping, MessageEvent, MessageId, MetricName,
        Severity, Span, Timestamp,
    },
};

use super::{JobError, reading};

/// What is to be said, and to which channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Telling {
    /// Why.
    pub event: MessageEvent,
    /// About which batch, where it is one.
    pub batch: Option<BatchName>,
    /// About which alerts, the most important first.
    pub alerts: Vec<AlertId>,
    /// The headline and the text of what is not about alerts.
    pub words: Option<(String, String)>,
    /// Tells apart what is said of the same alerts at different times, and of none at all.
    pub again: String,
    /// To whom.
    pub channels: BTreeSet<String>,
}

impl Telling {
    /// What it is known by.
    pub fn id(&self) -> MessageId {
        alerting::message_id(self.event, &self.alerts, &self.again)
    }
}

/// Puts a message in the outbox of its channels; gives the number of channels that had not got it.
/// What goes to nobody is not stored.
///
/// # Errors
/// [`JobError::Catalog`], also when there is no such alert.
pub async fn tell(
    conn: &mut Connection,
    telling: &Telling,
    now: Timestamp,
) -> Result<u64, JobError> {
    if telling.channels.is_empty() {
        return Ok(0);
    }
    let (title, text) = telling.words.clone().unzip();
    let message = MessageRow {
        id: telling.id(),
        event: telling.event,
        batch: telling.batch.clone(),
        title,
        text,
        created_at: now,
    };
    messages::insert(conn, &message, &telling.alerts).await?;
    let mut n_queued = 0;
    for channel in &telling.channels {
        n_queued += u64::from(outbox::enqueue(conn, &message.id, channel, now).await?);
    }
    Ok(n_queued)
}

/// Says an event of a batch's alerts, those of a group in one message; gives the number of messages
/// put in outboxes. Whom it goes to is for the batch and the project's routes to say; what is
/// resolved is said where it was said that it fired, and nowhere else.
///
/// # Errors
/// [`JobError::Catalog`], also when an alert is not stored; [`JobError::Policy`].
pub async fn tell_alerts(
    conn: &mut Connection,
    batch: &BatchSpec,
    (event, again): (MessageEvent, &str),
    alerts: &[&Alert],
    now: Timestamp,
) -> Result<u64, JobError> {
    let told = match event {
        MessageEvent::Resolved => {
            let ids: Vec<&AlertId> = alerts.iter().map(|alert| &alert.id).collect();
            Some(messages::told(conn, &ids).await?)
        }
        _ => None,
    };
    let router = Router::compile(&batch.routes)?;
    let mut groups: BTreeMap<(String, BTreeSet<String>), Vec<&Alert>> = BTreeMap::new();
    for alert in alerts {
        let channels = match &told {
            Some(told) => told.get(&alert.id).cloned().unwrap_or_default(),
            None => router.route(&Saying::of(batch, alert, event, now)).channels,
        };
        groups.entry((group_of(batch, &alert.metric), channels)).or_default().push(alert);
    }
    // What is said a second time is said in a message of its own: the first is about what was over.
    let waiting = match event {
        MessageEvent::Firing if again.is_empty() => waiting(conn, batch, alerts, now).await?,
        _ => Waiting::new(),
    };
    let mut n_queued = 0;
    for (key, mut alerts) in groups {
        alerts.sort_by(|one, other| loudest_first(one, other));
        let wait = match (event, alerts.first()) {
            (MessageEvent::Firing, Some(first)) => batch.alert_for(&first.metric).group_wait,
            _ => Span::ZERO,
        };
        let joins = waiting.get(&key).filter(|(_, since)| now - wait < *since);
        let telling = Telling {
            event,
            batch: Some(batch.name.clone()),
            alerts: alerts.iter().map(|alert| alert.id.clone()).collect(),
            words: None,
            again: again.to_owned(),
            channels: key.1,
        };
        let joins = joins.map(|(message, _)| message);
        let (message, n_new) = tell_group(conn, &telling, joins, (wait, now)).await?;
        n_queued += n_new;
        if let Some(message) = message.filter(|_| event == MessageEvent::Firing) {
            let readable = reading::readable(&alerts);
            let reading =
                reading::Wanted { message: &message, is_new: 0 < n_new, alerts: &readable };
            reading::want(conn, batch, reading, now).await?;
        }
    }
    Ok(n_queued)
}

/// Puts a group's message in outboxes, or its alerts into one that waits for more of the group. Gives
/// the message, where its alerts were not said already, and how many outboxes have it anew.
async fn tell_group(
    conn: &mut Connection,
    telling: &Telling,
    joins: Option<&MessageId>,
    (wait, now): (Span, Timestamp),
) -> Result<(Option<MessageId>, u64), JobError> {
    if let Some(message) = joins {
        let n_added = messages::add(conn, message, &telling.alerts).await?;
        return Ok(((0 < n_added).then(|| message.clone()), 0));
    }
    let n_new = tell(conn, telling, now).await?;
    let message = telling.id();
    if Span::ZERO < wait {
        outbox::hold(conn, &message, now + wait).await?;
    }
    Ok(((0 < n_new).then_some(message), n_new))
}

/// The newest message that waits for more of each group, by the group and whom it goes to, and since
/// when.
type Waiting = BTreeMap<(String, BTreeSet<String>), (MessageId, Timestamp)>;

/// The messages that some alerts may join.
async fn waiting(
    conn: &mut Connection,
    batch: &BatchSpec,
    alerts: &[&Alert],
    now: Timestamp,
) -> Result<Waiting, JobError> {
    let waits = alerts.iter().map(|alert| batch.alert_for(&alert.metric).group_wait);
    let longest = waits.max().unwrap_or(Span::ZERO);
    let mut waiting = Waiting::new();
    if longest == Span::ZERO {
        return Ok(waiting);
    }
    for unsent in outbox::unsent(conn, &batch.name, now - longest).await? {
        let group = group_of(batch, &unsent.metric);
        let newest = waiting.entry((group, unsent.channels));
        newest.or_insert((unsent.message, unsent.created_at));
    }
    Ok(waiting)
}

/// Alerts of one message have the same.
pub(super) fn group_of(batch: &BatchSpec, metric: &MetricName) -> String {
    match &batch.alert_for(metric).group {
        Grouping::Batch => String::new(),
        Grouping::Metric => metric.to_string(),
        Grouping::Tag(key) => {
            let own = batch.metrics.get(metric).and_then(|own| own.tags.get(key));
            own.or_else(|| batch.tags.get(key)).cloned().unwrap_or_default()
        }
    }
}

/// Severity, then score, then name.
fn loudest_first(one: &Alert, other: &Alert) -> std::cmp::Ordering {
    let loudness = |alert: &Alert| (alert.severity == Severity::Critical, alert.score);
    let ((a, b), (c, d)) = (loudness(other), loudness(one));
    let by_score = b.unwrap_or(0.0).total_cmp(&d.unwrap_or(0.0));
    a.cmp(&c).then(by_score).then_with(|| one.metric.cmp(&other.metric))
}

#[cfg(test)]
#[path = "tell_tests.rs"]
mod tests;
