//! Frames: Parquet, CSV and Arrow.

use bytes::Bytes;
use polars::prelude::DataFrame;

use super::{Codec, CodecError, Value};
use crate::io::{
    Allowance, claims, csv,
    ipc::{self, IpcError},
    parquet::{self, Compression},
};

/// Frames as Parquet.
#[derive(Debug, Clone, Copy)]
pub struct ParquetCodec(
    /// Whether what is written is compressed.
    pub Compression,
);

impl Codec for ParquetCodec {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["parquet"]
    }

    fn priority(&self) -> i32 {
        10
    }

    fn can_write(&self, value: &Value) -> bool {
        is_frame(value)
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        parquet::encode(&mut frame(value)?, self.0).map_err(CodecError::encode)
    }

    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
        claims::parquet::check(&bytes, allowance)?;
        let frame = parquet::decode(bytes);
        frame.map(Value::Frame).map_err(|error| CodecError::damaged("a column", error))
    }
}

/// Frames as CSV.
#[derive(Debug, Clone, Copy)]
pub struct CsvCodec;

impl Codec for CsvCodec {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["csv"]
    }

    fn priority(&self) -> i32 {
        5
    }

    fn can_write(&self, value: &Value) -> bool {
        is_frame(value)
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        csv::encode(&mut frame(value)?).map_err(CodecError::encode)
    }

    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
        let spent = allowance.spend(csv::room(&bytes));
        spent.map_err(|error| CodecError::read("the end", error))?;
        super::record::text_of(&bytes)?;
        let frame = csv::decode(bytes);
        frame.map(Value::Frame).map_err(|error| CodecError::damaged("a row", error))
    }
}

/// Frames as Arrow IPC files; streams are read too.
#[derive(Debug, Clone, Copy)]
pub struct ArrowCodec(
    /// Whether what is written is compressed.
    pub Compression,
);

impl Codec for ArrowCodec {
    fn name(&self) -> &'static str {
        "arrow"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["arrow", "ipc"]
    }

    fn priority(&self) -> i32 {
        4
    }

    fn can_write(&self, value: &Value) -> bool {
        is_frame(value)
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        ipc::encode(&mut frame(value)?, self.0).map_err(CodecError::encode)
    }

    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
        match ipc::decode(bytes, allowance) {
            Ok(frame) => Ok(Value::Frame(frame)),
            Err(IpcError::Claims(wrong)) => Err(wrong.into()),
            Err(error) => Err(CodecError::damaged("a record batch", error)),
        }
    }
}

fn is_frame(value: &Value) -> bool {
    matches!(value, Value::Frame(_) | Value::Lazy(_))
}

/// A frame's columns are shared, so this copies nothing.
fn frame(value: &Value) -> Result<DataFrame, CodecError> {
    match value {
        Value::Frame(frame) => Ok(frame.clone()),
        Value::Lazy(frame) => frame.as_ref().clone().collect().map_err(CodecError::encode),
        other => Err(CodecError::WrongKind { got: other.kind().into() }),
    }
}
