//! `anomstack alerts deliveries|dead`: who was told of alerts, and who could not be.

use clap::Subcommand;
use serde::Serialize;

use crate::catalog::outbox::{self, DeadLetter, DeliveryState};

use super::{
    Global, Outcome,
    listing::{self, or_dash},
    show::{missing, open_quietly},
};

/// What can be asked of messages about alerts.
#[derive(Debug, Subcommand)]
pub(super) enum Deliveries {
    /// How many messages of each channel were sent, wait or were given up
    Deliveries,
    /// Messages that were given up or may have arrived, and why; newest first
    Dead {
        /// Try once more: the messages whose id begins so, or `all` that were given up
        #[arg(long, value_name = "ID|all")]
        retry: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 30)]
        limit: u32,
    },
}

#[derive(Serialize)]
struct Count {
    channel: String,
    state: DeliveryState,
    count: u64,
}

/// Lists messages about alerts.
pub(super) async fn list(global: &Global, command: Deliveries) -> anyhow::Result<Outcome> {
    let (opened, now) = match open_quietly(global).await? {
        Ok(opened) => opened,
        Err(outcome) => return Ok(outcome),
    };
    let mut reader = opened.ctx.catalog.reader().await?;
    match command {
        Deliveries::Deliveries => {
            let counts = outbox::counts(&mut reader).await?.into_iter();
            let counts: Vec<Count> =
                counts.map(|(channel, state, count)| Count { channel, state, count }).collect();
            listing::print(global, &counts, &["CHANNEL", "STATE", "COUNT"], |row| {
                vec![row.channel.clone(), row.state.to_string(), row.count.to_string()]
            })
        }
        Deliveries::Dead { retry: Some(which), .. } => {
            drop(reader);
            let id = (which != "all").then_some(which.as_str());
            let mut tx = opened.ctx.catalog.begin().await?;
            let n_revived = outbox::revive(&mut tx, id, now).await?;
            tx.commit().await?;
            if n_revived == 0 {
                return missing("nothing that was given up is called so");
            }
            let fields = [("to be tried again", n_revived.to_string())];
            listing::print_one(global, &serde_json::json!({ "revived": n_revived }), &fields)
        }
        Deliveries::Dead { limit, retry: None } => {
            let letters = outbox::dead_letters(&mut reader, limit).await?;
            let header = ["MESSAGE", "CHANNEL", "STATE", "SINCE", "ATTEMPTS", "STATUS", "WHY"];
            listing::print(global, &letters, &header, letter_cells)
        }
    }
}

fn letter_cells(letter: &DeadLetter) -> Vec<String> {
    vec![
        letter.message.0.chars().take(12).collect(),
        letter.channel.clone(),
        letter.state.to_string(),
        letter.ended_at.to_string(),
        letter.attempts.to_string(),
        or_dash(letter.status, |status| status.to_string()),
        or_dash(letter.error.as_ref(), ToString::to_string),
    ]
}
