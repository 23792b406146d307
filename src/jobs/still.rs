//! Stillness: after an ingest the newest values and the number of rows are held against what is
//! usual. Each alert is over when the cause is gone.

use crate::{
    alerting::{self, Gate, PolicyError, Turn},
    catalog::{runs, runs::Claim, runs::RunFilter},
    domain::{
        Alert, AlertKind, BatchSpec, IngestReport, JobKind, Lasting, MetricName, RunReport,
        RunState, Series, Span, StillSpec, Timestamp,
    },
    series::Range,
};

use super::{
    AsOf, JobContext, JobError,
    alert::{Known, Policies},
    turns, window,
};

/// What the alert about an ingest's rows calls its subject.
const ROWS: &str = "ingest/rows";
/// Ingests looked back at for the usual number of rows: two weeks of one every five minutes.
const MOST_INGESTS: u32 = 4_032;

/// Raises and resolves the alerts of what an ingest has left.
pub(super) async fn check(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    as_of: AsOf,
    report: &IngestReport,
) -> Result<(), JobError> {
    let StillSpec { frozen, zeros, rows_drop, .. } = batch.rules.still;
    let known = {
        let mut reader = ctx.catalog.reader().await?;
        Known::of_rules(&mut reader, batch, as_of.now).await?
    };
    let policies = Policies::new(batch, &known)?;
    let mut found = Vec::new();
    if batch.alert.enabled && (frozen.is_some() || zeros.is_some()) {
        let range = Range::between(as_of.now - look_back(batch), as_of.until);
        let observed = window::points_between(ctx, &batch.name, range).await?;
        found.extend(of_values(batch, &policies, &observed)?);
    }
    if let Some(share) = rows_drop.filter(|_| batch.alert.enabled) {
        found.extend(of_rows(ctx, claim, &policies, batch, (share, report.rows_read)).await?);
    }
    if found.is_empty() && !has_open(ctx, batch).await? {
        return Ok(());
    }
    let now = (ctx.clock)();
    let mut tx = ctx.catalog.begin().await?;
    runs::guard(&mut tx, claim, "watch").await?;
    let (mut turns, mut suppressed) = (Vec::<Turn>::new(), Vec::new());
    for kind in kinds(batch) {
        let open = turns::open(&mut tx, &batch.name, kind).await?;
        for (metric, _, alert, silenced) in found.iter().filter(|(_, of, ..)| *of == kind) {
            let open = open.iter().find(|(name, _)| name == metric).map(|(_, open)| open);
            match (alerting::turn(open, alert.clone(), as_of.now), silenced) {
                (Some(Turn::Raise(_)), Some(gate)) => suppressed.push(gate),
                (turn, _) => turns.extend(turn),
            }
        }
        // As of the past there were other metrics.
        if as_of.is_live {
            let is_looked_at = |metric: &MetricName| {
                Ok(found.iter().any(|(name, of, ..)| name == metric && *of == kind))
            };
            let of_metrics = open.iter().map(|(metric, open)| (metric, open));
            turns.extend(turns::closed(of_metrics, as_of.now, is_looked_at)?);
        }
    }
    let taken = turns::take(ctx, &mut tx, (batch, claim.run), &turns, now).await?;
    tx.commit().await?;
    taken.count(ctx, &batch.name);
    for gate in suppressed {
        ctx.metrics.alerts_suppressed(&batch.name, gate.as_str(), 1);
    }
    Ok(())
}

/// What is looked after here: also moved levels, where no job looks for them any more.
fn kinds(batch: &BatchSpec) -> impl Iterator<Item = AlertKind> {
    let change = (!batch.rules.change.enabled).then_some(AlertKind::Change);
    [AlertKind::Frozen, AlertKind::Zeros, AlertKind::Rows].into_iter().chain(change)
}

async fn has_open(ctx: &JobContext, batch: &BatchSpec) -> Result<bool, JobError> {
    let mut reader = ctx.catalog.reader().await?;
    for kind in kinds(batch) {
        if !turns::open(&mut reader, &batch.name, kind).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The last is the quiet time of the newest observation, in which nothing fires.
type Found = (MetricName, AlertKind, Option<Alert>, Option<Gate>);

/// Far enough to see a past beside the stretch that is looked for.
fn look_back(batch: &BatchSpec) -> Span {
    let StillSpec { frozen, zeros, .. } = batch.rules.still;
    let longest = [frozen, zeros].into_iter().flatten().filter_map(|lasting| match lasting {
        Lasting::Time(span) => Some(Span::from_micros(span.micros().saturating_mul(4))),
        Lasting::Points(_) => None,
    });
    longest.chain([batch.score.window]).max().unwrap_or(batch.score.window)
}

fn of_values(
    batch: &BatchSpec,
    policies: &Policies<'_>,
    observed: &[Series],
) -> Result<Vec<Found>, PolicyError> {
    let spec = &batch.rules.still;
    let excluded = alerting::globs(&spec.exclude)?;
    let mut found = Vec::new();
    for series in observed {
        let policy = policies.of(&series.metric);
        let name = series.metric.as_str();
        if !policy.spec.enabled || excluded.is_match(name) || policy.excludes(&series.metric) {
            continue;
        }
        let who = (batch.name.clone(), series.metric.clone());
        let (at, value) = (&series.at, &series.value);
        let silenced = at.last().and_then(|newest| policy.silenced(*newest));
        if let Some(lasting) = spec.zeros {
            let zeros = alerting::zeros(&who, lasting, at, value);
            found.push((who.1.clone(), AlertKind::Zeros, zeros, silenced));
        }
        if let Some(lasting) = spec.frozen {
            // Zeros are said as zeros where they are looked for.
            let is_other = spec.zeros.is_none() || value.last() != Some(&0.0);
            let frozen = alerting::frozen(&who, lasting, at, value).filter(|_| is_other);
            found.push((who.1.clone(), AlertKind::Frozen, frozen, silenced));
        }
    }
    Ok(found)
}

async fn of_rows(
    ctx: &JobContext,
    claim: &Claim,
    policies: &Policies<'_>,
    batch: &BatchSpec,
    (share, n_rows): (f64, u64),
) -> Result<Option<Found>, JobError> {
    let filter = RunFilter {
        batch: Some(batch.name.clone()),
        job: Some(JobKind::Ingest),
        state: Some(RunState::Succeeded),
        limit: MOST_INGESTS,
        offset: 0,
    };
    let mut reader = ctx.catalog.reader().await?;
    let runs = runs::list(&mut reader, &filter).await?;
    drop(reader);
    let rows = |run: runs::RunRow| match run.report {
        Some(RunReport::Ingest(report)) if run.id != claim.run => {
            Some((run.slot, report.rows_read))
        }
        _ => None,
    };
    let past: Vec<(Timestamp, u64)> = runs.into_iter().filter_map(rows).collect();
    let Ok(metric) = MetricName::parse(ROWS) else { return Ok(None) };
    let who = (batch.name.clone(), metric.clone());
    let alert = alerting::rows_drop(&who, share, &past, (claim.slot, n_rows));
    let silenced = policies.of(&metric).silenced(claim.slot);
    Ok(Some((metric, AlertKind::Rows, alert, silenced)))
}
