//! How an array is laid out, and the metadata object that says so.

use serde_json::{Value as Json, json};
use zarrs::array::{DataType, data_type};

use super::Chunks;
use crate::io::codec::Dtype;

/// How chunks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compressor {
    /// Not at all.
    Off,
    /// Zstandard, level -7 to 22.
    Zstd(i32),
    /// LZ4 in a Blosc container, with bytes shuffled, level 0 to 9.
    Lz4(u8),
    /// Gzip, level 0 to 9.
    Gzip(u8),
}

/// How an array is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZarrOptions {
    /// How chunks are compressed.
    pub compressor: Compressor,
    /// How the array is cut.
    pub chunks: Chunks,
    /// How many chunks along each axis make one object; without it, each is an object.
    pub shard: Option<Vec<u64>>,
}

impl Default for ZarrOptions {
    fn default() -> Self {
        Self { compressor: Compressor::Zstd(3), chunks: Chunks::default(), shard: None }
    }
}

/// The type as the library knows it.
pub(super) fn stored(dtype: Dtype) -> DataType {
    match dtype {
        Dtype::Bool => data_type::bool(),
        Dtype::I8 => data_type::int8(),
        Dtype::I16 => data_type::int16(),
        Dtype::I32 => data_type::int32(),
        Dtype::I64 => data_type::int64(),
        Dtype::U8 => data_type::uint8(),
        Dtype::U16 => data_type::uint16(),
        Dtype::U32 => data_type::uint32(),
        Dtype::U64 => data_type::uint64(),
        Dtype::F32 => data_type::float32(),
        Dtype::F64 => data_type::float64(),
    }
}

/// The array as its metadata object describes it.
pub(super) fn metadata(dtype: Dtype, shape: &[u64], options: &ZarrOptions) -> Result<Json, String> {
    let item_bytes = dtype.n_bytes() as u64;
    let chunk = options.chunks.shape(shape, item_bytes);
    let chunk = chunk.ok_or_else(|| format!("{:?} does not fit {shape:?}", options.chunks))?;
    let mut codecs = vec![json!({ "name": "bytes", "configuration": { "endian": "little" } })];
    codecs.extend(compressor(options.compressor, dtype));
    let (object, codecs) = match &options.shard {
        None => (chunk, codecs),
        Some(n_chunks) => {
            if n_chunks.len() != shape.len() || n_chunks.contains(&0) {
                return Err(format!("a shard of {n_chunks:?} chunks does not fit {shape:?}"));
            }
            let index = [
                json!({ "name": "bytes", "configuration": { "endian": "little" } }),
                json!({ "name": "crc32c" }),
            ];
            let shard = chunk.iter().zip(n_chunks).map(|(length, n)| length.saturating_mul(*n));
            let sharding = json!({
                "name": "sharding_indexed",
                "configuration": {
                    "chunk_shape": chunk, "codecs": codecs, "index_codecs": index,
                    "index_location": "end",
                },
            });
            (shard.collect(), vec![sharding])
        }
    };
    let fill = if dtype == Dtype::Bool { json!(false) } else { json!(0) };
    Ok(json!({
        "zarr_format": 3, "node_type": "array", "shape": shape, "data_type": dtype.name(),
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": object } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "/" } },
        "fill_value": fill, "codecs": codecs, "attributes": {},
    }))
}

fn compressor(compressor: Compressor, dtype: Dtype) -> Option<Json> {
    let (name, configuration) = match compressor {
        Compressor::Off => return None,
        Compressor::Zstd(level) => ("zstd", json!({ "level": level, "checksum": false })),
        Compressor::Gzip(level) => ("gzip", json!({ "level": level })),
        Compressor::Lz4(level) => {
            let shuffle = if dtype.n_bytes() == 1 { "noshuffle" } else { "shuffle" };
            let configuration = json!({
                "cname": "lz4", "clevel": level, "shuffle": shuffle,
                "typesize": dtype.n_bytes(), "blocksize": 0,
            });
            ("blosc", configuration)
        }
    };
    Some(json!({ "name": name, "configuration": configuration }))
}
