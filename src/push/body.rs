//! A body into frames: unpacked within a limit, then read as what its content type says.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use polars::prelude::DataFrame;

use super::{Letter, Refusal, malformed, remote_write, shape};
use crate::{
    domain::{BatchName, WebFormat},
    sources::{SeriesNames, SourceError, rows_of},
};

/// Observations of one body; more have to come in several.
pub(super) const MAX_ROWS: usize = 1_000_000;
/// How the framed form of Snappy begins.
const SNAPPY_FRAMES: &[u8] = b"\xff\x06\x00\x00sNaPpY";
/// The largest window a Zstandard body may ask for: 32 MiB.
const ZSTD_WINDOW_LOG: u32 = 25;
/// What deflate makes of one byte at most.
const GZIP_RATIO: usize = 1_032;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    Identity,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
    /// Snappy, as a block or in frames.
    Snappy,
}

impl Coding {
    /// Reads a `Content-Encoding`; `None` for one that is not known.
    pub fn of(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            "snappy" => Some(Self::Snappy),
            _ => None,
        }
    }
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Rows as any source gives them.
    Rows(WebFormat),
    /// Prometheus remote write, version 1.
    RemoteWrite,
}

impl Form {
    /// Reads the `Content-Type` of rows; `None` for one that is not known.
    pub fn of_rows(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/json" => Some(Self::Rows(WebFormat::Json)),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
                Some(Self::Rows(WebFormat::Ndjson))
            }
            "text/csv" | "text/tab-separated-values" => Some(Self::Rows(WebFormat::Csv)),
            _ => None,
        }
    }
}

/// What a body has to keep to.
pub(super) struct Limits<'a> {
    /// Most bytes once it is unpacked.
    pub(super) max_bytes: usize,
    /// The template of series' names.
    pub(super) naming: Option<&'a str>,
    /// Whose rows.
    pub(super) batch: &'a BatchName,
}

/// The most bytes the body can come to, known before anything is unpacked.
pub(super) fn unpacked_at_most(letter: &Letter, max_bytes: usize) -> Result<usize, Refusal> {
    let n_bytes = match letter.coding {
        Coding::Identity => letter.body.len(),
        Coding::Gzip => letter.body.len().saturating_mul(GZIP_RATIO).min(max_bytes),
        Coding::Zstd => max_bytes,
        Coding::Snappy if letter.body.starts_with(SNAPPY_FRAMES) => max_bytes,
        Coding::Snappy => snap::raw::decompress_len(&letter.body).map_err(|e| damaged(&e))?,
    };
    if max_bytes < n_bytes { Err(too_large(max_bytes)) } else { Ok(n_bytes) }
}

/// The body's rows.
pub(super) fn read(letter: Letter, limits: &Limits<'_>) -> Result<DataFrame, Refusal> {
    let form = letter.form;
    let bytes = unpack(letter, limits.max_bytes)?;
    match form {
        Form::Rows(format) => {
            let max_cells = shape::max_cells(limits.max_bytes);
            if max_cells < shape::cells_at_most(format, &bytes) {
                let message = "the body's rows times columns come to more than";
                return Err(Refusal::TooLarge(format!(
                    "{message} {max_cells} cells; send several"
                )));
            }
            rows_of(format, &bytes, "the body", MAX_ROWS).map_err(|e| refused(&e))
        }
        Form::RemoteWrite => {
            let names = SeriesNames::new(limits.naming, limits.batch);
            let names = names.map_err(|error| malformed(&error))?;
            remote_write::read(&bytes, &names, MAX_ROWS)
        }
    }
}

fn refused(error: &SourceError) -> Refusal {
    match error {
        SourceError::TooManyRows { max_rows } => {
            Refusal::TooLarge(format!("a body may hold {max_rows} rows; send several"))
        }
        other => malformed(other),
    }
}

fn unpack(letter: Letter, max_bytes: usize) -> Result<Bytes, Refusal> {
    unpacked_at_most(&letter, max_bytes)?;
    let packed = letter.body;
    match letter.coding {
        Coding::Identity => Ok(packed),
        Coding::Gzip => limited(MultiGzDecoder::new(packed.as_ref()), max_bytes),
        Coding::Zstd => {
            let mut decoder =
                zstd::Decoder::with_buffer(packed.as_ref()).map_err(|e| damaged(&e))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|e| damaged(&e))?;
            limited(decoder, max_bytes)
        }
        Coding::Snappy if packed.starts_with(SNAPPY_FRAMES) => {
            limited(snap::read::FrameDecoder::new(packed.as_ref()), max_bytes)
        }
        Coding::Snappy => {
            let unpacked = snap::raw::Decoder::new().decompress_vec(&packed);
            unpacked.map(Bytes::from).map_err(|error| damaged(&error))
        }
    }
}

fn limited(decoder: impl Read, max_bytes: usize) -> Result<Bytes, Refusal> {
    let mut unpacked = Vec::new();
    let most = (max_bytes as u64).saturating_add(1);
    decoder.take(most).read_to_end(&mut unpacked).map_err(|error| damaged(&error))?;
    if max_bytes < unpacked.len() { Err(too_large(max_bytes)) } else { Ok(unpacked.into()) }
}

fn damaged(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::Malformed(format!("unpack the body: {error}"))
}

fn too_large(max_bytes: usize) -> Refusal {
    Refusal::TooLarge(format!("a body may have {max_bytes} bytes once unpacked (`max_body`)"))
}
