//! How long the pattern is: lengths after which a metric looks like itself again.
//!
//! Deviations from the level are laid on a grid of equal steps, wild ones cut off. Their
//! autocorrelation, by the squared magnitudes of their Fourier transform (Wiener 1930), leaves
//! missing steps out of both sums. A length is a peak of it that rises out of a valley and comes
//! again at twice the length. It is then followed along its multiples, which divides its error by
//! their number, and rounded to what people schedule by where that is within the error. Whether a
//! pattern of that length is worth having is for the held-out cycles to say (see
//! [`super::profile`]).

use std::cell::RefCell;

use realfft::{RealFftPlanner, num_complex::Complex};

use crate::detect::robust;
use crate::domain::Timestamp;

/// Most steps of the grid.
const MOST_STEPS: f64 = 4096.0;
/// Fewest rows in which a length is looked for, and the share of the grid they must fill.
const FEWEST_ROWS: usize = 48;
const FILLED: f64 = 0.3;
/// Shortest length in steps.
const SHORTEST: usize = 4;
/// A peak is at least so high, so far above the lowest value before it, and comes again at twice
/// the length with this share of its height.
const HEIGHT: f64 = 0.15;
const RISE: f64 = 0.1;
const AGAIN: f64 = 0.6;
/// The shortest of the peaks this near to the highest one is the length; others are multiples.
const AS_HIGH: f64 = 0.9;
/// Deviations beyond the inner range (2 % to 98 %) by more than this share of it are cut off.
const BEYOND: f64 = 0.5;
/// The next multiple of a length is looked for so many steps around where it should be, and found to
/// so many steps.
const NEAR: usize = 3;
const ERROR: f64 = 1.5;
/// Lengths people schedule by, in seconds.
const ROUND: [f64; 7] = [3600.0, 1800.0, 900.0, 300.0, 60.0, 30.0, 10.0];

thread_local! {
    /// A plan takes longer to make than to follow; there is one for each power of two up to twice
    /// [`MOST_STEPS`].
    static PLANNER: RefCell<RealFftPlanner<f64>> = RefCell::new(RealFftPlanner::new());
}

/// Lengths in seconds, the likeliest first; `most` is the longest that can show in the deviations,
/// which are finite.
pub(super) fn lengths(at: &[Timestamp], deviations: &[f64], cadence: f64, most: f64) -> Vec<i64> {
    let Some(grid) = Grid::of(at, deviations, cadence) else { return Vec::new() };
    let n_lags = ((most / grid.step) as usize).min(grid.values.len() / 3);
    if n_lags < SHORTEST {
        return Vec::new();
    }
    let correlation = grid.autocorrelation();
    let Some(peak) = peak(&correlation, n_lags) else { return Vec::new() };
    let (length, error) = followed(&correlation, peak);
    let seconds = rounded(length * grid.step, error * grid.step);
    vec![seconds]
}

/// Equal steps of time.
struct Grid {
    /// Seconds.
    step: f64,
    /// Mean deviation in each step; NaN where there is no row.
    values: Vec<f64>,
}

impl Grid {
    fn of(at: &[Timestamp], deviations: &[f64], cadence: f64) -> Option<Self> {
        let (first, last) = (*at.first()?, *at.last()?);
        let span = (last - first).as_secs_f64();
        let step = cadence.max(span / MOST_STEPS);
        let n_steps = (span / step).round() as usize + 1;
        let is_enough = FEWEST_ROWS <= at.len() && FILLED * n_steps as f64 <= at.len() as f64;
        if !is_enough || !step.is_finite() {
            return None;
        }
        let mut sample = deviations.to_vec();
        let [low, high] = [0.02, 0.98].map(|share| robust::quantile(&mut sample, share));
        let beyond = BEYOND * (high - low);
        let (low, high) = (low - beyond, high + beyond);
        if high <= low {
            return None;
        }
        let mut sums = vec![(0.0, 0_u32); n_steps];
        for (at, deviation) in at.iter().zip(deviations) {
            let place = ((*at - first).as_secs_f64() / step).round() as usize;
            let (sum, n) = &mut sums[place.min(n_steps - 1)];
            *sum += deviation.clamp(low, high);
            *n += 1;
        }
        let mean = |(sum, n): (f64, u32)| if n == 0 { f64::NAN } else { sum / f64::from(n) };
        Some(Self { step, values: sums.into_iter().map(mean).collect() })
    }

    /// By lag in steps; missing steps count in neither sum.
    fn autocorrelation(&self) -> Vec<f64> {
        let n_steps = self.values.len();
        let known = || self.values.iter().filter(|value| !value.is_nan());
        let n_known = known().count();
        let mean = known().sum::<f64>() / n_known as f64;
        let size = (n_steps + n_steps / 2).next_power_of_two();
        let products = lagged(size, self.values.iter().map(|value| value - mean));
        let n_lags = (size - n_steps).min(n_steps);
        let pairs: Vec<f64> = if n_known == n_steps {
            (0..n_lags).map(|lag| (n_steps - lag) as f64).collect()
        } else {
            let is_known = self.values.iter().map(|value| f64::from(u8::from(!value.is_nan())));
            lagged(size, is_known)
        };
        let variance = products[0] / pairs[0];
        let at = |lag: usize| {
            let is_enough = n_known as f64 / 8.0 <= pairs[lag] && 0.0 < variance;
            if is_enough { products[lag] / pairs[lag] / variance } else { 0.0 }
        };
        (0..n_lags).map(at).collect()
    }
}

/// Sums of the products of numbers a lag apart, by lag; numbers that are none count as 0.
fn lagged(size: usize, numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let (forward, back) = PLANNER.with_borrow_mut(|planner| {
        (planner.plan_fft_forward(size), planner.plan_fft_inverse(size))
    });
    let mut padded = forward.make_input_vec();
    for (place, number) in padded.iter_mut().zip(numbers) {
        *place = if number.is_nan() { 0.0 } else { number };
    }
    let mut spectrum = forward.make_output_vec();
    let is_done = forward.process(&mut padded, &mut spectrum).is_ok();
    spectrum.iter_mut().for_each(|wave| *wave = Complex::new(wave.norm_sqr() / size as f64, 0.0));
    let is_done = is_done && back.process(&mut spectrum, &mut padded).is_ok();
    // Neither fails for buffers of the plan's own making.
    if is_done { padded } else { vec![0.0; size] }
}

/// The lag of the first of the highest peaks.
fn peak(correlation: &[f64], n_lags: usize) -> Option<usize> {
    let mut valley = f64::INFINITY;
    let mut peaks = Vec::new();
    for lag in 1..n_lags.min(correlation.len() - 1) {
        let height = correlation[lag];
        let is_top = correlation[lag - 1] <= height && correlation[lag + 1] < height;
        let is_high = HEIGHT <= height && valley + RISE <= height;
        if SHORTEST <= lag && is_top && is_high && comes_again(correlation, lag) {
            peaks.push((lag, height));
        }
        valley = valley.min(height);
    }
    let highest = peaks.iter().map(|(_, height)| *height).fold(0.0, f64::max);
    let (first, _) = *peaks.iter().find(|(_, height)| AS_HIGH * highest <= *height)?;
    // Noise gives a smooth hill several tops.
    let hill = peaks.into_iter().filter(|(lag, _)| first <= *lag && *lag <= first + first / 4);
    hill.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(lag, _)| lag)
}

fn comes_again(correlation: &[f64], lag: usize) -> bool {
    let around = correlation.get(2 * lag - 1..2 * lag + 2);
    around.is_none_or(|around| around.iter().any(|again| AGAIN * correlation[lag] <= *again))
}

/// The length in steps and its error, by peaks at twice, four times, eight times the lag and on.
fn followed(correlation: &[f64], lag: usize) -> (f64, f64) {
    let (mut length, mut times) = (top(correlation, lag), 1.0);
    loop {
        let next = 2.0 * times * length;
        let (from, to) = (next.round() as usize - NEAR, next.round() as usize + NEAR + 1);
        let Some(around) = correlation.get(from..to) else { break };
        let (mut highest, mut height) = (from, f64::NEG_INFINITY);
        for (place, value) in around.iter().enumerate() {
            if height < *value {
                (highest, height) = (from + place, *value);
            }
        }
        let is_inside = from < highest && highest + 1 < to;
        if !is_inside || height < AGAIN * correlation[lag] / 2.0 {
            break;
        }
        times *= 2.0;
        length = top(correlation, highest) / times;
    }
    (length, ERROR / times)
}

/// Where the parabola through a peak and its neighbours is highest.
fn top(correlation: &[f64], lag: usize) -> f64 {
    let (Some(before), Some(after)) = (correlation.get(lag - 1), correlation.get(lag + 1)) else {
        return lag as f64;
    };
    let bend = before - 2.0 * correlation[lag] + after;
    let shift = if bend < 0.0 { (before - after) / (2.0 * bend) } else { 0.0 };
    lag as f64 + shift.clamp(-0.5, 0.5)
}

/// The coarsest round length within the error, in seconds.
fn rounded(seconds: f64, error: f64) -> i64 {
    let near = |unit: &f64| (seconds / unit).round() * unit;
    let is_near = |length: &f64| 0.0 < *length && (length - seconds).abs() <= error;
    ROUND.iter().map(near).find(is_near).unwrap_or(seconds).round().max(1.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::conformance::noise;

    const DAY: f64 = 86_400.0;

    /// So many rows a step apart; `None` is no row.
    fn found(step: i64, n: usize, value: impl Fn(usize) -> Option<(i64, f64)>) -> Vec<i64> {
        let rows = (0..n).filter_map(|i| {
            let (shift, value) = value(i)?;
            Some((Timestamp::from_secs(1_771_000_000 + step * i as i64 + shift)?, value))
        });
        let (at, deviations): (Vec<Timestamp>, Vec<f64>) = rows.unzip();
        lengths(&at, &deviations, step as f64, 3.0 * DAY)
    }

    /// Up for the first part of every `length` seconds, down for the rest.
    fn pulse(at: i64, length: i64, part: i64) -> f64 {
        if at % length < part { 5.0 } else { 0.0 }
    }

    #[test]
    fn lengths_are_those_of_shifts_jobs_and_waves() {
        let shift = |i: usize| Some((0, pulse(3_600 * i as i64, 43_200, 14_400) + noise(i)));
        assert_eq!(found(3_600, 300, shift), [43_200]);
        let job = |i: usize| Some((0, pulse(60 * i as i64, 5_400, 600) + 4.0 * noise(i)));
        assert_eq!(found(60, 2_500, job), [5_400]);
        let wave = |length: f64| {
            move |i: usize| {
                let place = 900.0 * i as f64 / length * std::f64::consts::TAU;
                Some((0, place.sin() + 2.0 * noise(i)))
            }
        };
        assert_eq!(found(900, 2_500, wave(26_280.0)), [26_280]);
        assert_eq!(found(900, 2_500, wave(DAY)), [86_400]);
    }

    #[test]
    fn gaps_jitter_and_wild_values_hide_no_length() {
        let job = |i: usize| {
            let is_there = !i.is_multiple_of(5) && !(400..700).contains(&i);
            let value = pulse(300 * i as i64, 5_400, 1_800) + noise(i);
            let value = if 0.485 < noise(i + 77) { 1e9 } else { value };
            is_there.then_some(((200.0 * noise(i + 9_999)) as i64, value))
        };
        assert_eq!(found(300, 2_500, job), [5_400]);
    }

    #[test]
    fn noise_a_wandering_level_and_few_rows_have_none() {
        assert_eq!(found(3_600, 2_500, |i| Some((0, noise(i)))), [0_i64; 0]);
        let wander = |i: usize| Some((0, (0..i).map(noise).sum()));
        assert_eq!(found(3_600, 1_000, wander), [0_i64; 0]);
        let shift = |i: usize| Some((0, pulse(3_600 * i as i64, 43_200, 14_400)));
        assert_eq!(found(3_600, 40, shift), [0_i64; 0]);
        assert_eq!(found(3_600, 400, |_| Some((0, 1.0))), [0_i64; 0]);
    }

    #[test]
    fn a_round_length_is_taken_only_within_the_error() {
        assert_eq!([rounded(5_391.0, 10.0), rounded(5_391.0, 4.0)], [5_400, 5_390]);
        assert_eq!([rounded(86_395.0, 20.0), rounded(0.4, 0.1)], [86_400, 1]);
    }
}
