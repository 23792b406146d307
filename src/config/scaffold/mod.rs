//! Writes a project folder that runs: the files this repository ships, and data for its example.

mod sample;

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::domain::Timestamp;

use super::{DEFAULTS_FILE, SYSTEM_FILE};

const GITIGNORE: &str = ".anomstack/\n.env\n";

/// Writes a new project's files below a folder, which may exist, and gives their paths. The
/// example's data ends at `now`.
///
/// # Errors
/// [`ScaffoldError`]; with [`ScaffoldError::Exists`] nothing has been written.
pub fn scaffold(dir: &Path, now: Timestamp) -> Result<Vec<PathBuf>, ScaffoldError> {
    let sample = sample::csv(now);
    let files: [(&str, &str); 6] = [
        (SYSTEM_FILE, include_str!("../../../config/anomstack.toml")),
        (DEFAULTS_FILE, include_str!("../../../metric_batches/defaults.toml")),
        ("metric_batches/web.toml", include_str!("../../../metric_batches/web.toml")),
        ("metric_batches/host.toml", include_str!("../../../metric_batches/host.toml")),
        ("data/web.csv", &sample),
        (".gitignore", GITIGNORE),
    ];
    let is_there = |path: &PathBuf| fs::symlink_metadata(path).is_ok();
    let existing: Vec<PathBuf> =
        files.iter().map(|(name, _)| dir.join(name)).filter(is_there).collect();
    if !existing.is_empty() {
        return Err(ScaffoldError::Exists { paths: existing });
    }
    write_all(dir, &files)
}

/// Writes what a project needs before its first batch, where it is missing, and gives the paths of
/// what was written.
///
/// # Errors
/// [`ScaffoldError::Write`].
pub fn scaffold_bare(dir: &Path) -> Result<Vec<PathBuf>, ScaffoldError> {
    let mut files = vec![
        (SYSTEM_FILE, include_str!("../../../config/anomstack.toml")),
        (DEFAULTS_FILE, include_str!("../../../metric_batches/defaults.toml")),
        (".gitignore", GITIGNORE),
    ];
    files.retain(|(name, _)| fs::symlink_metadata(dir.join(name)).is_err());
    write_all(dir, &files)
}

fn write_all(dir: &Path, files: &[(&str, &str)]) -> Result<Vec<PathBuf>, ScaffoldError> {
    let mut written = Vec::new();
    for (name, text) in files {
        let path = dir.join(name);
        write_new(&path, text)
            .map_err(|source| ScaffoldError::Write { path: path.clone(), source })?;
        written.push(path);
    }
    Ok(written)
}

/// Fails on a file that appeared meanwhile.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::File::create_new(path)?.write_all(text.as_bytes())
}

/// A project folder that was not written.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// Files are there already; they are never overwritten.
    #[error("refuse to overwrite {}", list(paths))]
    Exists {
        /// Which ones.
        paths: Vec<PathBuf>,
    },
    /// A file could not be written.
    #[error("write {}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, load};
    use super::*;
    use crate::domain::{Location, SourceKind};

    fn now() -> Timestamp {
        Timestamp::parse("2026-03-01T12:34:56Z").unwrap()
    }

    #[test]
    fn a_new_project_has_no_problems_and_its_example_finds_its_data() {
        let dir = tempfile::tempdir().unwrap();
        let written = scaffold(dir.path(), now()).unwrap();
        assert!(written.iter().all(|path| path.is_file()), "{written:?}");
        let project = load(dir.path(), &Environment::default()).unwrap();
        let names: Vec<&str> = project.batches.iter().map(|batch| batch.name.as_str()).collect();
        assert_eq!(names, ["host", "web"]);
        let SourceKind::File(files) = &project.batches[1].source.kind else { panic!("web") };
        let [Location::Local(path)] = &files.locations[..] else { panic!("{files:?}") };
        assert!(path.is_file(), "{}", path.display());
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_half_written() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".gitignore"), "mine").unwrap();
        let error = scaffold(dir.path(), now()).unwrap_err();
        assert!(error.to_string().ends_with(".gitignore"), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join(".gitignore")).unwrap(), "mine");
        assert!(!dir.path().join("config").exists());
    }

    #[test]
    fn the_shipped_defaults_are_the_built_in_ones() {
        let dir = tempfile::tempdir().unwrap();
        scaffold(dir.path(), now()).unwrap();
        let bare = "[source]\nkind = \"file\"\npath = \"x.csv\"\n";
        fs::write(dir.path().join("metric_batches/bare.toml"), bare).unwrap();
        let with_files = load(dir.path(), &Environment::default()).unwrap();
        fs::remove_file(dir.path().join(DEFAULTS_FILE)).unwrap();
        fs::remove_file(dir.path().join(SYSTEM_FILE)).unwrap();
        let without = load(dir.path(), &Environment::default()).unwrap();
        assert_eq!(with_files, without);
    }
}
