//! The streaming detector: one pass, one row at a time, each scored from the rows up to it alone.
//!
//! Two signals are added: novelty (see [`views::Novelty`]) and distance from what the time of day
//! or week foretells (see [`views::Distance`]), the latter the more the better the season explains
//! the metric. `docs/detectors.md` has the formulas. What depends on the metric's size and cadence
//! is fitted to the rows so far whenever their number has doubled, by walking them again, until
//! there are 256; afterwards only when the cadence changes.

mod emission;
mod ranked;
mod season;
mod views;

use std::collections::VecDeque;

use super::robust;
use crate::domain::{Band, NoScore, RowScore, Span, Timestamp};
use emission::Emission;
use season::Season;
use views::{Distance, Novelty};

/// Fewest values that give a score.
const MIN_POINTS: usize = 32;
/// Rows after which size and cadence are settled; the newest ones kept for walking them again.
const MOST_ROWS: usize = 256;
/// Rows between looks at the cadence once there are that many.
const RECHECK: u64 = 1024;
/// A cadence changed by this factor is a new one.
const NEW_CADENCE: f64 = 1.5;
/// The cadence, in seconds, of a stream whose time stands still.
const NO_CADENCE: f64 = 60.0;
/// So many rows in a row that are not later than an earlier one show that the earlier one's time
/// was wrong.
const MOST_LATE: u32 = 256;
/// Hours of the level and the activity, and of the emission rule.
const LEVEL_HOURS: f64 = 4.0;
const ACTIVITY_HOURS: f64 = 4.0;
const EMISSION_HOURS: f64 = 6.25;
/// Weight of the distance where the season explains nothing, and what it gains where it explains
/// all.
const DISTANCE: f64 = 0.6;
const DISTANCE_EXPLAINED: f64 = 0.9;
/// Signal at the alert line.
const LINE: f64 = 1.8;
/// What is left of 1 at the alert line.
const BELOW_LINE: f64 = 0.2;
/// Values and units beyond these are taken as these, so that no arithmetic overflows.
const MOST_VALUE: f64 = 1e300;
const MOST_UNITS: f64 = 1e100;

/// Scores a stream of observations, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    period: Span,
    rows: VecDeque<(Timestamp, f64)>,
    n_rows: u64,
    next_fit: u64,
    walk: Option<Walk>,
}

impl Stream {
    /// `period` is the length of the season, a day as a rule; the week is seven of them.
    pub fn new(period: Span) -> Self {
        let rows = VecDeque::new();
        Self { period, rows, n_rows: 0, next_fit: MIN_POINTS as u64, walk: None }
    }

    /// Scores the next observation by those before it, and remembers it. One that is not finite
    /// has no score and leaves no trace; one that is not later than the one before it counts as
    /// coming at the same time.
    pub fn push(&mut self, at: Timestamp, value: f64) -> RowScore {
        if !value.is_finite() {
            return RowScore { at, score: Err(NoScore::OutOfRange), band: None };
        }
        let value = value.clamp(-MOST_VALUE, MOST_VALUE);
        let seen = self.walk.as_mut().map(|walk| walk.step(at, value));
        self.remember(at, value);
        match seen {
            Some(seen) => RowScore { at, score: Ok(score_of(seen.signal / LINE)), band: seen.band },
            None => {
                let reason = NoScore::TooFewPoints { need: MIN_POINTS, have: self.rows.len() };
                RowScore { at, score: Err(reason), band: None }
            }
        }
    }

    fn remember(&mut self, at: Timestamp, value: f64) {
        if self.rows.len() == MOST_ROWS {
            self.rows.pop_front();
        }
        self.rows.push_back((at, value));
        self.n_rows += 1;
        if self.n_rows < self.next_fit {
            return;
        }
        let is_young = self.n_rows <= MOST_ROWS as u64;
        self.next_fit += if is_young { self.n_rows } else { RECHECK };
        let cadence = cadence(&self.rows);
        let is_new = self.walk.as_ref().is_none_or(|walk| {
            let ratio = cadence / walk.cadence;
            !(1.0 / NEW_CADENCE..=NEW_CADENCE).contains(&ratio)
        });
        if is_young || is_new {
            self.fit(cadence);
        }
    }

    /// Takes the metric's size and cadence from the kept rows and walks them again.
    fn fit(&mut self, cadence: f64) {
        let Some((first, _)) = self.rows.front() else { return };
        let mut walk = Walk::new(Units::of(&self.rows), cadence, self.period, *first);
        for (at, value) in &self.rows {
            walk.step(*at, *value);
        }
        self.walk = Some(walk);
    }
}

/// Where a metric's values lie, and how far apart.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Units {
    middle: f64,
    /// As a rule half the distance of the quartiles.
    spread: f64,
}

impl Units {
    fn of(rows: &VecDeque<(Timestamp, f64)>) -> Self {
        let mut values: Vec<f64> = rows.iter().map(|(_, value)| *value).collect();
        let middle = robust::median(&mut values);
        let quartiles = [0.25, 0.75, 0.0, 1.0].map(|q| robust::quantile(&mut values, q));
        let [lower, upper, lowest, highest] = quartiles;
        let candidates = [(upper - lower) / 2.0, (highest - lowest) / 2.0, middle.abs()];
        let spread = candidates.into_iter().find(|spread| f64::MIN_POSITIVE <= *spread);
        Self { middle, spread: spread.unwrap_or(1.0) }
    }

    fn from(self, value: f64) -> f64 {
        ((value - self.middle) / self.spread).clamp(-MOST_UNITS, MOST_UNITS)
    }

    fn to(self, units: f64) -> f64 {
        self.middle + units * self.spread
    }
}

/// One pass over rows.
#[derive(Debug, Clone, PartialEq)]
struct Walk {
    units: Units,
    /// Usual seconds between rows.
    cadence: f64,
    origin: Timestamp,
    place: i64,
    n_late: u32,
    season: Season,
    novelty: Novelty,
    distance: Distance,
    emission: Emission,
}

/// What a row came to.
struct Outcome {
    signal: f64,
    band: Option<Band>,
}

impl Walk {
    fn new(units: Units, cadence: f64, period: Span, origin: Timestamp) -> Self {
        let rows = |hours: f64, least: f64, most: f64| {
            (hours * 3600.0 / cadence).round().clamp(least, most) as usize
        };
        let level = rows(LEVEL_HOURS, 3.0, 200.0);
        let activity = rows(ACTIVITY_HOURS, 2.0, 200.0);
        Self {
            units,
            cadence,
            origin,
            place: -1,
            n_late: 0,
            season: Season::new((period.as_secs_f64() / cadence).max(1.0)),
            novelty: Novelty::new(level, activity),
            distance: Distance::new(),
            emission: Emission::new(rows(EMISSION_HOURS, 3.0, 400.0) as u64),
        }
    }

    fn step(&mut self, at: Timestamp, value: f64) -> Outcome {
        let place = self.place_of(at);
        let u = self.units.from(value);
        let forecast = self.season.forecast(place);
        let expected = forecast.map_or(u, |forecast| forecast.expected);
        let seen = self.distance.look(u, expected);
        let novelty = self.novelty.look(u, expected, seen.far);
        let weight = DISTANCE + DISTANCE_EXPLAINED * seen.explained;
        let signal = self.emission.emit(novelty + weight * seen.far * seen.left);
        self.season.learn(place, u, forecast);
        // Where the distance alone reaches the alert line.
        let side = LINE / (weight * seen.left) * seen.alarm;
        let bounds = [expected, expected - side, expected + side].map(|u| self.units.to(u));
        Outcome { signal, band: forecast.and_then(|_| band_of(bounds)) }
    }

    /// The place on the grid of steps, never before that of an earlier row.
    fn place_of(&mut self, at: Timestamp) -> i64 {
        let place = ((at - self.origin).as_secs_f64() / self.cadence).round() as i64;
        self.n_late = if place <= self.place { self.n_late + 1 } else { 0 };
        if MOST_LATE < self.n_late {
            let ahead = Span::from_micros(((self.place + 1) as f64 * self.cadence * 1e6) as i64);
            self.origin = at - ahead;
            self.n_late = 0;
            self.place += 1;
        }
        self.place = self.place.max(place);
        self.place
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

/// The usual seconds between rows.
fn cadence(rows: &VecDeque<(Timestamp, f64)>) -> f64 {
    let times = rows.iter().map(|(at, _)| at);
    let steps = times.clone().zip(times.skip(1)).map(|(a, b)| (*b - *a).as_secs_f64());
    let mut steps: Vec<f64> = steps.filter(|step| 0.0 < *step).collect();
    if steps.is_empty() { NO_CADENCE } else { robust::median(&mut steps) }
}

#[cfg(test)]
mod tests;
