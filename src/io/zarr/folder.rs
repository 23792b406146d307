//! An array as a folder: what makes it one, and carrying it elsewhere as a whole.

use crate::io::{Key, Store, StoreError, Transfer};

/// The objects that make a folder an array, of version 3 and of version 2.
const METADATA: [&str; 2] = ["zarr.json", ".zarray"];

fn inside(folder: &Key, name: &str) -> Result<Key, StoreError> {
    Ok(Key::parse(&format!("{folder}/{name}"))?)
}

/// Whether a folder is an array.
///
/// # Errors
/// Any failure of the store.
pub async fn is_array(store: &Store, folder: &Key) -> Result<bool, StoreError> {
    for name in METADATA {
        if store.exists(&inside(folder, name)?).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Copies an array, also into another store, in place of what was there; how many objects.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no array.
pub async fn copy(
    store: &Store,
    from: &Key,
    target: &Store,
    to: &Key,
) -> Result<usize, StoreError> {
    if !is_array(store, from).await? {
        return Err(StoreError::NotFound { key: from.clone() });
    }
    delete_if_there(target, to).await?;
    let (last, first): (Vec<_>, Vec<_>) = store
        .keys(from.as_str())
        .await?
        .into_iter()
        .partition(|key| METADATA.iter().any(|name| key.as_str().ends_with(name)));
    for key in first.iter().chain(&last) {
        let below = key.as_str()[from.as_str().len()..].trim_start_matches('/');
        store.copy(key, target, &inside(to, below)?, Transfer::Replace).await?;
    }
    Ok(first.len() + last.len())
}

/// Copies an array and then removes it; how many objects.
///
/// # Errors
/// As [`copy`]; the source is then whole.
pub async fn move_to(
    store: &Store,
    from: &Key,
    target: &Store,
    to: &Key,
) -> Result<usize, StoreError> {
    let n_objects = copy(store, from, target, to).await?;
    delete(store, from).await?;
    Ok(n_objects)
}

/// Removes an array; how many objects.
///
/// # Errors
/// [`StoreError::NotFound`] when there is none.
pub async fn delete(store: &Store, folder: &Key) -> Result<usize, StoreError> {
    if !is_array(store, folder).await? {
        return Err(StoreError::NotFound { key: folder.clone() });
    }
    let mut n_objects = 0;
    for name in METADATA {
        n_objects += usize::from(store.delete_if_exists(&inside(folder, name)?).await?);
    }
    match store.delete_tree(folder.as_str()).await {
        Ok(n) => Ok(n_objects + n),
        // On a bucket, a folder is gone with its last object.
        Err(StoreError::NotFound { .. }) => Ok(n_objects),
        Err(error) => Err(error),
    }
}

pub(super) async fn delete_if_there(store: &Store, folder: &Key) -> Result<(), StoreError> {
    match delete(store, folder).await {
        Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
