//! The pattern of a cycle, a day as a rule, and of the week, learnt as medians.

use super::calendar::{DAY, slot_of, slot_within, weekday};
use super::robust;

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

    /// The same of a row whose place is known.
    pub(super) fn at_place(&self, places: &Places, row: usize) -> f64 {
        let daily = self.daily.get(usize::from(places.daily[row])).copied().unwrap_or(0.0);
        daily + self.weekly.get(usize::from(places.weekly[row])).copied().unwrap_or(0.0)
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
    pub(super) cycle: i64,
    pub(super) daily: usize,
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

    pub(super) fn best(self) -> Seasons {
        match (self.daily, self.weekly) {
            (_, 1..) => Seasons::DailyAndWeekly,
            (2.., 0) => Seasons::Daily,
            (0 | 1, 0) => Seasons::None,
        }
    }

    /// Where rows lie that are so many seconds since 1970 by the clocks, in order.
    pub(super) fn places(self, local: &[i64]) -> Places {
        let n_rows = local.len();
        let mut places = Places {
            daily: Vec::with_capacity(n_rows),
            weekly: Vec::with_capacity(n_rows),
            half: Vec::with_capacity(n_rows),
            cycles: Vec::new(),
        };
        let weeks = if 0 < self.weekly { 7 } else { 1 };
        let mut known = None;
        for (row, local) in local.iter().enumerate() {
            let cycle = match known {
                Some(cycle) if (0..self.cycle).contains(&(local - cycle * self.cycle)) => cycle,
                _ => local.div_euclid(self.cycle),
            };
            if known != Some(cycle) {
                places.cycles.push(row);
                known = Some(cycle);
            }
            let within = local - cycle * self.cycle;
            let slot = match self.cycle {
                DAY => slot_within(within, DAY, self.daily),
                cycle => slot_within(within, cycle, self.daily),
            };
            places.daily.push(slot as u16);
            // Weeks are known with cycles of a day only.
            let in_day = slot_within(within, DAY, self.weekly);
            let weekday = (cycle + 3).rem_euclid(7) as usize;
            places.weekly.push((weekday * self.weekly + in_day) as u16);
            places.half.push((cycle + 3).div_euclid(weeks).rem_euclid(2) == 0);
        }
        places
    }
}

/// Where each row lies in its cycle and week.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Places {
    /// Slot of the cycle.
    pub(super) daily: Vec<u16>,
    /// Weekday and slot of the day; 0 without weeks.
    pub(super) weekly: Vec<u16>,
    /// Which half of the cycles (of weeks, where there are some) a row is in, for holding one out.
    pub(super) half: Vec<bool>,
    /// The first row of each cycle.
    pub(super) cycles: Vec<usize>,
}

/// Deviations from the level, and when; `weight` turns one into the metric's own unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deviations<'a> {
    pub(super) places: &'a Places,
    pub(super) value: &'a [f64],
    pub(super) weight: &'a [f64],
}

/// Learns a profile from all rows.
pub(super) fn learn(rows: Deviations<'_>, grain: Grain, seasons: Seasons) -> Profile {
    let mut profile = Profile::flat(grain.cycle);
    if seasons != Seasons::None {
        profile.learn_daily(rows, grain, None);
    }
    if seasons == Seasons::DailyAndWeekly {
        profile.learn_weekly(rows, grain, None);
    }
    profile
}

impl Profile {
    /// Of all rows or of one half; nothing where the cycle cannot be divided.
    pub(super) fn learn_daily(&mut self, rows: Deviations<'_>, grain: Grain, half: Option<bool>) {
        if 1 < grain.daily {
            let daily = &rows.places.daily;
            let slots = rows.of(half).map(|row| (usize::from(daily[row]), rows.value[row]));
            self.daily = slot_medians(slots, grain.daily, grain.daily);
        }
    }

    /// On top of the cycle's pattern.
    pub(super) fn learn_weekly(&mut self, rows: Deviations<'_>, grain: Grain, half: Option<bool>) {
        let weekly = &rows.places.weekly;
        let left = |row: usize| rows.value[row] - self.at_place(rows.places, row);
        let slots = rows.of(half).map(|row| (usize::from(weekly[row]), left(row)));
        self.weekly = slot_medians(slots, 7 * grain.weekly, grain.weekly);
    }
}

impl Deviations<'_> {
    /// The rows of one half, or all.
    fn of(&self, half: Option<bool>) -> impl Iterator<Item = usize> + Clone {
        let halves = &self.places.half;
        (0..self.value.len()).filter(move |row| half.is_none_or(|half| halves[*row] == half))
    }
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

    #[test]
    fn the_place_of_a_row_is_where_a_profile_looks() {
        let local: Vec<i64> = (-300..3_000).map(|i| 3_000 * i + (i * i) % 1_999).collect();
        for (cycle, cadence) in [(DAY, 3_000.0), (5_400, 600.0), (DAY, 100_000.0)] {
            let grain = Grain::of(cadence, 100.0 * 86_400.0, cycle);
            let places = grain.places(&local);
            for (row, local) in local.iter().enumerate() {
                assert_eq!(usize::from(places.daily[row]), slot_of(*local, cycle, grain.daily));
                if 0 < grain.weekly {
                    assert_eq!(usize::from(places.weekly[row]), week_slot(*local, grain.weekly));
                }
            }
            let cycles = local.chunk_by(|a, b| a.div_euclid(cycle) == b.div_euclid(cycle));
            assert_eq!(places.cycles.len(), cycles.count());
        }
    }

    #[test]
    fn holidays_do_not_move_the_pattern() {
        let (local, mut value) = rows(|hour, _| hour as f64);
        for holiday in value.chunks_mut(24).step_by(9) {
            holiday.fill(-50.0);
        }
        let weight = vec![1.0; value.len()];
        let grain = Grain::of(3600.0, 56.0 * 86_400.0, DAY);
        let places = grain.places(&local);
        let deviations = Deviations { places: &places, value: &value, weight: &weight };
        let profile = learn(deviations, grain, Seasons::Daily);
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
