//! What a message says to one channel, gathered when it is sent.

use std::collections::BTreeMap;

use crate::{
    catalog::{
        Reader, alerts, alerts::AlertRow, messages, messages::MessageRow, outbox::Delivery,
        readings,
    },
    domain::{
        AlertId, AlertKind, AlertState, BatchSpec, ChannelKind, MessageEvent, PlainWords, Span,
        Timestamp, words,
    },
    notify::{Chart, Message, Note},
};

use super::{
    super::{Archive, JobContext, JobError, about},
    Audience,
    links::Signing,
};

/// Alerts a message tells one by one; of the others it says how many there are.
const MOST_NOTES: u32 = 20;
/// Alerts of a message that are told with what their metric's history says, and drawn.
const MOST_BESIDE: usize = 3;
/// Batches a message about very many alerts names.
const MOST_BATCHES: usize = 10;

/// The message of a delivery; `None` when what it is about is gone.
pub(super) async fn message(
    ctx: &JobContext,
    audience: &Audience<'_>,
    channel: &ChannelKind,
    delivery: &Delivery,
) -> Result<Option<Message>, JobError> {
    let mut reader = ctx.catalog.reader().await?;
    let Some(row) = messages::get(&mut reader, &delivery.message).await? else { return Ok(None) };
    let most = if channel.keeps_account() { u32::MAX } else { MOST_NOTES };
    let about = messages::first_alerts(&mut reader, &row.id, most).await?;
    let mut rows = Vec::with_capacity(about.len());
    for id in about.into_iter().filter(|id| !delivery.taken.contains(id)) {
        rows.extend(alerts::get(&mut reader, &id).await?);
    }
    if rows.is_empty() && row.text.is_none() {
        return Ok(None);
    }
    let crowd = crowd(&mut reader, &row, most).await?;
    let mut words = BTreeMap::new();
    for row in rows.iter().take(MOST_BESIDE) {
        let reading = readings::of(&mut reader, &row.alert.id).await?;
        words.extend(reading.and_then(|reading| Some((row.alert.id.clone(), reading.words?))));
    }
    let digest = match row.event {
        MessageEvent::Digest => messages::digest_of(&mut reader, &row.id).await?,
        _ => None,
    };
    let signing = Signing::of(&mut reader, audience, delivery, &row).await?;
    drop(reader);
    let n_alerts = crowd.as_ref().map_or(rows.len() as u64, |crowd| crowd.n_alerts);
    let n_more = n_alerts.saturating_sub(rows.len() as u64);
    let (headline, body) = match crowd {
        Some(crowd) if row.event == MessageEvent::Storm => (Some(crowd.headline), Some(crowd.body)),
        _ => (row.title, row.text),
    };
    Ok(Some(Message {
        id: delivery.idem_key.clone(),
        event: row.event,
        alerts: with_words(
            notes(ctx, audience, channel, &signing, (rows, row.created_at)).await,
            words,
        ),
        n_more,
        batch: row.batch,
        headline,
        body,
        digest,
        created_at: row.created_at,
        link: Some(format!("{}/alerts", audience.dashboard)),
        attempt: delivery.attempts + 1,
        may_be_there: delivery.may_be_there,
        sent_at: (ctx.clock)(),
    }))
}

/// What a language model made of alerts, beside what is known of them.
fn with_words(mut notes: Vec<Note>, mut words: BTreeMap<AlertId, PlainWords>) -> Vec<Note> {
    for note in &mut notes {
        note.plain_words = words.remove(&note.alert.id);
    }
    notes
}

/// Many alerts in few words.
struct Crowd {
    n_alerts: u64,
    headline: String,
    body: String,
}

/// `None` for a message whose alerts are told one by one.
async fn crowd(
    reader: &mut Reader,
    row: &MessageRow,
    most: u32,
) -> Result<Option<Crowd>, JobError> {
    let counts = messages::counts_of(reader, &row.id).await?;
    let n_alerts: u64 = counts.iter().map(|count| count.n_alerts).sum();
    if row.event != MessageEvent::Storm && n_alerts <= u64::from(most) {
        return Ok(None);
    }
    let mut of_batch: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    let mut firing = 0;
    for count in &counts {
        let [all, critical] = of_batch.entry(count.batch.as_str()).or_default();
        *all += count.n_alerts;
        *critical += count.n_critical;
        if count.state == AlertState::Firing {
            firing += count.n_alerts;
        }
    }
    let plural = |n: u64, word: &str, words: &str| match n {
        1 => format!("1 {word}"),
        n => format!("{} {words}", words::count(n)),
    };
    let alerts = plural(n_alerts, "alert", "alerts");
    let batches = plural(of_batch.len() as u64, "batch", "batches");
    let headline = format!("{alerts} in {batches}, {} still firing", words::count(firing));
    let mut body =
        "Too many messages waited, or waited too long; this one says them all.\n".to_owned();
    for (batch, [all, critical]) in of_batch.iter().take(MOST_BATCHES) {
        let critical = match critical {
            0 => String::new(),
            n => format!(", {} critical", words::count(*n)),
        };
        let alerts = plural(*all, "alert", "alerts");
        body.push_str(&format!("{}: {alerts}{critical}\n", words::shown(batch)));
    }
    if MOST_BATCHES < of_batch.len() {
        body.push_str(&format!("and {} more batches\n", of_batch.len() - MOST_BATCHES));
    }
    Ok(Some(Crowd { n_alerts, headline, body }))
}

async fn notes(
    ctx: &JobContext,
    audience: &Audience<'_>,
    channel: &ChannelKind,
    signing: &Signing<'_>,
    (rows, now): (Vec<AlertRow>, Timestamp),
) -> Vec<Note> {
    let mut notes = Vec::with_capacity(rows.len());
    for (n, row) in rows.into_iter().enumerate() {
        let batch = audience.batches.iter().find(|batch| batch.name == row.alert.batch);
        // Of the program's own work there is no history.
        let has_history = !matches!(row.alert.kind, AlertKind::Pipeline | AlertKind::Rows);
        let beside = match batch.filter(|_| n < MOST_BESIDE && has_history) {
            Some(batch) => beside(ctx, batch, channel, &row).await,
            None => Ok(Beside::default()),
        };
        // The message is worth sending without it.
        let beside = beside.unwrap_or_else(|error| {
            tracing::warn!(alert = %row.alert.id, "told without its history: {error}");
            Beside::default()
        });
        let Beside { rarity, related, is_drawn, chart } = beside;
        let mut note = Note { rarity, related, chart, ..note(audience, signing, row, now) };
        note.links.chart = note.links.chart.filter(|_| is_drawn);
        notes.push(note);
    }
    notes
}

/// What the history of an alert's metric says.
#[derive(Default)]
struct Beside {
    rarity: Option<String>,
    related: Vec<String>,
    /// Whether there is anything to draw.
    is_drawn: bool,
    chart: Option<Chart>,
}

async fn beside(
    ctx: &JobContext,
    batch: &BatchSpec,
    channel: &ChannelKind,
    row: &AlertRow,
) -> Result<Beside, JobError> {
    let context = about(Archive::from(ctx), (ctx.clock)(), batch, row).await?;
    let rarity = context.rarity.as_ref().map(ToString::to_string);
    let related = context.related.iter().map(ToString::to_string).collect();
    let is_drawn = context.is_drawn();
    let chart = match channel.shows_charts() {
        true => context.chart(&ctx.compute).await?,
        false => None,
    };
    Ok(Beside { rarity, related, is_drawn, chart })
}

/// `now` is when the message came up, so that a repeat says the same.
fn note(audience: &Audience<'_>, signing: &Signing<'_>, row: AlertRow, now: Timestamp) -> Note {
    let alert = row.alert;
    let batch = audience.batches.iter().find(|batch| batch.name == alert.batch);
    let own = batch.and_then(|batch| batch.metrics.get(&alert.metric));
    let name = own.and_then(|metric| metric.display_name.clone());
    let links = signing.links(&alert, row.episode.state);
    let until = row.episode.until.max(alert.at);
    let until = if row.episode.state == AlertState::Firing { now } else { until };
    Note {
        lasted: (until - alert.since).max(Span::ZERO),
        episode: row.episode,
        raised_at: row.raised_at,
        display_name: name.unwrap_or_else(|| alert.metric.to_string()),
        unit: own.and_then(|metric| metric.unit.clone()),
        owner: batch.and_then(|batch| batch.owner.clone()),
        tags: batch.map(|batch| batch.tags_of(&alert.metric)).unwrap_or_default(),
        timezone: batch.map_or(chrono_tz::UTC, |batch| batch.timezone),
        rarity: None,
        related: Vec::new(),
        plain_words: None,
        links,
        chart: None,
        alert,
    }
}
