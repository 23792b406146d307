//! The two signals of the stream detector: what was never seen before, and what lies far from what
//! this time of day foretells.

use std::collections::VecDeque;

use super::ranked::Ranked;

/// Rows whose values, levels and activities are remembered.
const SEEN: usize = 8000;
/// Fewest remembered values that a distance is taken to.
const ENOUGH: usize = 20;
/// Weights of the value, its level and its activity.
const WEIGHTS: [f64; 3] = [1.0, 2.0, 1.5];
/// Rows after which novelty counts by half.
const YOUTH: f64 = 500.0;
/// Novelty of an alarm, in ranges.
pub(super) const NOVEL: f64 = 0.01;
/// Below this residual a new extreme is no news.
const EXPECTED: f64 = 0.7;
/// Rows whose residuals and values give the scale.
const SCALED: usize = 2000;
/// Quantile of the residuals that is their scale.
const UPPER: f64 = 0.9;
/// The scale is at least so much of the inner range (1 % to 99 %) and of the whole range.
const OF_INNER: f64 = 0.25;
const OF_WHOLE: f64 = 0.02;
/// Scales of an alarm.
const FAR: f64 = 2.15;
/// Residuals count at most so many scales.
const MOST_SCALES: f64 = 100.0;

/// Fades by `1/e` in so many rows, and grows by one with each burst.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fatigue {
    memory: f64,
    /// Rows without an alarm that end a burst.
    gap: u64,
    /// Whether a burst goes on as long as alarms do.
    prolongs: Prolongs,
    bursts: f64,
    quiet: Option<u64>,
}

/// What an alarm within a burst does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prolongs {
    /// The burst lasts on.
    Burst,
    /// Nothing.
    Nothing,
}

impl Fatigue {
    pub(super) const fn new(memory: f64, gap: u64, prolongs: Prolongs) -> Self {
        Self { memory, gap, prolongs, bursts: 0.0, quiet: None }
    }

    /// What is left of a signal; one row has passed.
    pub(super) fn tire(&mut self) -> f64 {
        self.bursts *= (-1.0 / self.memory).exp();
        self.quiet = self.quiet.map(|quiet| quiet + 1);
        1.0 / (1.0 + 0.5 * self.bursts)
    }

    /// The row was an alarm.
    pub(super) fn alarm(&mut self) {
        let is_new = self.quiet.is_none_or(|quiet| self.gap < quiet);
        if is_new {
            self.bursts += 1.0;
        }
        if is_new || self.prolongs == Prolongs::Burst {
            self.quiet = Some(0);
        }
    }
}

/// The mean of the newest rows.
#[derive(Debug, Clone, PartialEq)]
struct Mean {
    width: usize,
    newest: VecDeque<f64>,
}

impl Mean {
    fn new(width: usize) -> Self {
        Self { width, newest: VecDeque::with_capacity(width) }
    }

    /// Summed afresh each time, so that a wild value leaves nothing behind.
    fn with(&mut self, value: f64) -> f64 {
        if self.newest.len() == self.width {
            self.newest.pop_front();
        }
        self.newest.push_back(value);
        self.newest.iter().sum::<f64>() / self.newest.len() as f64
    }
}

/// A value brought near: large ones by their root.
pub(super) fn near(u: f64) -> f64 {
    ((1.0 + u.abs()).sqrt() - 1.0).copysign(u)
}

/// What was never seen before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Novelty {
    value: Ranked,
    level: Ranked,
    activity: Ranked,
    level_mean: Mean,
    activity_mean: Mean,
    fatigue: Fatigue,
    n_rows: f64,
}

impl Novelty {
    /// Means of so many rows for the level and the activity.
    pub(super) fn new(level_rows: usize, activity_rows: usize) -> Self {
        Self {
            value: Ranked::new(SEEN),
            level: Ranked::new(SEEN),
            activity: Ranked::new(SEEN),
            level_mean: Mean::new(level_rows),
            activity_mean: Mean::new(activity_rows),
            fatigue: Fatigue::new(2000.0, 20, Prolongs::Nothing),
            n_rows: 0.0,
        }
    }

    /// In alarms. `far` is the residual in alarms.
    pub(super) fn look(&mut self, value: f64, expected: f64, far: f64) -> f64 {
        let z = near(value);
        let residual = z - near(expected);
        let level = self.level_mean.with(residual);
        let activity = self.activity_mean.with(residual.abs());
        let range = self.value.extremes().map_or(0.0, |(low, high)| high - low).max(1e-12);
        let trust = self.n_rows / (self.n_rows + YOUTH);
        let distance = |seen: &Ranked, value: f64| {
            let nearest = if seen.len() < ENOUGH { None } else { seen.nearest(value) };
            (nearest.unwrap_or(0.0) / range).min(1e3)
        };
        let gate = (far / EXPECTED).min(1.0);
        let sum = WEIGHTS[0] * gate * distance(&self.value, z)
            + WEIGHTS[1] * distance(&self.level, level)
            + WEIGHTS[2] * distance(&self.activity, activity);
        let novelty = trust * sum / NOVEL * self.fatigue.tire();
        if 1.0 <= novelty {
            self.fatigue.alarm();
        }
        self.value.push(z);
        self.level.push(level);
        self.activity.push(activity);
        self.n_rows += 1.0;
        novelty
    }
}

/// What lies far from what was expected.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Distance {
    residuals: Ranked,
    values: Ranked,
    lowest: f64,
    highest: f64,
    fatigue: Fatigue,
}

/// A residual seen on the scale of earlier ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    /// In alarms, before fatigue.
    pub(super) far: f64,
    /// What fatigue leaves of it.
    pub(super) left: f64,
    /// Residual of one alarm.
    pub(super) alarm: f64,
    /// Share of the usual deviation that the season explains, 0 to 1.
    pub(super) explained: f64,
}

impl Distance {
    pub(super) fn new() -> Self {
        Self {
            residuals: Ranked::new(SCALED),
            values: Ranked::new(SCALED),
            lowest: f64::INFINITY,
            highest: f64::NEG_INFINITY,
            fatigue: Fatigue::new(300.0, 6, Prolongs::Burst),
        }
    }

    pub(super) fn look(&mut self, value: f64, expected: f64) -> Seen {
        let residual = (value - expected).abs();
        let scale = self.scale();
        let far = match scale {
            Some(scale) => (residual / scale).min(MOST_SCALES) / FAR,
            None => 0.0,
        };
        let seen = Seen {
            far,
            left: self.fatigue.tire(),
            alarm: scale.unwrap_or(f64::INFINITY) * FAR,
            explained: self.explained(),
        };
        if 1.0 <= far {
            self.fatigue.alarm();
        }
        self.residuals.push(residual);
        self.values.push(value);
        self.lowest = self.lowest.min(value);
        self.highest = self.highest.max(value);
        seen
    }

    fn scale(&self) -> Option<f64> {
        if self.residuals.len() < ENOUGH {
            return None;
        }
        let inner = self.values.quantile(0.99) - self.values.quantile(0.01);
        let floor = (OF_INNER * inner).max(OF_WHOLE * (self.highest - self.lowest));
        Some(self.residuals.quantile(UPPER).max(floor).max(1e-12))
    }

    fn explained(&self) -> f64 {
        let usual = (self.values.quantile(0.75) - self.values.quantile(0.25)) / 2.0;
        if self.residuals.len() < ENOUGH || usual <= 0.0 {
            return 0.0;
        }
        (1.0 - self.residuals.quantile(0.5) / usual).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_seen_before_is_no_news_and_a_new_one_is() {
        let mut novelty = Novelty::new(3, 3);
        for row in 0..600 {
            novelty.look(f64::from(row % 5), 2.0, 1.0);
        }
        assert!(novelty.look(30.0, 2.0, 1.0) > 10.0);
    }

    #[test]
    fn bursts_tire_and_rest_restores() {
        let mut fatigue = Fatigue::new(300.0, 6, Prolongs::Burst);
        assert_eq!(fatigue.tire(), 1.0);
        for _ in 0..50 {
            fatigue.alarm();
            fatigue.tire();
        }
        assert_eq!(fatigue.bursts.round(), 1.0);
        for _ in 0..3_000 {
            fatigue.tire();
        }
        assert!(0.99 < fatigue.tire());
    }

    #[test]
    fn a_scale_is_never_less_than_a_share_of_the_range() {
        let mut distance = Distance::new();
        for row in 0..100 {
            distance.look(f64::from(row % 10), f64::from(row % 10));
        }
        let seen = distance.look(9.0, 0.0);
        assert_eq!((seen.alarm, seen.explained), (0.25 * 9.0 * FAR, 1.0));
        assert_eq!(seen.far, 4.0 / FAR);
    }
}
