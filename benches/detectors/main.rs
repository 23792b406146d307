//! Time to fit each detector on one metric of 2,485 points and to score 1,000 rows with it, one
//! thread, medians of 15 rounds. `run.sh` sets PyOD's times for the same rows beside them.
//!
//!     cargo bench --bench detectors

use std::{collections::BTreeMap, time::Instant};

use anomstack::{
    detect::{FitContext, fit},
    domain::{
        Aggregate, DetectorKind, DetectorRole, DetectorSpec, FeatureSpec, MetricName, Series,
        Timestamp,
    },
    features::{self, FeatureFrame},
};

const N_POINTS: usize = 2_485;
const LAGS: usize = 5;
const N_SCORED: usize = 1_000;
const N_ROUNDS: usize = 15;

fn main() {
    let frame = frame();
    println!("detector,fit_ms,score_us_a_row");
    for &kind in DetectorKind::ALL {
        let spec = DetectorSpec {
            kind,
            tag: kind.to_string(),
            role: DetectorRole::Champion,
            params: BTreeMap::new(),
        };
        let context = FitContext::new(chrono_tz::Tz::UTC, 7);
        let train = || fit(&spec, &frame, &context).unwrap_or_else(|reason| panic!("{reason}"));
        let fit_seconds = median_seconds(|| drop(train()));
        let model = train();
        let rows = frame.len() - N_SCORED..frame.len();
        let score_seconds = median_seconds(|| drop(model.score(&frame, rows.clone())));
        let micros = score_seconds * 1e6 / N_SCORED as f64;
        println!("{kind},{:.3},{micros:.3}", fit_seconds * 1e3);
    }
}

fn median_seconds(mut work: impl FnMut()) -> f64 {
    let round = |_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    let mut rounds: Vec<f64> = (0..N_ROUNDS).map(round).collect();
    rounds.sort_by(f64::total_cmp);
    rounds[N_ROUNDS / 2]
}

/// Hours of a daily pattern with noise; `peers.py` makes the same numbers.
fn frame() -> FeatureFrame {
    let mut state = 1_u64;
    let mut noise = || {
        state = (state * 48_271) % 2_147_483_647;
        state as f64 / 2_147_483_647.0 - 0.5
    };
    let mut value = |i: usize| {
        100.0 + 30.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin() + 12.0 * (noise() + noise())
    };
    let series = Series {
        metric: MetricName::parse("m").unwrap_or_else(|error| panic!("{error}")),
        at: (0..N_POINTS)
            .map(|i| Timestamp::from_secs(1_771_000_000 + 3_600 * i as i64))
            .map(|at| at.unwrap_or_else(|| panic!("an instant of this century")))
            .collect(),
        value: (0..N_POINTS).map(&mut value).collect(),
    };
    let spec = FeatureSpec {
        resample: None,
        aggregate: Aggregate::Mean,
        difference: 0,
        smooth: 0,
        lags: LAGS,
    };
    features::build(&series, &spec)
}
