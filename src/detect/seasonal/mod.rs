//! The default detector: how far a value is from what its time of day and week, on top of the
//! level of the last days, foretell.
//!
//! `expected = level + season` (or `level · (1 + season)`), `z = (value - expected) / scale`. The
//! level is the median of the last seven blocks (days, as a rule) before the row's own, so
//! neither a shift of two days nor a slow ramp is followed before it was seen. Several views of `z`
//! (see [`views`]) and the length of runs of equal values are each divided by their alert line;
//! the largest quotient `q` gives the score `1 - 0.2^q`, so 0.8 is the alert line.

mod baseline;
mod calendar;
mod plain;
mod profile;
mod views;

use std::ops::Range;

use chrono_tz::Tz;

use super::params::SeasonalParams;
use super::robust;
use crate::domain::{Band, NoScore, RowScore, Timestamp};
use crate::features::FeatureFrame;
use baseline::{Baseline, Residual};
use views::{N_VIEWS, Windows};

/// Fewest observations a pattern can be learnt from.
const MIN_POINTS: usize = 12;
/// What is left of 1 at the alert line.
const BELOW_LINE: f64 = 0.2;
/// Numbers beyond this many units are taken as this many, so that no arithmetic overflows.
const FAR: f64 = 1e100;

/// A trained seasonal detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Seasonal {
    sensitivity: f64,
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
    zone: Tz,
) -> Result<Seasonal, NoScore> {
    let values = &frame.raw_value;
    let sensitivity = params.sensitivity;
    if values.len() < MIN_POINTS {
        return Err(NoScore::TooFewPoints { need: MIN_POINTS, have: values.len() });
    }
    if values.iter().any(|value| !value.is_finite()) {
        return Err(NoScore::OutOfRange);
    }
    if values.iter().all(|value| *value == values[0]) {
        return Ok(Seasonal { sensitivity, law: Law::Constant(values[0]) });
    }
    let unit = unit_of(values);
    let cadence = calendar::cadence(&frame.at);
    let y = in_units(values, unit);
    let (baseline, residuals) = Baseline::learn(&frame.at, &y, cadence, zone);
    let span = (frame.at[frame.at.len() - 1] - frame.at[0]).as_secs_f64();
    let scale = baseline::scales(&residuals, span / calendar::DAY as f64);
    let windows = Windows::of(cadence, span);
    let per_day = calendar::DAY as f64 / cadence;
    let looks = views::look(&looked_at(&frame.at, &residuals, &scale), windows, cadence);
    let lines = views::alert_lines(&looks, per_day);
    let run_line = views::run_line(&views::runs(values), per_day);
    let seasons = Seasons { unit, cadence, baseline, scale, windows, lines, run_line };
    Ok(Seasonal { sensitivity, law: Law::Seasons(Box::new(seasons)) })
}

impl Seasonal {
    pub(super) fn score(&self, frame: &FeatureFrame, rows: Range<usize>) -> Vec<RowScore> {
        match &self.law {
            Law::Constant(value) => rows.map(|row| constant_score(*value, frame, row)).collect(),
            Law::Seasons(seasons) => seasons.score(frame, rows, self.sensitivity),
        }
    }

    /// It has none: its alert line is its own.
    pub(super) fn threshold(&self) -> Option<f64> {
        None
    }

    pub(super) fn params(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut params = serde_json::Map::new();
        params.insert("sensitivity".into(), self.sensitivity.into());
        params
    }
}

impl Seasons {
    /// Walks the frame from its start, so that a row's score does not depend on `rows`.
    fn score(&self, frame: &FeatureFrame, rows: Range<usize>, sensitivity: f64) -> Vec<RowScore> {
        let at = &frame.at[..rows.end];
        let y = in_units(&frame.raw_value[..rows.end], self.unit);
        let residuals = self.baseline.residuals(at, &y);
        let seen = looked_at(at, &residuals, &self.scale);
        let looks = views::look(&seen, self.windows, self.cadence);
        let runs = views::runs(&frame.raw_value[..rows.end]);
        rows.map(|row| {
            if !frame.raw_value[row].is_finite() {
                return RowScore { at: at[row], score: Err(NoScore::OutOfRange), band: None };
            }
            let quotients = looks[row].iter().zip(&self.lines).map(|(view, line)| view / line);
            let frozen = (f64::from(runs[row] - 1) / self.run_line).powi(3);
            let worst = quotients.fold(frozen, f64::max) * sensitivity;
            let side = |line: f64| line / sensitivity * seen[row].scale;
            let band = [
                residuals[row].expected,
                residuals[row].expected - side(self.lines[1]),
                residuals[row].expected + side(self.lines[0]),
            ]
            .map(|bound| bound * self.unit);
            RowScore { at: at[row], score: Ok(score_of(worst)), band: band_of(band) }
        })
        .collect()
    }
}

/// In [0, 1]; 0.8 where `quotient`, distance over alert line, is 1.
fn score_of(quotient: f64) -> f64 {
    (1.0 - BELOW_LINE.powf(quotient.max(0.0))).clamp(0.0, 1.0)
}

fn band_of([expected, lower, upper]: [f64; 3]) -> Option<Band> {
    let is_finite = expected.is_finite() && lower.is_finite() && upper.is_finite();
    is_finite.then(|| Band { expected, lower: lower.min(expected), upper: upper.max(expected) })
}

fn constant_score(constant: f64, frame: &FeatureFrame, row: usize) -> RowScore {
    let value = frame.raw_value[row];
    let at = frame.at[row];
    if !value.is_finite() {
        return RowScore { at, score: Err(NoScore::OutOfRange), band: None };
    }
    // Sums of equal parts differ in the last digits.
    let is_same = (value - constant).abs() <= 1e-9 * constant.abs();
    let band = Some(Band { expected: constant, lower: constant, upper: constant });
    RowScore { at, score: Ok(if is_same { 0.0 } else { 1.0 }), band }
}

/// The size of a usual value. Never 0: the values are not all equal.
fn unit_of(values: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
    let usual = robust::median(&mut sizes);
    if 0.0 < usual { usual } else { sizes.iter().copied().fold(0.0, f64::max) }
}

fn in_units(values: &[f64], unit: f64) -> Vec<f64> {
    let in_unit = |value: &f64| {
        let ratio = value / unit;
        // An overflowing bucket has no score of its own; its neighbours see the unit instead.
        if value.is_finite() { ratio.clamp(-FAR, FAR) } else { 1.0 }
    };
    values.iter().map(in_unit).collect()
}

fn looked_at(at: &[Timestamp], residuals: &[Residual], scales: &[f64]) -> Vec<views::Row> {
    let row = |(instant, residual): (&Timestamp, &Residual)| {
        let scale = residual.scale(scales);
        views::Row {
            at: (*instant - at[0]).as_secs_f64(),
            z: residual.deviation / scale,
            seasonless: residual.seasonless,
            scale: scale * residual.weight,
        }
    };
    at.iter().zip(residuals).map(row).collect()
}

#[cfg(test)]
mod tests;
