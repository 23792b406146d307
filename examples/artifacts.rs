//! Values of many types put into a store and got back by name:
//! `cargo run --example artifacts -- FOLDER`.

use anomstack::{
    compute::Compute,
    domain::Plain,
    io::{
        Store,
        artifacts::Artifacts,
        codec::{Arrays, Tensors, built_in},
        parquet::Compression,
        zarr::{Chunks, Compressor, ZarrArray, ZarrOptions},
    },
};
use ndarray::{Array2, array};
use polars::prelude::{Column, DataFrame, col, lit};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sprs::CsMat;

/// A record of a type of one's own.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    threshold: f64,
    tags: Vec<String>,
}

fn frame() -> anyhow::Result<DataFrame> {
    let names = Column::new("name".into(), ["a", "é", "c"]);
    let values = Column::new("value".into(), [Some(1.5), None, Some(-0.25)]);
    let counts = Column::new("count".into(), [1_i64, 2, 3]);
    Ok(DataFrame::new_infer_height(vec![names, values, counts])?)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "anomstack-artifacts".into());
    let store = Store::local(folder.as_ref())?;
    let artifacts = Artifacts::new(store, built_in(Compression::Zstd)?, Compute::new(0)?);

    // The type says the format.
    artifacts.put("frame", &frame()?).await?;
    artifacts.put("text", "lines\nof text é\n").await?;
    artifacts.put("value", json!({ "a": [1, 2.5, null], "b": { "c": "é" } })).await?;
    artifacts.put("matrix", array![[1.5, 2.5, 3.5], [4.5, 5.5, 6.5]]).await?;
    let arrays = Arrays::from([
        ("floats".to_owned(), array![1.5_f32, -2.5].into()),
        ("flags".to_owned(), array![true, false].into()),
        ("counts".to_owned(), array![[1_i64], [2]].into()),
    ]);
    artifacts.put("arrays", &arrays).await?;
    let notes = [("made by".to_owned(), "an example".to_owned())].into();
    artifacts.put("tensors", Tensors { tensors: arrays, notes }).await?;
    let sparse = CsMat::new((3, 4), vec![0, 2, 2, 3], vec![0, 3, 1], vec![1.5, 2.0, -1.0]);
    artifacts.put("sparse", &sparse).await?;
    let pixels = image::RgbImage::from_fn(4, 3, |x, y| image::Rgb([x as u8, y as u8, 200]));
    artifacts.put("image", image::DynamicImage::from(pixels)).await?;
    let weights = Plain::from_f64s(&[0.5, 1.5]);
    artifacts.put("model", Plain::Dict(vec![("weights".into(), weights)])).await?;

    // An extension says it too.
    artifacts.put("table.csv", &frame()?).await?;
    artifacts.put("table.arrow", &frame()?).await?;
    let settings = Settings { threshold: 0.9, tags: vec!["a: b".into(), "no".into()] };
    for name in ["settings.json", "settings.yaml", "settings.toml"] {
        artifacts.put_record(name, &settings).await?;
        assert_eq!(artifacts.get_record::<Settings>(name).await?, settings);
    }
    let records = json!([{ "n": 1, "name": "a" }, { "n": 2, "name": null }]);
    let records = serde_json::from_value::<Vec<serde_json::Map<_, _>>>(records)?;
    artifacts.put("records", records).await?;

    // Large arrays lie in chunks, which are read and written in parallel.
    for (name, compressor, shard) in [
        ("plain", Compressor::Off, None),
        ("zstd", Compressor::Zstd(3), None),
        ("lz4", Compressor::Lz4(5), None),
        ("gzip", Compressor::Gzip(5), None),
        ("sharded", Compressor::Zstd(3), Some(vec![2, 2])),
    ] {
        let options = ZarrOptions { compressor, chunks: Chunks::Fixed(vec![16, 32]), shard };
        let key = anomstack::io::Key::parse(&format!("chunked/{name}.zarr"))?;
        let items = Array2::from_shape_fn((100, 90), |(row, column)| (row * 90 + column) as f32);
        let kind = (anomstack::io::codec::Dtype::F32, [100, 90].as_slice());
        let array =
            ZarrArray::create(artifacts.store(), &key, kind, &options, artifacts.compute()).await?;
        array.write(&items.into()).await?;
        println!("{}", array.read_region(&[1..3, 88..90]).await?.preview());
    }

    // Back by name, without the extension, as a type.
    let matrix: Array2<f64> = artifacts.get("matrix").await?;
    println!("{matrix}");
    // Only the rows that are asked for are decoded.
    let rows = artifacts.scan("*.parquet").await?.filter(col("count").gt(lit(1)));
    println!("{}", artifacts.compute().run(move || rows.collect()).await??);
    Ok(())
}
