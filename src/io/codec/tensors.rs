//! Tensors by name as `.safetensors`.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use safetensors::{Dtype as Stored, SafeTensors, tensor::TensorView};

use super::{
    Codec, CodecError, Value,
    array::{Array, Dtype},
    value::Tensors,
};
use crate::io::Allowance;

/// The header is JSON that names every tensor.
const LONGEST_HEADER: u64 = 4 << 20;

const DTYPES: [(Dtype, Stored); 11] = [
    (Dtype::Bool, Stored::BOOL),
    (Dtype::I8, Stored::I8),
    (Dtype::I16, Stored::I16),
    (Dtype::I32, Stored::I32),
    (Dtype::I64, Stored::I64),
    (Dtype::U8, Stored::U8),
    (Dtype::U16, Stored::U16),
    (Dtype::U32, Stored::U32),
    (Dtype::U64, Stored::U64),
    (Dtype::F32, Stored::F32),
    (Dtype::F64, Stored::F64),
];

/// Tensors by name.
#[derive(Debug, Clone, Copy)]
pub struct TensorsCodec;

impl Codec for TensorsCodec {
    fn name(&self) -> &'static str {
        "safetensors"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["safetensors"]
    }

    fn priority(&self) -> i32 {
        9
    }

    fn can_write(&self, value: &Value) -> bool {
        matches!(value, Value::Tensors(_) | Value::Arrays(_))
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        let none = BTreeMap::new();
        let (tensors, notes) = match value {
            Value::Tensors(Tensors { tensors, notes }) => (tensors, notes),
            Value::Arrays(arrays) => (arrays, &none),
            other => return Err(CodecError::WrongKind { got: other.kind().into() }),
        };
        let bytes: Vec<_> = tensors.values().map(Array::to_le_bytes).collect();
        let views = tensors.iter().zip(&bytes).map(|((name, array), bytes)| {
            let stored = DTYPES.iter().find(|(dtype, _)| *dtype == array.dtype());
            let stored = stored.map_or(Stored::U8, |(_, stored)| *stored);
            let view = TensorView::new(stored, array.shape().to_vec(), bytes);
            view.map(|view| (name.as_str(), view)).map_err(CodecError::encode)
        });
        let views = views.collect::<Result<Vec<_>, _>>()?;
        let notes: HashMap<_, _> = notes.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let notes = (!notes.is_empty()).then_some(notes);
        safetensors::serialize(views, notes).map(Bytes::from).map_err(CodecError::encode)
    }

    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
        let spent = allowance.spend(bytes.len() as u64);
        spent.map_err(|error| CodecError::read("the end", error))?;
        let damaged = |error| CodecError::damaged("the header", error);
        if let Some(n_header) = bytes.first_chunk::<8>().map(|n| u64::from_le_bytes(*n))
            && LONGEST_HEADER < n_header
        {
            let what = format!("{n_header} bytes of it are announced");
            return Err(CodecError::damaged("the header", what));
        }
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
        let stored = SafeTensors::deserialize(&bytes).map_err(damaged)?;
        let mut tensors = Tensors::default();
        for (name, view) in stored.tensors() {
            let dtype = DTYPES.iter().find(|(_, stored)| *stored == view.dtype());
            let (dtype, _) = dtype.ok_or_else(|| CodecError::Unsupported {
                what: format!("tensor `{name}` of {:?}", view.dtype()),
            })?;
            let tensor = Array::from_le_bytes(*dtype, view.shape(), view.data())?;
            tensors.tensors.insert(name, tensor);
        }
        tensors.notes = metadata.metadata().clone().unwrap_or_default().into_iter().collect();
        Ok(Value::Tensors(tensors))
    }
}
