//! Young metrics beside older ones of their kind, simulated: what the past of siblings is worth.

use std::f64::consts::TAU;

use super::Setup;
use crate::{
    detect::{self, FitContext, Fitted, Random, siblings},
    domain::{DetectorKind, MetricName, Series, Timestamp},
    features,
};

const LINE: f64 = 0.8;
const FAMILIES: [&str; 3] = ["shop", "counts", "flat"];
const N_FAMILIES: u64 = 8;
const N_SIBLINGS: usize = 8;
/// Own points of the young metric at the training.
const YOUNG: [usize; 3] = [24, 50, 100];
/// Hours scored by a model before the next training.
const SCORED: usize = 24;

fn normal(random: &mut Random) -> f64 {
    (-2.0 * (1.0 - random.unit()).ln()).sqrt() * (TAU * random.unit()).cos()
}

/// Ninety days of hours of one metric; metrics of a family differ in size, in how far they swing,
/// when, and in what a weekend is to them.
fn hours(family: &str, random: &mut Random) -> Vec<f64> {
    let size = (1.2 * normal(random)).exp() * 100.0;
    let swing = 0.4 * (1.0 + 0.2 * normal(random));
    let late = 9.0 + 0.7 * normal(random);
    let weekend = 0.65 * (1.0 + 0.1 * normal(random));
    let mut wander = 0.0;
    (0..24 * 90)
        .map(|hour| {
            let noise = normal(random);
            wander = 0.7 * (wander + noise);
            let daily = 1.0 + swing * (TAU * (f64::from(hour) - late) / 24.0).sin();
            let usual = daily * if hour / 24 % 7 < 5 { 1.0 } else { weekend };
            match family {
                "shop" => size * usual * (1.0 + 0.05 * wander),
                "counts" => {
                    let mean = (size / 4.0).max(3.0) * usual;
                    (mean + mean.sqrt() * noise).round().max(0.0)
                }
                _ => size * (1.0 + 0.03 * noise),
            }
        })
        .collect()
}

fn series(values: &[f64], hours: std::ops::Range<usize>) -> Series {
    let at = |hour: usize| Timestamp::from_secs(1_704_067_200 + 3_600 * hour as i64);
    Series {
        metric: MetricName::parse("m").unwrap(),
        at: hours.clone().filter_map(at).collect(),
        value: values[hours].to_vec(),
    }
}

#[derive(Debug, Default)]
struct Tally {
    n_models: usize,
    n_rows: usize,
    n_false: usize,
    n_spikes: usize,
    n_found: usize,
}

impl Tally {
    /// Scores the hours behind a training by a model of it, once as they are and thrice with one
    /// of them tripled.
    fn judge(&mut self, past: &Series, values: &[f64], own: std::ops::Range<usize>, seed: u64) {
        let setup = Setup::of_kind(DetectorKind::Auto, None);
        let context = FitContext { held: 25, ..FitContext::new(setup.timezone, seed) };
        let frame = features::build(past, &setup.features);
        let Ok(model) = detect::fit(&setup.detectors[0], &frame, &context) else { return };
        self.n_models += 1;
        let newest =
            |values: &[f64], end: usize| -> Vec<f64> { newest(&model, values, own.start, end) };
        let scores = newest(values, own.end + SCORED);
        self.n_rows += scores.len();
        self.n_false += scores.iter().filter(|score| LINE <= **score).count();
        let mut random = Random::new(seed);
        for _ in 0..3 {
            let hour = own.end + random.below(SCORED);
            let mut spiked = values[..=hour].to_vec();
            spiked[hour] *= 3.0;
            self.n_spikes += 1;
            self.n_found += newest(&spiked, hour + 1).last().map_or(0, |s| usize::from(LINE <= *s));
        }
    }

    fn false_in_1000(&self) -> f64 {
        1000.0 * self.n_false as f64 / self.n_rows as f64
    }

    fn recall(&self) -> f64 {
        self.n_found as f64 / self.n_spikes as f64
    }
}

/// Scores of the newest hours, as the score job takes them: by the metric's own points.
fn newest(model: &Fitted, values: &[f64], start: usize, end: usize) -> Vec<f64> {
    let own = series(values, start.max(end.saturating_sub(512 + SCORED))..end);
    let frame = features::build(&own, &Setup::of_kind(DetectorKind::Auto, None).features);
    let rows = model.score(&frame, frame.len() - SCORED.min(frame.len())..frame.len());
    rows.into_iter().map(|row| row.score.unwrap_or(0.0)).collect()
}

#[test]
fn young_metrics_borrow_a_past_that_finds_spikes_and_gives_no_more_false_rows_than_their_own() {
    let (mut alone, mut borrowed, mut grown) =
        (Tally::default(), Tally::default(), Tally::default());
    for family in FAMILIES {
        for seed in 0..N_FAMILIES {
            let mut random = Random::new(1_000 * seed + 17);
            let start = 24 * 60 + random.below(24 * 14);
            let older: Vec<Vec<f64>> =
                (0..N_SIBLINGS).map(|_| hours(family, &mut random)).collect();
            let values = hours(family, &mut random);
            for n in YOUNG {
                let own = start..start + n;
                let young = series(&values, own.clone());
                let older: Vec<Series> = older.iter().map(|one| series(one, 0..own.end)).collect();
                let others: Vec<&Series> = older.iter().collect();
                if let Some(past) = siblings::with_past(&young, &others, 2_500) {
                    borrowed.judge(&past, &values, own.clone(), seed);
                }
                alone.judge(&young, &values, own.clone(), seed);
                grown.judge(&series(&values, 0..own.end), &values, 0..own.end, seed);
            }
        }
    }
    for (name, tally) in [("alone", &alone), ("borrowed", &borrowed), ("grown", &grown)] {
        let (rate, recall) = (tally.false_in_1000(), tally.recall());
        println!(
            "{name:8} {:3} models, {rate:.2} false in 1,000, {recall:.2} found",
            tally.n_models
        );
    }
    let n_asked = FAMILIES.len() * N_FAMILIES as usize * YOUNG.len();
    assert!(n_asked * 2 / 3 <= borrowed.n_models, "{borrowed:?}");
    assert!(borrowed.false_in_1000() <= 1.0 && 0.7 <= borrowed.recall(), "{borrowed:?}");
    assert!(5.0 * borrowed.false_in_1000() <= alone.false_in_1000(), "{alone:?}");
}
