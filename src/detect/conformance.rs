//! What every detector owes, whatever it is given.

use chrono_tz::Tz;
use proptest::prelude::*;

use super::{FitContext, Fitted, fit};
use crate::domain::{
    Aggregate, DetectorKind, DetectorRole, DetectorSpec, FeatureSpec, MetricName, NoScore,
    RowScore, Series, Span, Timestamp,
};
use crate::features::{self, FeatureFrame};

pub(super) const KINDS: &[DetectorKind] = DetectorKind::ALL;
pub(super) const CONTEXT: FitContext<'_> = FitContext::new(Tz::Europe__Dublin, 7);

pub(super) fn spec(kind: DetectorKind) -> DetectorSpec {
    DetectorSpec {
        kind,
        tag: kind.to_string(),
        role: DetectorRole::Champion,
        params: Default::default(),
    }
}

/// Whether it sees rows of the feature matrix, not the series as it is.
pub(super) fn looks_at_rows(kind: DetectorKind) -> bool {
    !matches!(kind, DetectorKind::Auto | DetectorKind::Seasonal)
}

fn features_of(kind: DetectorKind) -> FeatureSpec {
    with_lags(if looks_at_rows(kind) { 3 } else { 0 })
}

fn with_lags(lags: usize) -> FeatureSpec {
    FeatureSpec { resample: None, aggregate: Aggregate::Mean, difference: 0, smooth: 0, lags }
}

fn series(points: &[(i64, f64)]) -> Series {
    Series {
        metric: MetricName::parse("m").unwrap(),
        at: points.iter().map(|(secs, _)| Timestamp::from_secs(*secs).unwrap()).collect(),
        value: points.iter().map(|(_, value)| *value).collect(),
    }
}

pub(super) fn noise(i: usize) -> f64 {
    let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as f64 / f64::from(1 << 24) - 0.5
}

/// So many hours of a daily pattern with noise, from a winter into a summer time.
pub(super) fn hourly(n: usize) -> Vec<(i64, f64)> {
    let value = |i: usize| 50.0 + 20.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin();
    (0..n).map(|i| (1_771_000_000 + 3_600 * i as i64, value(i) + 6.0 * noise(i))).collect()
}

pub(super) fn frame(kind: DetectorKind, points: &[(i64, f64)]) -> FeatureFrame {
    features::build(&series(points), &features_of(kind))
}

pub(super) fn all(model: &Fitted, frame: &FeatureFrame) -> Vec<RowScore> {
    model.score(frame, 0..frame.len())
}

#[track_caller]
fn assert_sound(kind: DetectorKind, scores: &[RowScore]) {
    for row in scores {
        if let Ok(score) = row.score {
            assert!((0.0..=1.0).contains(&score), "{kind} {score}");
        }
        if let Some(band) = row.band {
            assert!(band.lower <= band.expected && band.expected <= band.upper, "{kind} {band:?}");
            assert!(band.lower.is_finite() && band.upper.is_finite(), "{kind} {band:?}");
        }
    }
}

/// Inputs that are hard to learn from or to judge, by name: seconds and values.
fn bad_inputs() -> Vec<(&'static str, Vec<(i64, f64)>)> {
    let of = |n: usize, value: &dyn Fn(usize) -> f64| -> Vec<(i64, f64)> {
        (0..n).map(|i| (1_771_000_000 + 3_600 * i as i64, value(i))).collect()
    };
    let ordinary = |i: usize| 10.0 + noise(i);
    let every_tenth = |odd: f64| move |i: usize| if i % 10 == 7 { odd } else { ordinary(i) };
    let mut gappy = hourly(300);
    gappy.retain(|(at, _)| at / 86_400 % 3 != 0);
    let mut unsorted = hourly(200);
    unsorted.swap(20, 150);
    unsorted.reverse();
    let mut twice = hourly(200);
    twice.iter_mut().for_each(|(at, _)| *at -= *at % 7_200);
    vec![
        ("no row", of(0, &ordinary)),
        ("one row", of(1, &ordinary)),
        ("two rows", of(2, &ordinary)),
        ("fourteen rows", of(14, &ordinary)),
        ("constant", of(200, &|_| 7.0)),
        ("two values", of(200, &|i| f64::from(u8::from(noise(i) < 0.0)))),
        ("integers", of(200, &|i| (20.0 * noise(i)).round())),
        ("all missing", of(200, &|_| f64::NAN)),
        ("some missing", of(200, &every_tenth(f64::NAN))),
        ("infinite", of(200, &every_tenth(f64::INFINITY))),
        ("minus infinite", of(200, &every_tenth(f64::NEG_INFINITY))),
        ("huge", of(200, &|i| noise(i) * 1e308)),
        ("as large as can be", of(200, &|i| if i % 2 == 0 { f64::MAX } else { f64::MIN })),
        ("one huge", of(200, &|i| if i == 150 { 1e308 } else { ordinary(i) })),
        ("tiny", of(200, &|i| noise(i) * 1e-300)),
        ("denormal", of(200, &|i| (noise(i) * 50.0).round() * 5e-324)),
        ("far from zero", of(200, &|i| 1e15 + noise(i).round())),
        ("gappy", gappy),
        ("unsorted", unsorted),
        ("every time twice", twice),
    ]
}

#[test]
fn bad_input_gives_a_score_in_range_or_a_reason() {
    for &kind in KINDS {
        let usual = fit(&spec(kind), &frame(kind, &hourly(200)), &CONTEXT).unwrap();
        for (what, points) in bad_inputs() {
            // A stored series is in time order and has an instant once; a matrix need not be.
            if !looks_at_rows(kind) && !points.is_sorted_by(|one, next| one.0 < next.0) {
                continue;
            }
            let frame = frame(kind, &points);
            let scores = all(&usual, &frame);
            assert_eq!(scores.len(), points.len(), "{kind} {what}");
            assert_sound(kind, &scores);
            for (row, (_, value)) in scores.iter().zip(&points) {
                assert!(value.is_finite() || row.score.is_err(), "{kind} {what} {value}");
            }
            if let Ok(model) = fit(&spec(kind), &frame, &CONTEXT) {
                assert_sound(kind, &all(&model, &frame));
                assert_sound(kind, &all(&model, &super::conformance::frame(kind, &hourly(60))));
                assert_eq!(Fitted::from_plain(&model.to_plain()).unwrap(), model, "{kind} {what}");
            }
        }
    }
}

#[test]
fn training_beside_others_gives_the_same_model() {
    for &kind in KINDS {
        let frame = frame(kind, &hourly(300));
        let alone = fit(&spec(kind), &frame, &CONTEXT).unwrap();
        let train = || fit(&spec(kind), &frame, &CONTEXT).unwrap();
        std::thread::scope(|scope| {
            let beside: Vec<_> = (0..4).map(|_| scope.spawn(train)).collect();
            for model in beside {
                assert_eq!(model.join().unwrap().to_plain(), alone.to_plain(), "{kind}");
            }
        });
    }
}

#[test]
fn a_spike_scores_higher_than_the_median() {
    for &kind in KINDS {
        // To those that look at one column at a time, all of a row must be unusual.
        let is_by_column = matches!(
            kind,
            DetectorKind::Hbos | DetectorKind::Ecod | DetectorKind::Copod | DetectorKind::IForest
        );
        let features = if is_by_column { with_lags(0) } else { features_of(kind) };
        let mut points = hourly(1_000);
        let model = fit(&spec(kind), &features::build(&series(&points), &features), &CONTEXT);
        let model = model.unwrap();
        points[990].1 = 400.0;
        let frame = features::build(&series(&points), &features);
        let scores: Vec<f64> =
            all(&model, &frame).into_iter().filter_map(|row| row.score.ok()).collect();
        let spike = model.score(&frame, 990..991)[0].score.clone().unwrap();
        let n_below = scores.iter().filter(|score| **score < spike).count();
        // Its few bins are rare on both sides of the usual values, too.
        let least = if kind == DetectorKind::Hbos { 0.5 } else { 0.8 };
        assert!(least <= spike && scores.len() * 9 / 10 < n_below, "{kind} {spike} {n_below}");
    }
}

#[test]
fn training_twice_gives_the_same_model_and_an_artifact_the_same_scores() {
    for &kind in KINDS {
        let frame = frame(kind, &hourly(700));
        let model = fit(&spec(kind), &frame, &CONTEXT).unwrap();
        assert_eq!(model, fit(&spec(kind), &frame, &CONTEXT).unwrap());
        let plain = model.to_plain();
        let back = Fitted::from_plain(&plain).unwrap();
        assert_eq!(back, model);
        assert_eq!(back.to_plain(), plain);
        assert_eq!(all(&back, &frame), all(&model, &frame));
        assert_eq!(back.params(), model.params());
    }
}

#[test]
fn a_score_depends_neither_on_later_rows_nor_on_which_rows_are_asked_for() {
    for &kind in KINDS {
        let points = hourly(900);
        let model = fit(&spec(kind), &frame(kind, &points[..700]), &CONTEXT).unwrap();
        let whole = frame(kind, &points);
        let scores = all(&model, &whole);
        assert_eq!(model.score(&whole, 700..730), scores[700..730], "{kind}");
        for n in (710..900).step_by(7) {
            let shorter = frame(kind, &points[..n]);
            assert_eq!(model.score(&shorter, n - 24..n), scores[n - 24..n], "{kind} {n}");
        }
    }
}

#[test]
fn the_few_first_rows_have_no_score_and_say_why() {
    for &kind in KINDS {
        let frame = frame(kind, &hourly(300));
        let model = fit(&spec(kind), &frame, &CONTEXT).unwrap();
        let n_without = all(&model, &frame)
            .iter()
            .take_while(|row| row.score == Err(NoScore::NotEnoughPast))
            .count();
        assert_eq!(n_without, features_of(kind).lags, "{kind}");
    }
}

#[test]
fn constant_series_give_no_alert() {
    for &kind in KINDS {
        for value in [0.0, 5.0, -1e300, 1e-300] {
            let points: Vec<_> = (0..200).map(|i| (i * 60, value)).collect();
            let frame = frame(kind, &points);
            match fit(&spec(kind), &frame, &CONTEXT) {
                Ok(model) => {
                    assert!(all(&model, &frame).iter().all(|row| row.score == Ok(0.0)), "{kind}");
                }
                Err(reason) => assert_eq!(reason, NoScore::Constant, "{kind}"),
            }
        }
    }
}

#[test]
fn series_too_short_say_how_much_is_missing() {
    for &kind in KINDS {
        for n in [0, 1, 2, 3, 4] {
            let reason = fit(&spec(kind), &frame(kind, &hourly(n)), &CONTEXT).unwrap_err();
            let NoScore::TooFewPoints { need, have } = reason else { panic!("{kind} {reason}") };
            assert!(have < need, "{kind} {have} {need}");
        }
    }
}

#[test]
fn a_parameter_that_makes_no_sense_is_named() {
    for &kind in KINDS {
        let mut spec = spec(kind);
        spec.params.insert("nonsense".into(), crate::domain::ParamValue::Bool(true));
        let reason = fit(&spec, &frame(kind, &hourly(300)), &CONTEXT).unwrap_err();
        assert!(reason.to_string().contains("`nonsense`"), "{reason}");
    }
}

#[test]
fn a_damaged_artifact_is_refused_or_still_gives_sound_scores() {
    for &kind in KINDS {
        let frame = frame(kind, &hourly(200));
        let plain = fit(&spec(kind), &frame, &CONTEXT).unwrap().to_plain();
        let mut n_refused = 0;
        for damaged in damage(&plain) {
            match Fitted::from_plain(&damaged) {
                Ok(model) => assert_sound(kind, &all(&model, &frame)),
                Err(_) => n_refused += 1,
            }
        }
        assert!(10 < n_refused, "{kind} {n_refused}");
    }
}

/// The tree with each node in turn replaced by nothing, a wild number or an empty array.
fn damage(plain: &crate::domain::Plain) -> Vec<crate::domain::Plain> {
    use crate::domain::Plain;
    let mut variants = vec![
        Plain::None,
        Plain::Int(-3),
        Plain::Int(i64::MAX),
        Plain::Float(f64::NAN),
        Plain::from_f64s(&[]),
        Plain::from_f64s(&[-1.0]),
    ];
    match plain {
        Plain::Dict(entries) => {
            for (index, (_, value)) in entries.iter().enumerate() {
                for damaged in damage(value) {
                    let mut entries = entries.clone();
                    entries[index].1 = damaged;
                    variants.push(Plain::Dict(entries));
                }
            }
        }
        Plain::List(items) => {
            for (index, value) in items.iter().enumerate() {
                for damaged in damage(value) {
                    let mut items = items.clone();
                    items[index] = damaged;
                    variants.push(Plain::List(items));
                }
            }
        }
        Plain::None
        | Plain::Bool(_)
        | Plain::Int(_)
        | Plain::Float(_)
        | Plain::Text(_)
        | Plain::Bytes(_) => (),
    }
    variants
}

/// Values from ordinary to as large and small as there are.
fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-20_i32..20).prop_map(f64::from),
        3 => -1e3..1e3_f64,
        1 => prop_oneof![
            Just(1e300), Just(-1e300), Just(1.7e308), Just(-1.7e308), Just(1e-300), Just(5e-324)
        ],
    ]
}

fn any_gap() -> impl Strategy<Value = i64> {
    prop_oneof![8 => Just(3_600), 2 => 1_i64..10_000, 1 => 100_000_i64..4_000_000]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn whatever_comes_in_scores_are_in_range_or_a_reason(
        gaps in proptest::collection::vec(any_gap(), 300),
        values in proptest::collection::vec(any_value(), 0..300),
        n_wild in 0_usize..3,
        is_resampled in any::<bool>(),
    ) {
        let mut secs = 1_700_000_000;
        let points: Vec<_> = values
            .iter()
            .zip(&gaps)
            .enumerate()
            .map(|(i, (value, gap))| {
                secs += gap;
                let is_ordinary = value.abs() <= 1e3 || i % 3 < n_wild;
                (secs, if is_ordinary { *value } else { noise(i) })
            })
            .collect();
        for &kind in KINDS {
            let mut spec_of_features = features_of(kind);
            spec_of_features.aggregate = Aggregate::Sum;
            spec_of_features.resample = is_resampled.then(|| Span::hours(3));
            let frame = features::build(&series(&points), &spec_of_features);
            let half = features::build(
                &series(&points[..points.len() / 2]),
                &spec_of_features,
            );
            if let Ok(model) = fit(&spec(kind), &half, &CONTEXT) {
                let scores = all(&model, &frame);
                prop_assert_eq!(scores.len(), frame.len());
                assert_sound(kind, &scores);
                prop_assert_eq!(Fitted::from_plain(&model.to_plain()).unwrap(), model);
            }
        }
    }
}
