//! Objects found by name, without their extension.

use super::{
    ArtifactError, Artifacts,
    arrays::{ZARR, is_zarr},
};
use crate::io::{Key, Listing, StoreError, zarr};

impl Artifacts {
    /// The object of a name: the one that is called just that, or else the only one whose name
    /// goes on with an extension that is known.
    ///
    /// # Errors
    /// [`ArtifactError::Ambiguous`] with all there are; [`StoreError::NotFound`].
    pub async fn find(&self, name: &str) -> Result<Key, ArtifactError> {
        let key = Key::parse(name).map_err(StoreError::from)?;
        if self.store.exists(&key).await?
            || is_zarr(name) && zarr::is_array(&self.store, &key).await?
        {
            return Ok(key);
        }
        if self.codecs.split(name).1.is_some() || is_zarr(name) {
            return Err(StoreError::NotFound { key }.into());
        }
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let listed = self.store.list(&Listing::of(folder).flat()).await?;
        let mut candidates: Vec<_> = listed.into_iter().map(|entry| entry.key).collect();
        candidates.retain(|candidate| {
            let (stem, extension) = self.codecs.split(candidate.as_str());
            stem == name && extension.is_some()
        });
        let array = Key::parse(&format!("{name}.{ZARR}")).map_err(StoreError::from)?;
        if zarr::is_array(&self.store, &array).await? {
            candidates.push(array);
        }
        match candidates.len() {
            0 => Err(StoreError::NotFound { key }.into()),
            1 => Ok(candidates.remove(0)),
            _ => Err(ArtifactError::Ambiguous { name: name.to_owned(), candidates }),
        }
    }
}
