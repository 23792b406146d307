//! A web server's files as a store that can only be read.

use std::sync::Arc;

use object_store::http::HttpBuilder;

use super::{
    connect::{Caller, Calls},
    open::{Opened, client_options, no_retries},
};
use crate::{
    domain::{Secret, StorageAccess},
    net::{Client, Reach},
};

/// Opens a web server's folder; nothing is asked of it yet. Listing it takes a server that speaks
/// WebDAV.
pub(in crate::io) fn web(
    url: &Secret,
    access: &StorageAccess,
    client: &Client,
    calls: Arc<Calls>,
) -> Opened {
    let reach = if access.allow_private { Reach::Anywhere } else { Reach::Public };
    let caller = Caller { client: client.clone(), reach, calls };
    let store = HttpBuilder::new()
        .with_url(url.reveal())
        .with_client_options(client_options().with_allow_http(true))
        .with_retry(no_retries())
        .with_http_connector(caller)
        .build()?;
    Ok(Arc::new(store))
}
