//! What a metric's model learns from: its newest rows outside of excluded periods and incidents,
//! and while these are few the past of similar metrics in front of them.

use std::borrow::Cow;

use crate::{
    detect::siblings,
    domain::{BatchSpec, Incident, NoScore, Series, Span, Timestamp, WarmingUp},
};

use super::{quality, rows};

/// Metrics before and after a young one, by name, that are looked at for similar ones.
const NEIGHBOURS: usize = 32;

/// What is there to learn a metric from.
pub(super) struct Learnable {
    /// Its rows.
    pub(super) series: Series,
    pub(super) n_excluded: u64,
    /// Whether its recall is measured this time.
    pub(super) is_recall_due: bool,
}

/// What a metric's detectors are fitted to.
pub(super) struct Lesson<'a> {
    pub(super) series: Cow<'a, Series>,
    /// Set where a part of it is borrowed.
    pub(super) warming_up: Option<WarmingUp>,
}

impl Learnable {
    /// Leaves out the batch's excluded periods and the metric's incidents.
    pub(super) fn of(series: Series, batch: &BatchSpec, incidents: &[Incident]) -> Self {
        let periods = &batch.train.exclude_periods;
        let own: Vec<&Incident> =
            incidents.iter().filter(|incident| incident.metric == series.metric).collect();
        if periods.is_empty() && own.is_empty() {
            let series = series.newest(batch.train.max_points);
            return Self { series, n_excluded: 0, is_recall_due: false };
        }
        let is_out = |at: Timestamp| {
            let last = at + rows::length(batch) - Span::from_micros(1);
            periods.iter().any(|period| period.from <= last && at < period.to)
                || own.iter().any(|incident| incident.from <= last && at <= incident.until)
        };
        let mut kept = Series::empty(series.metric.clone());
        let mut n_excluded = 0;
        for (at, value) in series.at.iter().zip(&series.value) {
            if is_out(*at) {
                n_excluded += 1;
            } else {
                kept.at.push(*at);
                kept.value.push(*value);
            }
        }
        let series = kept.newest(batch.train.max_points);
        Self { series, n_excluded, is_recall_due: false }
    }
}

/// Rows with which a metric learns from itself alone, whatever others there are.
fn alone(own: &Series, batch: &BatchSpec) -> usize {
    quality::usual_step(own).map_or(0, |step| siblings::enough(step, batch.train.min_points))
}

/// Whether a metric has rows enough to learn from itself alone.
pub(super) fn stands_alone(own: &Series, batch: &BatchSpec) -> bool {
    alone(own, batch).max(batch.train.min_points) <= own.len()
}

/// What the metric in this place learns from.
///
/// # Errors
/// [`NoScore::WarmingUp`] where its points are too few and no metric is like it.
pub(super) fn lesson<'a>(
    metrics: &'a [Learnable],
    place: usize,
    batch: &BatchSpec,
) -> Result<Lesson<'a>, NoScore> {
    let own = &metrics[place].series;
    let (have, every) = (own.len(), quality::usual_step(own));
    let alone = alone(own, batch);
    if have < alone {
        let around = place.saturating_sub(NEIGHBOURS)..metrics.len().min(place + NEIGHBOURS + 1);
        let others: Vec<&Series> =
            around.filter(|other| *other != place).map(|other| &metrics[other].series).collect();
        if let Some(series) = siblings::with_past(own, &others, batch.train.max_points) {
            let warming_up = Some(WarmingUp { have: have as u64, need: alone as u64 });
            return Ok(Lesson { series: Cow::Owned(series), warming_up });
        }
    }
    let need = batch.train.min_points;
    if have < need {
        return Err(NoScore::WarmingUp { need, have, every });
    }
    Ok(Lesson { series: Cow::Borrowed(own), warming_up: None })
}
