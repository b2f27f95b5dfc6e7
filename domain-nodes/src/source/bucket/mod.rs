//! Objects of S3-compatible stores: which store a contract means, what lies in
//! it, and reading it so that no two parts are of different objects.
//!
//! Errors of the store's client quote requests and answers, which can hold key
//! ids and session tokens. None of them leaves this module: [`failure`] says
//! what may be said.

mod access;
mod failure;
mod listing;
mod object;

use std::fmt;
use std::sync::Arc;

use object_store::ObjectStore;

pub(super) use access::Buckets;
pub(super) use listing::list;
pub(super) use object::BucketObject;

use crate::config::Secret;

/// One bucket, as the credentials of one server open it.
pub(super) struct Bucket {
    name: String,
    store: Arc<dyn ObjectStore>,
    /// What must stand in no log.
    secrets: Vec<Secret>,
}

/// A place in a bucket as a contract names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BucketLocation {
    /// `servers[].server`, under which node.yaml has the credentials.
    pub(crate) server: String,
    /// Address of the store; AWS without one.
    pub(crate) endpoint: Option<String>,
    pub(crate) bucket: String,
    /// An object, a folder (with or without `/` at its end) or a pattern.
    pub(crate) key: String,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The store's own text would hold its keys.
        f.debug_struct("Bucket").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Bucket {
    /// A bucket in any store.
    pub(super) fn over(name: &str, store: Arc<dyn ObjectStore>, secrets: &[&str]) -> Arc<Self> {
        let secrets = secrets.iter().map(|secret| Secret::new(secret)).collect();
        Arc::new(Self { name: name.to_owned(), store, secrets })
    }
}
