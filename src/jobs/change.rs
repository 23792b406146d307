//! Change: the newest points of each metric are held against its level before.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    alerting::{ChangePast, Look, Open, PolicyError, Turn, globs, shift},
    catalog::{episodes, runs, runs::Claim},
    domain::{AlertKind, AlertState, BatchSpec, ChangeReport, MetricName, Resolution, Series},
    series::Range,
};

use super::{
    AsOf, JobContext, JobError,
    alert::{Known, Policies},
    turns, window,
};

pub(super) async fn change(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    as_of: AsOf,
) -> Result<ChangeReport, JobError> {
    let range = Range::between(as_of.now - batch.train.window, as_of.until);
    let observed = window::points_between(ctx, &batch.name, range).await?;
    let mut reader = ctx.catalog.reader().await?;
    let newest = episodes::newest(&mut reader, &batch.name, AlertKind::Change).await?;
    let known = Known::of_rules(&mut reader, batch, as_of.now).await?;
    drop(reader);
    let past = newest.into_iter().map(|row| {
        let is_open = row.episode.state == AlertState::Firing;
        // A level that was taken for good, by the job or by somebody.
        let is_usual = row.episode.resolution == Some(Resolution::Closed);
        let past = ChangePast {
            open: is_open.then(|| Open::begun(&row.alert)),
            level_since: is_usual.then_some(row.alert.since),
            last_fired: Some(row.alert.at),
        };
        (row.alert.metric, past)
    });
    let past: BTreeMap<MetricName, ChangePast> = past.collect();
    let spec = batch.clone();
    let found = ctx.compute.run(move || look(&spec, &observed, &past, &known, as_of)).await??;
    commit(ctx, claim, batch, found).await
}

#[derive(Default)]
struct Found {
    turns: Vec<Turn>,
    report: ChangeReport,
}

fn look(
    batch: &BatchSpec,
    observed: &[Series],
    past: &BTreeMap<MetricName, ChangePast>,
    known: &Known,
    as_of: AsOf,
) -> Result<Found, PolicyError> {
    let spec = &batch.rules.change;
    let excluded = globs(&spec.exclude)?;
    let policies = Policies::new(batch, known)?;
    let (mut found, unknown) = (Found::default(), ChangePast::default());
    let mut looked_at = BTreeSet::new();
    for series in observed {
        let policy = policies.of(&series.metric);
        let is_left_out = !policy.spec.enabled
            || excluded.is_match(series.metric.as_str())
            || policy.excludes(&series.metric);
        if is_left_out {
            continue;
        }
        looked_at.insert(&series.metric);
        let who = (batch.name.clone(), series.metric.clone());
        let past = past.get(&series.metric).unwrap_or(&unknown);
        let silenced = || series.at.last().and_then(|newest| policy.silenced(*newest));
        let look = match shift(&who, spec, (&series.at, &series.value), past) {
            Look::Turned(Some(Turn::Raise(alert))) => {
                silenced().map_or(Look::Turned(Some(Turn::Raise(alert))), Look::Stopped)
            }
            look => look,
        };
        match look {
            Look::TooShort => found.report.too_short += 1,
            Look::Turned(turn) => {
                found.report.tested += 1;
                found.turns.extend(turn);
            }
            Look::Stopped(gate) => {
                found.report.tested += 1;
                *found.report.suppressed.entry(gate.as_str().to_owned()).or_default() += 1;
            }
        }
    }
    // As of the past there were other metrics.
    if as_of.is_live {
        let open = past.iter().filter_map(|(metric, past)| Some((metric, past.open.as_ref()?)));
        let is_looked_at = |metric: &MetricName| Ok(looked_at.contains(metric));
        found.turns.extend(turns::closed(open, as_of.now, is_looked_at)?);
    }
    Ok(found)
}

async fn commit(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    found: Found,
) -> Result<ChangeReport, JobError> {
    let now = (ctx.clock)();
    let mut tx = ctx.catalog.begin().await?;
    runs::guard(&mut tx, claim, "raise").await?;
    let taken = turns::take(ctx, &mut tx, (batch, claim.run), &found.turns, now).await?;
    tx.commit().await?;
    taken.count(ctx, &batch.name);
    for (gate, n_metrics) in &found.report.suppressed {
        ctx.metrics.alerts_suppressed(&batch.name, gate, *n_metrics);
    }
    let (raised, resolved) = (taken.raised.len() as u64, taken.over.len() as u64);
    Ok(ChangeReport { raised, resolved, ..found.report })
}
