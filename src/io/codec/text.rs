//! Text, and bytes as they are.

use bytes::Bytes;

use super::{Codec, CodecError, Value, record::text_of};
use crate::io::Allowance;

/// UTF-8 text.
#[derive(Debug, Clone, Copy)]
pub struct TextCodec;

impl Codec for TextCodec {
    fn name(&self) -> &'static str {
        "text"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["txt", "md", "html", "sql"]
    }

    fn priority(&self) -> i32 {
        5
    }

    fn can_write(&self, value: &Value) -> bool {
        matches!(value, Value::Text(_))
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        match value {
            Value::Text(text) => Ok(text.clone().into()),
            other => Err(CodecError::WrongKind { got: other.kind().into() }),
        }
    }

    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
        let spent = allowance.spend(bytes.len() as u64);
        spent.map_err(|error| CodecError::read("the end", error))?;
        Ok(Value::Text(text_of(&bytes)?.to_owned()))
    }
}

/// Bytes as they are. They may lie under any other extension too.
#[derive(Debug, Clone, Copy)]
pub struct BytesCodec;

impl Codec for BytesCodec {
    fn name(&self) -> &'static str {
        "bytes"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["bin"]
    }

    fn priority(&self) -> i32 {
        1
    }

    fn can_write(&self, value: &Value) -> bool {
        matches!(value, Value::Bytes(_))
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        match value {
            Value::Bytes(bytes) => Ok(bytes.clone()),
            other => Err(CodecError::WrongKind { got: other.kind().into() }),
        }
    }

    fn decode(&self, bytes: Bytes, _: &Allowance) -> Result<Value, CodecError> {
        Ok(Value::Bytes(bytes))
    }
}
