//! Damaged objects of every format: an error with a place or another value, never a panic.

use std::{collections::BTreeMap, sync::LazyLock};

use bytes::Bytes;
use image::DynamicImage;
use ndarray::array;
use polars::prelude::{Column, DataFrame};
use proptest::prelude::*;
use serde_json::json;
use sprs::CsMat;

use crate::{
    domain::Plain,
    io::{
        Allowance,
        codec::{Arrays, CodecError, Tensors, Value, built_in, decode, encode},
        parquet::Compression,
    },
};

/// A value of every format, by extension.
fn values() -> Vec<(&'static str, Value)> {
    let names: Vec<_> = (0..64).map(|n| format!("name {n}")).collect();
    let numbers: Vec<_> = (0..64).map(|n| (n != 7).then_some(f64::from(n) * 1.5)).collect();
    let columns = vec![Column::new("name".into(), names), Column::new("n".into(), numbers)];
    let frame = DataFrame::new_infer_height(columns).unwrap();
    let arrays = Arrays::from([
        ("a".to_owned(), array![[1.5, 2.5], [3.5, 4.5]].into()),
        ("b".to_owned(), array![1_i32, 2, 3].into()),
    ]);
    let json = json!({ "a": [1, 2.5, null, true], "b": { "c": "é", "d": {} } });
    let records = vec![json.as_object().unwrap().clone(); 3];
    let tensors = Tensors { tensors: arrays.clone(), notes: BTreeMap::new() };
    let matrix = CsMat::new((3, 4), vec![0, 2, 2, 3], vec![0, 3, 1], vec![1.5, 2.0, -1.0]);
    let mut image = image::RgbImage::new(9, 7);
    image.put_pixel(3, 3, image::Rgb([1, 2, 3]));
    let image = DynamicImage::ImageRgb8(image);
    let model = Plain::Dict(vec![("values".into(), Plain::from_f64s(&[1.0, 2.0]))]);
    vec![
        ("parquet", (&frame).into()),
        ("csv", (&frame).into()),
        ("arrow", (&frame).into()),
        ("json", json.clone().into()),
        ("jsonl", records.into()),
        ("yaml", json!({ "a": [1, 2.5, null], "b": { "c": "é" } }).into()),
        ("toml", json!({ "a": [1, 2], "b": { "c": "é" } }).into()),
        ("npy", array![[1.5, 2.5], [3.5, 4.5]].into()),
        ("npz", arrays.into()),
        ("sparse.npz", matrix.into()),
        ("safetensors", tensors.into()),
        ("png", (&image).into()),
        ("jpg", image.into()),
        ("pkl", model.into()),
        ("txt", "text é".into()),
    ]
}

/// A file of every format, by extension.
fn files() -> &'static [(&'static str, Bytes)] {
    static FILES: LazyLock<Vec<(&'static str, Bytes)>> = LazyLock::new(written);
    &FILES
}

fn written() -> Vec<(&'static str, Bytes)> {
    let codecs = built_in(Compression::Zstd).unwrap();
    let file = |(extension, value): (&'static str, Value)| {
        let codec = codecs.writer(extension, &value).unwrap();
        (extension, encode(&**codec, &value).unwrap())
    };
    values().into_iter().map(file).collect()
}

fn read(extension: &str, bytes: Bytes) -> Result<Value, CodecError> {
    let codecs = built_in(Compression::Zstd).unwrap();
    let allowance = Allowance::new(64 << 20);
    decode(&**codecs.reader(extension).unwrap(), bytes, &allowance)
}

/// Formats that any run of bytes, or any UTF-8 text, is a value of.
const TEXTS: [&str; 3] = ["txt", "csv", "yaml"];

#[test]
fn every_file_can_be_read_before_it_is_damaged() {
    for (extension, bytes) in files() {
        read(extension, bytes.clone()).unwrap();
    }
}

#[test]
fn an_empty_file_and_half_a_file_are_damage_with_a_place() {
    for (extension, bytes) in files() {
        for cut in [Bytes::new(), bytes.slice(..bytes.len() / 2), bytes.slice(..bytes.len() - 1)] {
            let n_bytes = cut.len();
            match read(extension, cut) {
                Err(CodecError::Damaged { place, source }) => {
                    assert!(!place.is_empty() && !source.to_string().is_empty(), "{extension}");
                }
                // A text says nothing of its end, nor does a line of JSON; an image's end is a few
                // bytes that nobody needs.
                Ok(_) if TEXTS.contains(extension) => (),
                Ok(_) if ["jsonl", "toml", "json"].contains(extension) => {
                    assert!(n_bytes == 0 || n_bytes + 1 == bytes.len(), "{extension} {n_bytes}");
                }
                Ok(_) if ["jpg", "png"].contains(extension) => assert!(0 < n_bytes),
                other => panic!("{extension} of {n_bytes} bytes: {other:?}"),
            }
        }
    }
}

#[test]
fn a_file_of_another_format_is_damage() {
    for (extension, _) in files() {
        for (other, bytes) in files() {
            let both = [*extension, *other];
            let is_readable = both[0] == both[1]
                || TEXTS.contains(extension)
                // A sparse matrix is an archive of arrays, one of them a text.
                || both == ["npz", "sparse.npz"]
                || *extension == "toml" && *other == "txt";
            let read = read(extension, bytes.clone());
            assert!(is_readable || read.is_err(), "{other} as {extension}: {read:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_bytes_give_an_answer_and_no_panic(
        which in 0..15_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (extension, bytes) = &files()[which];
        let mut bytes = bytes.to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Err(error @ CodecError::Panicked { .. }) = read(extension, bytes.into()) {
            // polars' own readers panic on some; that is caught.
            prop_assert!(["parquet", "arrow"].contains(extension), "{extension}: {error}");
        }
    }
}
