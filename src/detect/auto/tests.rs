//! What the default detector finds, leaves alone and promises.

use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::detect::conformance::{hourly, noise};
use crate::detect::invariance::size;
use crate::domain::Span;

fn scores(points: &[(i64, f64)]) -> Vec<RowScore> {
    let mut stream = Stream::new(Tz::UTC, &[], &Default::default());
    points.iter().map(|(s, value)| stream.push(Timestamp::from_secs(*s).unwrap(), *value)).collect()
}

fn n_alerts(rows: &[RowScore]) -> usize {
    rows.iter().filter(|row| row.score.as_ref().is_ok_and(|score| 0.8 <= *score)).count()
}

fn frame(points: &[(i64, f64)]) -> FeatureFrame {
    let at = points.iter().map(|(secs, _)| Timestamp::from_secs(*secs).unwrap()).collect();
    FeatureFrame::of_values(at, points.iter().map(|(_, value)| *value).collect())
}

fn model(points: &[(i64, f64)], held: usize) -> Auto {
    let context = FitContext { held, ..FitContext::new(Tz::UTC, 0) };
    fit(&frame(points), SeasonalParams::DEFAULT, &context).unwrap()
}

/// Hours of a day and a week; weekends are half as busy.
fn weekly(n: usize) -> Vec<(i64, f64)> {
    let value = |i: usize| {
        let (hour, day) = (i % 24, i / 24 % 7);
        let busy = 20.0 + 10.0 * (hour as f64 / 24.0 * std::f64::consts::TAU).sin();
        busy * if 5 <= day { 0.5 } else { 1.0 } + 2.0 * noise(i)
    };
    // The first day is a Monday.
    (0..n).map(|i| (1_767_571_200 + 3_600 * i as i64, value(i))).collect()
}

#[test]
fn the_first_rows_have_no_score_and_say_why() {
    let rows = scores(&hourly(40));
    let have = |n| Err(NoScore::TooFewPoints { need: 32, have: n });
    assert_eq!((&rows[0].score, &rows[31].score), (&have(0), &have(31)));
    assert!(rows[32..].iter().all(|row| row.score.is_ok() && row.band.is_some()));
}

#[test]
fn spikes_dips_and_a_stopped_metric_are_noticed_and_quiet_days_are_not() {
    let quiet = hourly(3_000);
    assert!(n_alerts(&scores(&quiet)) <= 3);
    for value in [150.0, -80.0] {
        let mut points = quiet.clone();
        points[2_000].1 = value;
        let score = scores(&points)[2_000].score.clone().unwrap();
        assert!(0.8 <= score, "{value} {score}");
    }
    let mut points = quiet;
    points[2_000..2_020].iter_mut().for_each(|(_, value)| *value = 0.0);
    assert!(0 < n_alerts(&scores(&points)[2_000..2_020]));
}

#[test]
fn an_incident_is_said_once_in_a_stream_and_as_long_as_it_lasts_by_a_model() {
    let mut points = weekly(60 * 24);
    points[1_400..1_406].iter_mut().for_each(|(_, value)| *value = 60.0);
    assert_eq!(n_alerts(&scores(&points)[1_400..1_406]), 1);
    let model = model(&points[..1_300], 0);
    assert_eq!(n_alerts(&model.score(&frame(&points), 1_400..1_406)), 6);
}

#[test]
fn a_value_usual_at_another_time_of_the_week_is_noticed() {
    let mut points = weekly(63 * 24);
    let model = model(&points[..1_300], 0);
    // A Saturday like a Tuesday: nothing never seen before.
    let saturday = 56 * 24 + 5 * 24;
    for hour in 8..14 {
        points[saturday + hour].1 = points[saturday + hour - 4 * 24].1;
    }
    let rows = model.score(&frame(&points), saturday..saturday + 24);
    assert!(3 <= n_alerts(&rows[8..14]), "{rows:?}");
    assert_eq!(n_alerts(&rows[..8]), 0);
}

#[test]
fn the_band_follows_the_season() {
    let points = hourly(2_000);
    let rows = scores(&points);
    for (row, (_, value)) in rows.iter().zip(&points).skip(1_500) {
        let band = row.band.unwrap();
        assert!(band.lower < *value && *value < band.upper, "{band:?} {value}");
        assert!((band.expected - value).abs() < 9.0, "{band:?} {value}");
    }
}

#[test]
fn constant_series_give_no_alert_and_a_first_change_does() {
    for value in [0.0, 5.0, -1e300, 1e-300] {
        let mut points: Vec<_> = (0..600).map(|i| (i * 60, value)).collect();
        assert!(scores(&points)[32..].iter().all(|row| row.score == Ok(0.0)), "{value}");
        points.push((600 * 60, value + value.abs().max(1.0)));
        let score = scores(&points)[600].score.clone().unwrap();
        assert!(0.8 <= score, "{value} {score}");
    }
}

#[test]
fn values_that_are_no_numbers_leave_no_trace() {
    let points = hourly(600);
    let mut with_holes = Vec::new();
    for (i, point) in points.iter().enumerate() {
        if i % 50 == 7 {
            with_holes.extend([(point.0 - 1, f64::NAN), (point.0 - 1, f64::INFINITY)]);
        }
        with_holes.push(*point);
    }
    let rows: Vec<_> = scores(&with_holes)
        .into_iter()
        .zip(&with_holes)
        .filter(|(_, (_, value))| value.is_finite())
        .map(|(row, _)| row)
        .collect();
    assert_eq!(rows, scores(&points));
}

#[test]
fn a_wrong_time_in_the_future_is_overcome() {
    let mut points = hourly(2_000);
    points[300].0 += 40_000_000_000;
    let rows = scores(&points);
    let (_, value) = points[1_900];
    assert!((rows[1_900].band.unwrap().expected - value).abs() < 9.0);
}

#[test]
fn shift_and_scale_change_nothing() {
    let points = hourly(1_500);
    let moved: Vec<_> = points.iter().map(|(at, value)| (*at, 64.0 * value + 1_024.0)).collect();
    let pairs = scores(&points).into_iter().zip(scores(&moved));
    let differ = pairs.filter(|(row, other)| match (&row.score, &other.score) {
        (Ok(a), Ok(b)) => 0.02 < (a - b).abs(),
        (a, b) => a != b,
    });
    // Whether a pattern is a share of the level is a choice, and a shift can change it.
    assert!(differ.count() <= 15);
}

#[test]
fn a_stream_and_a_model_trained_on_the_same_rows_say_the_same_of_the_next_ones() {
    let points = hourly(287);
    for n in [32, 64, 128, 256] {
        let mut stream = Stream::new(Tz::UTC, &[], &Default::default());
        let rows: Vec<RowScore> = points[..n + 20]
            .iter()
            .map(|(s, value)| stream.push(Timestamp::from_secs(*s).unwrap(), *value))
            .collect();
        let scored = model(&points[..n], 0).score(&frame(&points[..n + 20]), n..n + 20);
        // The stream says an incident once; where it says something it says what the model says.
        for (row, other) in rows[n..].iter().zip(&scored) {
            assert!(row.score == other.score || row.score == Ok(0.0), "{n}: {row:?} {other:?}");
            assert_eq!(row.band, other.band, "{n}");
        }
    }
}

#[test]
fn rows_held_back_in_training_score_as_if_they_had_come_later() {
    let mut points = weekly(50 * 24);
    points[1_190].1 = 80.0;
    let model = model(&points, 40);
    let whole = model.score(&frame(&points), 1_160..1_200);
    let context = &points[600..];
    assert_eq!(model.score(&frame(context), 560..600), whole);
    assert!(0.8 <= whole[30].score.clone().unwrap());
    let (spiked, before) = (1_190, 1_189);
    let short = model.score(&frame(&points[..spiked]), before..spiked);
    assert_eq!(short[0], whole[29]);
}

#[test]
fn a_model_file_stays_small() {
    let five_minutes: Vec<_> =
        hourly(2_500).iter().map(|(secs, value)| (secs / 12, *value)).collect();
    for points in [weekly(2_160), hourly(2_500), five_minutes] {
        // A pickle of it has about 250 bytes more.
        let n_bytes = size(&model(&points, 25).to_plain());
        assert!(n_bytes <= 1_800, "{n_bytes}");
    }
}

#[test]
fn a_pattern_of_any_length_is_found_or_can_be_asked_for() {
    let value = |i: usize| if i % 10 < 3 { 10.0 } else { 0.0 } + noise(i);
    let mut points: Vec<_> =
        (0..2_000).map(|i| (1_771_000_000 + 3_000 * i as i64, value(i))).collect();
    points[1_905].1 = 10.0;
    for period in [None, Some(Span::secs(30_000))] {
        let params = SeasonalParams { period, ..SeasonalParams::DEFAULT };
        let context = FitContext::new(Tz::UTC, 0);
        let model = fit(&frame(&points[..1_500]), params, &context).unwrap();
        let rows = model.score(&frame(&points), 1_890..1_910);
        assert!((rows[15].band.unwrap().expected - 0.0).abs() < 1.0, "{:?}", rows[15]);
        assert!((rows[11].band.unwrap().expected - 10.0).abs() < 1.0, "{:?}", rows[11]);
        assert!(0.8 <= rows[15].score.clone().unwrap(), "{:?}", rows[15]);
        let (found, strength) = model.season().unwrap();
        let found = found.unwrap();
        assert_eq!((found.length, found.weekly), (Span::secs(30_000), false));
        assert!(0.9 < found.confidence && 0.9 < strength, "{found:?} {strength}");
    }
}

#[derive(serde::Deserialize)]
struct Golden {
    middle: f64,
    spread: f64,
    cadence: f64,
    /// Value and what is expected.
    rows: Vec<(f64, f64)>,
    expected: Vec<GoldenRow>,
}

#[derive(serde::Deserialize)]
struct GoldenRow {
    quotient: f64,
    explained: f64,
    side: Option<f64>,
}

#[test]
fn the_walk_equals_the_plain_formulas() {
    let text = include_str!("../../../tests/golden/auto/walk.json");
    let golden: Golden = serde_json::from_str(text).unwrap();
    let units = Units { middle: golden.middle, spread: golden.spread };
    let mut walk = Walk::new(units, golden.cadence);
    for (row, ((value, expected), wanted)) in golden.rows.iter().zip(&golden.expected).enumerate() {
        let found = walk.step(*value, *expected);
        // What is kept between rows is kept in single precision.
        let is_close = |a: f64, b: f64| (a - b).abs() <= 1e-4 * b.abs().max(0.1);
        assert!(is_close(found.quotient, wanted.quotient), "row {row}: {found:?}");
        assert!(is_close(found.far.explained, wanted.explained), "row {row}: {found:?}");
        let side = found.side.is_finite().then_some(found.side);
        assert_eq!(side.is_some(), wanted.side.is_some(), "row {row}: {found:?}");
        if let (Some(side), Some(wanted)) = (side, wanted.side) {
            assert!(is_close(side, wanted), "row {row}: {side} {wanted}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn whatever_comes_in_scores_are_in_range_and_depend_on_the_past_alone(
        steps in proptest::collection::vec(
            prop_oneof![6 => Just(60_i64), 2 => -100_000_i64..100_000, 1 => Just(0_i64)], 1..400,
        ),
        values in proptest::collection::vec(
            prop_oneof![
                6 => (-9_i32..9).prop_map(f64::from),
                3 => -1e3..1e3_f64,
                1 => prop_oneof![
                    Just(1.7e308), Just(-1.7e308), Just(5e-324), Just(f64::NAN), Just(1e-300),
                ],
            ],
            400,
        ),
        share in 0.0..1.0_f64,
    ) {
        let mut secs = 1_700_000_000;
        let points: Vec<_> = steps
            .iter()
            .zip(&values)
            .map(|(step, value)| {
                secs += step;
                (secs, *value)
            })
            .collect();
        let whole = scores(&points);
        for row in &whole {
            if let Ok(score) = row.score {
                prop_assert!((0.0..=1.0).contains(&score));
            }
            if let Some(band) = row.band {
                prop_assert!(band.lower <= band.expected && band.expected <= band.upper);
            }
        }
        let n = (share * points.len() as f64) as usize;
        prop_assert_eq!(&scores(&points[..n])[..], &whole[..n]);
    }
}
