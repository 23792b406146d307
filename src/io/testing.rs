//! What tests of stores need: the stand-in for an object store, and the real servers there are.

#[path = "../../tests/it/support/bucket_server.rs"]
mod bucket_server;

use url::Url;

use crate::domain::{Secret, StorageAccess};

pub(crate) use bucket_server::{BucketServer, Fault};

/// A service, its bucket, and how it is reached: what the variable of a real server says.
pub(crate) fn server(variable: &str) -> Option<(&'static str, String, StorageAccess)> {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration to read it from")]
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty());
    let Some(text) = text else {
        eprintln!("not tested against a real server: {variable} is not set");
        return None;
    };
    let mut url = Url::parse(&text).unwrap();
    let decoded = |text: &str| {
        let pair = text.replace('+', "%2B");
        let found = url::form_urlencoded::parse(pair.as_bytes()).next();
        found.map(|(text, _)| text.into_owned()).unwrap_or_default()
    };
    let is_azure = variable.contains("AZURE");
    let user = decoded(url.username());
    let secret_key = url.password().map(|password| Secret::new(decoded(password)));
    let (path, bucket) = url.path().rsplit_once('/').unwrap();
    let (path, bucket) = (path.to_owned(), bucket.to_owned());
    url.set_path(&path);
    url.set_username("").unwrap();
    url.set_password(None).unwrap();
    let access = StorageAccess {
        endpoint: Some(url.as_str().trim_end_matches('/').to_owned()),
        access_key: (!is_azure).then(|| Secret::new(user.clone())),
        account: is_azure.then_some(user),
        secret_key,
        allow_http: true,
        allow_private: true,
        ..StorageAccess::default()
    };
    Some((if is_azure { "az" } else { "s3" }, bucket, access))
}
