//! A folder as an object store. Reading and listing are the library's; writing is our own, so that an
//! object and what is said of it (its checksum, its content type) become visible in one step, a write
//! may be bound to the content it replaces, and pieces of a large object are as durable as a whole one.

mod attributes;
mod folder;
mod stage;
mod upload;

use std::{
    fmt, io,
    path::{Path as FsPath, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result, local::LocalFileSystem, path::Path,
};

use crate::io::aside::aside;

pub(super) use folder::{is_outside, make_folder, sweep};
use stage::Staged;

/// What errors of this backend say they come from.
const NAME: &str = "disk";

/// Objects as files below a folder.
#[derive(Debug)]
pub(super) struct Disk {
    files: LocalFileSystem,
    root: Arc<FsPath>,
}

impl Disk {
    /// Opens a folder that is there; its links are resolved already.
    pub(super) fn open(root: &FsPath) -> Result<Self> {
        let files = LocalFileSystem::new_with_prefix(root)?.with_fsync(true);
        Ok(Self { files, root: root.into() })
    }

    fn file(&self, location: &Path) -> PathBuf {
        self.root.join(location.as_ref())
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disk({})", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for Disk {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let file = self.file(location);
        blocking(move || {
            let mut staged = Staged::create(&file)?;
            for piece in payload.iter() {
                staged.append(piece)?;
            }
            staged.publish(&options.attributes, &options.mode)
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let file = self.file(location);
        let staged = blocking(move || Staged::create(&file)).await?;
        Ok(Box::new(upload::DiskUpload::new(staged, options.attributes)))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut found = self.files.get_opts(location, options).await?;
        // Asked of the file that was opened, whatever stands under its name by now.
        if let GetResultPayload::File(file, _) = &found.payload {
            found.attributes = attributes::read(file);
        }
        Ok(found)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let root = Arc::clone(&self.root);
        let remove = move |location: Result<Path>| {
            let root = Arc::clone(&root);
            async move {
                let location = location?;
                let file = root.join(location.as_ref());
                blocking(move || stage::remove(&file)).await?;
                Ok(location)
            }
        };
        locations.map(remove).buffered(8).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        // A prefix below a file is not a folder that cannot be read: nothing lies there.
        let is_file = prefix.is_some_and(|prefix| self.file(prefix).is_file());
        if is_file { stream::empty().boxed() } else { self.files.list(prefix) }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.files.rename_opts(from, to, options).await
    }
}

/// Runs something that waits for the disk where waiting holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    aside(work).await?
}

/// The system's error, with the file it is about.
fn failed(file: &FsPath, source: io::Error) -> Error {
    let path = file.display().to_string();
    match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path, source: source.into() },
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: source.into() },
        _ => Error::Generic { store: NAME, source: source.into() },
    }
}
