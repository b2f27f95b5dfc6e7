//! From what node.yaml and a contract say to the client of a store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{Certificate, ClientOptions, RetryConfig};

use super::{Bucket, BucketLocation};
use crate::config::StoreCredentials;
use crate::source::error::SourceError;

/// Where stores without regions are said to be.
const ANY_REGION: &str = "us-east-1";
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// One request with its answer, of which no part is longer than a few MiB.
const REQUEST_TIME: Duration = Duration::from_secs(30);
const RETRIES: usize = 3;
const RETRY_TIME: Duration = Duration::from_secs(60);

/// The buckets that node.yaml gives credentials for. Each is connected once.
#[derive(Debug, Default)]
pub(in crate::source) struct Buckets {
    credentials: BTreeMap<String, StoreCredentials>,
    connected: Mutex<BTreeMap<Key, Arc<Bucket>>>,
}

/// Server, address and bucket.
type Key = (String, Option<String>, String);

impl Buckets {
    pub(in crate::source) fn new(credentials: BTreeMap<String, StoreCredentials>) -> Self {
        Self { credentials, connected: Mutex::default() }
    }

    /// The bucket of a location. Sends nothing.
    pub(in crate::source) fn get(
        &self,
        table: &str,
        location: &BucketLocation,
    ) -> Result<Arc<Bucket>, SourceError> {
        let key = (location.server.clone(), location.endpoint.clone(), location.bucket.clone());
        // A poisoned lock only means that another thread died in here.
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = connected.get(&key) {
            return Ok(Arc::clone(bucket));
        }
        let credentials = self.credentials.get(&location.server).ok_or_else(|| {
            SourceError::NoCredentials { table: table.to_owned(), server: location.server.clone() }
        })?;
        let store = connect(table, location, credentials)?;
        let bucket = Bucket {
            name: location.bucket.clone(),
            store: Arc::new(store),
            secrets: credentials.secrets().cloned().collect(),
        };
        Ok(Arc::clone(connected.entry(key).or_insert(Arc::new(bucket))))
    }
}

#[cfg(test)]
impl Buckets {
    /// One bucket, as if node.yaml led to it.
    pub(in crate::source) fn holding(location: &BucketLocation, bucket: Arc<Bucket>) -> Self {
        let key = (location.server.clone(), location.endpoint.clone(), location.bucket.clone());
        Self { credentials: BTreeMap::new(), connected: Mutex::new(BTreeMap::from([(key, bucket)])) }
    }
}

fn connect(
    table: &str,
    location: &BucketLocation,
    credentials: &StoreCredentials,
) -> Result<AmazonS3, SourceError> {
    let refused =
        |reason: &'static str| SourceError::Store { table: table.to_owned(), reason: reason.to_owned() };
    if location.endpoint.as_deref().is_some_and(is_plain) && !credentials.allow_http {
        return Err(refused(
            "its endpointUrl is not https; node.yaml must say `allow_http: true` beside the credentials",
        ));
    }
    // The client takes the process's provider; another part may have set the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&location.bucket)
        .with_region(credentials.region.as_deref().unwrap_or(ANY_REGION))
        .with_retry(RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_TIME, ..RetryConfig::default() })
        .with_client_options(client_options(credentials).ok_or_else(|| {
            refused("the `ca` beside its credentials in node.yaml holds no certificate in PEM")
        })?);
    if let Some(endpoint) = &location.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    // Without keys the client would look for some in the machine's surroundings.
    builder = match &credentials.keys {
        Some(keys) => {
            let keyed = builder
                .with_access_key_id(keys.access_key_id.reveal())
                .with_secret_access_key(keys.secret_access_key.reveal());
            match &keys.session_token {
                Some(token) => keyed.with_token(token.reveal()),
                None => keyed,
            }
        }
        None => builder.with_skip_signature(true),
    };
    builder.build().map_err(|_| refused("its endpointUrl, region or bucket cannot be used"))
}

fn client_options(credentials: &StoreCredentials) -> Option<ClientOptions> {
    let mut options = ClientOptions::new()
        .with_allow_http(credentials.allow_http)
        .with_connect_timeout(CONNECT_TIME)
        .with_timeout(REQUEST_TIME);
    if let Some(authority) = &credentials.authority {
        let certificates = Certificate::from_pem_bundle(authority.as_bytes()).ok()?;
        if certificates.is_empty() {
            return None;
        }
        for certificate in certificates {
            options = options.with_root_certificate(certificate);
        }
    }
    Some(options)
}

fn is_plain(endpoint: &str) -> bool {
    !endpoint.to_ascii_lowercase().starts_with("https://")
}
