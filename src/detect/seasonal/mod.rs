//! The seasonal detector, which `auto` builds on: how far a value is from what its time of day and week, on top of the
//! level of the last days, foretell.
//!
//! `expected = level + season` (or `level · (1 + season)`), `z = (value - expected) / scale`. The
//! level is the median of the last seven blocks (days, as a rule) before the row's own, so
//! neither a shift of two days nor a slow ramp is followed before it was seen. Several views of `z`
//! (see [`views`]) and the length of runs of equal values are each divided by their alert line;
//! the largest quotient `q` gives the score `1 - 0.2^q`, so 0.8 is the alert line.

mod baseline;
mod calendar;
mod held_out;
mod narrow;
mod period;
mod plain;
mod profile;
mod views;

use std::ops::Range;

use super::FitContext;
use super::params::SeasonalParams;
use super::robust;
use crate::domain::{Aspect, Band, NoScore, Period, RowScore, Span, Timestamp};
use crate::features::FeatureFrame;
pub(super) use calendar::cadence;

use baseline::{Baseline, Cycle, History, Learnt, Levels, Residual};
use calendar::{Calendar, DAY};
use held_out::Evidence;
use views::{N_VIEWS, Run, Views, Windows};

/// Fewest observations a pattern can be learnt from.
const MIN_POINTS: usize = 12;
/// What is left of 1 at the alert line.
const BELOW_LINE: f64 = 0.2;
/// Numbers beyond this many units are taken as this many, so that no arithmetic overflows.
const FAR: f64 = 1e100;

/// A trained seasonal detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Seasonal {
    params: SeasonalParams,
    law: Law,
}

#[derive(Debug, Clone, PartialEq)]
enum Law {
    /// Every training value was this one: any other is as unusual as can be.
    Constant(f64),
    Seasons(Box<Seasons>),
}

#[derive(Debug, Clone, PartialEq)]
struct Seasons {
    /// Values are divided by this first.
    unit: f64,
    /// Usual distance between observations, in seconds.
    cadence: f64,
    baseline: Baseline,
    /// How well the pattern foretells; models of the first format did not say.
    evidence: Option<Evidence>,
    /// Usual size of a residual by time of day, in the residual's unit.
    scale: Vec<f64>,
    windows: Windows,
    lines: [f64; N_VIEWS],
    run_line: f64,
}

/// Trains on the values after resampling; differences, means and lags are not looked at.
pub(super) fn fit(
    frame: &FeatureFrame,
    params: SeasonalParams,
    context: &FitContext<'_>,
) -> Result<Seasonal, NoScore> {
    let values = &frame.raw_value;
    if values.len() < MIN_POINTS {
        return Err(NoScore::TooFewPoints { need: MIN_POINTS, have: values.len() });
    }
    if values.iter().any(|value| !value.is_finite()) {
        return Err(NoScore::OutOfRange);
    }
    if values.iter().all(|value| *value == values[0]) {
        return Ok(Seasonal { params, law: Law::Constant(values[0]) });
    }
    let unit = unit_of(values);
    let cadence = calendar::cadence(&frame.at);
    let calendar = Calendar::around(&frame.at, context.timezone, context.holidays);
    let given = params.period.map(|period| Cycle::Given(period.micros() / 1_000_000));
    let y: Vec<f64> = values.iter().map(|value| in_unit(*value, unit)).collect();
    let history = History { at: &frame.at, y: &y, cadence };
    let learnt = Baseline::learn(history, calendar, given.unwrap_or(Cycle::Found));
    let Learnt { baseline, residuals, evidence } = learnt;
    let cycle = baseline.profile.cycle;
    let span = (frame.at[frame.at.len() - 1] - frame.at[0]).as_secs_f64();
    let scale = baseline::scales(&residuals, span, cycle);
    let windows = Windows::of(cadence, span);
    let per_day = DAY as f64 / cadence;
    let mut views = Views::new(windows, cadence);
    let rows = frame.at.iter().zip(&residuals);
    let looks: Vec<_> =
        rows.map(|(at, residual)| views.look(looked_at(*at, residual, (&scale, cycle)))).collect();
    let lines = views::alert_lines(&looks, per_day);
    let mut run = Run::default();
    let runs: Vec<u32> = values.iter().map(|value| run.with(*value)).collect();
    let run_line = views::run_line(&runs, per_day);
    let evidence = Some(evidence);
    let seasons = Seasons { unit, cadence, baseline, evidence, scale, windows, lines, run_line };
    Ok(Seasonal { params, law: Law::Seasons(Box::new(seasons)) })
}

impl Seasonal {
    pub(super) fn score(&self, frame: &FeatureFrame, rows: Range<usize>) -> Vec<RowScore> {
        // Walks the frame from its start, so that a row's score does not depend on `rows`.
        let mut watch = self.watch();
        let mut looks = (0..rows.end).map(|row| {
            let (at, value) = (frame.at[row], frame.raw_value[row]);
            (at, self.look(&mut watch, at, value))
        });
        let _earlier = looks.by_ref().take(rows.start).count();
        looks.map(|(at, look)| self.row_score(at, look)).collect()
    }

    fn row_score(&self, at: Timestamp, look: Option<Look>) -> RowScore {
        let Some(look) = look else {
            return RowScore::without(at, NoScore::OutOfRange);
        };
        let score = Ok(score_of(look.quotient * self.params.sensitivity));
        let band = look.band(1.0 / self.params.sensitivity);
        RowScore { at, score, band, aspect: Some(look.view) }
    }

    /// The repetition it follows, and the share of the variance that explains; `None` for models of
    /// the first format, which did not say, and for a constant.
    pub(super) fn season(&self) -> Option<(Option<Period>, f64)> {
        let Law::Seasons(seasons) = &self.law else { return None };
        let (profile, evidence) = (&seasons.baseline.profile, seasons.evidence?);
        let has_pattern = !profile.daily.is_empty() || !profile.weekly.is_empty();
        let period = has_pattern.then(|| Period {
            length: Span::secs(profile.cycle),
            weekly: !profile.weekly.is_empty(),
            confidence: f64::from(evidence.confidence),
        });
        Some((period, f64::from(evidence.strength)))
    }

    /// It has none: its alert line is its own.
    pub(super) fn threshold(&self) -> Option<f64> {
        None
    }

    pub(super) fn params(&self) -> serde_json::Map<String, serde_json::Value> {
        self.params.shown()
    }

    /// The start of a walk over rows.
    pub(super) fn watch(&self) -> Watch {
        Watch(match &self.law {
            Law::Constant(_) => None,
            Law::Seasons(seasons) => Some(Box::new(Walked {
                levels: Levels::new(),
                views: Views::new(seasons.windows, seasons.cadence),
                run: Run::default(),
            })),
        })
    }

    /// As [`Self::look`], but for a walk that asks only this of any row: the value as it is judged,
    /// and what was expected.
    pub(super) fn expect(&self, watch: &mut Watch, at: Timestamp, value: f64) -> Option<[f64; 2]> {
        match (&self.law, &mut watch.0) {
            (Law::Seasons(seasons), Some(walked)) => {
                let y = in_unit(value, seasons.unit);
                let expected = walked.levels.compare(&seasons.baseline, at, y).expected;
                value.is_finite().then_some([value, expected * seasons.unit])
            }
            (Law::Constant(constant), _) => {
                let look = constant_look(*constant, value)?;
                Some([look.told(value), look.expected])
            }
            (Law::Seasons(_), None) => None,
        }
    }

    /// Looks at the next row of a walk, which is not before the last one; `None` for a value that
    /// is not finite.
    pub(super) fn look(&self, watch: &mut Watch, at: Timestamp, value: f64) -> Option<Look> {
        match (&self.law, &mut watch.0) {
            (Law::Seasons(seasons), Some(walked)) => seasons.look(walked, at, value),
            (Law::Constant(constant), _) => constant_look(*constant, value),
            (Law::Seasons(_), None) => None,
        }
    }
}

/// What a walk over rows remembers of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Watch(Option<Box<Walked>>);

#[derive(Debug, Clone, PartialEq)]
struct Walked {
    levels: Levels,
    views: Views,
    run: Run,
}

/// How a row looks to the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    /// In the metric's own unit.
    pub(super) expected: f64,
    /// Distances from it at which the value alone reaches the alert line, below and above.
    pub(super) sides: [f64; 2],
    /// The largest quotient of a view and its alert line, and which view that is.
    pub(super) quotient: f64,
    pub(super) view: Aspect,
}

impl Look {
    /// The value as it is judged: one that only rounding sets apart from a constant is it.
    pub(super) fn told(&self, value: f64) -> f64 {
        if self.quotient == 0.0 && self.sides == [0.0; 2] { self.expected } else { value }
    }

    /// The band whose sides are `times` those of the alert line.
    fn band(&self, times: f64) -> Option<Band> {
        let [below, above] = self.sides.map(|side| side * times);
        band_of([self.expected, self.expected - below, self.expected + above])
    }
}

impl Seasons {
    fn look(&self, walked: &mut Walked, at: Timestamp, value: f64) -> Option<Look> {
        let residual = walked.levels.compare(&self.baseline, at, in_unit(value, self.unit));
        let cycle = self.baseline.profile.cycle;
        let row = looked_at(at, &residual, (&self.scale, cycle));
        let views = walked.views.look(row);
        let run = walked.run.with(value);
        if !value.is_finite() {
            return None;
        }
        let frozen = (f64::from(run - 1) / self.run_line).powi(3);
        let mut worst = (frozen, Aspect::Frozen);
        for (place, (view, line)) in views.iter().zip(&self.lines).enumerate() {
            if worst.0 < view / line {
                worst = (view / line, VIEWS[place]);
            }
        }
        let side = |line: f64| line * row.scale * self.unit;
        Some(Look {
            expected: residual.expected * self.unit,
            sides: [side(self.lines[1]), side(self.lines[0])],
            quotient: worst.0,
            view: worst.1,
        })
    }
}

/// What each place of the views is a view of.
const VIEWS: [Aspect; N_VIEWS] = [
    Aspect::Value,
    Aspect::Value,
    Aspect::Level,
    Aspect::Level,
    Aspect::Level,
    Aspect::Level,
    Aspect::Jump,
    Aspect::Jump,
    Aspect::Spread,
];

/// In [0, 1]; 0.8 where `quotient`, distance over alert line, is 1.
fn score_of(quotient: f64) -> f64 {
    (1.0 - BELOW_LINE.powf(quotient.max(0.0))).clamp(0.0, 1.0)
}

fn band_of([expected, lower, upper]: [f64; 3]) -> Option<Band> {
    let is_finite = expected.is_finite() && lower.is_finite() && upper.is_finite();
    is_finite.then(|| Band { expected, lower: lower.min(expected), upper: upper.max(expected) })
}

fn constant_look(constant: f64, value: f64) -> Option<Look> {
    if !value.is_finite() {
        return None;
    }
    // Sums of equal parts differ in the last digits.
    let is_same = (value - constant).abs() <= 1e-9 * constant.abs();
    let quotient = if is_same { 0.0 } else { f64::INFINITY };
    Some(Look { expected: constant, sides: [0.0; 2], quotient, view: Aspect::Value })
}

/// The size of a usual value. Never 0: the values are not all equal.
fn unit_of(values: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
    let usual = robust::median(&mut sizes);
    if 0.0 < usual { usual } else { sizes.iter().copied().fold(0.0, f64::max) }
}

fn in_unit(value: f64, unit: f64) -> f64 {
    let ratio = value / unit;
    // An overflowing bucket has no score of its own; its neighbours see the unit instead.
    if value.is_finite() { ratio.clamp(-FAR, FAR) } else { 1.0 }
}

fn looked_at(at: Timestamp, residual: &Residual, (scales, cycle): (&[f64], i64)) -> views::Row {
    let scale = residual.scale(scales, cycle);
    let z = residual.deviation / scale;
    views::Row { at, z, seasonless: residual.seasonless, scale: scale * residual.weight }
}

#[cfg(test)]
mod tests;
