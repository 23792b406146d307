//! The pattern of the day and of the week, learnt as medians, and only where it foretells days it
//! was not learnt from.

use super::calendar::{DAY, slot_of, weekday};
use super::robust;

/// A season must foretell held-out days by so much better than doing without.
const WORTH: f64 = 0.97;
/// A slot with fewer values than this borrows its neighbours'.
const ENOUGH: usize = 6;
/// Most slots of a day's pattern, and of each day in the week's.
const MAX_DAILY: f64 = 96.0;
const MAX_WEEKLY: f64 = 24.0;
/// The pattern of a cycle needs so many of them, that of a week so many days.
pub(super) const MIN_CYCLES: f64 = 3.0;
const MIN_DAYS_FOR_WEEK: f64 = 20.5;

/// How a season acts on the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// It is added.
    Additive,
    /// It is a share of the level.
    Multiplicative,
}

impl Shape {
    /// As written in a model.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Additive => "additive",
            Self::Multiplicative => "multiplicative",
        }
    }

    /// From what is written.
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Additive, Self::Multiplicative].into_iter().find(|shape| shape.as_str() == text)
    }
}

/// What the time of day and week usually adds: in the level's unit, or as a share of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    /// Length of the pattern in seconds, a day as a rule.
    pub(super) cycle: i64,
    /// By slot of the cycle; empty without a pattern.
    pub(super) daily: Vec<f64>,
    /// On top of it by weekday and slot, Monday first; empty without a weekly pattern.
    pub(super) weekly: Vec<f64>,
}

impl Profile {
    pub(super) const fn flat(cycle: i64) -> Self {
        Self { cycle, daily: Vec::new(), weekly: Vec::new() }
    }

    pub(super) fn at(&self, local: i64) -> f64 {
        let mut sum = 0.0;
        if !self.daily.is_empty() {
            sum += self.daily[slot_of(local, self.cycle, self.daily.len())];
        }
        if !self.weekly.is_empty() {
            sum += self.weekly[week_slot(local, self.weekly.len() / 7)];
        }
        sum
    }
}

fn week_slot(local: i64, per_day: usize) -> usize {
    weekday(local) * per_day + slot_of(local, DAY, per_day)
}

/// Which patterns a profile has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seasons {
    None,
    Daily,
    DailyAndWeekly,
}

/// How finely a series can be divided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grain {
    cycle: i64,
    daily: usize,
    weekly: usize,
}

impl Grain {
    /// For a series of such cadence and span in seconds. Weeks are for cycles of a day.
    pub(super) fn of(cadence: f64, span: f64, cycle: i64) -> Self {
        let (per_cycle, per_day) = (cycle as f64 / cadence, DAY as f64 / cadence);
        // A cadence a little over a cycle still has one value in each.
        let slots = |n_values: f64, most: f64| n_values.clamp(1.0, most).floor() as usize;
        let has_cycle = MIN_CYCLES <= span / cycle as f64;
        let has_week = cycle == DAY && MIN_DAYS_FOR_WEEK <= span / DAY as f64 && 0.8 <= per_day;
        Self {
            cycle,
            daily: if has_cycle { slots(per_cycle, MAX_DAILY) } else { 1 },
            weekly: if has_week { slots(per_day, MAX_WEEKLY) } else { 0 },
        }
    }

    fn best(self) -> Seasons {
        match (self.daily, self.weekly) {
            (_, 1..) => Seasons::DailyAndWeekly,
            (2.., 0) => Seasons::Daily,
            (0 | 1, 0) => Seasons::None,
        }
    }

    /// Which half of the cycles a row is in, for holding one half out.
    fn half(self, local: i64) -> bool {
        let cycle = local.div_euclid(self.cycle) + 3;
        let unit = if 0 < self.weekly { 7 } else { 1 };
        cycle.div_euclid(unit).rem_euclid(2) == 0
    }
}

/// Deviations from the level, and when; `weight` turns one into the metric's own unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deviations<'a> {
    pub(super) local: &'a [i64],
    pub(super) value: &'a [f64],
    pub(super) weight: &'a [f64],
}

/// Learns a profile from all rows.
pub(super) fn learn(rows: Deviations<'_>, grain: Grain, seasons: Seasons) -> Profile {
    learn_from(rows, grain, seasons, |_| true)
}

/// The simplest seasons worth having, and the size of what they leave, both judged on days that
/// were held out.
pub(super) fn choose(rows: Deviations<'_>, grain: Grain) -> (Seasons, f64) {
    let spread_of = |seasons| held_out_spread(rows, grain, seasons);
    let mut best = (Seasons::None, spread_of(Seasons::None));
    let most = grain.best();
    for seasons in [Seasons::Daily, Seasons::DailyAndWeekly] {
        let is_possible = match seasons {
            Seasons::None => false,
            Seasons::Daily => most != Seasons::None && 1 < grain.daily,
            Seasons::DailyAndWeekly => most == Seasons::DailyAndWeekly,
        };
        if !is_possible {
            continue;
        }
        let spread = spread_of(seasons);
        if spread < WORTH * best.1 {
            best = (seasons, spread);
        }
    }
    best
}

fn held_out_spread(rows: Deviations<'_>, grain: Grain, seasons: Seasons) -> f64 {
    let profiles = match seasons {
        Seasons::None => [Profile::flat(grain.cycle), Profile::flat(grain.cycle)],
        Seasons::Daily | Seasons::DailyAndWeekly => [false, true]
            .map(|half| learn_from(rows, grain, seasons, |local| grain.half(local) == half)),
    };
    let mut left: Vec<f64> = rows
        .local
        .iter()
        .zip(rows.value)
        .zip(rows.weight)
        .map(|((local, value), weight)| {
            let other = &profiles[usize::from(!grain.half(*local))];
            ((value - other.at(*local)) * weight).abs()
        })
        .collect();
    robust::quantile(&mut left, 0.5) + robust::quantile(&mut left, 0.85)
}

fn learn_from(
    rows: Deviations<'_>,
    grain: Grain,
    seasons: Seasons,
    is_used: impl Fn(i64) -> bool,
) -> Profile {
    let mut profile = Profile::flat(grain.cycle);
    if seasons == Seasons::None {
        return profile;
    }
    let used = || rows.local.iter().zip(rows.value).filter(|(local, _)| is_used(**local));
    if 1 < grain.daily {
        let slots =
            used().map(|(local, value)| (slot_of(*local, grain.cycle, grain.daily), *value));
        profile.daily = slot_medians(slots, grain.daily, grain.daily);
    }
    if seasons == Seasons::DailyAndWeekly {
        let slots = used()
            .map(|(local, value)| (week_slot(*local, grain.weekly), value - profile.at(*local)));
        let weekly = slot_medians(slots, 7 * grain.weekly, grain.weekly);
        profile.weekly = weekly;
    }
    profile
}

/// The median of each slot. Slots with few values borrow those beside them within the same `ring`
/// (a day, which is a circle); empty ones then take the nearest known value.
fn slot_medians(
    values: impl Iterator<Item = (usize, f64)> + Clone,
    n_slots: usize,
    ring: usize,
) -> Vec<f64> {
    let slots = robust::Slots::new(n_slots, values);
    let mut pool = Vec::new();
    let mut medians: Vec<Option<f64>> = Vec::with_capacity(n_slots);
    for slot in 0..n_slots {
        pool.clear();
        pool.extend_from_slice(slots.of(slot));
        if pool.len() < ENOUGH && 2 < ring {
            let (day, place) = (slot / ring * ring, slot % ring);
            pool.extend_from_slice(slots.of(day + (place + 1) % ring));
            pool.extend_from_slice(slots.of(day + (place + ring - 1) % ring));
        }
        medians.push((!pool.is_empty()).then(|| robust::median(&mut pool)));
    }
    fill_empty(&medians, ring)
}

fn fill_empty(medians: &[Option<f64>], ring: usize) -> Vec<f64> {
    (0..medians.len())
        .map(|slot| {
            let (day, place) = (slot / ring * ring, slot % ring);
            let nearest = (0..=ring / 2).find_map(|step| {
                medians[day + (place + step) % ring].or(medians[day + (place + ring - step) % ring])
            });
            nearest.unwrap_or(0.0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight weeks of hours; the value is a function of the hour of day and the weekday.
    fn rows(value: impl Fn(usize, usize) -> f64) -> (Vec<i64>, Vec<f64>) {
        let local: Vec<i64> = (0..56 * 24).map(|hour| hour * 3600).collect();
        let value = local.iter().map(|t| value(slot_of(*t, DAY, 24), weekday(*t))).collect();
        (local, value)
    }

    fn wobble(local: &[i64], value: &[f64]) -> Vec<f64> {
        let noise = |i: usize| {
            let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed >> 40) as f64 / (1_u64 << 24) as f64 - 0.5
        };
        (0..local.len()).map(|i| value[i] + noise(i)).collect()
    }

    #[track_caller]
    fn check(value: impl Fn(usize, usize) -> f64, expected: Seasons) {
        let (local, value) = rows(value);
        let value = wobble(&local, &value);
        let weight = vec![1.0; value.len()];
        let deviations = Deviations { local: &local, value: &value, weight: &weight };
        assert_eq!(choose(deviations, Grain::of(3600.0, 56.0 * 86_400.0, DAY)).0, expected);
    }

    #[test]
    fn a_season_is_used_only_where_there_is_one() {
        check(|_, _| 0.0, Seasons::None);
        check(|hour, _| hour as f64, Seasons::Daily);
        check(|hour, day| hour as f64 - if 5 <= day { 10.0 } else { 0.0 }, Seasons::DailyAndWeekly);
        check(|_, day| if 5 <= day { 10.0 } else { 0.0 }, Seasons::DailyAndWeekly);
    }

    #[test]
    fn holidays_do_not_move_the_pattern() {
        let (local, mut value) = rows(|hour, _| hour as f64);
        for holiday in value.chunks_mut(24).step_by(9) {
            holiday.fill(-50.0);
        }
        let weight = vec![1.0; value.len()];
        let deviations = Deviations { local: &local, value: &value, weight: &weight };
        let profile = learn(deviations, Grain::of(3600.0, 56.0 * 86_400.0, DAY), Seasons::Daily);
        assert_eq!(profile.daily, (0..24).map(f64::from).collect::<Vec<_>>());
    }

    #[test]
    fn slots_never_seen_take_the_nearest_known_value() {
        assert_eq!(
            fill_empty(&[None, Some(2.0), None, None, Some(5.0)], 5),
            [2.0, 2.0, 2.0, 5.0, 5.0]
        );
        assert_eq!(fill_empty(&[None, None], 2), [0.0, 0.0]);
    }
}
