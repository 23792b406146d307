//! An alert as the command line tells it.

use crate::{
    catalog::alerts::AlertRow,
    domain::{
        AlertState, Feedback, PlainWords, Timestamp,
        words::{number, rough},
    },
    jobs::{self, AlertContext, Archive},
};

use super::{
    listing::{ago, or_dash},
    open::Opened,
};

/// An alert with what was said of it, the newest first.
#[derive(serde::Serialize)]
pub(super) struct Said {
    #[serde(flatten)]
    pub(super) row: AlertRow,
    pub(super) feedback: Vec<Feedback>,
    /// How unusual the value is.
    pub(super) rarity: Option<String>,
    /// Metrics that moved with it.
    pub(super) related: Vec<String>,
    /// What a language model made of it.
    pub(super) plain_words: Option<PlainWords>,
}

/// How unusual an alert's value is, and which metrics moved with it; nothing of a batch that is
/// gone.
pub(super) async fn beside(
    opened: &Opened,
    row: &AlertRow,
) -> anyhow::Result<(Option<String>, Vec<String>)> {
    let batch = opened.project.batches.iter().find(|batch| batch.name == row.alert.batch);
    let Some(batch) = batch else { return Ok((None, Vec::new())) };
    let AlertContext { rarity, related, .. } =
        jobs::about(Archive::from(&opened.ctx), (opened.ctx.clock)(), batch, row).await?;
    let related = related.iter().map(ToString::to_string).collect();
    Ok((rarity.map(|rarity| rarity.to_string()), related))
}

pub(super) fn words_of(said: &Feedback) -> String {
    let until = said.until.map(|until| format!(" until {until}")).unwrap_or_default();
    format!("{}{until} by {} at {} {}", said.verdict, said.author, said.at, said.note)
}

pub(super) fn alert_cells(row: &AlertRow) -> Vec<String> {
    let alert = &row.alert;
    vec![
        alert.id.0.chars().take(12).collect(),
        alert.at.to_string(),
        row.episode.state.to_string(),
        (row.episode.until - alert.since).to_string(),
        alert.batch.to_string(),
        alert.metric.to_string(),
        or_dash(alert.score, |score| format!("{score:.3}")),
        alert.reason.clone(),
    ]
}

pub(super) fn alert_fields(row: &AlertRow, now: Timestamp) -> Vec<(&'static str, String)> {
    let (alert, episode) = (&row.alert, &row.episode);
    let over = episode.resolved_at.zip(episode.resolution);
    let expected = alert.band.map(|band| {
        let (lower, upper) = (number(band.lower), number(band.upper));
        format!("{} ({lower} to {upper})", number(band.expected))
    });
    let goes_on = if row.episode.state == AlertState::Firing { ", goes on" } else { "" };
    let lasted = format!("{}{goes_on}", rough(row.episode.until.max(alert.at) - alert.since));
    vec![
        ("alert", alert.id.to_string()),
        ("batch", alert.batch.to_string()),
        ("metric", alert.metric.to_string()),
        ("kind", alert.kind.to_string()),
        ("severity", alert.severity.to_string()),
        ("at", format!("{} ({})", alert.at, ago(now, alert.at))),
        ("since", alert.since.to_string()),
        ("lasted", lasted),
        ("value", or_dash(alert.value, number)),
        ("expected", or_dash(expected, |text| text)),
        ("score", or_dash(alert.score, |score| format!("{score:.4}"))),
        ("threshold", or_dash(alert.threshold, |threshold| threshold.to_string())),
        ("model", or_dash(alert.model.as_ref(), ToString::to_string)),
        ("reason", alert.reason.clone()),
        ("raised", format!("{} by run {}", row.raised_at, row.run)),
        ("state", episode.state.to_string()),
        ("peak score", or_dash(episode.peak_score, |score| format!("{score:.4}"))),
        ("over", or_dash(over, |(at, why)| format!("{at} ({why})"))),
        ("looked after", or_dash(row.acked.as_ref(), |(at, who)| format!("by {who} since {at}"))),
    ]
}
