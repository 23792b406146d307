//! An endpoint's own certificates, read anew for every read, as they are renewed now and then.

use std::{fs, path::Path};

use reqwest::{Certificate, Identity};

use crate::{
    domain::Endpoint,
    net::{Certificates, chain},
    sources::SourceError,
};

/// The endpoint's certificates, if it has any of its own.
pub(super) fn read(endpoint: &Endpoint) -> Result<Option<Certificates>, SourceError> {
    if endpoint.ca_file.is_none() && endpoint.identity.is_none() {
        return Ok(None);
    }
    let authorities = match &endpoint.ca_file {
        Some(path) => authorities(path)?,
        None => Vec::new(),
    };
    let identity = match &endpoint.identity {
        Some((certificate, key)) => Some(identity(certificate, key)?),
        None => None,
    };
    Ok(Some(Certificates { authorities, identity }))
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, SourceError> {
    let found = Certificate::from_pem_bundle(&bytes(path)?).map_err(|e| unusable(path, &e))?;
    if found.is_empty() {
        let message = "it holds no PEM certificate".to_owned();
        return Err(SourceError::Certificate { path: path.to_owned(), message });
    }
    Ok(found)
}

fn identity(certificate: &Path, key: &Path) -> Result<Identity, SourceError> {
    let both = [bytes(certificate)?, b"\n".to_vec(), bytes(key)?].concat();
    Identity::from_pem(&both).map_err(|error| unusable(certificate, &error))
}

fn bytes(path: &Path) -> Result<Vec<u8>, SourceError> {
    fs::read(path).map_err(|source| SourceError::File { path: path.to_owned(), source })
}

fn unusable(path: &Path, error: &reqwest::Error) -> SourceError {
    SourceError::Certificate { path: path.to_owned(), message: chain(error) }
}
