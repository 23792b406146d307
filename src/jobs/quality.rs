//! What a training finds out about its model beside the model: a threshold for a budget of alerts,
//! and which made-up anomalies it finds in the metric's own history.

use std::collections::BTreeMap;

use crate::{
    alerting::{self, Scored},
    detect::Fitted,
    domain::{
        BatchSpec, Budget, Calibration, Injected, InjectedKind, ModelQuality, ModelVersion,
        NoScore, RowScore, ScorePoint, Series, Span,
    },
};

use super::{model_file::Model, verify};

/// Fewer stored scores than this, and the past is scored anew.
const MIN_STORED: usize = 400;
/// The past is scored anew in so many parts, each by a model of what came before it.
const PARTS: usize = 4;
/// Rows of a made-up anomaly that lasts, and of the search for one.
const LENGTH: usize = 24;
/// Rows before it, for features and detectors that look back.
const CONTEXT: usize = 512;
/// Places of each kind.
const PLACES: usize = 3;
/// Its size, in distances between the 5 % and 95 % points of the values.
const SIZE: f64 = 1.5;

/// Places where more than 2.5 usual steps lie between two rows.
pub(super) fn gaps(series: &Series) -> u64 {
    let usual = usual_step(series).map_or(0, Span::micros);
    let is_gap = |step: &i64| usual.saturating_mul(5) < step.saturating_mul(2);
    steps(series).filter(is_gap).count() as u64
}

/// The usual time between two rows: the median; `None` where there are not two.
pub(super) fn usual_step(series: &Series) -> Option<Span> {
    let mut sorted: Vec<i64> = steps(series).collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().map(Span::from_micros)
}

fn steps(series: &Series) -> impl Iterator<Item = i64> {
    series.at.windows(2).map(|two| (two[1] - two[0]).micros())
}

/// Gives a model of a series, as a training would.
pub(super) type FitModel<'a> = dyn Fn(&Series) -> Result<Model, NoScore> + 'a;

/// The threshold of a budget, by the scores production made, or else by scores of the past from
/// models that had not seen it. Without `fit` the scores production made are all there are: a
/// borrowed past is none of the metric's own.
pub(super) fn calibrate(
    series: &Series,
    batch: &BatchSpec,
    budget: Budget,
    stored: &[ScorePoint],
    fit: Option<&FitModel<'_>>,
) -> Calibration {
    let spec = batch.alert_for(&series.metric);
    let scored: Vec<Scored> = match fit.filter(|_| stored.len() < MIN_STORED) {
        None => stored.iter().cloned().map(super::alert::scored).collect(),
        Some(fit) => unseen(series, batch, fit),
    };
    alerting::calibrate(&scored, spec, budget)
}

/// Scores of all parts but the first, each by a model of the parts before it.
fn unseen(series: &Series, batch: &BatchSpec, fit: &FitModel<'_>) -> Vec<Scored> {
    let mut scored = Vec::new();
    for part in 1..PARTS {
        let (from, to) = (series.len() * part / PARTS, series.len() * (part + 1) / PARTS);
        let Ok(model) = fit(&first(series, from)) else { continue };
        let known = first(series, to);
        let Some(start) = known.at.get(from).copied() else { continue };
        let (rows, values) = verify::score_newest(&model.detectors, &known, batch, to - from);
        let version = ModelVersion::at(start);
        let point = |(row, value): (RowScore, f64)| {
            let RowScore { at, score, band, aspect } = row;
            let score = score.ok()?;
            let model = version.clone();
            (start <= at).then_some(Scored { at, value, score, band, aspect, model })
        };
        scored.extend(rows.into_iter().zip(values).filter_map(point));
    }
    scored
}

fn first(series: &Series, n: usize) -> Series {
    Series {
        metric: series.metric.clone(),
        at: series.at[..n].to_vec(),
        value: series.value[..n].to_vec(),
    }
}

/// Puts made-up anomalies of every kind into copies of the newest part of a metric's history and
/// counts those whose score reaches the threshold. Nothing when the history is too short, or does
/// not vary.
pub(super) fn inject(
    detectors: &[(String, Fitted)],
    series: &Series,
    batch: &BatchSpec,
    threshold: f64,
) -> Vec<Injected> {
    let size = SIZE * spread(&series.value);
    let n_needed = (PLACES + 1) * LENGTH;
    if series.len() < 2 * n_needed || !(0.0 < size && size.is_finite()) {
        return Vec::new();
    }
    InjectedKind::ALL
        .iter()
        .map(|kind| {
            let mut delays: Vec<u64> = (1..=PLACES)
                .filter_map(|place| {
                    // Spread over the newest third, so that a season is met at other hours.
                    let end = series.len() - (place - 1) * (series.len() / 9 + 5);
                    delay(detectors, &shadow(series, end, *kind, size), batch, threshold)
                })
                .collect();
            delays.sort_unstable();
            let median_delay = delays.get(delays.len() / 2).copied();
            Injected { kind: *kind, tried: PLACES as u64, found: delays.len() as u64, median_delay }
        })
        .collect()
}

/// The distance between the 5 % and the 95 % point.
fn spread(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted.get(((sorted.len().max(1) - 1) as f64 * share).round() as usize);
    match (at(0.05), at(0.95)) {
        (Some(low), Some(high)) if low < high => high - low,
        _ => sorted.last().zip(sorted.first()).map_or(0.0, |(high, low)| high - low),
    }
}

/// The rows up to `end` with an anomaly in the last of them.
fn shadow(series: &Series, end: usize, kind: InjectedKind, size: f64) -> Series {
    let mut shadow = first(series, end).newest(CONTEXT + LENGTH);
    let start = shadow.len().saturating_sub(LENGTH);
    let held = shadow.value.get(start.saturating_sub(1)).copied().unwrap_or(0.0);
    for (n, value) in shadow.value[start..].iter_mut().enumerate() {
        let share = (n + 1) as f64 / LENGTH as f64;
        *value = match kind {
            InjectedKind::Spike if n == 0 => *value + size,
            InjectedKind::Dip if n == 0 => *value - size,
            InjectedKind::Spike | InjectedKind::Dip => *value,
            InjectedKind::Shift => *value + size / 2.0,
            InjectedKind::Ramp => *value + size * share,
            InjectedKind::Flat => held,
            InjectedKind::Variance if n % 2 == 0 => *value + size / 2.0,
            InjectedKind::Variance => *value - size / 2.0,
        };
    }
    shadow
}

/// Rows from the anomaly's first to the first that reaches the threshold.
fn delay(
    detectors: &[(String, Fitted)],
    shadow: &Series,
    batch: &BatchSpec,
    threshold: f64,
) -> Option<u64> {
    let start = shadow.at.get(shadow.len().saturating_sub(LENGTH)).copied()?;
    let (rows, _) = verify::score_newest(detectors, shadow, batch, LENGTH);
    let mut seen = rows.iter().filter(|row| start <= row.at);
    let reached = |row: &RowScore| row.score.as_ref().is_ok_and(|score| threshold <= *score);
    seen.position(reached).map(|n| n as u64)
}

/// Of the made-up anomalies of each kind, the share found over all metrics of a training.
pub(super) fn found_shares<'a>(
    qualities: impl Iterator<Item = &'a ModelQuality>,
) -> BTreeMap<InjectedKind, f64> {
    let mut counts: BTreeMap<InjectedKind, (u64, u64)> = BTreeMap::new();
    for one in qualities.filter_map(|quality| quality.recall.as_ref()).flat_map(|r| &r.kinds) {
        let (found, tried) = counts.entry(one.kind).or_default();
        *found += one.found;
        *tried += one.tried;
    }
    let share = |(kind, (found, tried)): (InjectedKind, (u64, u64))| {
        (0 < tried).then(|| (kind, found as f64 / tried as f64))
    };
    counts.into_iter().filter_map(share).collect()
}
