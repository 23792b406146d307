//! Dense arrays in chunks, each an object of its own: Zarr version 3 is written, 3 and 2 are read,
//! on any store. Regions are read and written chunk by chunk in parallel. The object that makes a
//! folder an array is written last and removed first.

mod bounded;
mod chunks;
mod error;
mod folder;
mod layout;
mod objects;

#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc};

use serde_json::Value as Json;
use zarrs::array::{
    Array as Chunked, ArrayBytes, ArrayMetadata, ArrayMetadataOptions, ArraySubset,
};

pub use chunks::{Chunks, TARGET_BYTES};
pub use error::ZarrError;
pub use folder::{copy, delete, is_array, move_to};
pub use layout::{Compressor, ZarrOptions};

use self::{
    chunks::n_bytes,
    folder::delete_if_there,
    layout::{metadata, stored},
    objects::Objects,
};
use super::{
    Key, Store, StoreError,
    codec::{Array, Cause, Dtype, Limits},
};
use crate::compute::Compute;

/// An open array. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ZarrArray {
    key: Key,
    dtype: Dtype,
    array: Arc<Chunked<Objects>>,
    compute: Compute,
    limits: Limits,
}

impl ZarrArray {
    /// Makes an array of zeros in a folder, in place of what was there.
    ///
    /// # Errors
    /// [`ZarrError::Options`] for chunks that do not fit the shape; [`ZarrError::Store`].
    pub async fn create(
        store: &Store,
        key: &Key,
        (dtype, shape): (Dtype, &[u64]),
        options: &ZarrOptions,
        compute: &Compute,
    ) -> Result<Self, ZarrError> {
        let wrong = |reason: String| ZarrError::Options { key: key.clone(), reason };
        let described = metadata(dtype, shape, options).map_err(wrong)?;
        let parsed: ArrayMetadata =
            serde_json::from_value(described).map_err(|error| wrong(error.to_string()))?;
        delete_if_there(store, key).await?;
        bounded::register();
        let objects = Arc::new(Objects::new(store.clone(), key.clone()));
        let array = Chunked::new_with_metadata(objects, "/", parsed)
            .map_err(|error| wrong(error.to_string()))?;
        let plain = ArrayMetadataOptions::default().with_include_zarrs_metadata(false);
        let array = array.with_metadata_options(plain);
        let made = Self {
            key: key.clone(),
            dtype,
            array: Arc::new(array),
            compute: compute.clone(),
            limits: Limits::default(),
        };
        let written = made.on_threads("write", |array| array.store_metadata()).await;
        written.map(|()| made)
    }

    /// Opens the array in a folder.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none; [`ZarrError::Array`] for damaged metadata.
    pub async fn open(store: &Store, key: &Key, compute: &Compute) -> Result<Self, ZarrError> {
        if !is_array(store, key).await? {
            return Err(StoreError::NotFound { key: key.clone() }.into());
        }
        bounded::register();
        let objects = Arc::new(Objects::new(store.clone(), key.clone()));
        let opened = compute.run(move || Chunked::open(objects, "/")).await?;
        let array = opened.map_err(|error| failure("open", key, error))?;
        let known = Dtype::ALL.iter().find(|dtype| stored(**dtype) == *array.data_type());
        let dtype = *known.ok_or_else(|| ZarrError::Unsupported {
            key: key.clone(),
            dtype: format!("{:?}", array.data_type()),
        })?;
        let (array, limits) = (Arc::new(array), Limits::default());
        Ok(Self { key: key.clone(), dtype, array, compute: compute.clone(), limits })
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The type of the items.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The length of each dimension.
    pub fn shape(&self) -> &[u64] {
        self.array.shape()
    }

    /// The length of a chunk, or of a shard of them, in each dimension.
    pub fn chunk_shape(&self) -> Vec<u64> {
        let first = vec![0; self.array.dimensionality()];
        let shape = self.array.chunk_shape(&first).unwrap_or_default();
        shape.iter().map(|length| length.get()).collect()
    }

    /// What is noted about the array.
    pub fn notes(&self) -> &serde_json::Map<String, Json> {
        self.array.attributes()
    }

    /// Reads the whole array.
    ///
    /// # Errors
    /// As [`Self::read_region`].
    pub async fn read(&self) -> Result<Array, ZarrError> {
        let all: Vec<_> = self.shape().iter().map(|length| 0..*length).collect();
        self.read_region(&all).await
    }

    /// Reads a region, only the chunks it touches and several at once.
    ///
    /// # Errors
    /// [`ZarrError::Region`] outside the array; [`ZarrError::TooLarge`]; [`ZarrError::Array`] for a
    /// damaged chunk.
    pub async fn read_region(&self, region: &[Range<u64>]) -> Result<Array, ZarrError> {
        self.check_within(region)?;
        let shape: Vec<_> = region.iter().map(|range| range.end - range.start).collect();
        self.check_size(&shape)?;
        let subset = ArraySubset::new_with_ranges(region);
        let bytes: ArrayBytes<'static> =
            self.on_threads("read", move |array| array.retrieve_array_subset(&subset)).await?;
        let bytes = bytes.into_fixed().map_err(|error| failure("read", &self.key, error))?;
        let shape = lengths(&shape).ok_or_else(|| self.region("it has no length here"))?;
        let array = Array::from_ne_bytes(self.dtype, &shape, &bytes);
        array.map_err(|error| failure("read", &self.key, error))
    }

    /// Writes the whole array.
    ///
    /// # Errors
    /// As [`Self::write_region`].
    pub async fn write(&self, items: &Array) -> Result<(), ZarrError> {
        self.write_region(&vec![0; self.shape().len()], items).await
    }

    /// Writes a region that begins at an item, chunk by chunk and several at once. Regions written
    /// at the same time must not share a chunk. Dropping the future leaves some chunks written.
    ///
    /// # Errors
    /// [`ZarrError::Region`] when it is not within the array or of another type.
    pub async fn write_region(&self, start: &[u64], items: &Array) -> Result<(), ZarrError> {
        if items.dtype() != self.dtype {
            let reason = format!("{} cannot hold {}", self.dtype, items.dtype());
            return Err(self.region(&reason));
        }
        if start.len() != items.shape().len() {
            return Err(self.region("it has another number of dimensions"));
        }
        let ends =
            start.iter().zip(items.shape()).map(|(start, n)| start.saturating_add(*n as u64));
        let region: Vec<_> = start.iter().zip(ends).map(|(start, end)| *start..end).collect();
        self.check_within(&region)?;
        let subset = ArraySubset::new_with_ranges(&region);
        let bytes = items.to_ne_bytes();
        let written = move |array: &Chunked<Objects>| {
            array.store_array_subset(&subset, ArrayBytes::new_flen(bytes))
        };
        self.on_threads("write", written).await
    }

    /// Runs a blocking call of the library on the computing threads.
    async fn on_threads<T: Send + 'static, E: Into<Cause>>(
        &self,
        op: &'static str,
        work: impl FnOnce(&Chunked<Objects>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, ZarrError> {
        let (array, key) = (Arc::clone(&self.array), self.key.clone());
        let done = self.compute.run(move || work(&array).map_err(|e| failure(op, &key, e)));
        done.await?
    }

    fn check_within(&self, region: &[Range<u64>]) -> Result<(), ZarrError> {
        let shape = self.shape();
        let is_within = region.len() == shape.len()
            && region.iter().zip(shape).all(|(r, length)| r.start <= r.end && r.end <= *length);
        match is_within {
            true => Ok(()),
            false => Err(self.region(&format!("{region:?} is not within {shape:?}"))),
        }
    }

    /// Whether a region, and the chunks that are decoded for it, may be read.
    fn check_size(&self, shape: &[u64]) -> Result<(), ZarrError> {
        let item_bytes = self.dtype.n_bytes() as u64;
        let region = n_bytes(shape, item_bytes);
        let n_bytes = region.max(n_bytes(&self.chunk_shape(), item_bytes));
        let max_bytes = self.limits.decoded_bytes;
        if region != 0 && max_bytes < n_bytes {
            return Err(ZarrError::TooLarge { key: self.key.clone(), n_bytes, max_bytes });
        }
        Ok(())
    }

    fn region(&self, reason: &str) -> ZarrError {
        ZarrError::Region { key: self.key.clone(), reason: reason.to_owned() }
    }
}

fn failure(op: &'static str, key: &Key, error: impl Into<Cause>) -> ZarrError {
    ZarrError::Array { op, key: key.clone(), source: error.into() }
}

fn lengths(shape: &[u64]) -> Option<Vec<usize>> {
    shape.iter().map(|length| usize::try_from(*length).ok()).collect()
}
