//! Trained models as pickles of plain data.

use bytes::Bytes;

use super::{Codec, CodecError, Value};
use crate::io::{
    Allowance,
    pickle::{self, PickleError},
};

/// Trees of plain data as pickles.
#[derive(Debug, Clone, Copy)]
pub struct PickleCodec;

impl Codec for PickleCodec {
    fn name(&self) -> &'static str {
        "pickle"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["pkl"]
    }

    fn priority(&self) -> i32 {
        9
    }

    fn can_write(&self, value: &Value) -> bool {
        matches!(value, Value::Model(_))
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        match value {
            Value::Model(tree) => pickle::encode(tree).map(Bytes::from).map_err(CodecError::encode),
            other => Err(CodecError::WrongKind { got: other.kind().into() }),
        }
    }

    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
        let max_memory = usize::try_from(allowance.left()).unwrap_or(usize::MAX);
        pickle::decode_within(&bytes, max_memory).map(Value::Model).map_err(|error| match error {
            PickleError::TooLarge { max } => CodecError::TooLarge { max_bytes: max as u64 },
            PickleError::Truncated { at }
            | PickleError::Forbidden { at, .. }
            | PickleError::Malformed { at, .. } => CodecError::damaged(format!("byte {at}"), error),
            PickleError::TooDeep
            | PickleError::DuplicateKey { .. }
            | PickleError::Encode { .. } => CodecError::damaged("a container", error),
        })
    }
}
