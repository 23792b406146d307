//! Artifacts against the same work done plainly: frames as Parquet against polars with a synced file,
//! and, for `peer.py` beside this file, an array of 40 MB as Zarr. Prints medians as Markdown.
//!
//!     cargo bench --bench io

use std::{
    fs::File,
    path::Path,
    time::{Duration, Instant},
};

use anomstack::{
    compute::Compute,
    io::{
        Key, Store,
        artifacts::Artifacts,
        codec::{Array, Dtype, Limits, built_in},
        parquet::Compression,
        zarr::{Chunks, Compressor, ZarrArray, ZarrOptions},
    },
};
use ndarray::Array2;
use polars::prelude::{
    Column, DataFrame, ParquetCompression, ParquetReader, ParquetWriter, SerReader,
};

const ROUNDS: usize = 7;
const ROWS: u32 = 1_000_000;

/// Numbers that neither repeat nor are all noise.
fn noise(n: u32) -> f64 {
    let mixed = n.wrapping_mul(2_654_435_761) >> 16;
    f64::from(n % 86_400) + f64::from(mixed) / 65_536.0
}

fn frame() -> anyhow::Result<DataFrame> {
    let times: Vec<i64> = (0..ROWS).map(|n| 1_770_000_000_000 + i64::from(n) * 60_000).collect();
    let names: Vec<String> = (0..ROWS).map(|n| format!("metric {}", n % 100)).collect();
    let values: Vec<f64> = (0..ROWS).map(noise).collect();
    let counts: Vec<i32> = (0..ROWS as i32).map(|n| n % 1_000).collect();
    let columns = vec![
        Column::new("at".into(), times),
        Column::new("metric".into(), names),
        Column::new("value".into(), values),
        Column::new("count".into(), counts),
    ];
    Ok(DataFrame::new_infer_height(columns)?)
}

fn plain_write(frame: &mut DataFrame, folder: &Path) -> anyhow::Result<()> {
    let (staged, place) = (folder.join("plain.new"), folder.join("plain.parquet"));
    let file = File::create(&staged)?;
    ParquetWriter::new(&file).with_compression(ParquetCompression::Zstd(None)).finish(frame)?;
    file.sync_all()?;
    std::fs::rename(&staged, &place)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn plain_read(folder: &Path) -> anyhow::Result<usize> {
    Ok(ParquetReader::new(File::open(folder.join("plain.parquet"))?).finish()?.height())
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1_000.0
}

fn row(what: &str, ours: &mut [Duration], plain: &mut [Duration]) {
    let (ours, plain) = (median(ours), median(plain));
    println!("| {what} | {ours:.0} | {plain:.0} | {:.2} |", ours / plain);
}

async fn frames(artifacts: &Artifacts, folder: &Path) -> anyhow::Result<()> {
    let mut frame = frame()?;
    let [mut w, mut r, mut plain_w, mut plain_r] = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        let start = Instant::now();
        artifacts.put("frame", &frame).await?;
        w.push(start.elapsed());
        let start = Instant::now();
        plain_write(&mut frame, folder)?;
        plain_w.push(start.elapsed());
        let start = Instant::now();
        let read: DataFrame = artifacts.get("frame").await?;
        r.push(start.elapsed());
        let start = Instant::now();
        anyhow::ensure!(read.height() == plain_read(folder)?);
        plain_r.push(start.elapsed());
    }
    println!("| frame of 1M × 4 | ours ms | polars ms | ratio |\n|---|--:|--:|--:|");
    row("write", &mut w, &mut plain_w);
    row("read", &mut r, &mut plain_r);
    Ok(())
}

/// 40 MB, as `peer.py` makes it.
fn items() -> Array {
    Array2::from_shape_fn((10_000, 1_000), |(row, column)| {
        noise((row * 1_000 + column) as u32) as f32
    })
    .into()
}

async fn arrays(artifacts: &Artifacts) -> anyhow::Result<()> {
    let (items, key) = (items(), Key::parse("array.zarr")?);
    let compute = artifacts.compute();
    println!("\n| 40 MB of float32 as Zarr | save ms | load ms |\n|---|--:|--:|");
    for (name, chunks) in [
        ("adaptive chunks", Chunks::default()),
        ("chunks of 1,000 × 1,000", Chunks::Fixed(vec![1_000, 1_000])),
    ] {
        let options = ZarrOptions { compressor: Compressor::Zstd(0), chunks, shard: None };
        let (mut save, mut load) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let kind = (Dtype::F32, [10_000, 1_000].as_slice());
            let made = ZarrArray::create(artifacts.store(), &key, kind, &options, compute).await?;
            made.write(&items).await?;
            save.push(start.elapsed());
            let start = Instant::now();
            let array = ZarrArray::open(artifacts.store(), &key, compute).await?;
            let read = array.with_limits(Limits::default()).read().await?;
            load.push(start.elapsed());
            anyhow::ensure!(read == items);
        }
        println!("| {name} | {:.0} | {:.0} |", median(&mut save), median(&mut load));
    }
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().tempdir_in(std::env::current_dir()?.join("target"))?;
    let store = Store::local(folder.path())?;
    let artifacts = Artifacts::new(store, built_in(Compression::Zstd)?, Compute::new(0)?);
    frames(&artifacts, folder.path()).await?;
    arrays(&artifacts).await
}
