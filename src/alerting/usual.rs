//! What a point is compared with to tell its side and its distance.

use super::Scored;
use crate::domain::{Band, Direction, MinChange};

/// How many points before a point stand in for an expected value where the detector has none.
pub(super) const EARLIER_POINTS: usize = 24;

/// What would have been usual at a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Usual {
    /// What the detector expected.
    Expected(Band),
    /// The median of the points just before, for detectors that expect nothing.
    Earlier {
        /// That median.
        median: f64,
        /// How many points there were.
        n_points: usize,
    },
    /// Nothing is known: the first point of all.
    Unknown,
}

impl Usual {
    /// What was usual at a point, seen from that point: later points do not count.
    pub(super) fn at(scored: &[Scored], i: usize) -> Self {
        if let Some(band) = scored[i].band {
            return Self::Expected(band);
        }
        let mut earlier: Vec<f64> =
            scored[i.saturating_sub(EARLIER_POINTS)..i].iter().map(|point| point.value).collect();
        if earlier.is_empty() {
            return Self::Unknown;
        }
        earlier.sort_by(f64::total_cmp);
        let n_points = earlier.len();
        // Halves are added, not the sum halved: two huge values must not overflow.
        let median = earlier[(n_points - 1) / 2] / 2.0 + earlier[n_points / 2] / 2.0;
        Self::Earlier { median, n_points }
    }

    /// The one value that stands for what is usual.
    pub(super) const fn value(&self) -> Option<f64> {
        match self {
            Self::Expected(band) => Some(band.expected),
            Self::Earlier { median, .. } => Some(*median),
            Self::Unknown => None,
        }
    }

    /// Whether a value lies on the side that counts. Where nothing is known, only `both` holds.
    pub(super) fn is_on_side(&self, value: f64, direction: Direction) -> bool {
        match (direction, self.value()) {
            (Direction::Both, _) => true,
            (Direction::Up, Some(usual)) => usual < value,
            (Direction::Down, Some(usual)) => value < usual,
            (Direction::Up | Direction::Down, None) => false,
        }
    }

    /// Whether a value is far enough away. Where nothing is known, only a zero distance holds.
    pub(super) fn is_far_enough(&self, value: f64, least: MinChange) -> bool {
        let Some(usual) = self.value() else {
            return least.absolute <= 0.0 && least.relative <= 0.0;
        };
        let distance = (value - usual).abs();
        least.absolute <= distance && least.relative * usual.abs() <= distance
    }
}
