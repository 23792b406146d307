//! Arrays in chunks: folders of objects under names that end in `.zarr`.

use super::{ArtifactError, Artifacts};
use crate::io::{
    Key, StoreError,
    codec::Value,
    zarr::{ZarrArray, ZarrOptions},
};

/// The extension of the folders.
pub(super) const ZARR: &str = "zarr";

/// Whether a name is one of an array in chunks.
pub(super) fn is_zarr(name: &str) -> bool {
    let tail =
        name.len().checked_sub(ZARR.len() + 1).filter(|n| 0 < *n).and_then(|n| name.get(n..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(".zarr"))
}

impl Artifacts {
    /// Writes an array in chunks of the usual size.
    pub(super) async fn put_chunked(
        &self,
        name: &str,
        value: &Value,
    ) -> Result<Key, ArtifactError> {
        let key = Key::parse(name).map_err(StoreError::from)?;
        let Value::Array(array) = value else {
            let possible = self.codecs.extensions_for(value);
            return Err(ArtifactError::Mismatch {
                key,
                extension: ZARR,
                got: value.kind(),
                possible,
            });
        };
        let shape: Vec<u64> = array.shape().iter().map(|length| *length as u64).collect();
        let kind = (array.dtype(), shape.as_slice());
        let options = ZarrOptions::default();
        let made = ZarrArray::create(&self.store, &key, kind, &options, &self.compute).await?;
        made.write(array).await?;
        Ok(key)
    }

    /// Reads a whole array in chunks.
    pub(super) async fn chunked(&self, key: &Key) -> Result<Value, ArtifactError> {
        let array = ZarrArray::open(&self.store, key, &self.compute).await?;
        Ok(Value::Array(array.with_limits(self.limits).read().await?))
    }
}
