//! A listed file as an open one on this machine. What lies elsewhere is copied into a temporary file
//! without a name, which is gone when it is closed, however this process ends.

use std::fs::File;

use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use url::Url;

use super::find::{At, Listed};
use crate::{
    compute::Compute,
    domain::{Secret, StorageAccess},
    io::{Allowance, location::LocationError},
    net::{self, Reach, chain},
    sources::{
        ReadContext, SourceError,
        error::{printable, scrub},
        web::same_host,
    },
};

const MAX_REDIRECTS: usize = 5;

/// An open file and what tells its content from another.
pub(super) struct Fetched {
    pub(super) file: File,
    pub(super) stamp: Option<String>,
}

/// How to fetch.
pub(super) struct Fetch<'f> {
    pub(super) access: &'f StorageAccess,
    pub(super) ctx: &'f ReadContext<'f>,
    pub(super) compute: &'f Compute,
    pub(super) allowance: &'f Allowance,
}

impl Fetch<'_> {
    /// Opens a file; `None` when it is at a web address whose server says that it is what `known`
    /// tells.
    pub(super) async fn open(
        &self,
        listed: &Listed,
        known: Option<&str>,
    ) -> Result<Option<Fetched>, SourceError> {
        match &listed.at {
            At::Local(path) => {
                let opened = path.clone();
                let file = self.compute.run(move || File::open(opened)).await?;
                let wrong = |source| SourceError::File { path: path.clone(), source };
                let stamp = listed.stamp.clone();
                Ok(Some(Fetched { file: file.map_err(wrong)?, stamp }))
            }
            At::Object(bucket, found) => {
                let mut file = temporary(&listed.name)?;
                let fetched = bucket.fetch(found, &mut file, self.allowance.left()).await;
                fetched.map_err(|error| remote(error, &listed.name, self.access))?;
                let file = from_start(file, &listed.name).await?;
                Ok(Some(Fetched { file, stamp: listed.stamp.clone() }))
            }
            At::Web(url) => self.web(url, listed, known).await,
        }
    }

    async fn web(
        &self,
        address: &str,
        listed: &Listed,
        known: Option<&str>,
    ) -> Result<Option<Fetched>, SourceError> {
        let reach = if self.access.allow_private { Reach::Anywhere } else { Reach::Public };
        let mut url = Url::parse(address).map_err(|_| SourceError::UnknownAddress)?;
        let secret = Secret::new(address.to_owned());
        let failed = |message: &str| SourceError::Remote {
            place: listed.name.clone(),
            message: scrub(message, [&secret]),
        };
        for _ in 0..=MAX_REDIRECTS {
            net::check(&url, reach).map_err(SourceError::Forbidden)?;
            let unreachable = |error: reqwest::Error| match net::forbidden(&error) {
                Some(forbidden) => SourceError::Forbidden(forbidden),
                None => failed(&chain(&error.without_url())),
            };
            let mut request =
                self.ctx.client.to(&url, reach).map_err(unreachable)?.get(url.clone());
            if let Some(known) = known {
                request = request.header("if-none-match", known);
            }
            let mut response = request.send().await.map_err(unreachable)?;
            let status = response.status();
            let header = |name| {
                let text = response.headers().get(name).and_then(|text| text.to_str().ok());
                text.map(ToOwned::to_owned)
            };
            if status.as_u16() == 304 && known.is_some() {
                return Ok(None);
            }
            if status.is_redirection() {
                let target = header("location").and_then(|text| url.join(&text).ok());
                let target = target.ok_or_else(|| failed("it redirects to nowhere"))?;
                url = same_host(&url, target)?;
                continue;
            }
            if !status.is_success() {
                let said = response.chunk().await.ok().flatten().unwrap_or_default();
                let said = String::from_utf8_lossy(&said[..said.len().min(400)]).into_owned();
                let said = printable(&scrub(said.trim(), [&secret]));
                return Err(SourceError::Status { status: status.as_u16(), said });
            }
            let stamp = header("etag");
            let mut file = temporary(&listed.name)?;
            let mut n_bytes = 0;
            while let Some(piece) = response.chunk().await.map_err(unreachable)? {
                n_bytes += piece.len() as u64;
                if self.allowance.left() < n_bytes {
                    let (place, max_bytes) = (listed.name.clone(), self.allowance.all());
                    return Err(SourceError::TooManyBytes { place, max_bytes });
                }
                file.write_all(&piece).await.map_err(|e| kept(e, &listed.name))?;
            }
            let file = from_start(file, &listed.name).await?;
            return Ok(Some(Fetched { file, stamp }));
        }
        Err(failed("it redirects without end"))
    }
}

fn temporary(place: &str) -> Result<tokio::fs::File, SourceError> {
    tempfile::tempfile().map(tokio::fs::File::from_std).map_err(|error| kept(error, place))
}

/// A file that was written, to be read.
async fn from_start(mut file: tokio::fs::File, place: &str) -> Result<File, SourceError> {
    file.flush().await.map_err(|error| kept(error, place))?;
    file.rewind().await.map_err(|error| kept(error, place))?;
    Ok(file.into_std().await)
}

fn kept(error: std::io::Error, place: &str) -> SourceError {
    remote(LocationError::Keep(error), place, &StorageAccess::default())
}

/// What went wrong in an object store, without what is secret.
pub(super) fn remote(error: LocationError, place: &str, access: &StorageAccess) -> SourceError {
    let place = place.to_owned();
    match error {
        LocationError::Forbidden(forbidden) => SourceError::Forbidden(forbidden),
        LocationError::NotFound => SourceError::NoFile { pattern: place },
        LocationError::TooLarge { most } => SourceError::TooManyBytes { place, max_bytes: most },
        error => {
            let message = scrub(&chain(&error), access.secrets());
            SourceError::Remote { place, message }
        }
    }
}
