//! `anomstack models compare`: what a batch's challengers said beside its champions.

use clap::Args;

use crate::{
    domain::{BatchSpec, DetectorRole, MetricName, Span},
    jobs::{self, AsOf, Compared, Side},
};

use super::{
    Global, Outcome,
    listing::{self, or_dash},
    open,
    show::missing,
};

/// What `models compare` takes.
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// The batch
    batch: String,
    /// Only this metric
    metric: Option<String>,
    /// How far back scores are compared
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    last: Span,
}

/// Prints one row a metric; what stands before a slash is the champion's.
pub(super) async fn compare(global: &Global, command: Compare) -> anyhow::Result<Outcome> {
    let project = match open::project(global) {
        Ok(project) => project,
        Err(outcome) => return Ok(outcome),
    };
    let found = project.batches.iter().find(|batch| batch.name.as_str() == command.batch);
    let Some(batch) = found.cloned() else {
        return missing(&format!("no batch `{}`", command.batch));
    };
    let metric = command.metric.as_deref().map(MetricName::parse).transpose()?;
    let opened = open::open(project).await?;
    let as_of = AsOf::live((opened.ctx.clock)());
    let compared = jobs::compare(&opened.ctx, &batch, as_of, (metric, command.last)).await?;
    opened.ctx.catalog.close().await?;
    if compared.is_empty() {
        return missing(&nothing(&batch, command.last));
    }
    let header =
        ["METRIC", "POINTS", "ALERTS", "AGREE", "RANKS", "DIFFER", "FOUND", "BYTES", "CHALLENGER"];
    listing::print(global, &compared, &header, cells)
}

/// Why there is nothing to compare, and what to do.
fn nothing(batch: &BatchSpec, last: Span) -> String {
    let name = &batch.name;
    match batch.detectors_as(DetectorRole::Challenger).next() {
        None => format!(
            "batch `{name}` has no challenger; add a detector with `role = \"challenger\"`, then \
             run its train and score"
        ),
        Some(_) => format!(
            "no challenger of batch `{name}` scored a point in the last {last}; run its train and \
             score, or ask for more with `--last`"
        ),
    }
}

fn cells(one: &Compared) -> Vec<String> {
    let scores = &one.comparison;
    let both = |of: fn(&Side) -> String| {
        or_dash(one.model.as_ref(), |m| format!("{} / {}", of(&m.champion), of(&m.challenger)))
    };
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    vec![
        one.metric.to_string(),
        scores.points.to_string(),
        format!("{} / {}", scores.champion_alerts, scores.challenger_alerts),
        or_dash(scores.agreement, percent),
        or_dash(scores.rank_correlation, |found| format!("{found:.2}")),
        or_dash(scores.mean_difference, |found| format!("{found:.3}")),
        both(|side| format!("{} of {}", side.found, side.tried)),
        both(|side| side.bytes.to_string()),
        or_dash(one.model.as_ref(), |model| model.challenger.detectors.join(", ")),
    ]
}
