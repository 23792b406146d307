//! Typed values as bytes: one file a format, and a registry that picks the format by a key's
//! extension or a value's type. Users add codecs of their own.

mod array;
mod error;
mod frame;
#[cfg(feature = "hdf5")]
mod hdf5;
mod limits;
mod model;
mod npy;
mod picture;
mod record;
mod registry;
mod sparse;
mod tensors;
mod text;
mod value;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

pub use array::{Array, Dtype, Element};
pub use error::{Cause, CodecError};
pub use frame::{ArrowCodec, CsvCodec, ParquetCodec};
#[cfg(feature = "hdf5")]
pub use hdf5::Hdf5Codec;
pub use limits::Limits;
pub use model::PickleCodec;
pub use npy::{NpyCodec, NpzCodec};
pub use picture::{ImageCodec, JPEG, PNG};
pub use record::{JsonCodec, JsonLinesCodec, RecordFormat, TomlCodec, YamlCodec};
pub use registry::{Codec, Codecs, Conflict, RegisterError};
pub use sparse::SparseCodec;
pub use tensors::TensorsCodec;
pub use text::{BytesCodec, TextCodec};
pub use value::{Arrays, FromValue, Other, Record, Tensors, Value};

use super::{Allowance, parquet::Compression};

/// The codecs that are built in.
///
/// # Errors
/// None, unless two of them are at odds.
pub fn built_in(compression: Compression) -> Result<Codecs, RegisterError> {
    let mut codecs = Codecs::empty();
    codecs.register(ParquetCodec(compression))?;
    codecs.register(CsvCodec)?;
    codecs.register(ArrowCodec(compression))?;
    codecs.register(JsonLinesCodec)?;
    codecs.register(JsonCodec)?;
    codecs.register(YamlCodec)?;
    codecs.register(TomlCodec)?;
    codecs.register(TextCodec)?;
    codecs.register(NpyCodec)?;
    codecs.register(NpzCodec)?;
    codecs.register(SparseCodec)?;
    codecs.register(TensorsCodec)?;
    codecs.register(PNG)?;
    codecs.register(JPEG)?;
    codecs.register(PickleCodec)?;
    codecs.register(BytesCodec)?;
    #[cfg(feature = "hdf5")]
    codecs.register(hdf5::Hdf5Codec)?;
    Ok(codecs)
}

/// Writes a value; a codec that panics is an error.
///
/// # Errors
/// What the codec gives.
pub fn encode(codec: &dyn Codec, value: &Value) -> Result<Bytes, CodecError> {
    caught(|| codec.encode(value))
}

/// Reads a value; a codec that panics is an error.
///
/// # Errors
/// What the codec gives.
pub fn decode(codec: &dyn Codec, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
    caught(|| codec.decode(bytes, allowance))
}

/// Readers of other people's formats panic on some damaged files, in threads of their own too.
fn caught<T>(work: impl FnOnce() -> Result<T, CodecError>) -> Result<T, CodecError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(CodecError::Panicked { message: text.unwrap_or_else(|| "no message".into()) })
    })
}
