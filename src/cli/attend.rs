//! `anomstack alerts ack|snooze|resolve`: what somebody does about alerts.

use clap::Subcommand;

use crate::{
    catalog::alerts::{self, AlertRow},
    domain::{AlertId, BatchName, MetricName, Span},
    jobs::{self, Attention, LONGEST_SNOOZE},
};

use super::{
    Global, Outcome, listing,
    open::Opened,
    show::{missing, open_quietly},
};

/// What can be done about alerts.
#[derive(Debug, Subcommand)]
pub(super) enum Attend {
    /// Say that you look after an alert: there are no reminders any more
    Ack {
        /// The alert's id
        alert: String,
        /// Who does
        #[arg(long, value_name = "NAME", default_value = "cli")]
        author: String,
    },
    /// Ask for silence: nothing observed until then is raised
    Snooze {
        /// An alert's id, for its metric; BATCH; or BATCH/METRIC
        what: String,
        /// For how long, as in 4h; at most 90 days
        #[arg(long = "for", value_name = "TIME")]
        length: Span,
        /// Who asks
        #[arg(long, value_name = "NAME", default_value = "cli")]
        author: String,
    },
    /// Close an alert, and say so wherever it was said that it fired
    Resolve {
        /// The alert's id
        alert: String,
        /// Who does
        #[arg(long, value_name = "NAME", default_value = "cli")]
        author: String,
    },
}

/// Does it.
pub(super) async fn attend(global: &Global, command: Attend) -> anyhow::Result<Outcome> {
    let (opened, now) = match open_quietly(global).await? {
        Ok(opened) => opened,
        Err(outcome) => return Ok(outcome),
    };
    let catalog = &opened.ctx.catalog;
    let (alert, what, author) = match command {
        Attend::Ack { alert, author } => (alert, Attention::Ack, author),
        Attend::Resolve { alert, author } => (alert, Attention::Resolve, author),
        Attend::Snooze { what, length, author } => {
            anyhow::ensure!(
                Span::ZERO < length && length <= LONGEST_SNOOZE,
                "`--for` must lie over 0 and be at most {LONGEST_SNOOZE}"
            );
            let id = AlertId(what.clone());
            if alerts::get(&mut *catalog.reader().await?, &id).await?.is_none() {
                let Some(whose) = named(&opened, &what)? else {
                    return missing(&format!("no alert or batch `{what}`"));
                };
                let row = jobs::snooze(catalog, whose, (length, &author), now).await?;
                let fields = [
                    ("batch", row.batch.to_string()),
                    ("metric", row.metric.as_ref().map_or("all".into(), ToString::to_string)),
                    ("silent until", row.until.to_string()),
                ];
                return listing::print_one(global, &row, &fields);
            }
            (what, Attention::Snooze(length), author)
        }
    };
    let id = AlertId(alert.clone());
    match jobs::attend(catalog, &id, (what, &author), now).await? {
        Some(row) => listing::print_one(global, &row, &fields(&row)),
        None => missing(&format!("no alert `{alert}`")),
    }
}

/// A batch of the project, or one metric of it.
fn named(opened: &Opened, what: &str) -> anyhow::Result<Option<(BatchName, Option<MetricName>)>> {
    let (batch, metric) = match what.split_once('/') {
        Some((batch, metric)) => (batch, Some(metric)),
        None => (what, None),
    };
    let metric = metric.map(MetricName::parse).transpose()?;
    let known = opened.project.batches.iter().find(|spec| spec.name.as_str() == batch);
    Ok(known.map(|spec| (spec.name.clone(), metric)))
}

fn fields(row: &AlertRow) -> Vec<(&'static str, String)> {
    let acked = row.acked.as_ref();
    vec![
        ("alert", row.alert.id.to_string()),
        ("metric", format!("{}/{}", row.alert.batch, row.alert.metric)),
        ("state", row.episode.state.to_string()),
        ("looked after", acked.map_or("-".into(), |(at, who)| format!("by {who} since {at}"))),
    ]
}
