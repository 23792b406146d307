//! The typed dictionary over a store: values by name. A key's extension is the format; a name
//! without one gets the extension of its value's type, and is found again without it.

mod arrays;
mod error;
mod find;
mod scan;

#[cfg(test)]
mod tests;

use std::{any::type_name, sync::Arc};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

pub use error::ArtifactError;

use super::{
    Key, Store, StoreError, WriteMode,
    codec::{self, Codec, CodecError, Codecs, FromValue, Limits, RecordFormat, Value},
};
use crate::compute::Compute;

/// Values by name in a store. Cheap to clone; clones share the objects.
#[derive(Debug, Clone)]
pub struct Artifacts {
    store: Store,
    codecs: Arc<Codecs>,
    compute: Compute,
    limits: Limits,
    mode: WriteMode<'static>,
}

impl Artifacts {
    /// The values of a store, in the formats of a registry.
    pub fn new(store: Store, codecs: Codecs, compute: Compute) -> Self {
        let (codecs, limits) = (Arc::new(codecs), Limits::default());
        Self { store, codecs, compute, limits, mode: WriteMode::Overwrite }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same with another way to write.
    #[must_use]
    pub fn with_mode(self, mode: WriteMode<'static>) -> Self {
        Self { mode, ..self }
    }

    /// The store the values lie in.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The threads that values are encoded and decoded on.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// The formats that are known.
    pub fn codecs(&self) -> &Codecs {
        &self.codecs
    }

    /// Writes a value; where it lies. Another format's object of the same name stays, and makes the
    /// name ambiguous. Dropping the future leaves the old object or the new one.
    ///
    /// # Errors
    /// [`ArtifactError::Mismatch`] when the name's extension is of another type;
    /// [`ArtifactError::Encode`]; [`ArtifactError::Store`].
    pub async fn put(&self, name: &str, value: impl Into<Value>) -> Result<Key, ArtifactError> {
        let value = value.into();
        if arrays::is_zarr(name) {
            return self.put_chunked(name, &value).await;
        }
        let (key, codec) = self.writer(name, &value)?;
        let format = codec.name();
        let encoded = self.compute.run(move || codec::encode(&*codec, &value)).await?;
        let bytes = encoded.map_err(|source| encode_error(&key, format, source))?;
        self.store.put(&key, bytes, self.mode).await?;
        Ok(key)
    }

    /// Reads a value as one of a type. Bytes are read whatever the format.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`ArtifactError::Ambiguous`]; [`ArtifactError::Decode`] for a
    /// damaged object, [`ArtifactError::WrongType`] for one of another type.
    pub async fn get<T: FromValue>(&self, name: &str) -> Result<T, ArtifactError> {
        let key = self.find(name).await?;
        let value = match T::IS_RAW {
            true => Value::Bytes(self.bytes(&key).await?),
            false if arrays::is_zarr(key.as_str()) => self.chunked(&key).await?,
            false => self.value(&key).await?,
        };
        T::from_value(value).map_err(|value| ArtifactError::WrongType {
            key,
            got: described(&value),
            wanted: type_name::<T>(),
        })
    }

    /// Writes a record of any type as JSON, or as YAML or TOML if the name has that extension.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn put_record<T: Serialize>(
        &self,
        name: &str,
        record: &T,
    ) -> Result<Key, ArtifactError> {
        let (key, format, name) = match self.codecs.split(name) {
            (_, Some(extension)) => {
                let key = Key::parse(name).map_err(StoreError::from)?;
                let (format, name) = self.record_format(&key, extension)?;
                (key, format, name)
            }
            (stem, None) => {
                let key = Key::parse(&format!("{stem}.json")).map_err(StoreError::from)?;
                (key, RecordFormat::Json, "json")
            }
        };
        let bytes = format.encode(record).map_err(|source| encode_error(&key, name, source))?;
        self.store.put(&key, bytes, self.mode).await?;
        Ok(key)
    }

    /// Reads a record of any type.
    ///
    /// # Errors
    /// As [`Self::get`]; a record that lacks a field is [`ArtifactError::Decode`] with its line.
    pub async fn get_record<T: DeserializeOwned>(&self, name: &str) -> Result<T, ArtifactError> {
        let key = self.find(name).await?;
        let extension = self.extension(&key)?;
        let (record_format, format) = self.record_format(&key, extension)?;
        let bytes = self.bytes(&key).await?;
        let allowance = self.limits.allowance(bytes.len() as u64);
        let decoded = record_format.decode(&bytes, &allowance);
        decoded.map_err(|source| ArtifactError::Decode { key, format, source })
    }

    /// Whether there is exactly one object of a name.
    ///
    /// # Errors
    /// [`ArtifactError::Ambiguous`] when there are several; any failure of the store.
    pub async fn exists(&self, name: &str) -> Result<bool, ArtifactError> {
        match self.find(name).await {
            Ok(_) => Ok(true),
            Err(ArtifactError::Store(StoreError::NotFound { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An object's bytes, if they are few enough.
    async fn bytes(&self, key: &Key) -> Result<Bytes, ArtifactError> {
        let size = self.store.stat(key).await?.size;
        let max_bytes = self.limits.object_bytes;
        if max_bytes < size {
            return Err(ArtifactError::TooLarge { key: key.clone(), size, max_bytes });
        }
        Ok(self.store.get(key).await?)
    }

    async fn value(&self, key: &Key) -> Result<Value, ArtifactError> {
        let extension = self.extension(key)?;
        let codec = self.codecs.reader(extension).ok_or_else(|| unknown(key))?;
        let (codec, format) = (Arc::clone(codec), codec.name());
        let bytes = self.bytes(key).await?;
        let allowance = self.limits.allowance(bytes.len() as u64);
        let decoded = self.compute.run(move || codec::decode(&*codec, bytes, &allowance)).await?;
        decoded.map_err(|source| ArtifactError::Decode { key: key.clone(), format, source })
    }

    /// Where a value is written, and by what.
    fn writer(&self, name: &str, value: &Value) -> Result<(Key, Arc<dyn Codec>), ArtifactError> {
        let parse = |name: &str| Key::parse(name).map_err(StoreError::from);
        let has_extension = matches!(value, Value::Bytes(_)) && has_dot(name);
        match self.codecs.split(name).1 {
            Some(extension) => {
                let key = parse(name)?;
                let codec = self.codecs.writer(extension, value);
                // Bytes may lie under any name.
                let codec = codec.or_else(|| {
                    let codec = self.codecs.writer_of(value).map(|(codec, _)| codec);
                    codec.filter(|_| matches!(value, Value::Bytes(_)))
                });
                match codec {
                    Some(codec) => Ok((key, Arc::clone(codec))),
                    None => Err(ArtifactError::Mismatch {
                        key,
                        extension,
                        got: value.kind(),
                        possible: self.codecs.extensions_for(value),
                    }),
                }
            }
            None => {
                let (codec, extension) = self
                    .codecs
                    .writer_of(value)
                    .ok_or(ArtifactError::NoFormat { got: value.kind() })?;
                let key = if has_extension {
                    parse(name)?
                } else {
                    parse(&format!("{name}.{extension}"))?
                };
                Ok((key, Arc::clone(codec)))
            }
        }
    }

    fn extension(&self, key: &Key) -> Result<&'static str, ArtifactError> {
        self.codecs.split(key.as_str()).1.ok_or_else(|| unknown(key))
    }

    fn record_format(
        &self,
        key: &Key,
        extension: &'static str,
    ) -> Result<(RecordFormat, &'static str), ArtifactError> {
        let codec = self.codecs.reader(extension);
        let found = codec.and_then(|codec| codec.records().map(|format| (format, codec.name())));
        found.ok_or_else(|| {
            let able = self.codecs.iter().filter(|codec| codec.records().is_some());
            ArtifactError::Mismatch {
                key: key.clone(),
                extension,
                got: "record",
                possible: able.flat_map(|codec| codec.extensions()).copied().collect(),
            }
        })
    }
}

/// What a value is, with the type of the items of an array.
fn described(value: &Value) -> String {
    match value {
        Value::Array(array) => {
            format!("{} of {} in {:?}", value.kind(), array.dtype(), array.shape())
        }
        other => other.kind().to_owned(),
    }
}

fn has_dot(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|name| name.contains('.'))
}

fn unknown(key: &Key) -> ArtifactError {
    ArtifactError::UnknownFormat { key: key.clone() }
}

fn encode_error(key: &Key, format: &'static str, source: CodecError) -> ArtifactError {
    ArtifactError::Encode { key: key.clone(), format, source }
}
