//! Lazy frames over objects: only the columns and row groups that a query needs are decoded. A
//! store on this machine's disk is read in place, any other is read into memory first.

use std::{fs::File, sync::Arc};

use polars::prelude::{LazyCsvReader, LazyFileListReader, LazyFrame, ScanArgsParquet, ScanSources};

use super::{ArtifactError, Artifacts};
use crate::io::{Key, Listing, StoreError, claims, codec::Cause};

/// The formats that are read lazily.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lazy {
    Parquet,
    Csv,
}

impl Artifacts {
    /// A lazy frame over one object, or over all whose keys match a pattern (`folder/*.parquet`;
    /// `**` also in folders below), one under the other in the order of their keys. It
    /// is collected on a computing thread, never in async code, and what it gives is not bounded.
    ///
    /// # Errors
    /// As [`Artifacts::find`]; [`ArtifactError::Scan`] when the objects are not all Parquet or all
    /// CSV, or are no files of that format.
    pub async fn scan(&self, pattern: &str) -> Result<LazyFrame, ArtifactError> {
        let failed = |source: Cause| ArtifactError::Scan { pattern: pattern.to_owned(), source };
        let keys = self.matching(pattern).await?;
        let format = self.format_of(&keys).map_err(failed)?;
        let sources = self.sources(&keys, format).await?;
        let opened = match format {
            Lazy::Parquet => {
                let mut options =
                    ScanArgsParquet { glob: false, cache: false, ..Default::default() };
                // Partition values are read from paths; these are opened files.
                options.hive_options.enabled = Some(false);
                LazyFrame::scan_parquet_sources(sources, options)
            }
            Lazy::Csv => LazyCsvReader::new_with_sources(sources)
                .with_try_parse_dates(true)
                .with_infer_schema_length(None)
                .finish(),
        };
        opened.map_err(|error| failed(error.into()))
    }

    async fn matching(&self, pattern: &str) -> Result<Vec<Key>, ArtifactError> {
        if !pattern.contains(['*', '?', '[', '{']) {
            return Ok(vec![self.find(pattern).await?]);
        }
        let literal = pattern.split(['*', '?', '[', '{']).next().unwrap_or_default();
        let (folder, below) = match literal.rfind('/') {
            Some(at) => (&pattern[..at], &pattern[at + 1..]),
            None => ("", pattern),
        };
        let listing = Listing::of(folder).matching(below)?;
        // A pattern for names alone means those in the folder itself.
        let listing = if below.contains('/') { listing } else { listing.flat() };
        let listed = self.store.list(&listing).await?;
        Ok(listed.into_iter().map(|entry| entry.key).collect())
    }

    fn format_of(&self, keys: &[Key]) -> Result<Lazy, Cause> {
        let formats: Option<Vec<Lazy>> = keys
            .iter()
            .map(|key| match self.codecs.split(key.as_str()).1 {
                Some("parquet") => Some(Lazy::Parquet),
                Some("csv") => Some(Lazy::Csv),
                _ => None,
            })
            .collect();
        match formats.as_deref() {
            Some([]) => Err("no object matches".into()),
            Some([first, rest @ ..]) if rest.iter().all(|format| format == first) => Ok(*first),
            _ => Err("the objects are not all Parquet or all CSV".into()),
        }
    }

    async fn sources(&self, keys: &[Key], format: Lazy) -> Result<ScanSources, ArtifactError> {
        if let Some(root) = self.store.root() {
            let files = keys.iter().map(|key| {
                File::open(root.join(key.as_str())).map_err(|source| StoreError::Io {
                    op: "open",
                    place: key.to_string(),
                    source,
                })
            });
            let files = files.collect::<Result<Vec<_>, _>>()?;
            return Ok(ScanSources::Files(files.into()));
        }
        let mut buffers = Vec::with_capacity(keys.len());
        for key in keys {
            let bytes = self.bytes(key).await?;
            if format == Lazy::Parquet {
                let allowance = self.limits.allowance(bytes.len() as u64);
                claims::parquet::check(&bytes, &allowance).map_err(|wrong| {
                    ArtifactError::Decode {
                        key: key.clone(),
                        format: "parquet",
                        source: wrong.into(),
                    }
                })?;
            }
            buffers.push(Vec::from(bytes).into());
        }
        Ok(ScanSources::Buffers(Arc::from(buffers)))
    }
}
