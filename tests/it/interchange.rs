//! Files of every format, exchanged with the Python libraries that people have: theirs are read here
//! and ours there, with equal values. `ANOMSTACK_TEST_INTERCHANGE_PYTHON` names a Python with them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anomstack::{
    compute::Compute,
    domain::Plain,
    io::{
        Key, Store,
        artifacts::{ArtifactError, Artifacts},
        codec::{Array, Arrays, Dtype, Record, Tensors, Value, built_in},
        parquet::Compression,
        zarr::{Chunks, Compressor, ZarrArray, ZarrOptions},
    },
};
use image::{DynamicImage, RgbImage};
use ndarray::{Array2, array};
use polars::prelude::{Column, DataFrame};
use serde_json::{Value as Json, json};
use sprs::CsMat;
use tempfile::TempDir;

/// A Python with the libraries, if there is one.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("ANOMSTACK_TEST_INTERCHANGE_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!("ANOMSTACK_TEST_INTERCHANGE_PYTHON is not set: nothing is exchanged");
    }
    python
}

fn libraries(python: &Path, what: &str, folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interchange/libraries.py");
    let run = Command::new(python).arg(script).arg(what).arg(folder).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

fn artifacts(folder: &Path) -> Artifacts {
    let codecs = built_in(Compression::Zstd).unwrap();
    Artifacts::new(Store::local(folder).unwrap(), codecs, Compute::new(2).unwrap())
}

fn frame() -> DataFrame {
    let names = Column::new("name".into(), ["a", "é", "c"]);
    let values = Column::new("value".into(), [Some(1.5), None, Some(-0.25)]);
    let counts = Column::new("count".into(), [1_i64, 2, 3]);
    DataFrame::new_infer_height(vec![names, values, counts]).unwrap()
}

fn matrix() -> Array2<f64> {
    array![[1.5, 2.5, 3.5], [4.5, 5.5, 6.5]]
}

fn arrays() -> Arrays {
    Arrays::from([
        ("floats".to_owned(), array![1.5_f32, -2.5].into()),
        ("flags".to_owned(), array![true, false].into()),
        ("counts".to_owned(), array![[1_i64], [2]].into()),
    ])
}

fn sparse() -> CsMat<f64> {
    CsMat::new((3, 4), vec![0, 2, 2, 3], vec![0, 3, 1], vec![1.5, 2.0, -1.0])
}

fn chunked() -> Array {
    Array2::from_shape_fn((100, 90), |(row, column)| (row * 90 + column) as f32).into()
}

fn image() -> DynamicImage {
    RgbImage::from_fn(4, 3, |x, y| image::Rgb([x as u8, y as u8, 200])).into()
}

fn value() -> Json {
    json!({ "a": [1, 2.5, null], "b": { "c": "é", "no": "no" } })
}

fn tree(with_bytes: bool) -> Plain {
    let text = |text: &str| Plain::Text(text.into());
    let mut entries = vec![
        ("weights".to_owned(), Plain::List(vec![Plain::Float(0.5), Plain::Float(1.5)])),
        ("name".to_owned(), text("é")),
    ];
    if with_bytes {
        entries.push(("raw".to_owned(), Plain::Bytes(vec![0, 0xff])));
    }
    entries.push(("none".to_owned(), Plain::None));
    let numbers = Plain::List(vec![Plain::Int(1), Plain::Int(-(1 << 40))]);
    entries.push(("deep".to_owned(), Plain::Dict(vec![("n".to_owned(), numbers)])));
    Plain::Dict(entries)
}

/// An array of 0, 1, 1 of each type, by the name numpy has for the type.
fn of_each_type() -> [(&'static str, Array); 11] {
    [
        ("b1", array![false, true, true].into()),
        ("i1", array![0_i8, 1, 1].into()),
        ("i2", array![0_i16, 1, 1].into()),
        ("i4", array![0_i32, 1, 1].into()),
        ("i8", array![0_i64, 1, 1].into()),
        ("u1", array![0_u8, 1, 1].into()),
        ("u2", array![0_u16, 1, 1].into()),
        ("u4", array![0_u32, 1, 1].into()),
        ("u8", array![0_u64, 1, 1].into()),
        ("f4", array![0_f32, 1.0, 1.0].into()),
        ("f8", array![0_f64, 1.0, 1.0].into()),
    ]
}

#[tokio::test]
async fn what_the_libraries_write_is_read_with_equal_values() {
    let Some(python) = python() else { return };
    let folder = TempDir::new().unwrap();
    libraries(&python, "write", folder.path());
    let theirs = artifacts(folder.path());
    for name in [
        "pyarrow.parquet",
        "pages2.parquet",
        "polars.parquet",
        "polars.csv",
        "file.arrow",
        "stream.arrow",
        "polars.ipc",
    ] {
        let read: DataFrame = theirs.get(name).await.unwrap();
        assert!(read.equals_missing(&frame()), "{name}\n{read}");
    }
    for name in ["matrix", "fortran", "big"] {
        assert_eq!(theirs.get::<Array2<f64>>(name).await.unwrap(), matrix(), "{name}");
    }
    for (name, expected) in of_each_type() {
        assert_eq!(theirs.get::<Array>(&format!("type_{name}")).await.unwrap(), expected);
    }
    let objects = theirs.get::<Array>("objects").await.unwrap_err();
    assert!(matches!(objects, ArtifactError::Decode { .. }), "{objects}");
    for name in ["stored", "packed"] {
        assert_eq!(theirs.get::<Arrays>(name).await.unwrap(), arrays(), "{name}");
    }
    for name in ["csr", "csc", "coo"] {
        let read: CsMat<f64> = theirs.get(name).await.unwrap();
        assert_eq!(read.to_csr(), sparse(), "{name}");
    }
    let tensors: Tensors = theirs.get("tensors").await.unwrap();
    assert_eq!((tensors.tensors, &*tensors.notes["by"]), (arrays(), "python"));
    assert_eq!(theirs.get::<DynamicImage>("color").await.unwrap(), image());
    let grey = theirs.get::<DynamicImage>("grey").await.unwrap().to_luma8().into_raw();
    assert_eq!(grey, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    assert_eq!(theirs.get::<DynamicImage>("photo").await.unwrap().width(), 4);
    for protocol in 2..=4 {
        let read: Plain = theirs.get(&format!("tree{protocol}")).await.unwrap();
        assert_eq!(read, tree(2 < protocol), "{protocol}");
    }
    let malicious = theirs.get::<Plain>("malicious").await.unwrap_err();
    assert!(matches!(malicious, ArtifactError::Decode { .. }), "{malicious}");
    assert!(!folder.path().join("it-ran").exists());
    assert_eq!(theirs.get::<Json>("tree.yaml").await.unwrap(), value());
    for name in
        ["zstd", "lz4", "gzip", "plain", "sharded", "v2_blosc", "v2_zlib", "v2_zstd2", "v2_fortran"]
    {
        assert_eq!(theirs.get::<Array>(name).await.unwrap(), chunked(), "{name}");
    }
    #[cfg(feature = "hdf5")]
    assert_eq!(theirs.get::<Arrays>("theirs").await.unwrap(), arrays());
    let big = ndarray::Array1::from_iter(0..90_i32).into();
    assert_eq!(theirs.get::<Array>("v2_big").await.unwrap(), big);
}

#[tokio::test]
async fn what_is_written_here_is_read_by_the_libraries_with_equal_values() {
    let Some(python) = python() else { return };
    let folder = TempDir::new().unwrap();
    let ours = artifacts(folder.path());
    let records: Vec<Record> =
        serde_json::from_value(json!([{ "n": 1, "name": "a" }, { "n": 2, "name": null }])).unwrap();
    let notes = [("by".to_owned(), "rust".to_owned())].into();
    let values: [(&str, Value); 17] = [
        ("frame", frame().into()),
        ("table.csv", frame().into()),
        ("table.arrow", frame().into()),
        ("matrix", matrix().into()),
        ("single", ndarray::arr0(7_i64).into()),
        ("arrays", arrays().into()),
        ("csr", sparse().into()),
        ("csc", sparse().to_csc().into()),
        ("tensors", Tensors { tensors: arrays(), notes }.into()),
        ("image", image().into()),
        ("image.jpg", image().into()),
        ("model", tree(true).into()),
        ("value", value().into()),
        ("value.yaml", value().into()),
        ("value.toml", json!({ "a": 1 }).into()),
        ("records", records.into()),
        ("adaptive.zarr", chunked().into()),
    ];
    for (name, value) in values {
        ours.put(name, value).await.unwrap();
    }
    #[cfg(feature = "hdf5")]
    ours.put("ours.h5", arrays()).await.unwrap();
    for (name, array) in of_each_type() {
        ours.put(&format!("type_{name}"), array).await.unwrap();
    }
    for (name, compressor, shard) in [
        ("plain", Compressor::Off, None),
        ("zstd", Compressor::Zstd(3), None),
        ("lz4", Compressor::Lz4(5), None),
        ("gzip", Compressor::Gzip(5), None),
        ("sharded", Compressor::Zstd(3), Some(vec![2, 2])),
    ] {
        let options = ZarrOptions { compressor, chunks: Chunks::Fixed(vec![16, 32]), shard };
        let key = Key::parse(&format!("{name}.zarr")).unwrap();
        let kind = (Dtype::F32, [100, 90].as_slice());
        let made = ZarrArray::create(ours.store(), &key, kind, &options, ours.compute()).await;
        made.unwrap().write(&chunked()).await.unwrap();
    }
    libraries(&python, "check", folder.path());
}
