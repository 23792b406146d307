//! What becomes of the alerts of rules, written down and told in the caller's transaction.

use crate::{
    alerting::{Open, PolicyError, Turn},
    catalog::{
        Connection,
        alerts::{self, AlertRow},
        episodes,
    },
    domain::{
        Alert, AlertId, AlertKind, BatchName, BatchSpec, MessageEvent, MetricName, Resolution,
        RunId, Timestamp,
    },
};

use super::{JobContext, JobError, Notify, tell};

/// What was not known before.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Alerts that fire.
    pub(super) raised: Vec<Alert>,
    /// Alerts that have become critical.
    pub(super) worse: Vec<Alert>,
    /// Alerts that are over.
    pub(super) over: Vec<Alert>,
}

impl Taken {
    /// The events there are to be told, each with its alerts.
    pub(super) fn events(&self) -> impl Iterator<Item = (MessageEvent, Vec<&Alert>)> {
        let events = [
            (MessageEvent::Firing, &self.raised),
            (MessageEvent::Escalated, &self.worse),
            (MessageEvent::Resolved, &self.over),
        ];
        events
            .into_iter()
            .filter(|(_, alerts)| !alerts.is_empty())
            .map(|(event, alerts)| (event, alerts.iter().collect()))
    }

    /// Counts the alerts that fire.
    pub(super) fn count(&self, ctx: &JobContext, batch: &BatchName) {
        for alert in &self.raised {
            ctx.metrics.alert_raised(batch, alert.kind);
        }
    }
}

/// A batch's alerts of a kind that are not over, as the rules see them.
pub(super) async fn open(
    conn: &mut Connection,
    batch: &BatchName,
    kind: AlertKind,
) -> Result<Vec<(MetricName, Open)>, JobError> {
    let rows = episodes::firing(conn, batch, kind).await?;
    let open = |row: AlertRow| {
        let AlertRow { alert, .. } = row;
        (alert.metric.clone(), Open::begun(&alert))
    };
    Ok(rows.into_iter().map(open).collect())
}

/// Closes the alerts of metrics that no rule looks at any more.
pub(super) fn closed<'a>(
    open: impl IntoIterator<Item = (&'a MetricName, &'a Open)>,
    now: Timestamp,
    is_looked_at: impl Fn(&MetricName) -> Result<bool, PolicyError>,
) -> Result<Vec<Turn>, PolicyError> {
    let mut turns = Vec::new();
    for (metric, open) in open {
        if !is_looked_at(metric)? {
            turns.push(Turn::Resolve(open.id.clone(), now, Resolution::Closed));
        }
    }
    Ok(turns)
}

/// Writes turns down. What is known already changes nothing.
pub(super) async fn write(
    conn: &mut Connection,
    run: RunId,
    turns: &[Turn],
    now: Timestamp,
) -> Result<Taken, JobError> {
    let mut taken = Taken::default();
    for turn in turns {
        match turn {
            Turn::Raise(alert) => {
                if alerts::insert(conn, alert, run, now).await? {
                    taken.raised.push(Alert::clone(alert));
                }
            }
            Turn::Extend(id, until) => episodes::extend(conn, id, *until).await?,
            Turn::Escalate(id, until, reason) => {
                if episodes::escalate(conn, id, *until, reason).await? {
                    taken.worse.extend(stored(conn, id).await?);
                }
            }
            Turn::Resolve(id, _, resolution) => {
                if episodes::resolve(conn, id, *resolution, now).await? {
                    taken.over.extend(stored(conn, id).await?);
                }
            }
        }
    }
    Ok(taken)
}

async fn stored(conn: &mut Connection, id: &AlertId) -> Result<Option<Alert>, JobError> {
    Ok(alerts::get(conn, id).await?.map(|row| row.alert))
}

/// Writes a batch's turns down and tells its channels.
pub(super) async fn take(
    ctx: &JobContext,
    conn: &mut Connection,
    (batch, run): (&BatchSpec, RunId),
    turns: &[Turn],
    now: Timestamp,
) -> Result<Taken, JobError> {
    let taken = write(conn, run, turns, now).await?;
    for (event, alerts) in taken.events() {
        // What is over is told wherever it was told that it fired, and nowhere else.
        if ctx.notify == Notify::Queue || event == MessageEvent::Resolved {
            tell::tell_alerts(conn, batch, (event, ""), &alerts, now).await?;
        }
    }
    Ok(taken)
}
