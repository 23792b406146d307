//! What a store on a local disk needs beside its backend: its root, links that lead out of it, and
//! what crashes leave behind.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::io::key::is_staging_name;

/// Makes a folder and the folders above it, and syncs the entries it made.
pub(in crate::io) fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|above| !above.exists()).collect();
    fs::create_dir_all(folder)?;
    for made in missing {
        let above = made.parent().filter(|above| !above.as_os_str().is_empty());
        fs::File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Removes the unfinished writes of one folder and notes its sub-folders; links are not followed.
async fn sweep_folder(folder: &Path, folders: &mut Vec<PathBuf>) -> io::Result<usize> {
    let mut n_removed = 0;
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let kind = entry.file_type().await?;
        if kind.is_dir() {
            folders.push(entry.path());
        } else if kind.is_file() && entry.file_name().to_str().is_some_and(is_staging_name) {
            tokio::fs::remove_file(entry.path()).await?;
            n_removed += 1;
        }
    }
    Ok(n_removed)
}

/// Removes the unfinished writes in a folder and below it; how many there were.
pub(in crate::io) async fn sweep(root: &Path) -> io::Result<usize> {
    let mut n_removed = 0;
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        n_removed += sweep_folder(&folder, &mut folders).await?;
    }
    Ok(n_removed)
}

/// Whether a place really lies outside the root, because a link leads there.
pub(in crate::io) async fn is_outside(root: &Path, place: &Path) -> bool {
    for ancestor in place.ancestors().take_while(|ancestor| *ancestor != root) {
        // What is not there yet is judged by what is above it; other trouble shows at the
        // operation itself.
        if let Ok(real) = tokio::fs::canonicalize(ancestor).await {
            return !real.starts_with(root);
        }
    }
    false
}
