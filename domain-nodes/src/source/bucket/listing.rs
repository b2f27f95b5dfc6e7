//! From the location of a contract to objects: an object, everything below a
//! prefix, or a pattern. Whatever is found is pinned by its tag and size.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStoreExt as _};

use super::{Bucket, BucketLocation, BucketObject};
use crate::source::error::SourceError;
use crate::source::files::{FileSet, MAX_ENTRIES, MAX_FILES, PinnedFile, Place};
use crate::source::glob::{MAX_DEPTH, is_data_name, is_wild, matches_path};

/// Longest time in which the objects of a table are found.
const LISTING_TIME: Duration = Duration::from_secs(60);

/// The objects of a table, sorted by key.
pub(in crate::source) async fn list(
    table: &str,
    bucket: &Arc<Bucket>,
    location: &BucketLocation,
    extensions: &[&str],
) -> Result<FileSet, SourceError> {
    let found = tokio::time::timeout(LISTING_TIME, find(table, bucket, &location.key, extensions)).await;
    let slow = |_| SourceError::Store {
        table: table.to_owned(),
        reason: format!("its objects were not listed within {} seconds", LISTING_TIME.as_secs()),
    };
    let mut found = found.map_err(slow)??;
    found.sort_by(|left, right| left.location.cmp(&right.location));
    let files = found.into_iter().map(|object| pin(table, bucket, object)).collect::<Result<Vec<_>, _>>()?;
    if files.is_empty() {
        let (bucket, key) = (&bucket.name, &location.key);
        tracing::error!(table, bucket, key, "there are no objects at the location of a source");
        return Err(SourceError::NoFiles { table: table.to_owned() });
    }
    Ok(FileSet { table: table.to_owned(), files })
}

async fn find(
    table: &str,
    bucket: &Bucket,
    key: &str,
    extensions: &[&str],
) -> Result<Vec<ObjectMeta>, SourceError> {
    let (prefix, pattern) = split(key);
    let prefix = Path::parse(&prefix).map_err(|_| SourceError::OutsideRoots { table: table.to_owned() })?;
    if pattern.is_empty() && !key.ends_with('/') {
        match bucket.store.head(&prefix).await {
            Ok(object) => return Ok(vec![object]),
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(bucket.explained(table, "looking for an object", &error)),
        }
    }
    let mut listed = bucket.store.list(Some(&prefix));
    let (mut found, mut entries) = (Vec::new(), 0_usize);
    while let Some(object) =
        listed.try_next().await.map_err(|error| bucket.explained(table, "listing", &error))?
    {
        entries += 1;
        if entries > MAX_ENTRIES {
            return Err(SourceError::TooManyFiles { table: table.to_owned(), limit: MAX_ENTRIES });
        }
        let below = below(&prefix, &object.location);
        if below.len() > MAX_DEPTH {
            return Err(SourceError::TooDeep { table: table.to_owned(), limit: MAX_DEPTH });
        }
        let is_data = below.iter().all(|name| is_data_name(name));
        if is_data && matches_path(&pattern, &below, extensions) {
            found.push(object);
        }
        if found.len() > MAX_FILES {
            return Err(SourceError::TooManyFiles { table: table.to_owned(), limit: MAX_FILES });
        }
    }
    Ok(found)
}

/// The part before the first wildcard, and the rest segment by segment.
fn split(key: &str) -> (String, Vec<String>) {
    let segments: Vec<&str> = key.split('/').filter(|segment| !segment.is_empty()).collect();
    let wild = segments.iter().position(|segment| is_wild(segment)).unwrap_or(segments.len());
    let (fixed, pattern) = segments.split_at_checked(wild).unwrap_or((&segments, &[]));
    (fixed.join("/"), pattern.iter().map(|segment| (*segment).to_owned()).collect())
}

/// Names of the folders and of the object below a prefix that it lies in.
fn below<'k>(prefix: &Path, key: &'k Path) -> Vec<&'k str> {
    let rest = key.as_ref().strip_prefix(prefix.as_ref()).unwrap_or_default();
    rest.split('/').filter(|name| !name.is_empty()).collect()
}

fn pin(table: &str, bucket: &Arc<Bucket>, object: ObjectMeta) -> Result<Arc<PinnedFile>, SourceError> {
    let Some(e_tag) = object.e_tag else {
        return Err(SourceError::Store {
            table: table.to_owned(),
            reason: "it lists objects without ETag, so that a change could not be noticed".to_owned(),
        });
    };
    let below_root = PathBuf::from(object.location.as_ref());
    let object = BucketObject { bucket: Arc::clone(bucket), key: object.location, e_tag, size: object.size };
    Ok(Arc::new(PinnedFile { place: Place::Bucket(object), below_root }))
}
