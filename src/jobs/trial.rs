//! Trying a channel: a message that says it is a test goes out now, past the outbox, with a made-up
//! alert and its chart, so that people see what they will get.

use std::{collections::BTreeMap, f64::consts::TAU, time::Duration};

use serde::Serialize;

use crate::{
    chart::{Mark, Picture, Window},
    compute::{Compute, ComputeError},
    domain::{
        Alert, AlertId, AlertKind, Band, BatchName, ChannelSpec, Episode, MessageEvent, MetricName,
        ModelVersion, NameError, ScorePoint, Severity, Span, Timestamp,
    },
    net::Client,
    notify::{self, Chart, Links, Message, Note},
};

use super::{Paces, about::drawn};

/// Longest wait for a channel: whoever asks over HTTP gets an answer within half a minute.
const LONGEST_TRY: Duration = Duration::from_secs(25);
/// Hours on the chart.
const N_HOURS: i64 = 72;
const EXPECTED: f64 = 1_150.0;
const SEEN: f64 = 812.0;

/// What a channel made of a test message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// Which channel.
    pub channel: String,
    /// Whether it has the message.
    pub is_sent: bool,
    /// What became of it, in half a sentence.
    pub outcome: String,
}

/// Why a channel was not tried.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// It was spoken to as often as its `rate` allows.
    #[error("the channel's rate allows no message now; try again later")]
    TooSoon,
    /// The sample chart could not be drawn.
    #[error("draw the sample chart")]
    Compute(#[from] ComputeError),
    /// The sample's names are none.
    #[error("name the sample metric")]
    Name(#[from] NameError),
}

/// Sends one test message to a channel, counted against its rate.
///
/// # Errors
/// [`TrialError`], when nothing was sent. That the channel does not take it is an outcome.
pub async fn try_channel(
    channel: &ChannelSpec,
    dashboard: &str,
    (client, compute, paces): (&Client, &Compute, &Paces),
    now: Timestamp,
) -> Result<Tried, TrialError> {
    if paces.take(&channel.name, &channel.pace, now, 1) == 0 {
        return Err(TrialError::TooSoon);
    }
    let chart = if channel.kind.shows_charts() { sample_chart(compute, now).await? } else { None };
    // Whoever keeps account of alerts would wait for the end of the made-up one.
    let alerts = match channel.kind.keeps_account() {
        true => Vec::new(),
        false => vec![sample(dashboard, chart, now)?],
    };
    let message = Message {
        id: format!("test-{}", now.micros()),
        event: MessageEvent::Test,
        alerts,
        n_more: 0,
        batch: None,
        headline: Some("Test: this channel works".into()),
        body: Some("Somebody tries this channel. Nothing has happened.".into()),
        digest: None,
        created_at: now,
        link: Some(dashboard.to_owned()),
        attempt: 1,
        may_be_there: false,
        sent_at: now,
    };
    let sending = notify::send(channel, &message, client);
    let (is_sent, outcome) = match tokio::time::timeout(LONGEST_TRY, sending).await {
        Ok(outcome) => told(outcome),
        Err(_) => (false, format!("it gave no answer within {} s", LONGEST_TRY.as_secs())),
    };
    Ok(Tried { channel: channel.name.clone(), is_sent, outcome })
}

fn told(outcome: notify::Outcome) -> (bool, String) {
    match outcome {
        notify::Outcome::Sent => (true, "it has the test message".to_owned()),
        notify::Outcome::Throttled { after: Some(after) } => {
            (false, format!("it asks to wait for {after}"))
        }
        notify::Outcome::Throttled { after: None } => (false, "it asks to wait".to_owned()),
        notify::Outcome::Retry { reason, ambiguous: true, .. } => {
            (false, format!("it may have the test message or not: {reason}"))
        }
        notify::Outcome::Retry { reason, .. } | notify::Outcome::Refused { reason, .. } => {
            (false, format!("it does not have the test message: {reason}"))
        }
    }
}

/// The made-up alert.
fn sample(dashboard: &str, chart: Option<Chart>, now: Timestamp) -> Result<Note, NameError> {
    let at = newest(now);
    let alert = Alert {
        id: AlertId(format!("test-{}", now.micros())),
        batch: BatchName::parse("sample")?,
        metric: MetricName::parse("sample.orders")?,
        kind: AlertKind::Anomaly,
        severity: Severity::Warning,
        at,
        since: at - Span::hours(1),
        value: Some(SEEN),
        band: Some(band(0)),
        score: Some(0.98),
        threshold: Some(0.9),
        model: None,
        reason: "made up: 812, lower than the expected 1,040 to 1,260".to_owned(),
    };
    Ok(Note {
        episode: Episode::begun(&alert),
        raised_at: now,
        lasted: now - alert.since,
        display_name: "Sample orders".to_owned(),
        unit: Some("1/h".to_owned()),
        owner: None,
        tags: BTreeMap::from([("test".to_owned(), "true".to_owned())]),
        timezone: chrono_tz::UTC,
        rarity: Some("lower than 99.8 % of the last 90 days at this hour".to_owned()),
        related: vec!["sample.revenue, down".to_owned()],
        plain_words: None,
        links: Links { page: Some(format!("{dashboard}/alerts")), ..Links::default() },
        chart,
        alert,
    })
}

fn newest(now: Timestamp) -> Timestamp {
    now.floor(Span::hours(1))
}

/// What is expected so many hours before the newest value: a day's swing.
fn band(hours_ago: i64) -> Band {
    let swing = 250.0 * ((hours_ago as f64 / 24.0 * TAU).cos() - 1.0);
    let expected = EXPECTED + swing;
    Band { expected, lower: expected - 110.0, upper: expected + 110.0 }
}

async fn sample_chart(compute: &Compute, now: Timestamp) -> Result<Option<Chart>, TrialError> {
    let metric = MetricName::parse("sample.orders")?;
    let model = ModelVersion::at(now);
    let one = |ago: i64| {
        let band = band(ago);
        // A wobble that looks like noise and is the same every time.
        let value = if ago < 2 { SEEN } else { band.expected + 60.0 * (ago as f64 * 2.4).sin() };
        let score = if ago < 2 { 0.98 } else { 0.3 + 0.2 * (ago as f64 * 1.7).sin() };
        let at = newest(now) - Span::hours(ago);
        ScorePoint {
            metric: metric.clone(),
            at,
            value,
            score,
            band: Some(band),
            aspect: None,
            model: model.clone(),
        }
    };
    let scores: Vec<ScorePoint> = (0..N_HOURS).rev().map(one).collect();
    let at = newest(now);
    let picture = Picture {
        title: "Sample orders".to_owned(),
        unit: Some("1/h".to_owned()),
        caption: "made up: nothing has happened".to_owned(),
        window: Window { from: at - Span::hours(N_HOURS - 1), to: at + Span::hours(1) },
        tz: chrono_tz::UTC,
        values: scores.iter().map(|point| (point.at, point.value)).collect(),
        scores,
        threshold: Some(0.9),
        limits: Vec::new(),
        marks: vec![Mark {
            at,
            since: at - Span::hours(1),
            until: at,
            value: Some(SEEN),
            severity: Severity::Warning,
            href: String::new(),
            title: String::new(),
        }],
    };
    Ok(drawn(compute, picture).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_sample_is_drawn_like_any_alert() {
        let now = Timestamp::parse("2026-06-01T10:20:30Z").unwrap();
        let chart = sample_chart(&Compute::new(1).unwrap(), now).await.unwrap().unwrap();
        assert!(chart.png.starts_with(b"\x89PNG") && chart.png.len() < 60 << 10);
        assert!(chart.svg.contains("Sample orders") && chart.alt.contains("made up"));
        let note = sample("http://x", Some(chart), now).unwrap();
        assert_eq!(note.alert.at, Timestamp::parse("2026-06-01T10:00:00Z").unwrap());
    }
}
