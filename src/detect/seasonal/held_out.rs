//! Which seasons are worth having: those that foretell cycles they were not learnt from.

use super::calendar::DAY;
use super::profile::{Deviations, Grain, Places, Profile, Seasons};
use super::robust;

/// A season must foretell held-out cycles by so much better than doing without.
const WORTH: f64 = 0.97;
const WORTH_BY_MEAN: f64 = 0.9;
/// What is left counts in variances up to so many times what doing without leaves.
const CUT: f64 = 4.0;

/// How well a pattern foretells what it was not learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Evidence {
    /// Share of the variance of deviations that it explains, 0 to 1.
    pub(super) strength: f32,
    /// Cycles of which it leaves less than doing without does, less the others, over the number of
    /// cycles and two; at least 0.
    pub(super) confidence: f32,
}

/// The simplest seasons worth having, judged on cycles that were held out.
pub(super) struct Choice {
    pub(super) seasons: Seasons,
    /// Doing without.
    none: HeldOut,
    /// What the seasons leave; `None` without.
    held_out: Option<HeldOut>,
}

impl Choice {
    pub(super) fn of(rows: Deviations<'_>, grain: Grain) -> Self {
        // One of each half; the pattern of the week comes on top of that of the cycle.
        let mut learnt = [Profile::flat(grain.cycle), Profile::flat(grain.cycle)];
        let none = HeldOut::of(rows, &learnt);
        let mut best = Self { seasons: Seasons::None, none, held_out: None };
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
            for (half, profile) in [false, true].into_iter().zip(&mut learnt) {
                if seasons == Seasons::Daily {
                    profile.learn_daily(rows, grain, Some(half));
                } else {
                    profile.learn_weekly(rows, grain, Some(half));
                }
            }
            let held_out = HeldOut::of(rows, &learnt);
            if held_out.is_worth_more(best.left(), grain) {
                best = Self { seasons, held_out: Some(held_out), ..best };
            }
        }
        best
    }

    fn left(&self) -> &HeldOut {
        self.held_out.as_ref().unwrap_or(&self.none)
    }

    /// Whether it leaves at most so many times what another leaves.
    pub(super) fn leaves_at_most(&self, times: f64, other: &Self) -> bool {
        let (left, others) = (self.left(), other.left());
        left.spread <= times * others.spread || left.mean() <= times * others.mean()
    }

    /// Whether the share-shaped seasons leave so much less than these.
    pub(super) fn is_beaten_by(&self, share: &Self, worth: f64) -> bool {
        share.left().spread < worth * self.left().spread
    }

    /// How well the seasons foretell; nothing without any.
    pub(super) fn evidence(&self, places: &Places) -> Evidence {
        let Some(held_out) = &self.held_out else { return Evidence::default() };
        let most = CUT * self.none.spread;
        let (left, all) = (variance(&held_out.left, most), variance(&self.none.left, most));
        let strength = if 0.0 < all { (1.0 - left / all).clamp(0.0, 1.0) } else { 0.0 };
        let size = |left: &[f64]| left.iter().map(|left| left.abs()).sum::<f64>();
        let ends = places.cycles.iter().skip(1).copied().chain([places.daily.len()]);
        let mut like = 0.0;
        for (first, end) in places.cycles.iter().zip(ends) {
            let gain = size(&self.none.left[*first..end]) - size(&held_out.left[*first..end]);
            like += if 0.0 < gain { 1.0 } else { -1.0 };
        }
        let confidence: f64 = like / (places.cycles.len() as f64 + 2.0);
        Evidence { strength: strength as f32, confidence: confidence.clamp(0.0, 1.0) as f32 }
    }
}

/// Each half of the cycles foretold by the other.
struct HeldOut {
    /// What is left of each row, in the metric's unit.
    left: Vec<f64>,
    /// The size of it: the median and an upper quantile together.
    spread: f64,
}

impl HeldOut {
    /// `learnt` from the first half and from the second.
    fn of(rows: Deviations<'_>, learnt: &[Profile; 2]) -> Self {
        let of_row = |row: usize| {
            let other = &learnt[usize::from(!rows.places.half[row])];
            (rows.value[row] - other.at_place(rows.places, row)) * rows.weight[row]
        };
        let left: Vec<f64> = (0..rows.value.len()).map(of_row).collect();
        let mut sizes: Vec<f64> = left.iter().map(|left| left.abs()).collect();
        let [middle, upper] = robust::quantiles(&mut sizes, [0.5, 0.85]);
        let spread = middle + upper;
        Self { left, spread }
    }

    /// The mean size, the largest cut off.
    fn mean(&self) -> f64 {
        let mut sizes: Vec<f64> = self.left.iter().map(|left| left.abs()).collect();
        let most = robust::quantile(&mut sizes, 0.99);
        sizes.iter().map(|size| size.min(most)).sum::<f64>() / sizes.len() as f64
    }

    /// Than something simpler. Of cycles that are no days also by the mean: a short pulse in each
    /// is in neither quantile.
    fn is_worth_more(&self, simpler: &Self, grain: Grain) -> bool {
        self.spread < WORTH * simpler.spread
            || (grain.cycle != DAY && self.mean() < WORTH_BY_MEAN * simpler.mean())
    }
}

/// The variance of numbers, those beyond `most` counting as that.
fn variance(values: &[f64], most: f64) -> f64 {
    let cut = || values.iter().map(|value| value.clamp(-most, most));
    let n_values = values.len().max(1) as f64;
    let mean = cut().sum::<f64>() / n_values;
    cut().map(|value| (value - mean) * (value - mean)).sum::<f64>() / n_values
}

#[cfg(test)]
mod tests {
    use super::super::calendar::{slot_of, weekday};
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
        let grain = Grain::of(3600.0, 56.0 * 86_400.0, DAY);
        let places = grain.places(&local);
        let deviations = Deviations { places: &places, value: &value, weight: &weight };
        assert_eq!(Choice::of(deviations, grain).seasons, expected);
    }

    #[test]
    fn a_season_is_used_only_where_there_is_one() {
        check(|_, _| 0.0, Seasons::None);
        check(|hour, _| hour as f64, Seasons::Daily);
        check(|hour, day| hour as f64 - if 5 <= day { 10.0 } else { 0.0 }, Seasons::DailyAndWeekly);
        check(|_, day| if 5 <= day { 10.0 } else { 0.0 }, Seasons::DailyAndWeekly);
    }
}
