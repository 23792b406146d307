//! The default detector: what was never seen before, what lies far from what this time foretells,
//! and what a well-known season never does, weighted by how much of the metric its season explains.
//!
//! The [`super::seasonal`] model says what is expected, and how far its views are beyond their
//! alert lines, learnt as extremes of the metric's own past: a quotient `C`. A walk over the rows
//! (see [`walk`]) says how new and how far a value is: a quotient `S`. The score's quotient is
//! `S^(1-a) · C^a`; `a` grows with the share the season explains and with the days it was seen
//! for. `docs/detectors.md` has the formulas.

mod distance;
mod emission;
mod fatigue;
mod novelty;
mod pack;
mod plain;
mod seen;
mod stream;
mod summary;
mod walk;

use std::ops::Range;

pub use stream::Stream;

use super::FitContext;
use super::params::SeasonalParams;
use super::seasonal::{self, Look, Seasonal};
use crate::domain::{Aspect, Band, NoScore, Period, RowScore, Timestamp};
use crate::features::FeatureFrame;
use walk::{Signals, Units, Walk};

/// Share of the deviations that the season must explain to be listened to at all, and to be
/// listened to as much as any.
const EXPLAINED: (f64, f64) = (0.4, 0.7);
/// The same of the days it was learnt from.
const DAYS: (f64, f64) = (7.0, 21.0);
/// The season's say at most.
const MOST_SAY: f64 = 0.75;
/// What is left of 1 at the alert line.
const BELOW_LINE: f64 = 0.2;

/// A trained default detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Auto {
    params: SeasonalParams,
    seasonal: Seasonal,
    /// Usual seconds between rows.
    cadence: f64,
    /// Days from the first training row to the last.
    days: f64,
    /// What the training rows left behind, up to and with this instant; newer rows go on from it.
    walk: Walk,
    walked_to: Timestamp,
}

/// Trains on the values after resampling. At most half of the rows are held back from the walk.
pub(super) fn fit(
    frame: &FeatureFrame,
    params: SeasonalParams,
    context: &FitContext<'_>,
) -> Result<Auto, NoScore> {
    let seasonal = seasonal::fit(frame, params.at_rest(), context)?.narrowed();
    let (n_rows, cadence) = (frame.len(), seasonal::cadence(&frame.at));
    let n_walked = n_rows - context.held.min(n_rows / 2);
    let mut walk = Walk::new(Units::of(&frame.raw_value), cadence);
    let mut watch = seasonal.watch();
    for (at, value) in frame.at[..n_walked].iter().zip(&frame.raw_value) {
        if let Some([value, expected]) = seasonal.expect(&mut watch, *at, *value) {
            walk.step(value, expected);
        }
    }
    let (days, walked_to) = (days(&frame.at), frame.at[n_walked - 1]);
    Ok(Auto { params, seasonal, cadence, days, walk, walked_to })
}

/// Days from the first row to the last.
fn days(at: &[Timestamp]) -> f64 {
    match at {
        [first, .., last] => (*last - *first).as_secs_f64() / 86_400.0,
        _ => 0.0,
    }
}

impl Auto {
    pub(super) fn score(&self, frame: &FeatureFrame, rows: Range<usize>) -> Vec<RowScore> {
        let mut watch = self.seasonal.watch();
        let is_walked = |row: usize| frame.at[row] <= self.walked_to;
        // Rows of the training are scored by a walk over the frame's own rows.
        let starts_anew = rows.start < rows.end && is_walked(rows.start);
        let mut walk = match starts_anew {
            true => Walk::new(self.walk.units, self.cadence),
            false => self.walk.clone(),
        };
        let mut scores = Vec::with_capacity(rows.len());
        for row in 0..rows.end {
            let (at, value) = (frame.at[row], frame.raw_value[row]);
            if starts_anew && !is_walked(row) && (row == 0 || is_walked(row - 1)) {
                walk = self.walk.clone();
            }
            let look = self.seasonal.look(&mut watch, at, value);
            let verdict = match look {
                Some(look) if starts_anew || !is_walked(row) => {
                    let signals = walk.step(look.told(value), look.expected);
                    Some(Verdict::of(self, &look, &signals))
                }
                _ => None,
            };
            if rows.start <= row {
                scores.push(row_score(at, verdict));
            }
        }
        scores
    }

    pub(super) fn params(&self) -> serde_json::Map<String, serde_json::Value> {
        self.params.shown()
    }

    pub(super) fn season(&self) -> Option<(Option<Period>, f64)> {
        self.seasonal.season()
    }

    /// It has none: see [`super::Fitted::threshold`].
    pub(super) fn threshold(&self) -> Option<f64> {
        None
    }

    /// How much say the season has, 0 to 1, where it explains so much of the deviations.
    fn say(&self, explained: f64) -> f64 {
        let rise =
            |value: f64, (low, high): (f64, f64)| ((value - low) / (high - low)).clamp(0.0, 1.0);
        MOST_SAY * rise(explained, EXPLAINED) * rise(self.days, DAYS)
    }
}

/// What both sides say of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Verdict {
    quotient: f64,
    band: Option<Band>,
    aspect: Aspect,
}

impl Verdict {
    fn of(model: &Auto, look: &Look, signals: &Signals) -> Self {
        let say = model.say(signals.far.explained);
        let pooled = |walked: f64, seasonal: f64| match say {
            0.0 => walked,
            say => walked.powf(1.0 - say) * seasonal.powf(say),
        };
        let quotient = pooled(signals.quotient, look.quotient) * model.params.sensitivity;
        let [below, above] =
            look.sides.map(|side| pooled(signals.side, side) / model.params.sensitivity);
        let bounds = [look.expected, look.expected - below, look.expected + above];
        // The side that is louder by itself names the row.
        let aspect = match 0.0 < say && signals.quotient < look.quotient {
            true => look.view,
            false => signals.loudest(),
        };
        Self { quotient, band: band_of(bounds), aspect }
    }
}

fn row_score(at: Timestamp, verdict: Option<Verdict>) -> RowScore {
    match verdict {
        Some(Verdict { quotient, band, aspect }) => {
            RowScore { at, score: Ok(score_of(quotient)), band, aspect: Some(aspect) }
        }
        None => RowScore::without(at, NoScore::OutOfRange),
    }
}

/// In [0, 1]; 0.8 at the alert line.
fn score_of(quotient: f64) -> f64 {
    (1.0 - BELOW_LINE.powf(quotient.max(0.0))).clamp(0.0, 1.0)
}

fn band_of([expected, lower, upper]: [f64; 3]) -> Option<Band> {
    let is_finite = expected.is_finite() && lower.is_finite() && upper.is_finite();
    is_finite.then(|| Band { expected, lower: lower.min(expected), upper: upper.max(expected) })
}

#[cfg(test)]
mod tests;
