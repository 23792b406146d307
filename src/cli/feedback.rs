//! `anomstack alerts feedback`: what somebody says of an alert.

use clap::Args;

use crate::{
    catalog::{alerts, feedback},
    domain::{AlertId, Feedback, Timestamp, Verdict},
};

use super::{
    Global, Outcome, listing,
    show::{missing, open_quietly},
};

/// Longest note, in characters.
const MOST_NOTE: usize = 2_000;

/// What `alerts feedback` takes.
#[derive(Debug, Args)]
pub(super) struct Say {
    /// The alert's id
    alert: String,
    /// up, down, expected, new-normal, or incident: models do not learn from it
    verdict: Verdict,
    /// In your own words
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// Who says it
    #[arg(long, value_name = "NAME", default_value = "cli")]
    author: String,
    /// When the incident was over (RFC 3339); otherwise the alert's time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

/// Keeps the word.
pub(super) async fn say(global: &Global, command: Say) -> anyhow::Result<Outcome> {
    let (opened, now) = match open_quietly(global).await? {
        Ok(opened) => opened,
        Err(outcome) => return Ok(outcome),
    };
    anyhow::ensure!(
        command.note.chars().count() <= MOST_NOTE,
        "`--note` is longer than {MOST_NOTE} characters"
    );
    let is_incident = command.verdict == Verdict::Incident;
    anyhow::ensure!(is_incident || command.until.is_none(), "`--until` is for an incident only");
    let catalog = &opened.ctx.catalog;
    let alert = AlertId(command.alert.clone());
    let found = alerts::get(&mut *catalog.reader().await?, &alert).await?;
    let Some(row) = found else { return missing(&format!("no alert `{}`", command.alert)) };
    let said = Feedback {
        alert: row.alert.id,
        verdict: command.verdict,
        note: command.note,
        author: command.author,
        at: now,
        until: command.until,
    };
    let mut tx = catalog.begin().await?;
    feedback::add(&mut tx, &said).await?;
    tx.commit().await?;
    let fields = [
        ("alert", said.alert.to_string()),
        ("verdict", said.verdict.to_string()),
        ("said by", format!("{} at {}", said.author, said.at)),
        ("note", said.note.clone()),
    ];
    listing::print_one(global, &said, &fields)
}
