//! Rows on their way into a file: what was there before stays until all of them are written.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use tempfile::NamedTempFile;

/// A file that is replaced as a whole, or something to write to as it comes.
#[derive(Debug)]
pub(super) enum Out {
    Stdout(BufWriter<io::Stdout>),
    /// A pipe or device.
    Special(BufWriter<File>),
    /// Beside the file it will be.
    Beside {
        unfinished: BufWriter<NamedTempFile>,
        path: PathBuf,
    },
}

impl Out {
    /// Opens a file, or standard output.
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::Stdout(BufWriter::new(io::stdout()))) };
        let at = || format!("write `{}`", path.display());
        let known = fs::metadata(path).ok();
        if known.as_ref().is_some_and(|known| !known.is_file()) {
            let file = File::options().write(true).open(path).with_context(at)?;
            return Ok(Self::Special(BufWriter::new(file)));
        }
        // The file that a link leads to.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut file = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let usual = || fs::Permissions::from_mode(0o666);
            file.permissions(known.map_or_else(usual, |known| known.permissions()));
        }
        let unfinished = file.tempfile_in(folder.unwrap_or(Path::new("."))).with_context(at)?;
        Ok(Self::Beside { unfinished: BufWriter::new(unfinished), path })
    }

    /// Puts a whole file in its place.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Stdout(mut out) => Ok(out.flush()?),
            Self::Special(mut out) => Ok(out.flush()?),
            Self::Beside { unfinished, path } => {
                let at = || format!("write `{}`", path.display());
                let file = unfinished.into_inner().map_err(io::Error::from).with_context(at)?;
                file.persist(&path).map(drop).map_err(io::Error::from).with_context(at)
            }
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::Special(out) => out.write(bytes),
            Self::Beside { unfinished, .. } => unfinished.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Special(out) => out.flush(),
            Self::Beside { unfinished, .. } => unfinished.flush(),
        }
    }
}
