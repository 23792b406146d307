//! `anomstack explain` and `anomstack alerts explain`: how a point was scored and judged, and what
//! became of it.

use clap::Args;

use crate::{
    alerting::StepState,
    catalog::{alerts, metrics},
    domain::{AlertId, BatchSpec, MetricName, Timestamp, words::shown},
    jobs::{self, Archive, Explanation, Recomputed},
};

use super::{
    Global, Outcome,
    listing::{self, or_dash},
    open::Opened,
    show::{missing, open_quietly},
};

/// What `explain` takes.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The batch
    batch: String,
    /// The metric
    metric: String,
    /// The instant; the newest observation up to it is explained (RFC 3339)
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

/// What `alerts explain` takes.
#[derive(Debug, Args)]
pub(super) struct ExplainAlert {
    /// Its id
    alert: String,
}

/// Explains the newest point of a metric up to an instant.
pub(super) async fn explain(global: &Global, command: Explain) -> anyhow::Result<Outcome> {
    let (opened, now) = match open_quietly(global).await? {
        Ok(opened) => opened,
        Err(outcome) => return Ok(outcome),
    };
    let Some(batch) = batch(&opened, &command.batch) else {
        return missing(&format!("no batch `{}`", shown(&command.batch)));
    };
    let metric = MetricName::parse(&command.metric)?;
    let known = metrics::list(&mut *opened.ctx.catalog.reader().await?, &batch.name).await?;
    if !known.iter().any(|row| row.metric == metric) {
        let (batch, metric) = (&batch.name, shown(metric.as_str()));
        return missing(&format!("batch `{batch}` has no metric `{metric}`"));
    }
    let at = command.at.unwrap_or(now);
    let found = jobs::explain_at(Archive::from(&opened.ctx), batch, &metric, at).await?;
    print(global, &found)
}

/// Explains an alert.
pub(super) async fn explain_alert(
    global: &Global,
    command: ExplainAlert,
) -> anyhow::Result<Outcome> {
    let (opened, _) = match open_quietly(global).await? {
        Ok(opened) => opened,
        Err(outcome) => return Ok(outcome),
    };
    let id = AlertId(command.alert);
    let row = alerts::get(&mut *opened.ctx.catalog.reader().await?, &id).await?;
    let Some(row) = row else { return missing(&format!("no alert `{}`", shown(&id.0))) };
    let name = &row.alert.batch;
    let Some(batch) = batch(&opened, name.as_str()) else {
        return missing(&format!("the alert's batch `{name}` is not configured any more"));
    };
    let found = jobs::explain_alert(Archive::from(&opened.ctx), batch, &row).await?;
    print(global, &found)
}

fn batch<'a>(opened: &'a Opened, name: &str) -> Option<&'a BatchSpec> {
    opened.project.batches.iter().find(|batch| batch.name.as_str() == name)
}

fn print(global: &Global, found: &Explanation) -> anyhow::Result<Outcome> {
    if global.json {
        return listing::print_one(global, found, &[]);
    }
    println!("{}", shown(&found.summary));
    println!("{} of {} at {}\n", shown(found.metric.as_str()), found.batch, found.at);
    let check = found.recomputed.as_ref().map(|recomputed| match recomputed {
        Recomputed::Same => "bit for bit",
        Recomputed::Other { .. } => "differs",
        Recomputed::Impossible { .. } => "not possible",
    });
    let rows = found.steps.iter().map(|step| {
        let state = match (step.gate, step.state) {
            ("score", StepState::Told) => or_dash(check, str::to_owned),
            (_, state) => state.as_str().to_owned(),
        };
        vec![step.gate.to_owned(), state, step.detail.clone()]
    });
    println!("{}", listing::table(&["STEP", "", "WHAT IT SAW"], rows.collect()));
    Ok(Outcome::Done)
}
