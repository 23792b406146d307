//! A large object in pieces: each is written at its place in the unfinished file as it comes.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use futures::FutureExt;
use object_store::{
    Attributes, Error, MultipartUpload, PutMode, PutPayload, PutResult, Result, UploadPart,
};

use super::{NAME, blocking, stage::Staged};
use crate::io::condition;

/// An upload into a folder.
pub(super) struct DiskUpload {
    staged: Option<Arc<Staged>>,
    attributes: Attributes,
    n_bytes: u64,
}

impl fmt::Debug for DiskUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskUpload").field("n_bytes", &self.n_bytes).finish_non_exhaustive()
    }
}

impl DiskUpload {
    pub(super) fn new(staged: Staged, attributes: Attributes) -> Self {
        Self { staged: Some(Arc::new(staged)), attributes, n_bytes: 0 }
    }
}

fn over() -> Error {
    Error::Generic { store: NAME, source: "the upload is over".into() }
}

#[async_trait]
impl MultipartUpload for DiskUpload {
    fn put_part(&mut self, piece: PutPayload) -> UploadPart {
        let Some(staged) = self.staged.clone() else { return async { Err(over()) }.boxed() };
        let mut offset = self.n_bytes;
        self.n_bytes += piece.content_length() as u64;
        blocking(move || {
            for bytes in &piece {
                staged.write_at(bytes, offset)?;
                offset += bytes.len() as u64;
            }
            Ok(())
        })
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.staged.take().and_then(Arc::into_inner).ok_or_else(over)?;
        let attributes = condition::said().unwrap_or_else(|| std::mem::take(&mut self.attributes));
        let mode = condition::current().unwrap_or(PutMode::Overwrite);
        blocking(move || staged.publish(&attributes, &mode)).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.staged = None;
        Ok(())
    }
}
