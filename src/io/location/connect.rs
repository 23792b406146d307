//! The way of an object store's requests: through the program's own HTTP clients, each to an address
//! that was checked.

use std::{future::Future, pin::Pin};

use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    },
};
use url::Url;

use crate::net::{self, Client, Reach};

/// Calls what may be called.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) client: Client,
    pub(super) reach: Reach,
}

impl HttpConnector for Caller {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

type Calling<'c> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

impl HttpService for Caller {
    fn call<'s, 'c>(&'s self, request: HttpRequest) -> Calling<'c>
    where
        's: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            let wrong = |error| HttpError::new(HttpErrorKind::Unknown, error);
            let url = Url::parse(&request.uri().to_string())
                .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
            net::check(&url, self.reach).map_err(wrong)?;
            let client = self.client.to(&url, self.reach);
            let client = client.map_err(|e| HttpError::new(HttpErrorKind::Unknown, e))?;
            HttpService::call(client, request).await
        })
    }
}
