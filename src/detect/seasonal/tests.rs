//! What the seasonal detector finds and what it leaves alone.

use chrono_tz::Tz;

use super::*;
use crate::domain::{Aggregate, FeatureSpec, MetricName, Series};
use crate::features;

const HOUR: i64 = 3_600;
const N_TRAINED: usize = 90 * 24;
/// The last 30 days are looked at.
const FROM: usize = 60 * 24;

/// Normal draws, the same ones for the same seed.
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().max(1e-300).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

fn frame(points: impl Iterator<Item = (i64, f64)>) -> FeatureFrame {
    let (at, value) =
        points.map(|(secs, value)| (Timestamp::from_secs(secs).unwrap(), value)).unzip();
    let series = Series { metric: MetricName::parse("m").unwrap(), at, value };
    let spec = FeatureSpec {
        resample: None,
        aggregate: Aggregate::Mean,
        difference: 0,
        smooth: 0,
        lags: 0,
    };
    features::build(&series, &spec)
}

fn every(step: i64, values: &[f64]) -> FeatureFrame {
    let points = values.iter().enumerate();
    frame(points.map(|(i, value)| (1_767_225_600 + step * i as i64, *value)))
}

fn fitted(frame: &FeatureFrame) -> Seasonal {
    fit(frame, SeasonalParams::DEFAULT, &FitContext::new(Tz::UTC, 0)).unwrap()
}

fn scores(model: &Seasonal, frame: &FeatureFrame) -> Vec<f64> {
    model.score(frame, 0..frame.len()).into_iter().map(|row| row.score.unwrap()).collect()
}

/// Twelve hourly metrics of different make.
fn shop(metric: usize, n: usize, seed: u64) -> Vec<f64> {
    let mut draws = Draws(seed * 100 + metric as u64);
    let mut drift = 0.0;
    (0..n)
        .map(|i| {
            let turn = i as f64 / 24.0 * std::f64::consts::TAU;
            let day = 1.0 + 0.5 * (turn - 4.0).cos() + 0.15 * (2.0 * turn).cos();
            let week = if (i / 24) % 7 < 5 { 1.0 } else { 0.75 };
            let grown = day * week * (1.0 + 0.3 * i as f64 / N_TRAINED as f64);
            drift = 0.6 * drift + draws.normal();
            let holiday = if [12, 41, 52].contains(&(i / 24)) { 0.6 } else { 1.0 };
            match metric {
                0 => 400.0 * grown * holiday * (1.0 + 0.04 * draws.normal()),
                1 => (30.0 * grown + (30.0 * grown).sqrt() * draws.normal()).max(0.0).round(),
                2 => 120.0 + 20.0 * day + 5.0 * draws.normal().exp(),
                3 => 0.02 + 0.004 * draws.normal().abs(),
                4 => 50.0 + 3.0 * drift,
                5 => 1e6 * grown * (0.05 * draws.normal()).exp(),
                6 => (3.0 * grown + 1.7 * draws.normal()).max(0.0).round(),
                7 => 75.0 + i as f64 / 240.0 + 1.5 * draws.normal(),
                8 => 200.0 * day * week * (0.1 * drift).exp(),
                9 => 0.97 + 0.005 * drift,
                10 => 1_000.0 * day * grown * holiday * (1.0 + 0.06 * draws.normal()),
                _ => f64::from(u8::from(draws.uniform() < 0.02)),
            }
        })
        .collect()
}

/// Kind, metric it happens to, first hour, hours.
const INCIDENTS: [(&str, usize, usize, usize); 7] = [
    ("spike", 0, 1_700, 2),
    ("dip", 1, 1_630, 3),
    ("shift", 4, 1_800, 48),
    ("ramp", 7, 1_750, 72),
    ("flat", 8, 1_900, 18),
    ("break", 10, 1_660, 48),
    ("burst", 5, 1_850, 12),
];

fn disturb(values: &mut [f64], (kind, _, first, n): (&str, usize, usize, usize), seed: u64) {
    let mut draws = Draws(seed + 1_000);
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let frozen = values[first];
    for (step, value) in values[first..first + n].iter_mut().enumerate() {
        *value = match kind {
            "spike" => *value + 1.2 * mean,
            "dip" => *value * 0.1,
            "shift" => *value * 1.4,
            "ramp" => *value * (1.0 + 0.3 * step as f64 / n as f64),
            "flat" => frozen,
            "break" => mean * (1.0 + 0.03 * draws.normal()),
            _ => *value * (1.0 + 0.3 * draws.normal()),
        };
    }
}

/// Stretches of alerts, those less than four hours apart taken together.
fn episodes(scores: &[f64]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for row in (FROM..scores.len()).filter(|row| 0.8 <= scores[*row]) {
        match found.last_mut() {
            Some(last) if row - last.1 <= 3 => last.1 = row,
            _ => found.push((row, row)),
        }
    }
    found
}

#[test]
fn incidents_in_the_training_itself_are_found_with_few_false_alerts() {
    for seed in 1..=3 {
        let (mut n_found, mut n_false) = (0, 0);
        for metric in 0..12 {
            let mut values = shop(metric, N_TRAINED, seed);
            let incident = INCIDENTS.iter().find(|(_, where_, _, _)| *where_ == metric);
            if let Some(incident) = incident {
                disturb(&mut values, *incident, seed);
            }
            let frame = every(HOUR, &values);
            let episodes = episodes(&scores(&fitted(&frame), &frame));
            let is_inside = |(first, last): &(usize, usize)| {
                incident.is_some_and(|(_, _, start, n)| *start <= *last && *first < start + n + 6)
            };
            n_found += usize::from(episodes.iter().any(is_inside));
            n_false += episodes.iter().filter(|episode| !is_inside(episode)).count();
        }
        assert!(6 <= n_found, "seed {seed}: {n_found} found");
        assert!(n_false <= 2, "seed {seed}: {n_false} false");
    }
}

#[test]
fn days_not_trained_on_stay_quiet() {
    let mut n_false = 0;
    for metric in 0..12 {
        let values = shop(metric, N_TRAINED + 30 * 24, 11);
        let model = fitted(&every(HOUR, &values[..N_TRAINED]));
        let scores = scores(&model, &every(HOUR, &values));
        n_false += episodes(&scores).iter().filter(|(first, _)| N_TRAINED <= *first).count();
    }
    assert!(n_false <= 2, "{n_false}");
}

#[test]
fn the_band_holds_what_is_usual_in_the_metrics_own_unit() {
    let values = shop(5, N_TRAINED, 2);
    let frame = every(HOUR, &values);
    let rows = fitted(&frame).score(&frame, FROM..N_TRAINED);
    for (row, value) in rows.iter().zip(&values[FROM..]) {
        let band = row.band.unwrap();
        assert!(band.lower <= *value && *value <= band.upper, "{value} {band:?}");
        assert!(band.upper - band.lower < band.expected, "{band:?}");
    }
}

#[test]
fn few_rows_of_context_are_enough() {
    let values = shop(0, N_TRAINED + 48, 5);
    let model = fitted(&every(HOUR, &values[..N_TRAINED]));
    let at = |i: usize| 1_767_225_600 + HOUR * i as i64;
    let newest = N_TRAINED + 20..N_TRAINED + 45;
    let mut spiked = values.clone();
    spiked[N_TRAINED + 44] *= 2.0;
    let score = |values: &[f64]| {
        let scores = scores(&model, &frame(newest.clone().map(|i| (at(i), values[i]))));
        scores[24]
    };
    assert!(score(&values) < 0.8);
    assert!(0.8 <= score(&spiked));
}

#[test]
fn five_minute_daily_and_irregular_series_are_understood() {
    let mut draws = Draws(3);
    let wave = |t: f64| 100.0 + 40.0 * (t / 86_400.0 * std::f64::consts::TAU).sin();
    let mut at = 0.0;
    let steps: [&mut dyn FnMut() -> f64; 3] =
        [&mut || 300.0, &mut || 86_400.0, &mut || 60.0 + 1_200.0 * draws.uniform()];
    let mut noise = Draws(4);
    for step in steps {
        let times: Vec<f64> = (0..1_500)
            .map(|_| {
                at += step();
                at.round()
            })
            .collect();
        let values: Vec<f64> = times.iter().map(|t| wave(*t) + 2.0 * noise.normal()).collect();
        let build = |values: &[f64]| {
            let pairs = times.iter().zip(values);
            frame(pairs.map(|(t, value)| (1_767_225_600 + *t as i64, *value)))
        };
        let clean = build(&values);
        let model = fitted(&clean);
        let scores_of_clean = scores(&model, &clean);
        let starts = scores_of_clean.windows(2).filter(|pair| pair[0] < 0.8 && 0.8 <= pair[1]);
        assert!(starts.count() <= 2, "{}", times[1] - times[0]);
        let mut spiked = values.clone();
        spiked[1_400] += 60.0;
        assert!(0.8 <= scores(&model, &build(&spiked))[1_400]);
    }
}

#[test]
fn counts_that_are_mostly_zero_alert_only_when_more_comes_than_ever() {
    let mut values = shop(11, N_TRAINED, 4);
    let frame = every(HOUR, &values);
    let model = fitted(&frame);
    assert_eq!(episodes(&scores(&model, &frame)), []);
    values[2_000] = 12.0;
    assert!(0.8 <= scores(&model, &every(HOUR, &values))[2_000]);
}

#[test]
fn a_constant_metric_scores_nothing_and_any_departure_everything() {
    let model = fitted(&every(HOUR, &[7.5; 500]));
    let rows = [7.5, 7.5 + 1e-10, 7.6, -7.5];
    assert_eq!(scores(&model, &every(HOUR, &rows)), [0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn values_as_large_and_small_as_there_are_score_like_others() {
    let values = shop(0, N_TRAINED, 6);
    let plain = scores(&fitted(&every(HOUR, &values)), &every(HOUR, &values));
    for factor in [1e300, 1e-300] {
        let scaled: Vec<f64> = values.iter().map(|value| value * factor).collect();
        let scores = scores(&fitted(&every(HOUR, &scaled)), &every(HOUR, &scaled));
        let largest = scores.iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(largest <= 1e-6, "{factor} {largest}");
    }
}
