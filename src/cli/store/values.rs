//! `anomstack store show | convert | scan`: objects as values, not as bytes.

use clap::Args;
use polars::prelude::col;
use serde_json::{Value as Json, json};

use crate::{
    compute::Compute,
    io::{
        Key, Stores,
        artifacts::{ArtifactError, Artifacts},
        codec::{Limits, Value, built_in},
        csv,
        parquet::Compression,
        zarr::{self, ZarrArray},
    },
};

use super::{
    super::{Global, Outcome},
    preview,
};

/// What `store show` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The object, with or without its extension
    key: String,
    /// How many rows, items or lines at most
    #[arg(long, default_value_t = 10)]
    rows: usize,
    #[command(flatten)]
    limits: Limit,
}

/// What `store convert` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Convert {
    /// The object to read
    from: String,
    /// Where to write it
    to: String,
    #[command(flatten)]
    limits: Limit,
}

/// What `store scan` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Scan {
    /// One object, or a pattern: folder/*.parquet, or folder/**/*.csv for the folders below too
    pattern: String,
    /// Only these columns
    #[arg(long, value_delimiter = ',')]
    columns: Vec<String>,
    /// Only the first rows
    #[arg(long)]
    rows: Option<u32>,
}

#[derive(Debug, Args)]
struct Limit {
    /// MiB that an object may decode to; without it 128, or 8 times its own size if that is more
    #[arg(long, value_name = "MIB")]
    limit: Option<u64>,
}

impl Limit {
    fn limits(&self) -> Limits {
        let usual = Limits::default();
        let decoded_bytes = self.limit.map(|mib| mib.saturating_mul(1 << 20));
        decoded_bytes.map_or(usual, |decoded_bytes| Limits { decoded_bytes, ratio: 1, ..usual })
    }
}

/// The values at an address, and the name of one.
fn artifacts(stores: &Stores, address: &str) -> anyhow::Result<(Artifacts, Key)> {
    let (store, key) = stores.object(address)?;
    Ok((Artifacts::new(store, built_in(Compression::Zstd)?, Compute::new(0)?), key))
}

pub(in crate::cli) async fn show(
    global: &Global,
    stores: &Stores,
    command: Show,
) -> anyhow::Result<Outcome> {
    let (artifacts, name) = artifacts(stores, &command.key)?;
    let artifacts = artifacts.with_limits(command.limits.limits());
    let key = artifacts.find(name.as_str()).await?;
    let (described, text) = if zarr::is_array(artifacts.store(), &key).await? {
        chunked(&artifacts, &key, command.rows as u64).await?
    } else {
        let value = match artifacts.get::<Value>(key.as_str()).await {
            // What has no known extension is shown as the bytes it is.
            Err(ArtifactError::UnknownFormat { .. }) => {
                Value::Bytes(artifacts.get(key.as_str()).await?)
            }
            value => value?,
        };
        (preview::described(&value), preview::text(&value, command.rows))
    };
    if global.json {
        let mut shown = json!({ "key": artifacts.store().address(&key) });
        if let (Json::Object(shown), Json::Object(described)) = (&mut shown, described) {
            shown.extend(described);
        }
        println!("{}", serde_json::to_string_pretty(&shown)?);
    } else {
        println!("{text}");
    }
    Ok(Outcome::Done)
}

/// The corner of an array in chunks: it may be larger than memory.
async fn chunked(artifacts: &Artifacts, key: &Key, n_items: u64) -> anyhow::Result<(Json, String)> {
    let array = ZarrArray::open(artifacts.store(), key, artifacts.compute()).await?;
    let corner: Vec<_> = array.shape().iter().map(|length| 0..n_items.min(*length)).collect();
    let items = array.read_region(&corner).await?;
    let (dtype, shape, chunk) = (array.dtype(), array.shape(), array.chunk_shape());
    let described = json!({
        "kind": "array", "dtype": dtype.name(), "shape": shape, "chunk": chunk,
        "notes": array.notes(),
    });
    let text = format!("array of {dtype} {shape:?} in chunks of {chunk:?}\n{}", items.preview());
    Ok((described, text))
}

pub(in crate::cli) async fn convert(stores: &Stores, command: Convert) -> anyhow::Result<Outcome> {
    let (source, from) = artifacts(stores, &command.from)?;
    let (target, to) = artifacts(stores, &command.to)?;
    let value: Value = source.with_limits(command.limits.limits()).get(from.as_str()).await?;
    let value = preview::fitted(value, target.codecs().split(to.as_str()).1);
    let written = target.put(to.as_str(), value).await?;
    eprintln!("wrote {}", target.store().address(&written));
    Ok(Outcome::Done)
}

pub(in crate::cli) async fn scan(stores: &Stores, command: Scan) -> anyhow::Result<Outcome> {
    let (store, pattern) = stores.folder(&command.pattern)?;
    let artifacts = Artifacts::new(store, built_in(Compression::Zstd)?, Compute::new(0)?);
    let mut frame = artifacts.scan(&pattern).await?;
    if !command.columns.is_empty() {
        frame = frame.select(command.columns.iter().map(col).collect::<Vec<_>>());
    }
    if let Some(n_rows) = command.rows {
        frame = frame.limit(n_rows);
    }
    let rows = artifacts.compute().run(move || {
        let mut frame = frame.collect()?;
        csv::encode(&mut frame)
    });
    let rows = rows.await??;
    std::io::Write::write_all(&mut std::io::stdout().lock(), &rows)?;
    Ok(Outcome::Done)
}
