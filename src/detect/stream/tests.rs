//! What the streaming detector owes, beside what its parts do.

use proptest::prelude::*;

use super::*;

fn noise(i: u64) -> f64 {
    let mixed = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as f64 / f64::from(1 << 24) - 0.5
}

/// Hours of a daily pattern with noise.
fn hourly(n: u64) -> Vec<(i64, f64)> {
    let value = |i: u64| 50.0 + 20.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin();
    (0..n).map(|i| (1_771_000_000 + 3_600 * i as i64, value(i) + 6.0 * noise(i))).collect()
}

fn scores(points: &[(i64, f64)]) -> Vec<RowScore> {
    let mut stream = Stream::new(Span::days(1));
    points.iter().map(|(s, value)| stream.push(Timestamp::from_secs(*s).unwrap(), *value)).collect()
}

fn n_alerts(rows: &[RowScore]) -> usize {
    rows.iter().filter(|row| row.score.as_ref().is_ok_and(|score| 0.8 <= *score)).count()
}

#[test]
fn the_first_rows_have_no_score_and_say_why() {
    let rows = scores(&hourly(40));
    let have = |n| Err(NoScore::TooFewPoints { need: 32, have: n });
    assert_eq!((&rows[0].score, &rows[31].score), (&have(1), &have(32)));
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
fn a_stream_of_any_length_takes_bounded_memory() {
    let mut stream = Stream::new(Span::days(1));
    for (secs, value) in hourly(20_000) {
        stream.push(Timestamp::from_secs(secs).unwrap(), value);
    }
    assert_eq!(stream.rows.len(), MOST_ROWS);
}

#[test]
fn shift_and_scale_change_nothing() {
    let points = hourly(1_500);
    let moved: Vec<_> = points.iter().map(|(at, value)| (*at, 64.0 * value + 1_024.0)).collect();
    for (row, other) in scores(&points).iter().zip(scores(&moved)) {
        if let (Ok(a), Ok(b)) = (&row.score, other.score) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}

#[derive(serde::Deserialize)]
struct Golden {
    middle: f64,
    spread: f64,
    cadence: f64,
    rows: Vec<(i64, f64)>,
    expected: Vec<GoldenRow>,
}

#[derive(serde::Deserialize)]
struct GoldenRow {
    signal: f64,
    band: Option<[f64; 3]>,
}

#[test]
fn one_pass_equals_the_plain_formulas() {
    let text = include_str!("../../../tests/golden/auto/walk.json");
    let golden: Golden = serde_json::from_str(text).unwrap();
    let units = Units { middle: golden.middle, spread: golden.spread };
    let at = |secs: i64| Timestamp::from_secs(secs).unwrap();
    let mut walk = Walk::new(units, golden.cadence, Span::days(1), at(golden.rows[0].0));
    for (row, ((secs, value), expected)) in golden.rows.iter().zip(&golden.expected).enumerate() {
        let outcome = walk.step(at(*secs), *value);
        let is_close = |a: f64, b: f64| (a - b).abs() <= 1e-7 * b.abs().max(1.0);
        let (found, wanted) = (outcome.signal, expected.signal);
        assert!(is_close(found, wanted), "row {row}: {found}, not {wanted}");
        let found = outcome.band.map(|band| [band.expected, band.lower, band.upper]);
        match (found, expected.band) {
            (Some(a), Some(b)) => {
                assert!(
                    a.iter().zip(b).all(|(a, b)| is_close(*a, b)),
                    "row {row}: {a:?}, not {b:?}"
                );
            }
            (found, wanted) => assert_eq!(found, wanted, "row {row}"),
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
