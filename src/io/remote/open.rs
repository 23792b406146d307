//! Buckets from settings: what is said explicitly first, then the environment as each service's own
//! tools read it, then the machine's own identity.

use std::{collections::BTreeMap, str::FromStr, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, S3CopyIfNotExists},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
};

use super::connect::{Caller, Calls};
use crate::{
    domain::{Secret, StorageAccess, StorageService},
    net::{Client, Reach},
};

/// Parts of the names of variables that sign in, which own credentials replace as a whole.
const CREDENTIAL_WORDS: [&str; 10] = [
    "KEY",
    "TOKEN",
    "SECRET",
    "ROLE",
    "CREDENTIAL",
    "SAS",
    "CLIENT_ID",
    "TENANT",
    "SERVICE_ACCOUNT",
    "SKIP_SIGNATURE",
];

/// How a place on another machine is reached.
#[derive(Debug)]
pub(in crate::io) struct Way<'w> {
    /// What is said of it.
    pub(in crate::io) access: &'w StorageAccess,
    /// What is absent there.
    pub(in crate::io) environment: &'w BTreeMap<String, String>,
    /// By what.
    pub(in crate::io) client: &'w Client,
    /// How often, and how many at once.
    pub(in crate::io) calls: Arc<Calls>,
}

/// Opens a bucket; nothing is asked of it yet. An endpoint of one's own never gets credentials of the
/// environment: those are meant for the service itself.
///
/// # Errors
/// When something is missing or does not fit together.
pub(in crate::io) fn bucket(service: StorageService, name: &str, way: Way<'_>) -> Opened {
    let Way { access, environment, client, calls } = way;
    let reach = match &access.endpoint {
        Some(_) if !access.allow_private => Reach::Public,
        // The services' own addresses, and the metadata service of the machine.
        Some(_) | None => Reach::Anywhere,
    };
    let caller = Caller { client: client.clone(), reach, calls };
    let plan = Plan { name, access, environment, caller };
    match service {
        StorageService::S3 => plan.s3(),
        StorageService::Gcs => plan.gcs(),
        StorageService::Azure => plan.azure(),
    }
}

pub(in crate::io) type Opened = object_store::Result<Arc<dyn ObjectStore>>;

struct Plan<'p> {
    name: &'p str,
    access: &'p StorageAccess,
    environment: &'p BTreeMap<String, String>,
    caller: Caller,
}

impl Plan<'_> {
    fn s3(self) -> Opened {
        let access = self.access;
        let path_style = access.path_style.unwrap_or(access.endpoint.is_some());
        let own = [
            (AmazonS3ConfigKey::Endpoint, access.endpoint.as_deref()),
            (AmazonS3ConfigKey::Region, access.region.as_deref()),
            (AmazonS3ConfigKey::AccessKeyId, revealed(&access.access_key)),
            (AmazonS3ConfigKey::SecretAccessKey, revealed(&access.secret_key)),
            (AmazonS3ConfigKey::Token, revealed(&access.token)),
        ];
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(self.name)
            .with_copy_if_not_exists(S3CopyIfNotExists::Multipart)
            .with_client_options(client_options())
            .with_retry(no_retries());
        for (key, value) in self.ambient::<AmazonS3ConfigKey>("AWS_") {
            builder = builder.with_config(key, value);
        }
        for (key, value) in own {
            builder = value.into_iter().fold(builder, |builder, v| builder.with_config(key, v));
        }
        if access.endpoint.is_some() {
            builder = builder.with_allow_http(access.allow_http);
        }
        if access.endpoint.is_some() || access.path_style.is_some() {
            builder = builder.with_virtual_hosted_style_request(!path_style);
        }
        if self.is_unsigned() {
            builder = builder.with_skip_signature(true);
        }
        Ok(Arc::new(builder.with_http_connector(self.caller).build()?))
    }

    fn gcs(self) -> Opened {
        let access = self.access;
        let own = [
            (GoogleConfigKey::BaseUrl, access.endpoint.as_deref()),
            (GoogleConfigKey::ServiceAccountKey, revealed(&access.service_account)),
            (GoogleConfigKey::BearerToken, revealed(&access.token)),
        ];
        let mut builder = GoogleCloudStorageBuilder::new()
            .with_bucket_name(self.name)
            .with_client_options(client_options().with_allow_http(access.allow_http))
            .with_retry(no_retries());
        for (key, value) in self.ambient::<GoogleConfigKey>("GOOGLE_") {
            builder = builder.with_config(key, value);
        }
        for (key, value) in own {
            builder = value.into_iter().fold(builder, |builder, v| builder.with_config(key, v));
        }
        if self.is_unsigned() {
            builder = builder.with_skip_signature(true);
        }
        Ok(Arc::new(builder.with_http_connector(self.caller).build()?))
    }

    fn azure(self) -> Opened {
        let access = self.access;
        let own = [
            (AzureConfigKey::Endpoint, access.endpoint.as_deref()),
            (AzureConfigKey::AccountName, access.account.as_deref()),
            (AzureConfigKey::AccessKey, revealed(&access.secret_key)),
            (AzureConfigKey::SasKey, revealed(&access.sas_token)),
            (AzureConfigKey::Token, revealed(&access.token)),
        ];
        let mut builder = MicrosoftAzureBuilder::new()
            .with_container_name(self.name)
            .with_client_options(client_options().with_allow_http(access.allow_http))
            .with_retry(no_retries());
        for (key, value) in self.ambient::<AzureConfigKey>("AZURE_") {
            builder = builder.with_config(key, value);
        }
        for (key, value) in own {
            builder = value.into_iter().fold(builder, |builder, v| builder.with_config(key, v));
        }
        if self.is_unsigned() {
            builder = builder.with_skip_signature(true);
        }
        Ok(Arc::new(builder.with_http_connector(self.caller).build()?))
    }

    /// The environment's settings, those that sign in only where nothing here does.
    fn ambient<K: FromStr>(&self, prefix: &str) -> impl Iterator<Item = (K, &str)> {
        let has_own = self.access.secrets().next().is_some();
        let is_public = self.access.endpoint.is_none() && !has_own && !self.access.anonymous;
        let signs_in = |name: &str| CREDENTIAL_WORDS.iter().any(|word| name.contains(word));
        self.environment
            .iter()
            .filter(move |(name, _)| name.starts_with(prefix))
            .filter(move |(name, _)| is_public || !signs_in(name))
            .filter_map(|(name, value)| Some((name.to_lowercase().parse().ok()?, value.as_str())))
    }

    /// Without a word about who asks, an endpoint of one's own is asked by nobody in particular.
    fn is_unsigned(&self) -> bool {
        let has_own = self.access.secrets().next().is_some();
        self.access.anonymous || (self.access.endpoint.is_some() && !has_own)
    }
}

fn revealed(secret: &Option<Secret>) -> Option<&str> {
    secret.as_ref().map(Secret::reveal)
}

pub(super) fn client_options() -> ClientOptions {
    // A large object takes as long as it takes; the source's own `timeout` ends it.
    ClientOptions::new().with_timeout_disabled()
}

/// Repeating is the caller's.
pub(super) fn no_retries() -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: 0, retry_timeout: Duration::ZERO }
}
