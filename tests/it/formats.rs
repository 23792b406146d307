//! Models of every format there has been are read for ever: `tests/golden/models/` holds one of each
//! detector and format, with what it was asked and what it said.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anomstack::{
    detect::{DecodeError, FitContext, Fitted, fit},
    domain::{
        Aggregate, DetectorKind, DetectorRole, DetectorSpec, FeatureSpec, MetricName, ParamValue,
        Plain, Series, Timestamp,
    },
    features::{self, FeatureFrame},
    io::pickle,
};

const N_ROWS: usize = 240;
const N_TRAINED: usize = 200;
const LAGS: usize = 3;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/models")
}

/// Hours of a daily pattern, with an incident among the rows no model is trained on.
fn values() -> Vec<f64> {
    let value = |i: usize| {
        let noise = (i * i * 7_919 % 101) as f64 / 20.0;
        let pattern = [0.0, -4.0, -9.0, -6.0, 3.0, 12.0, 15.0, 8.0][i / 3 % 8];
        50.0 + pattern + noise + if (225..228).contains(&i) { 70.0 } else { 0.0 }
    };
    (0..N_ROWS).map(value).collect()
}

fn frame(values: &[f64], lags: usize) -> FeatureFrame {
    let at = |i: usize| Timestamp::from_secs(1_771_000_000 + 3_600 * i as i64).unwrap();
    let series = Series {
        metric: MetricName::parse("m").unwrap(),
        at: (0..values.len()).map(at).collect(),
        value: values.to_vec(),
    };
    let spec =
        FeatureSpec { resample: None, aggregate: Aggregate::Mean, difference: 0, smooth: 0, lags };
    features::build(&series, &spec)
}

fn fitted(kind: DetectorKind) -> Fitted {
    // A whole forest is a large file that says no more.
    let few = BTreeMap::from([("n_estimators".to_owned(), ParamValue::Int(6))]);
    let params = if kind == DetectorKind::IForest { few } else { BTreeMap::new() };
    let spec = DetectorSpec { kind, tag: kind.to_string(), role: DetectorRole::Champion, params };
    let context = FitContext::new(chrono_tz::Tz::Europe__Dublin, 7);
    fit(&spec, &frame(&values()[..N_TRAINED], LAGS), &context).unwrap()
}

/// NaN where there is none.
fn scores(model: &Fitted, frame: &FeatureFrame) -> Vec<f64> {
    let rows = model.score(frame, 0..frame.len());
    rows.into_iter().map(|row| row.score.unwrap_or(f64::NAN)).collect()
}

fn name_of(model: &Plain) -> String {
    let kind = model.get("kind").and_then(Plain::as_text).unwrap();
    format!("{kind}_{}.pkl", model.get("format").and_then(Plain::as_int).unwrap())
}

fn golden(name: &str) -> Option<Plain> {
    let bytes = fs::read(folder().join(name)).ok()?;
    Some(pickle::decode(&bytes).unwrap())
}

#[test]
fn models_of_every_format_give_the_scores_they_gave() {
    let mut n_read = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let golden = golden(&name).unwrap();
        let floats = |field: &str| golden.get(field).and_then(Plain::to_f64s).unwrap();
        let lags = golden.get("lags").and_then(Plain::as_int).unwrap() as usize;
        let plain = golden.get("model").unwrap();
        assert_eq!(name_of(plain), name);
        let model = Fitted::from_plain(plain).unwrap();
        let found = scores(&model, &frame(&floats("values"), lags));
        let expected = floats("scores");
        assert_eq!(found.len(), expected.len(), "{name}");
        // Sums, products and roots are the same on every machine; logarithms and powers are not.
        let exact = ["pca", "knn", "lof", "mad", "kmeans", "zscore", "ar"];
        let is_exact = exact.contains(&model.kind().as_str());
        for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let is_close = (found - expected).abs() <= 1e-12 && !is_exact;
            let is_same =
                found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
            assert!(is_same || is_close, "{name} row {row}: {found} was {expected}");
        }
        n_read += 1;
    }
    assert!(DetectorKind::ALL.len() <= n_read, "{n_read} files");
}

#[test]
fn a_model_does_not_change_its_layout_without_a_new_format() {
    for &kind in DetectorKind::ALL {
        let plain = fitted(kind).to_plain();
        let name = name_of(&plain);
        let golden = golden(&name).unwrap_or_else(|| {
            panic!(
                "a new format: `cargo test --test it write_the_models -- --ignored` keeps {name}"
            )
        });
        let kept = layout(golden.get("model").unwrap());
        assert_eq!(layout(&plain), kept, "{name}: a new layout needs a new format number");
    }
}

#[test]
fn a_model_of_a_newer_program_is_refused_as_such() {
    for &kind in DetectorKind::ALL {
        let Plain::Dict(mut fields) = fitted(kind).to_plain() else { panic!("{kind}") };
        for (name, value) in &mut fields {
            if name == "format" {
                *value = Plain::Int(1_000);
            }
        }
        let refused = Fitted::from_plain(&Plain::Dict(fields)).unwrap_err();
        assert!(matches!(refused, DecodeError::Newer { found: 1_000, .. }), "{kind} {refused}");
        assert!(refused.to_string().contains("newer"), "{refused}");
    }
}

#[test]
fn a_default_model_takes_less_than_two_kilobytes() {
    // Beside the detector a model file has its batch, metric, version and tag.
    const AROUND: usize = 160;
    let value = |i: usize| {
        let noise = (i * i * 7_919 % 1_009) as f64 / 90.0;
        let is_weekend = 5 <= i / 24 % 7;
        50.0 + 10.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin() + noise
            - if is_weekend { 20.0 } else { 0.0 }
    };
    let values: Vec<f64> = (0..2_500).map(value).collect();
    let params = BTreeMap::new();
    let kind = DetectorKind::Auto;
    let spec = DetectorSpec { kind, tag: "auto".into(), role: DetectorRole::Champion, params };
    let context = FitContext::new(chrono_tz::Tz::America__Argentina__Buenos_Aires, 7);
    for n_rows in [2_160, 2_485, 2_499] {
        let model = fit(&spec, &frame(&values[..n_rows], LAGS), &context).unwrap().to_plain();
        let seasonal = model.get("model").and_then(|model| model.get("seasonal")).unwrap();
        let Some(Plain::Bytes(weekly)) = seasonal.get("weekly") else { panic!("no weeks") };
        assert_eq!(weekly.len(), 2 * 7 * 24);
        let n_bytes = pickle::encode(&model).unwrap().len();
        println!("{n_rows} rows: {n_bytes} bytes");
        assert!(n_bytes + AROUND <= 2_000, "{n_bytes}");
    }
}

/// Writes what is not there yet; what is there is never written again.
#[test]
#[ignore = "writes tests/golden/models/ after a change of format"]
fn write_the_models() {
    for &kind in DetectorKind::ALL {
        let model = fitted(kind);
        let plain = model.to_plain();
        let path = folder().join(name_of(&plain));
        if path.exists() {
            continue;
        }
        let golden = Plain::Dict(vec![
            ("lags".into(), Plain::Int(LAGS as i64)),
            ("values".into(), Plain::from_f64s(&values())),
            ("scores".into(), Plain::from_f64s(&scores(&model, &frame(&values(), LAGS)))),
            ("model".into(), plain),
        ]);
        fs::write(path, pickle::encode(&golden).unwrap()).unwrap();
    }
}

/// Keys and types all the way down; of a list its first item.
fn layout(plain: &Plain) -> String {
    match plain {
        Plain::None => "none".into(),
        Plain::Bool(_) => "bool".into(),
        Plain::Int(_) => "int".into(),
        Plain::Float(_) => "float".into(),
        Plain::Text(_) => "text".into(),
        Plain::Bytes(_) => "bytes".into(),
        Plain::List(items) => format!("[{}]", items.first().map(layout).unwrap_or_default()),
        Plain::Dict(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{key}: {}", layout(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}
