//! Objects found by name, without their extension.

use super::{ArtifactError, Artifacts};
use crate::io::{Key, StoreError};

impl Artifacts {
    /// The object of a name: the one that is called just that, or else the only one whose name
    /// goes on with an extension that is known.
    ///
    /// # Errors
    /// [`ArtifactError::Ambiguous`] with all there are; [`StoreError::NotFound`].
    pub async fn find(&self, name: &str) -> Result<Key, ArtifactError> {
        let key = Key::parse(name).map_err(StoreError::from)?;
        if self.store.exists(&key).await? {
            return Ok(key);
        }
        if self.codecs.split(name).1.is_some() {
            return Err(StoreError::NotFound { key }.into());
        }
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut candidates: Vec<_> = self.store.keys(folder).await?;
        candidates.retain(|candidate| {
            let (stem, extension) = self.codecs.split(candidate.as_str());
            stem == name && extension.is_some()
        });
        match candidates.len() {
            0 => Err(StoreError::NotFound { key }.into()),
            1 => Ok(candidates.remove(0)),
            _ => Err(ArtifactError::Ambiguous { name: name.to_owned(), candidates }),
        }
    }
}
