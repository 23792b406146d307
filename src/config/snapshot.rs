//! What a project's files held when they were read. Contents are compared by digest, never times:
//! a mounted configuration map is swapped by a link, and an editor may keep a file's time.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{check::Check, files};

/// The files a reading of a project opened or looked for, with a digest of each content. Equal when
/// the same files were there with the same contents.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// `None` where there was no readable file.
    files: BTreeMap<PathBuf, Option<[u8; 32]>>,
}

impl Snapshot {
    /// The same files as they are now, and those that are new in the project's folders.
    pub fn again(&self, dir: &Path) -> Self {
        let mut check = Check::new(dir);
        files::find(dir, &mut check);
        let mut now = check.snapshot;
        for path in self.files.keys() {
            if !now.files.contains_key(path) {
                // A file that is gone is part of what is compared.
                drop(now.read(path));
            }
        }
        now
    }

    /// Reads a file and notes what it held.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let read = fs::read(path);
        let mut digest = read.as_ref().ok().map(|bytes| Sha256::digest(bytes).into());
        if let Some(Some(before)) = self.files.get(path)
            && digest != Some(*before)
        {
            // It changed between two looks of one reading, which is then like no other.
            digest =
                Some(Sha256::new().chain_update(before).chain_update("changed").finalize().into());
        }
        self.files.insert(path.to_owned(), digest);
        read
    }

    /// Notes a file that would have been read, had it been there.
    pub(super) fn missed(&mut self, path: &Path) {
        self.files.entry(path.to_owned()).or_insert(None);
    }

    fn there(&self) -> impl Iterator<Item = (&PathBuf, &[u8; 32])> {
        self.files.iter().filter_map(|(path, digest)| Some((path, digest.as_ref()?)))
    }
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        self.there().eq(other.there())
    }
}

impl Eq for Snapshot {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, read};

    const BATCH: &str =
        "[source]\nkind = \"sql\"\nurl = { file = \"url\" }\nquery_file = \"q.sql\"\n";

    fn project() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("metric_batches/shop.toml", BATCH),
            ("metric_batches/q.sql", "SELECT 1"),
            ("url", "sqlite:a"),
        ] {
            write(dir.path(), name, text);
        }
        dir
    }

    fn write(dir: &Path, name: &str, text: &str) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn every_file_a_reading_depends_on_is_watched_and_no_other() {
        let check = |name: &str, is_watched: bool| {
            let folder = project();
            let dir = folder.path();
            let first = read(dir, &Environment::default(), |_, _| Vec::new()).snapshot;
            assert_eq!(first.again(dir), first, "nothing has changed");
            write(dir, name, "changed");
            assert_eq!(first.again(dir) != first, is_watched, "{name}");
        };
        check("metric_batches/shop.toml", true);
        check("metric_batches/below/new.toml", true);
        check("metric_batches/q.sql", true);
        check("url", true);
        check(".env", true);
        check("config/anomstack.toml", true);
        check("metric_batches/defaults.toml", true);
        check("metric_batches/.shop.toml.swp", false);
        check("metric_batches/notes.txt", false);
        check(".anomstack/catalog.db", false);
    }

    #[test]
    fn a_file_written_anew_with_the_same_content_is_the_same() {
        let folder = project();
        let first = read(folder.path(), &Environment::default(), |_, _| Vec::new()).snapshot;
        write(folder.path(), "metric_batches/copy", BATCH);
        let shop = folder.path().join("metric_batches/shop.toml");
        fs::rename(folder.path().join("metric_batches/copy"), &shop).unwrap();
        assert_eq!(first.again(folder.path()), first);
        fs::remove_file(&shop).unwrap();
        assert_ne!(first.again(folder.path()), first);
    }
}
