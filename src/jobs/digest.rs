//! Digest: what happened in a stretch of time, over all batches, in one text for people.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    alerting,
    catalog::{
        CatalogError, Connection, alerts, alerts::AlertFilter, alerts::AlertRow, feedback,
        messages, models, runs, runs::RunFilter,
    },
    domain::{
        AlertKind, AlertState, BatchName, BatchSpec, JobKind, MessageEvent, RunReport, RunState,
        Span, Timestamp, Verdict, words,
    },
};

use super::{JobContext, JobError, tell, tell::Telling};

/// Lines of one kind before the rest is counted.
const MOST_LINES: usize = 20;
/// Alerts and runs of one batch looked at.
const MOST_ROWS: u32 = 10_000;

/// What happened in a stretch of time, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// One line.
    pub title: String,
    /// The whole, in lines.
    pub text: String,
}

/// Reads what happened from one instant up to another.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn digest(
    conn: &mut Connection,
    batches: &[BatchSpec],
    from: Timestamp,
    until: Timestamp,
) -> Result<Digest, CatalogError> {
    let (mut text, mut n_alerts, mut n_firing) = (String::new(), 0_u64, 0_u64);
    for batch in batches {
        let rows = alerts_of(conn, &batch.name, from).await?;
        let raised = rows.iter().filter(|row| from <= row.raised_at && row.raised_at < until);
        let raised: Vec<&AlertRow> = raised.collect();
        let firing = rows.iter().filter(|row| row.episode.state == AlertState::Firing).count();
        n_alerts += raised.len() as u64;
        n_firing += firing as u64;
        let lines = [
            alert_lines(&raised, until),
            stale_lines(&rows),
            run_lines(conn, &batch.name, (from, until)).await?,
            verdict_lines(conn, &raised).await?,
            model_lines(conn, batch, until).await?,
        ]
        .concat();
        writeln!(text, "{}", batch.name).unwrap_or_default();
        for line in &lines {
            writeln!(text, "  {line}").unwrap_or_default();
        }
    }
    let span = words::count((until - from).micros().unsigned_abs() / 3_600_000_000);
    let [alerts, firing] = [n_alerts, n_firing].map(words::count);
    let title = format!("{alerts} alerts in {span} hours, {firing} still firing");
    Ok(Digest { title, text })
}

/// Raised since then, or still firing.
async fn alerts_of(
    conn: &mut Connection,
    batch: &BatchName,
    from: Timestamp,
) -> Result<Vec<AlertRow>, CatalogError> {
    let batch = Some(batch.clone());
    let filter = AlertFilter { batch, limit: MOST_ROWS, ..AlertFilter::default() };
    let mut rows = alerts::list(conn, &filter).await?;
    rows.retain(|row| from <= row.raised_at || row.episode.state == AlertState::Firing);
    Ok(rows)
}

fn alert_lines(raised: &[&AlertRow], until: Timestamp) -> Vec<String> {
    let mut lines: Vec<String> =
        raised.iter().take(MOST_LINES).map(|row| line(row, until)).collect();
    match raised.len() {
        0 => lines.push("no alerts".into()),
        n if MOST_LINES < n => lines.push(format!("and {} more alerts", n - MOST_LINES)),
        _ => {}
    }
    lines
}

/// `critical anomaly of orders for 3h, over: orders was …`.
fn line(row: &AlertRow, until: Timestamp) -> String {
    let AlertRow { alert, episode, .. } = row;
    let (end, state) = match episode.state {
        AlertState::Firing => (until, "goes on"),
        AlertState::Resolved => (episode.until.max(alert.at), "over"),
    };
    let lasted = Span::secs(((end - alert.since).micros() / 60_000_000).max(0) * 60);
    let (metric, reason) = (words::shown(alert.metric.as_str()), words::shown(&alert.reason));
    format!("{} {} of {metric} for {lasted}, {state}: {reason}", alert.severity, alert.kind)
}

fn stale_lines(rows: &[AlertRow]) -> Vec<String> {
    let is_stale = |row: &&AlertRow| {
        row.alert.kind == AlertKind::Absence && row.episode.state == AlertState::Firing
    };
    let stale: Vec<String> = rows
        .iter()
        .filter(is_stale)
        .map(|row| words::shown(row.alert.metric.as_str()))
        .take(MOST_LINES)
        .collect();
    if stale.is_empty() { Vec::new() } else { vec![format!("silent: {}", stale.join(", "))] }
}

async fn run_lines(
    conn: &mut Connection,
    batch: &BatchName,
    (from, until): (Timestamp, Timestamp),
) -> Result<Vec<String>, CatalogError> {
    let filter = RunFilter { batch: Some(batch.clone()), limit: MOST_ROWS, ..RunFilter::default() };
    let (mut failed, mut n_rejected) = (BTreeMap::<JobKind, u64>::new(), 0_u64);
    for run in runs::list(conn, &filter).await? {
        if run.slot < from || until <= run.slot {
            continue;
        }
        if run.state == RunState::Dead {
            *failed.entry(run.job).or_default() += 1;
        }
        if let Some(RunReport::Ingest(report)) = run.report {
            n_rejected += report.rejected.values().sum::<u64>();
        }
    }
    let mut lines: Vec<String> =
        failed.iter().map(|(job, n)| format!("{job} failed for good {n} times")).collect();
    if 0 < n_rejected {
        lines.push(format!("{} rows rejected", words::count(n_rejected)));
    }
    Ok(lines)
}

/// How many of the alerts people spoke of, and how many of these were worth it. The newest word
/// counts.
async fn verdict_lines(
    conn: &mut Connection,
    raised: &[&AlertRow],
) -> Result<Vec<String>, CatalogError> {
    let (mut n_said, mut n_good) = (0_u64, 0_u64);
    for row in raised {
        if let Some(newest) = feedback::of_alert(conn, &row.alert.id).await?.first() {
            n_said += 1;
            n_good += u64::from(matches!(newest.verdict, Verdict::Up | Verdict::Incident));
        }
    }
    if n_said == 0 {
        return Ok(Vec::new());
    }
    let n_raised = raised.len();
    Ok(vec![format!("{n_said} of {n_raised} alerts answered, {n_good} of these worth knowing")])
}

async fn model_lines(
    conn: &mut Connection,
    batch: &BatchSpec,
    until: Timestamp,
) -> Result<Vec<String>, CatalogError> {
    let current = models::currents(conn, &batch.name).await?;
    let newest = current.iter().map(|model| model.trained_at).max();
    let age = |at: Timestamp| Span::secs(((until - at).micros() / 3_600_000_000).max(0) * 3_600);
    Ok(newest.map(|at| format!("newest model {} old", age(at))).into_iter().collect())
}

/// Puts the digest of a slot in the outbox of its channels, once; `false` when it is there.
///
/// # Errors
/// [`JobError::Catalog`].
pub async fn send_digest(
    ctx: &JobContext,
    batches: &[BatchSpec],
    channels: &[String],
    (from, slot): (Timestamp, Timestamp),
) -> Result<bool, JobError> {
    let again = slot.to_string();
    let id = alerting::message_id(MessageEvent::Digest, &[], &again);
    let mut reader = ctx.catalog.reader().await?;
    if messages::get(&mut reader, &id).await?.is_some() {
        return Ok(false);
    }
    let Digest { title, text } = digest(&mut reader, batches, from, slot).await?;
    drop(reader);
    let telling = Telling {
        event: MessageEvent::Digest,
        batch: None,
        alerts: Vec::new(),
        words: Some((title, text)),
        again,
        channels: channels.iter().cloned().collect(),
    };
    let mut tx = ctx.catalog.begin().await?;
    let n_queued = tell::tell(&mut tx, &telling, (ctx.clock)()).await?;
    tx.commit().await?;
    Ok(0 < n_queued)
}
