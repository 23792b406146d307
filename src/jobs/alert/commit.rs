//! What a pass found out is written down and told, in one transaction.

use std::collections::BTreeMap;

use crate::{
    alerting::Course,
    catalog::{Tx, alerts, alerts::AlertRow, episodes, messages, runs, runs::Claim, watermarks},
    domain::{Alert, AlertId, AlertReport, BatchSpec, MessageEvent, Resolution, Timestamp},
    jobs::{JobContext, JobError, Notify, tell::tell_alerts},
};

use super::{Found, WATERMARK};

pub(super) async fn commit(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    mut found: Found,
) -> Result<AlertReport, JobError> {
    let now = (ctx.clock)();
    let suppressed = std::mem::take(&mut found.suppressed);
    let mut report = AlertReport { suppressed, ..AlertReport::default() };
    let mut tx = ctx.catalog.begin().await?;
    runs::guard(&mut tx, claim, "raise").await?;
    let told = write(&mut tx, claim, &found, now).await?;
    for (event, alerts) in told.events() {
        // What is over is told wherever it was told that it fired, and nowhere else.
        if ctx.notify == Notify::Queue || event == MessageEvent::Resolved {
            let ids: Vec<&AlertId> = alerts.iter().map(|alert| &alert.id).collect();
            // Of an alert that was taken back and given back, an event is said a second time.
            let before = messages::said_before(&mut tx, &ids, event).await?;
            let (again, first): (Vec<&Alert>, Vec<&Alert>) =
                alerts.into_iter().partition(|alert| before.contains(&alert.id));
            let when = now.micros().to_string();
            report.queued += tell_alerts(&mut tx, batch, (event, ""), &first, now).await?;
            report.queued += tell_alerts(&mut tx, batch, (event, &when), &again, now).await?;
        }
    }
    if ctx.notify == Notify::Queue {
        report.queued += remind(&mut tx, batch, &found.open, now).await?;
    }
    for (metric, judged) in &found.judged {
        let name = format!("{WATERMARK}{metric}");
        watermarks::set(&mut tx, &batch.name, &name, *judged).await?;
    }
    tx.commit().await?;
    report.raised = told.raised.len() as u64;
    report.resolved = told.over.len() as u64;
    for alert in &told.raised {
        ctx.metrics.alert_raised(&batch.name, alert.kind);
    }
    for (reason, n_points) in &report.suppressed {
        ctx.metrics.alerts_suppressed(&batch.name, reason, *n_points);
    }
    let mut reader = ctx.catalog.reader().await?;
    for (severity, n_alerts) in alerts::firing(&mut reader, &batch.name).await? {
        ctx.metrics.people.set_firing(&batch.name, severity, n_alerts);
    }
    let tally = crate::catalog::feedback::tally(&mut reader, Some(&batch.name), now).await?;
    ctx.metrics.people.set_answers(&batch.name, tally.precision(), tally.response_rate());
    Ok(report)
}

/// What was not known before.
#[derive(Default)]
struct Told<'a> {
    /// Also those that late data had ended and later data gave back.
    raised: Vec<&'a Alert>,
    /// As loud as they are now.
    worse: Vec<Alert>,
    over: Vec<&'a Alert>,
}

impl<'a> Told<'a> {
    fn events(&self) -> [(MessageEvent, Vec<&Alert>); 3] {
        [
            (MessageEvent::Firing, self.raised.clone()),
            (MessageEvent::Escalated, self.worse.iter().collect()),
            (MessageEvent::Resolved, self.over.clone()),
        ]
    }
}

async fn write<'a>(
    tx: &mut Tx,
    claim: &Claim,
    found: &'a Found,
    now: Timestamp,
) -> Result<Told<'a>, JobError> {
    let mut told = Told::default();
    let mut known: BTreeMap<&AlertId, &Alert> =
        found.open.iter().map(|row| (&row.alert.id, &row.alert)).collect();
    for alert in found.raised.iter().chain(&found.silences.found) {
        let is_new = alerts::insert(tx, alert, claim.run, now).await?;
        if is_new || episodes::reopen(tx, alert).await? {
            told.raised.push(alert);
        }
        known.insert(&alert.id, alert);
    }
    for Course { alert: moved, is_escalated, over_at } in &found.courses {
        let Some(alert) = known.get(&moved.id) else { continue };
        let (peak_score, severity) = (moved.peak_score, moved.severity);
        alerts::moved(tx, &moved.id, moved.until, (peak_score, severity)).await?;
        if *is_escalated {
            // Whom it goes to depends on how loud it is now.
            told.worse.push(Alert { severity, ..(*alert).clone() });
        }
        if over_at.is_some() && episodes::resolve(tx, &moved.id, Resolution::Recovered, now).await?
        {
            told.over.push(alert);
        }
    }
    for (alert, resolution) in &found.ended {
        if episodes::resolve(tx, &alert.id, *resolution, now).await? {
            told.over.push(alert);
        }
    }
    for (id, heard) in &found.silences.over {
        episodes::extend(tx, id, *heard).await?;
        if episodes::resolve(tx, id, Resolution::Recovered, now).await? {
            told.over.extend(known.get(id));
        }
    }
    Ok(told)
}

/// Says again what goes on for long, unless somebody looks after it.
async fn remind(
    tx: &mut Tx,
    batch: &BatchSpec,
    open: &[AlertRow],
    now: Timestamp,
) -> Result<u64, JobError> {
    let mut due = Vec::new();
    for row in open.iter().filter(|row| row.acked.is_none()) {
        let Some(every) = batch.alert_for(&row.alert.metric).remind else { continue };
        let is_over = alerts::get(tx, &row.alert.id).await?.is_none_or(|row| row.is_over());
        let said = messages::last_said(tx, &row.alert.id).await?;
        if !is_over && said.is_some_and(|said| every <= now - said) {
            due.push(&row.alert);
        }
    }
    let again = now.micros().to_string();
    tell_alerts(tx, batch, (MessageEvent::Reminder, &again), &due, now).await
}
