//! What was never seen before, and visibly so: of the value, of its level and of its activity.

use std::collections::VecDeque;

use super::{
    fatigue::{Fatigue, Pace, Prolongs},
    pack::{MOST_COUNT, Pack, Unpack, kept},
    seen::Seen,
};

/// Weights of the value, its level and its activity.
const WEIGHTS: [f64; 3] = [1.0, 2.0, 1.5];
/// Rows after which novelty counts by half.
const YOUTH: f64 = 500.0;
/// Novelty of an alarm, in ranges.
const NOVEL: f64 = 0.01;
/// Below this distance, in alarms, a new extreme is no news.
const EXPECTED: f64 = 0.7;
/// Novelty counts at most so many ranges.
const MOST_RANGES: f64 = 1e3;
const PACE: Pace = Pace { memory: 2000.0, gap: 20, prolongs: Prolongs::Nothing };

/// A value brought near: large ones by their root.
pub(super) fn near(u: f64) -> f64 {
    ((1.0 + u.abs()).sqrt() - 1.0).copysign(u)
}

/// The novelty of a row, in alarms.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct News {
    /// Of the value, its level and its activity.
    pub(super) parts: [f64; 3],
    /// Their sum.
    pub(super) sum: f64,
}

/// What was seen before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Novelty {
    value: Seen,
    level: Seen,
    activity: Seen,
    means: Means,
    fatigue: Fatigue,
    n_rows: u32,
}

impl Novelty {
    /// Level and activity are means over so many rows.
    pub(super) fn new(width: usize) -> Self {
        Self {
            value: Seen::default(),
            level: Seen::default(),
            activity: Seen::default(),
            means: Means::new(width),
            fatigue: Fatigue::new(PACE),
            n_rows: 0,
        }
    }

    /// `far` is the distance of the value from the expected one, in alarms.
    pub(super) fn look(&mut self, value: f64, expected: f64, far: f64) -> News {
        let z = near(value);
        let (level, activity) = self.means.with(z - near(expected));
        let range = self.value.range().max(1e-12);
        let n_rows = f64::from(self.n_rows);
        let trust = n_rows / (n_rows + YOUTH) / NOVEL * self.fatigue.tire();
        let gate = (far / EXPECTED).min(1.0);
        let part = |seen: &Seen, value: f64, weight: f64| {
            trust * weight * (seen.distance(value) / range).min(MOST_RANGES)
        };
        let parts = [
            part(&self.value, z, WEIGHTS[0] * gate),
            part(&self.level, level, WEIGHTS[1]),
            part(&self.activity, activity, WEIGHTS[2]),
        ];
        let sum = parts.iter().sum();
        if 1.0 <= sum {
            self.fatigue.alarm();
        }
        self.value.push(z);
        self.level.push(level);
        self.activity.push(activity);
        self.n_rows = (self.n_rows + 1).min(MOST_COUNT);
        News { parts, sum }
    }

    pub(super) fn pack(&self, out: &mut Pack) {
        for seen in [&self.value, &self.level, &self.activity] {
            seen.pack(out);
        }
        self.means.pack(out);
        self.fatigue.pack(out);
        out.count(self.n_rows);
    }

    pub(super) fn unpack(width: usize, from: &mut Unpack<'_>) -> Option<Self> {
        Some(Self {
            value: Seen::unpack(from)?,
            level: Seen::unpack(from)?,
            activity: Seen::unpack(from)?,
            means: Means::unpack(width, from)?,
            fatigue: Fatigue::unpack(PACE, from)?,
            n_rows: from.count(MOST_COUNT)?,
        })
    }
}

/// Most blocks of rows that a mean is taken over.
const BLOCKS: usize = 16;

/// Means of the newest residuals and of their sizes, by blocks of rows: as soon as a block is
/// full the oldest one is left out.
#[derive(Debug, Clone, PartialEq)]
struct Means {
    /// Rows of a block, and how many blocks there are at most.
    rows: u32,
    most: usize,
    /// Sum of the residuals and of their sizes; the newest block is last.
    blocks: VecDeque<[f32; 2]>,
    /// Rows in the newest block.
    n_newest: u32,
}

impl Means {
    fn new(width: usize) -> Self {
        let rows = width.div_ceil(BLOCKS).max(1);
        let most = width.div_ceil(rows).max(1);
        let blocks = VecDeque::with_capacity(most + 1);
        Self { rows: rows as u32, most, blocks, n_newest: rows as u32 }
    }

    /// Summed afresh each time, so that a wild value leaves nothing behind.
    fn with(&mut self, residual: f64) -> (f64, f64) {
        if self.n_newest == self.rows {
            if self.blocks.len() == self.most {
                self.blocks.pop_front();
            }
            self.blocks.push_back([0.0, 0.0]);
            self.n_newest = 0;
        }
        self.n_newest += 1;
        if let Some([sum, size]) = self.blocks.back_mut() {
            *sum = kept(f64::from(*sum) + residual);
            *size = kept(f64::from(*size) + residual.abs());
        }
        let n_full = self.blocks.len() as u32 - 1;
        let n_rows = f64::from(n_full * self.rows + self.n_newest);
        let total = |which: usize| self.blocks.iter().map(|b| f64::from(b[which])).sum::<f64>();
        (total(0) / n_rows, total(1) / n_rows)
    }

    fn pack(&self, out: &mut Pack) {
        out.count(self.n_newest);
        out.count(self.blocks.len() as u32);
        self.blocks.iter().flatten().for_each(|number| out.number(*number));
    }

    fn unpack(width: usize, from: &mut Unpack<'_>) -> Option<Self> {
        let mut means = Self::new(width);
        means.n_newest = from.count(means.rows)?;
        let n_blocks = from.count(means.most as u32)?;
        for _ in 0..n_blocks {
            means.blocks.push_back([from.number()?, from.not_negative()?]);
        }
        (0 < n_blocks || means.n_newest == means.rows).then_some(means)
    }
}
