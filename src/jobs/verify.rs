//! The self-test of a fresh model: a known anomaly put behind the newest training points must
//! score higher than they do.

use crate::{
    detect::{self, Fitted},
    domain::{BatchSpec, ModelQuality, RowScore, Series, Span},
};

use super::{model_file::Model, rows};

/// Rows in front of the judged ones, for detectors that look back.
const CONTEXT: usize = 512;
/// Judged rows.
const JUDGED: usize = 32;

/// Scores the newest training points and a spike behind them; the points' sorted scores come
/// with what the spike's says.
pub(super) fn self_test(
    model: &Model,
    series: &Series,
    batch: &BatchSpec,
) -> (ModelQuality, Vec<f64>) {
    let mut probe = series.newest(CONTEXT + JUDGED);
    add_spike(&mut probe);
    let (rows, _) = score_newest(&model.detectors, &probe, batch, JUDGED + 1);
    let Some((spike, normal)) = rows.split_last() else {
        return (ModelQuality::default(), Vec::new());
    };
    let mut scores: Vec<f64> = normal.iter().filter_map(|row| row.score.clone().ok()).collect();
    scores.sort_by(f64::total_cmp);
    let quality = ModelQuality {
        self_test_score: spike.score.clone().unwrap_or(0.0),
        median_score: scores.get(scores.len() / 2).copied().unwrap_or(0.0),
        ..ModelQuality::default()
    };
    (quality, scores)
}

/// The share of scores that reach a threshold.
pub(super) fn alert_rate(scores: &[f64], threshold: f64) -> f64 {
    let n_alerts = scores.iter().filter(|score| threshold <= **score).count();
    n_alerts as f64 / scores.len().max(1) as f64
}

/// Scores the newest `n` of a metric's rows with every one of some detectors, combined; beside each
/// score the value that was scored.
pub(super) fn score_newest(
    detectors: &[(String, Fitted)],
    series: &Series,
    batch: &BatchSpec,
    n: usize,
) -> (Vec<RowScore>, Vec<f64>) {
    let frame = rows::frame(series, batch);
    let rows = frame.at.len().saturating_sub(n)..frame.at.len();
    let parts: Vec<Vec<RowScore>> =
        detectors.iter().map(|(_, fitted)| fitted.score(&frame, rows.clone())).collect();
    (detect::combine(batch.score.combine, &parts), frame.raw_value[rows].to_vec())
}

/// Adds one point a usual step later, ten times the range above the highest.
fn add_spike(series: &mut Series) {
    let (Some(last), n) = (series.at.last().copied(), series.len()) else { return };
    let step = if 2 <= n { last - series.at[n - 2] } else { Span::secs(60) };
    let highest = series.value.iter().copied().fold(f64::MIN, f64::max);
    let lowest = series.value.iter().copied().fold(f64::MAX, f64::min);
    let range = highest - lowest;
    let size = if 0.0 < range { range } else { highest.abs().max(1.0) };
    series.at.push(last + step);
    series.value.push((highest + 10.0 * size).clamp(f64::MIN, f64::MAX));
}
