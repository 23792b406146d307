//! `anomstack alerts deliveries|dead`: who was told of alerts, and who could not be.

use clap::Subcommand;
use serde::Serialize;

use crate::catalog::outbox::{self, DeadLetter, DeliveryState};

use super::{
    Global, Outcome,
    listing::{self, or_dash},
    show::open_quietly,
};

/// What can be asked of messages about alerts.
#[derive(Debug, Subcommand)]
pub(super) enum Deliveries {
    /// How many messages of each channel were sent, wait or were given up
    Deliveries,
    /// Messages that were given up, and why; newest first
    Dead {
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
    let (opened, _) = match open_quietly(global).await? {
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
        Deliveries::Dead { limit } => {
            let letters = outbox::dead_letters(&mut reader, limit).await?;
            let header = ["MESSAGE", "CHANNEL", "GIVEN UP", "ATTEMPTS", "STATUS", "WHY"];
            listing::print(global, &letters, &header, letter_cells)
        }
    }
}

fn letter_cells(letter: &DeadLetter) -> Vec<String> {
    vec![
        letter.message.0.chars().take(12).collect(),
        letter.channel.clone(),
        letter.ended_at.to_string(),
        letter.attempts.to_string(),
        or_dash(letter.status, |status| status.to_string()),
        or_dash(letter.error.as_ref(), ToString::to_string),
    ]
}
