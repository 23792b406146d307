//! What lies far from what was expected, on the scale of what usually does.

use super::{
    fatigue::{Fatigue, Pace, Prolongs},
    pack::{MOST, Pack, Unpack, kept},
    summary::Summary,
};

/// Shares at which the sizes of residuals are known, and where the used ones are.
const SIZES: [f32; 9] = [0.0, 0.25, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0];
const SIZE_MEDIAN: usize = 2;
const SIZE_UPPER: usize = 6;
/// Shares at which the values are known, and where the used ones are.
const VALUES: [f32; 17] = [
    0.0, 0.005, 0.01, 0.02, 0.05, 0.15, 0.25, 0.35, 0.5, 0.65, 0.75, 0.85, 0.95, 0.98, 0.99, 0.995,
    1.0,
];
const INNER: [usize; 2] = [2, 14];
const QUARTILES: [usize; 2] = [6, 10];
/// The scale is at least so much of the inner range (1 % to 99 %) and of the whole range.
const OF_INNER: f64 = 0.25;
const OF_WHOLE: f64 = 0.02;
/// Scales of an alarm.
const FAR: f64 = 2.15;
/// Residuals count at most so many scales.
const MOST_SCALES: f64 = 100.0;
const PACE: Pace = Pace { memory: 300.0, gap: 6, prolongs: Prolongs::Burst };

/// A residual seen on the scale of earlier ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Far {
    /// In alarms, before fatigue.
    pub(super) alarms: f64,
    /// What fatigue leaves of it.
    pub(super) left: f64,
    /// Residual of one alarm.
    pub(super) alarm: f64,
    /// Usual residual: what nine in ten stay under.
    pub(super) usual: f64,
    /// Share of the usual deviation that the expectation explains, 0 to 1.
    pub(super) explained: f64,
}

/// Residuals and values of the past.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Distance {
    sizes: Summary<9>,
    values: Summary<17>,
    lowest: f32,
    highest: f32,
    fatigue: Fatigue,
}

impl Distance {
    pub(super) fn new() -> Self {
        Self {
            sizes: Summary::new(&SIZES),
            values: Summary::new(&VALUES),
            lowest: MOST as f32,
            highest: -MOST as f32,
            fatigue: Fatigue::new(PACE),
        }
    }

    pub(super) fn look(&mut self, value: f64, expected: f64) -> Far {
        let residual = (value - expected).abs();
        let scale = self.scale();
        let alarms = match scale {
            Some(scale) => (residual / scale).min(MOST_SCALES) / FAR,
            None => 0.0,
        };
        let far = Far {
            alarms,
            left: self.fatigue.tire(),
            alarm: scale.unwrap_or(f64::INFINITY) * FAR,
            usual: self.sizes.at(SIZE_UPPER).unwrap_or(0.0),
            explained: self.explained(),
        };
        if 1.0 <= alarms {
            self.fatigue.alarm();
        }
        self.sizes.push(residual);
        self.values.push(value);
        self.lowest = self.lowest.min(kept(value));
        self.highest = self.highest.max(kept(value));
        far
    }

    fn scale(&self) -> Option<f64> {
        let usual = self.sizes.at(SIZE_UPPER)?;
        let whole = f64::from(self.highest) - f64::from(self.lowest);
        let floor = (OF_INNER * self.between(INNER)?).max(OF_WHOLE * whole);
        Some(usual.max(floor).max(1e-12))
    }

    /// Share of the usual deviation of values that the expectation explains.
    fn explained(&self) -> f64 {
        match (self.between(QUARTILES), self.sizes.at(SIZE_MEDIAN)) {
            (Some(middle), Some(size)) if 0.0 < middle => {
                (1.0 - size / (middle / 2.0)).clamp(0.0, 1.0)
            }
            _ => 0.0,
        }
    }

    fn between(&self, [low, high]: [usize; 2]) -> Option<f64> {
        Some(self.values.at(high)? - self.values.at(low)?)
    }

    pub(super) fn pack(&self, out: &mut Pack) {
        self.sizes.pack(out);
        self.values.pack(out);
        out.number(self.lowest);
        out.number(self.highest);
        self.fatigue.pack(out);
    }

    pub(super) fn unpack(from: &mut Unpack<'_>) -> Option<Self> {
        Some(Self {
            sizes: Summary::unpack(&SIZES, from)?,
            values: Summary::unpack(&VALUES, from)?,
            lowest: from.number()?,
            highest: from.number()?,
            fatigue: Fatigue::unpack(PACE, from)?,
        })
    }
}
