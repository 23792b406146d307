//! One pass over rows: novelty and distance of each, from the rows before it.

use super::{
    super::robust,
    distance::{Distance, Far},
    novelty::{News, Novelty},
    pack::{Pack, Unpack},
};
use crate::domain::Aspect;

/// Hours that level and activity are means over.
const HOURS: f64 = 4.0;
/// Fewest and most rows of them.
const ROWS: (f64, f64) = (3.0, 200.0);
/// Values beyond this are taken as this, so that their differences are finite.
const MOST_VALUE: f64 = 1e300;
/// Values are taken to be at most so many units from the middle.
const MOST_UNITS: f64 = 1e28;
/// Weight of the distance where the season explains nothing, and what it gains where it explains
/// all.
const DISTANCE: f64 = 0.6;
const DISTANCE_EXPLAINED: f64 = 0.9;
/// Signal at the alert line.
const LINE: f64 = 1.8;

/// Where a metric's values lie, and how far apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Units {
    pub(super) middle: f64,
    /// As a rule half the distance of the quartiles.
    pub(super) spread: f64,
}

impl Units {
    /// Of finite values.
    pub(super) fn of(values: &[f64]) -> Self {
        let mut sample: Vec<f64> =
            values.iter().map(|value| value.clamp(-MOST_VALUE, MOST_VALUE)).collect();
        let middle = robust::median(&mut sample);
        let [lower, upper, lowest, highest] =
            [0.25, 0.75, 0.0, 1.0].map(|share| robust::quantile(&mut sample, share));
        let half = |low: f64, high: f64| high / 2.0 - low / 2.0;
        let candidates = [half(lower, upper), half(lowest, highest), middle.abs()];
        let spread = candidates.into_iter().find(|spread| f64::MIN_POSITIVE <= *spread);
        Self { middle, spread: spread.unwrap_or(1.0) }
    }

    fn from(self, value: f64) -> f64 {
        // Halved first, so that the difference of huge values is finite.
        let halves = (value / 2.0 - self.middle / 2.0) / self.spread;
        (2.0 * halves).clamp(-MOST_UNITS, MOST_UNITS)
    }
}

/// What a row came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Signals {
    pub(super) news: News,
    pub(super) far: Far,
    /// What one alarm of distance counts.
    pub(super) weight: f64,
    /// Novelty and distance over their alert line.
    pub(super) quotient: f64,
    /// The residual at which distance alone reaches the alert line, in the metric's unit.
    pub(super) side: f64,
}

impl Signals {
    /// What adds most to the sum.
    pub(super) fn loudest(&self) -> Aspect {
        let [value, level, activity] = self.news.parts;
        let parts = [
            (Aspect::Value, self.weight * self.far.alarms),
            (Aspect::NovelValue, value),
            (Aspect::NovelLevel, level),
            (Aspect::NovelSpread, activity),
        ];
        let louder = |a: (Aspect, f64), b: (Aspect, f64)| if a.1 < b.1 { b } else { a };
        parts.into_iter().fold(parts[0], louder).0
    }
}

/// What is remembered of the rows so far.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Walk {
    pub(super) units: Units,
    /// Rows of the level.
    width: usize,
    novelty: Novelty,
    distance: Distance,
}

impl Walk {
    /// `cadence` is the usual seconds between rows.
    pub(super) fn new(units: Units, cadence: f64) -> Self {
        let width = width_of(cadence);
        Self { units, width, novelty: Novelty::new(width), distance: Distance::new() }
    }

    /// Judges the next row by those before it, and remembers it. Both values are finite.
    pub(super) fn step(&mut self, value: f64, expected: f64) -> Signals {
        let (value, expected) = (self.units.from(value), self.units.from(expected));
        let far = self.distance.look(value, expected);
        let news = self.novelty.look(value, expected, far.alarms);
        let weight = (DISTANCE + DISTANCE_EXPLAINED * far.explained) * far.left;
        Signals {
            news,
            far,
            weight,
            quotient: (news.sum + weight * far.alarms) / LINE,
            side: LINE / weight * far.alarm * self.units.spread,
        }
    }

    pub(super) fn pack(&self) -> Vec<f32> {
        let mut out = Pack::default();
        self.novelty.pack(&mut out);
        self.distance.pack(&mut out);
        out.0
    }

    /// The walk back from [`Self::pack`]; `None` for numbers that are no walk's.
    pub(super) fn unpack(units: Units, cadence: f64, numbers: &[f32]) -> Option<Self> {
        let mut from = Unpack(numbers);
        let width = width_of(cadence);
        let novelty = Novelty::unpack(width, &mut from)?;
        let distance = Distance::unpack(&mut from)?;
        from.0.is_empty().then_some(Self { units, width, novelty, distance })
    }
}

fn width_of(cadence: f64) -> usize {
    (HOURS * 3600.0 / cadence).round().clamp(ROWS.0, ROWS.1) as usize
}
