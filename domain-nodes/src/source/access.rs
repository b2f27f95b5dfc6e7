//! What a node may read: folders of its machine, and the object stores that
//! its operator gave credentials for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::bucket::{self, Bucket, BucketLocation, Buckets};
use super::definition::Location;
use super::disk::{self, Roots};
use super::error::SourceError;
use super::files::FileSet;
use crate::config::{NodeConfig, StoreCredentials};
use crate::contract::ProductTable;

/// Folders and object stores that sources may lie in.
#[derive(Debug, Default)]
pub struct Access {
    data_roots: Vec<PathBuf>,
    buckets: Buckets,
}

/// Where the files of one table are looked for.
#[derive(Debug)]
pub(super) enum Place {
    Disk { path: PathBuf, roots: Roots },
    Bucket { bucket: Arc<Bucket>, location: BucketLocation },
}

impl Access {
    /// Files below one of `data_roots`, and objects by the credentials of their server.
    pub fn new(data_roots: Vec<PathBuf>, credentials: BTreeMap<String, StoreCredentials>) -> Self {
        Self { data_roots, buckets: Buckets::new(credentials) }
    }

    /// What node.yaml allows.
    pub fn of(config: &NodeConfig) -> Self {
        Self::new(config.data_roots.clone(), config.credentials.clone())
    }

    /// Is the table's path certainly outside of the folders that may hold data? Where these
    /// folders do not lie on this machine, nothing is certain.
    pub(crate) fn is_outside(&self, table: &ProductTable) -> bool {
        match (&table.source.location, Roots::new(&self.data_roots)) {
            (Location::Disk(path), Ok(roots)) => disk::leaves(path, &roots),
            _ => false,
        }
    }

    pub(super) fn place(&self, table: &str, location: &Location) -> Result<Place, SourceError> {
        Ok(match location {
            Location::Disk(path) => Place::Disk { path: path.clone(), roots: Roots::new(&self.data_roots)? },
            Location::Bucket(location) => {
                Place::Bucket { bucket: self.buckets.get(table, location)?, location: location.clone() }
            }
        })
    }
}

#[cfg(test)]
impl Access {
    /// One bucket and nothing else.
    pub(super) fn to(location: &BucketLocation, bucket: Arc<Bucket>) -> Self {
        Self { data_roots: Vec::new(), buckets: Buckets::holding(location, bucket) }
    }
}

impl Place {
    /// Lists and pins the files.
    pub(super) async fn list(
        &self,
        table: &str,
        extensions: &'static [&'static str],
    ) -> Result<FileSet, SourceError> {
        let (path, roots) = match self {
            Self::Disk { path, roots } => (path.clone(), roots.clone()),
            Self::Bucket { bucket, location } => {
                return bucket::list(table, bucket, location, extensions).await;
            }
        };
        let name = table.to_owned();
        let listed = tokio::task::spawn_blocking(move || disk::list(&name, &path, extensions, &roots)).await;
        listed.unwrap_or_else(|cause| Err(SourceError::unreadable(table, cause)))
    }
}
