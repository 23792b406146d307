//! The level of the last days, the seasons on top of it, and what is left of a value without both.

use std::collections::VecDeque;

use super::calendar::{self, Calendar, Clock, DAY};
use super::held_out::{Choice, Evidence};
use super::period;
use super::profile::{self, Deviations, Grain, MIN_CYCLES, Places, Profile, Seasons, Shape};
use super::robust;
use crate::domain::Timestamp;

/// How many blocks before a row's own make its level. A shift is followed after half of them.
pub(super) const N_LEVEL: usize = 7;
/// Slots of a cycle that have a scale of their own.
const N_SCALES: usize = 24;
/// A season that is a share of the level must leave so much less than one that is added.
const WORTH_A_SHARE: f64 = 0.98;
/// A cycle that is no day needs such confidence, and must leave so much less than the day does. The
/// part of a day that explains as much as the day is the plainer of the two.
const WORTH_A_PERIOD: f32 = 0.6;
const WORTH_A_CYCLE: f64 = 0.9;
/// A share-shaped level stays between these multiples of its usual size.
const LEVEL_LIMITS: (f64, f64) = (0.1, 10.0);

/// The median of one block of rows, seasons taken out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Block {
    /// Its number, counted from the epoch.
    pub(super) number: i64,
    pub(super) level: f64,
    pub(super) n_rows: usize,
}

/// What is expected when.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Baseline {
    pub(super) calendar: Calendar,
    pub(super) shape: Shape,
    pub(super) profile: Profile,
    /// Length of a block in seconds.
    pub(super) block: i64,
    /// Usual level.
    pub(super) level: f64,
    /// The newest blocks of the training, in order; the level where a frame has no past.
    pub(super) carried: Vec<Block>,
}

/// One value compared with what was expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Residual {
    pub(super) expected: f64,
    /// In `weight`s.
    pub(super) deviation: f64,
    /// The value without its season.
    pub(super) seasonless: f64,
    /// The level for seasons that are shares of it, else 1.
    pub(super) weight: f64,
    local: i64,
}

impl Residual {
    pub(super) fn scale(&self, scales: &[f64], cycle: i64) -> f64 {
        scales[calendar::slot_of(self.local, cycle, scales.len())]
    }
}

/// What a baseline is learnt from; at least two rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct History<'a> {
    pub(super) at: &'a [Timestamp],
    /// In units.
    pub(super) y: &'a [f64],
    /// Usual seconds between rows.
    pub(super) cadence: f64,
}

/// How long the pattern is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cycle {
    /// So many seconds.
    Given(i64),
    /// A day, or what the data say.
    Found,
}

/// A baseline, what is left of the rows it was learnt from, and how well its seasons foretell.
pub(super) struct Learnt {
    pub(super) baseline: Baseline,
    pub(super) residuals: Vec<Residual>,
    pub(super) evidence: Evidence,
}

/// A cycle, where the rows lie in it, and the seasons worth having with it.
struct Clocks {
    calendar: Calendar,
    places: Places,
    grain: Grain,
    choice: Choice,
}

impl Clocks {
    /// The cycle that was asked for, or the one that foretells held-out rows best.
    fn choose(
        history: History<'_>,
        rough: &[f64],
        calendar: Calendar,
        (asked, block): (Cycle, i64),
    ) -> Self {
        let (value, weight) = deviations(history.y, rough, Shape::Additive);
        let with = |cycle| {
            let calendar = calendar.of_cycle(cycle);
            let local = calendar::local_seconds(history.at, &calendar);
            let span = (history.at[history.at.len() - 1] - history.at[0]).as_secs_f64();
            let grain = Grain::of(history.cadence, span, cycle);
            let places = grain.places(&local);
            let rows = Deviations { places: &places, value: &value, weight: &weight };
            let choice = Choice::of(rows, grain);
            Self { calendar, places, grain, choice }
        };
        let cycle = match asked {
            Cycle::Given(cycle) => return with(cycle),
            Cycle::Found => DAY,
        };
        // Longer ones are in the level.
        let most = (block * N_LEVEL as i64 / 2) as f64;
        let lengths = period::lengths(history.at, &value, history.cadence, most);
        let mut best = with(cycle);
        for other in lengths.into_iter().filter(|length| *length != cycle).map(with) {
            if other.is_better(&best) {
                best = other;
            }
        }
        best
    }

    /// Than the day.
    fn is_better(&self, day: &Self) -> bool {
        let is_part = day.choice.seasons == Seasons::Daily && DAY % self.grain.cycle == 0;
        let margin = if is_part { 1.0 } else { WORTH_A_CYCLE };
        self.choice.seasons != Seasons::None
            && WORTH_A_PERIOD <= self.choice.evidence(&self.places).confidence
            && self.choice.leaves_at_most(margin, &day.choice)
    }
}

impl Baseline {
    /// Learns from a history; beside what is expected, what is left of each row.
    pub(super) fn learn(history: History<'_>, calendar: Calendar, asked: Cycle) -> Learnt {
        let History { at, y, cadence } = history;
        let span = (at[at.len() - 1] - at[0]).as_secs_f64();
        let block = block_length(span, cadence);
        let rough = centred_levels(at, &blocks(at, y, block), block);
        let mut sorted = rough.clone();
        let level = robust::median(&mut sorted);
        let clocks = Clocks::choose(history, &rough, calendar, (asked, block));
        let Clocks { calendar, places, grain, mut choice } = clocks;
        let mut shape = Shape::Additive;
        if y.iter().all(|y| 0.0 < *y) {
            let (value, weight) = deviations(y, &rough, Shape::Multiplicative);
            let rows = Deviations { places: &places, value: &value, weight: &weight };
            let share = Choice::of(rows, grain);
            if choice.is_beaten_by(&share, WORTH_A_SHARE) {
                (shape, choice) = (Shape::Multiplicative, share);
            }
        }
        let evidence = choice.evidence(&places);
        let learn = |levels: &[f64]| {
            let (value, weight) = deviations(y, levels, shape);
            let rows = Deviations { places: &places, value: &value, weight: &weight };
            profile::learn(rows, grain, choice.seasons)
        };
        let (profile, carried) = (learn(&rough), Vec::new());
        let mut model = Self { calendar, shape, profile, block, level, carried };
        let refined = blocks(at, &model.without_season(&places, y), block);
        model.profile = learn(&centred_levels(at, &refined, block));
        let all = blocks(at, &model.without_season(&places, y), block);
        // The first rows of the training have no past; the blocks that follow stand in.
        model.carried = all[..N_LEVEL.min(all.len())].to_vec();
        let residuals = model.residuals(at, y);
        model.carried = all[all.len().saturating_sub(N_LEVEL)..].to_vec();
        Learnt { baseline: model, residuals, evidence }
    }

    fn without_season(&self, places: &Places, y: &[f64]) -> Vec<f64> {
        let season = |row| self.profile.at_place(places, row);
        y.iter().enumerate().map(|(row, y)| self.seasonless(season(row), *y)).collect()
    }

    /// A value, its season taken out.
    fn seasonless(&self, season: f64, y: f64) -> f64 {
        match self.shape {
            Shape::Additive => y - season,
            Shape::Multiplicative => y / (1.0 + season).max(0.05),
        }
    }

    /// Compares each value with what its past and the time foretell.
    fn residuals(&self, at: &[Timestamp], y: &[f64]) -> Vec<Residual> {
        let mut levels = Levels::new();
        at.iter().zip(y).map(|(at, y)| levels.compare(self, *at, *y)).collect()
    }

    fn limited(&self, level: f64) -> f64 {
        match self.shape {
            Shape::Additive => level,
            Shape::Multiplicative => {
                level.clamp(LEVEL_LIMITS.0 * self.level, LEVEL_LIMITS.1 * self.level)
            }
        }
    }
}

/// The levels of the newest blocks, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Levels {
    clock: Clock,
    /// Blocks that have ended.
    past: VecDeque<Block>,
    /// The block that goes on: its number, the level before it, its values without season.
    number: Option<i64>,
    level: f64,
    pool: Vec<f64>,
}

impl Levels {
    pub(super) fn new() -> Self {
        let past = VecDeque::with_capacity(N_LEVEL + 1);
        Self { clock: Clock::default(), past, number: None, level: 0.0, pool: Vec::new() }
    }

    /// Compares the next value, which is not before the last one, with what was expected.
    pub(super) fn compare(&mut self, model: &Baseline, at: Timestamp, y: f64) -> Residual {
        let local = self.clock.local(&model.calendar, at);
        if self.number.is_none_or(|number| !is_in_block(at, number, model.block)) {
            let number = block_of(at, model.block);
            self.end_block();
            self.level = level_before(model, self.past.make_contiguous(), number);
            self.number = Some(number);
        }
        let (level, season) = (self.level, model.profile.at(local));
        self.pool.push(model.seasonless(season, y));
        let (expected, weight) = match model.shape {
            Shape::Additive => (level + season, 1.0),
            Shape::Multiplicative => (level * (1.0 + season), level),
        };
        let deviation = (y - expected) / weight;
        Residual { expected, deviation, seasonless: y - season * weight, weight, local }
    }

    fn end_block(&mut self) {
        let Some(number) = self.number else { return };
        let n_rows = self.pool.len();
        let level = robust::median(&mut self.pool);
        self.pool.clear();
        if self.past.len() == N_LEVEL {
            self.past.pop_front();
        }
        self.past.push_back(Block { number, level, n_rows });
    }
}

/// The level before a block: of the newest blocks of the frame or the training that end before it.
/// Without any, that of the end of the training.
fn level_before(model: &Baseline, past: &[Block], number: i64) -> f64 {
    let seen = |block: &Block| past.iter().find(|other| other.number == block.number);
    let carried = &model.carried;
    let is_wanted = |block: &&Block| {
        block.number < number && seen(block).is_none_or(|other| other.n_rows < block.n_rows)
    };
    let extra: Vec<Block> = carried.iter().filter(is_wanted).copied().collect();
    let is_replaced = |block: &Block| extra.iter().any(|other| other.number == block.number);
    let mut newest: Vec<Block> =
        past.iter().filter(|block| !is_replaced(block)).chain(&extra).copied().collect();
    newest.sort_by_key(|block| block.number);
    let first = newest.len().saturating_sub(N_LEVEL);
    let mut levels: Vec<f64> = newest[first..].iter().map(|block| block.level).collect();
    if levels.len() < 3 {
        let n_missing = 3 - levels.len();
        let after = carried.iter().filter(|block| number <= block.number);
        levels.extend(after.take(n_missing).map(|block| block.level));
    }
    model.limited(robust::median(&mut levels))
}

/// A day where there is a week of them, else a share of the history; at least four rows of a
/// series finer than a quarter of a day.
fn block_length(span: f64, cadence: f64) -> i64 {
    let day = DAY as f64;
    let length = if 7.0 * day <= span { day } else { (span / 14.0).max(4.0 * cadence) };
    let length = if day < 4.0 * cadence { cadence } else { length };
    (length.ceil() as i64).max(1)
}

fn block_of(at: Timestamp, block: i64) -> i64 {
    at.secs().div_euclid(block)
}

/// Whether it is the number of the block of an instant; spares the division.
fn is_in_block(at: Timestamp, number: i64, block: i64) -> bool {
    (0..block).contains(&at.secs().saturating_sub(number.saturating_mul(block)))
}

fn blocks(at: &[Timestamp], y: &[f64], block: i64) -> Vec<Block> {
    let mut pool = Vec::new();
    let mut found: Vec<Block> = Vec::new();
    let mut first = 0;
    while first < at.len() {
        let number = block_of(at[first], block);
        let rest = &at[first..];
        let n_rows = rest.iter().take_while(|at| is_in_block(**at, number, block)).count();
        pool.clear();
        pool.extend_from_slice(&y[first..first + n_rows]);
        found.push(Block { number, level: robust::median(&mut pool), n_rows });
        first += n_rows;
    }
    found
}

/// The median of the blocks around each row's own, for learning seasons.
fn centred_levels(at: &[Timestamp], blocks: &[Block], block: i64) -> Vec<f64> {
    let half = N_LEVEL / 2;
    let levels: Vec<f64> = (0..blocks.len())
        .map(|middle| {
            let last = (middle + half + 1).min(blocks.len());
            let around = &blocks[middle.saturating_sub(half)..last];
            let mut levels: Vec<f64> = around.iter().map(|block| block.level).collect();
            robust::median(&mut levels)
        })
        .collect();
    let mut index = 0;
    at.iter()
        .map(|at| {
            while index + 1 < blocks.len() && !is_in_block(*at, blocks[index].number, block) {
                index += 1;
            }
            levels[index]
        })
        .collect()
}

/// Deviations from the level, and what turns them into units.
fn deviations(y: &[f64], levels: &[f64], shape: Shape) -> (Vec<f64>, Vec<f64>) {
    let pairs = y.iter().zip(levels);
    match shape {
        Shape::Additive => (pairs.map(|(y, level)| y - level).collect(), vec![1.0; y.len()]),
        Shape::Multiplicative => {
            (pairs.map(|(y, level)| y / level - 1.0).collect(), levels.to_vec())
        }
    }
}

/// The usual size of a deviation in each part of a cycle, with floors: no part is believed to be
/// much quieter than the whole. In a short history the whole is all there is.
pub(super) fn scales(residuals: &[Residual], span: f64, cycle: i64) -> Vec<f64> {
    let mut all: Vec<f64> = residuals.iter().map(|residual| residual.deviation).collect();
    let mut sizes = Vec::with_capacity(3 * all.len());
    let whole = spread(&mut all, &mut sizes);
    let [low, high] = robust::quantiles(&mut all, [0.01, 0.99]);
    let range = high - low;
    sizes.clear();
    sizes.extend(residuals.iter().map(|r| (r.expected / r.weight).abs()));
    let usual = robust::median(&mut sizes);
    let least = (0.05 * range).max(1e-9 * usual).max(f64::MIN_POSITIVE * 1e9);
    let whole = whole.max(least);
    let n_slots = if span / (cycle as f64) < MIN_CYCLES { 1 } else { N_SCALES };
    let pairs = residuals.iter().map(|r| (calendar::slot_of(r.local, cycle, n_slots), r.deviation));
    let slots = robust::Slots::new(n_slots, pairs);
    let mut pool = Vec::new();
    (0..n_slots)
        .map(|slot| {
            pool.clear();
            pool.extend_from_slice(slots.of(slot));
            if 2 < n_slots {
                pool.extend_from_slice(slots.of((slot + 1) % n_slots));
                pool.extend_from_slice(slots.of((slot + n_slots - 1) % n_slots));
            }
            let n_rows = pool.len() as f64;
            let own = spread(&mut pool, &mut sizes);
            let blended = (n_rows * own * own + 20.0 * whole * whole) / (n_rows + 20.0);
            blended.sqrt().max(0.4 * whole).max(least)
        })
        .collect()
}

/// A deviation that a minority of wild values cannot move, for normal samples the standard one;
/// the upper quantile stands in where most values are equal. `sizes` is room to work in.
fn spread(sample: &mut [f64], sizes: &mut Vec<f64>) -> f64 {
    let middle = robust::median(sample);
    sizes.clear();
    sizes.extend(sample.iter().map(|value| (value - middle).abs()));
    let typical = robust::MAD_TO_SIGMA * robust::median(sizes);
    // The median has left the larger half behind it.
    let half = sizes.len() / 2;
    let upper = robust::quantile_from(sizes, 0.9, half) / 1.645;
    typical.max(0.7 * upper)
}
