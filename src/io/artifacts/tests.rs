//! Values of every type put and got by name.

use std::collections::BTreeMap;

use bytes::Bytes;
use image::DynamicImage;
use ndarray::{Array2, array};
use polars::prelude::{Column, DataFrame, IntoLazy, LazyFrame};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sprs::CsMat;

use super::*;
use crate::{
    domain::Plain,
    io::{
        codec::{Arrays, Record, Tensors, built_in},
        parquet::Compression,
    },
};

pub(crate) fn artifacts() -> Artifacts {
    let codecs = built_in(Compression::Zstd).unwrap();
    Artifacts::new(Store::memory(), codecs, Compute::new(1).unwrap())
}

pub(crate) fn frame() -> DataFrame {
    let columns = vec![
        Column::new("name".into(), ["a", "é", ""]),
        Column::new("value".into(), [Some(1.5), None, Some(-0.25)]),
        Column::new("n".into(), [1_i64, 2, 3]),
    ];
    DataFrame::new_infer_height(columns).unwrap()
}

fn record() -> Record {
    serde_json::from_value(json!({ "a": 1, "b": [1.5, null] })).unwrap()
}

/// Puts a value under a name, and gets it back both without and with its extension.
async fn check<T>(value: T, name: &str, expected_key: &str)
where
    T: FromValue + Clone + PartialEq + std::fmt::Debug,
    Value: From<T>,
{
    let artifacts = artifacts();
    let key = artifacts.put(name, value.clone()).await.unwrap();
    assert_eq!(key.as_str(), expected_key);
    let stem = artifacts.codecs().split(expected_key).0.trim_end_matches(".zarr");
    for name in [stem, expected_key] {
        assert_eq!(artifacts.get::<T>(name).await.unwrap(), value, "{name}");
    }
    assert!(artifacts.exists(stem).await.unwrap());
}

#[tokio::test]
async fn every_type_gets_its_own_extension_and_comes_back_without_it() {
    check(frame(), "a/frame", "a/frame.parquet").await;
    check(json!({ "b": 1, "a": ["é", null, 1.5] }), "x", "x.json").await;
    check(vec![record(), Record::new()], "x", "x.jsonl").await;
    check(Vec::<Record>::new(), "none", "none.jsonl").await;
    check("text\nof lines".to_owned(), "x", "x.txt").await;
    check(array![[1.5_f32, -0.0], [f32::MAX, 2.0]], "x", "x.npy").await;
    check(array![i64::MIN, 0, i64::MAX], "orders.total", "orders.total.npy").await;
    check(array![[1.5, 2.0], [f64::NEG_INFINITY, 0.0]], "x.zarr", "x.zarr").await;
    let arrays = Arrays::from([
        ("a".to_owned(), array![true, false].into()),
        ("b c".to_owned(), array![[1_u8], [2]].into()),
    ]);
    check(arrays.clone(), "x", "x.npz").await;
    let notes = BTreeMap::from([("by".to_owned(), "me".to_owned())]);
    check(Tensors { tensors: arrays, notes }, "x", "x.safetensors").await;
    let rows = CsMat::new((3, 4), vec![0, 2, 2, 3], vec![0, 3, 1], vec![1.5, 2.0, -1.0]);
    check(rows.to_csc(), "x", "x.sparse.npz").await;
    check(rows, "x", "x.sparse.npz").await;
    check(DynamicImage::new_rgb8(3, 2), "x", "x.png").await;
    check(Plain::from_f64s(&[1.5, f64::INFINITY]), "m", "m.pkl").await;
    check(Bytes::from_static(b"\0\xff"), "x", "x.bin").await;
}

#[tokio::test]
async fn an_extension_is_the_format_in_any_case() {
    for name in ["f.parquet", "f.csv", "f.ipc", "f.arrow", "F.PARQUET"] {
        let artifacts = artifacts();
        assert_eq!(artifacts.put(name, &frame()).await.unwrap().as_str(), name);
        let read: DataFrame = artifacts.get(name).await.unwrap();
        if name == "f.csv" {
            // CSV tells an empty text and a missing one apart no more.
            assert_eq!(read.column("n").unwrap(), frame().column("n").unwrap());
        } else {
            assert!(read.equals_missing(&frame()), "{name}\n{read}");
        }
    }
    for name in ["t.txt", "t.md", "t.html", "t.sql"] {
        check("SELECT 'é';".to_owned(), name, name).await;
    }
    for name in ["x.bin", "anything.else", "raw.dat"] {
        let artifacts = artifacts();
        artifacts.put(name, Bytes::from_static(b"1")).await.unwrap();
        assert_eq!(artifacts.get::<Bytes>(name).await.unwrap().as_ref(), b"1");
    }
    check(json!({ "a": { "b": [1, 2.5] } }), "x.yml", "x.yml").await;
    check(json!({ "a": { "b": [1, 2.5] } }), "x.toml", "x.toml").await;
    let lossy = artifacts();
    lossy.put("p.jpg", DynamicImage::new_rgb8(8, 8)).await.unwrap();
    assert_eq!(lossy.get::<DynamicImage>("p").await.unwrap().width(), 8);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    threshold: f64,
    limit: Option<u64>,
    tags: BTreeMap<String, String>,
}

#[tokio::test]
async fn a_record_of_any_type_is_json_yaml_or_toml() {
    let tags = BTreeMap::from([("a: b".to_owned(), "no".to_owned())]);
    let settings = Settings { threshold: 0.1, limit: Some(7), tags };
    for (name, key) in [
        ("s", "s.json"),
        ("s.json", "s.json"),
        ("s.yaml", "s.yaml"),
        ("s.yml", "s.yml"),
        ("s.toml", "s.toml"),
    ] {
        let artifacts = artifacts();
        assert_eq!(artifacts.put_record(name, &settings).await.unwrap().as_str(), key);
        assert_eq!(artifacts.get_record::<Settings>("s").await.unwrap(), settings);
    }
    let artifacts = artifacts();
    artifacts.put_record("nan.yaml", &f64::NAN).await.unwrap();
    assert!(artifacts.get_record::<f64>("nan").await.unwrap().is_nan());
    artifacts.put("s.json", &json!({ "threshold": 1 })).await.unwrap();
    let error = artifacts.get_record::<Settings>("s").await.unwrap_err();
    let ArtifactError::Decode { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(error.to_string(), "read `s.json` as json");
    assert!(source.to_string().contains("line 3"), "{source}");
    let error = artifacts.put_record("s.npy", &settings).await.unwrap_err();
    let expected = "a record is not written as `.npy` (`s.npy`); \
        it can be `.json`, `.yaml`, `.yml`, `.toml`";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_name_of_several_objects_is_an_error_that_names_them() {
    let artifacts = artifacts();
    artifacts.put("a/x", &frame()).await.unwrap();
    artifacts.put("a/x", "text").await.unwrap();
    artifacts.put("a/xy", "another").await.unwrap();
    artifacts.put("a/x/x", "below").await.unwrap();
    let error = artifacts.get::<String>("a/x").await.unwrap_err();
    let expected = "`a/x` may be any of `a/x.parquet`, `a/x.txt`; give the extension";
    assert_eq!(error.to_string(), expected);
    assert_eq!(artifacts.get::<String>("a/x.txt").await.unwrap(), "text");
    let missing = artifacts.get::<String>("a/z").await.unwrap_err();
    assert_eq!(missing.to_string(), "no object at `a/z`");
    assert!(!artifacts.exists("a/x.csv").await.unwrap());
}

#[tokio::test]
async fn a_value_under_another_types_extension_and_a_wrong_type_are_errors() {
    let artifacts = artifacts();
    let error = artifacts.put("x.png", &frame()).await.unwrap_err();
    let expected = "a frame is not written as `.png` (`x.png`); \
        it can be `.parquet`, `.csv`, `.arrow`, `.ipc`";
    assert_eq!(error.to_string(), expected);
    assert!(artifacts.store().keys("").await.unwrap().is_empty());
    artifacts.put("x", array![1.0, 2.0]).await.unwrap();
    let error = artifacts.get::<Array2<f64>>("x").await.unwrap_err();
    assert!(error.to_string().starts_with("`x.npy` holds a array of float64 in [2], not a"));
    let error = artifacts.get::<DataFrame>("x").await.unwrap_err();
    assert!(matches!(error, ArtifactError::WrongType { .. }), "{error}");
    let error = artifacts.put("x.zarr", "text").await.unwrap_err();
    assert!(matches!(error, ArtifactError::Mismatch { extension: "zarr", .. }), "{error}");
    let error = artifacts.put("x", Value::other(1_u8)).await.unwrap_err();
    assert_eq!(error.to_string(), "no format is known for a u8");
}

#[tokio::test]
async fn several_objects_are_scanned_as_one_lazy_frame() {
    let folder = tempfile::tempdir().unwrap();
    let codecs = || built_in(Compression::Off).unwrap();
    let disk =
        Artifacts::new(Store::local(folder.path()).unwrap(), codecs(), Compute::new(1).unwrap());
    for artifacts in [disk, artifacts()] {
        for name in ["d/1", "d/2", "d/e/3"] {
            artifacts.put(&format!("{name}.parquet"), &frame()).await.unwrap();
            artifacts.put(&format!("{name}.csv"), frame().lazy()).await.unwrap();
        }
        for (pattern, n_rows) in [
            ("d/*.parquet", 6),
            ("d/**/*.parquet", 9),
            ("d/1.parquet", 3),
            ("d/*.csv", 6),
            ("d/{1,2}.csv", 6),
        ] {
            let frame: LazyFrame = artifacts.scan(pattern).await.unwrap();
            let collected = artifacts.compute.run(move || frame.collect()).await.unwrap();
            assert_eq!(collected.unwrap().height(), n_rows, "{pattern}");
        }
        for pattern in ["d/*", "nothing/*.parquet"] {
            let error = artifacts.scan(pattern).await.err().unwrap();
            assert!(matches!(error, ArtifactError::Scan { .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn an_object_over_the_limit_is_not_read() {
    let artifacts = artifacts();
    artifacts.put("x", "0123456789").await.unwrap();
    let limits = Limits { object_bytes: 9, ..Limits::default() };
    let error = artifacts.with_limits(limits).get::<String>("x").await.unwrap_err();
    assert_eq!(error.to_string(), "`x.txt` has 10 bytes; at most 9 are read whole");
}
