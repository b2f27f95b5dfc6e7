//! One object, read in parts. Every part is asked for with the tag that the
//! object was listed with, and every answer must carry it: a store that does
//! not know `If-Match` cannot mix two objects either.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, OBJECT_STORE_COALESCE_DEFAULT, coalesce_ranges};

use super::Bucket;
use crate::source::error::SourceError;

/// Longest part, so that one request ends in time on slow lines too.
const PART_BYTES: u64 = 8 << 20;
const PARTS_AT_A_TIME: usize = 4;

/// An object and what it was when it was listed.
#[derive(Debug, Clone)]
pub(in crate::source) struct BucketObject {
    pub(in crate::source) bucket: Arc<Bucket>,
    pub(in crate::source) key: Path,
    pub(in crate::source) e_tag: String,
    pub(in crate::source) size: u64,
}

impl BucketObject {
    /// The bytes of these ranges, which lie in the object. Ranges that are
    /// close to each other come with one request.
    pub(in crate::source) async fn read_all(
        &self,
        table: &str,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, SourceError> {
        coalesce_ranges(ranges, |range| self.read(table, range), OBJECT_STORE_COALESCE_DEFAULT).await
    }

    /// The bytes of a range that lies in the object.
    pub(in crate::source) async fn read(&self, table: &str, range: Range<u64>) -> Result<Bytes, SourceError> {
        let mut parts = futures::stream::iter(parts_of(range))
            .map(|part| self.part(table, part))
            .buffered(PARTS_AT_A_TIME);
        let first = parts.try_next().await?.unwrap_or_default();
        let Some(second) = parts.try_next().await? else { return Ok(first) };
        let mut joined = BytesMut::from(first);
        joined.extend_from_slice(&second);
        while let Some(part) = parts.try_next().await? {
            joined.extend_from_slice(&part);
        }
        Ok(joined.freeze())
    }

    async fn part(&self, table: &str, range: Range<u64>) -> Result<Bytes, SourceError> {
        let options = GetOptions {
            if_match: Some(self.e_tag.clone()),
            range: Some(GetRange::Bounded(range.clone())),
            ..GetOptions::default()
        };
        let answer = self.bucket.store.get_opts(&self.key, options).await;
        let answer = answer.map_err(|error| self.explained(table, &error))?;
        if !is_same_tag(answer.meta.e_tag.as_deref(), &self.e_tag)
            || answer.meta.size != self.size
            || answer.range != range
        {
            tracing::error!(table, path = %self, "an object changed since it was listed");
            return Err(SourceError::changed(table));
        }
        let bytes = answer.bytes().await.map_err(|error| self.explained(table, &error))?;
        if u64::try_from(bytes.len()).ok() != Some(range.end.saturating_sub(range.start)) {
            return Err(SourceError::unreadable(table, "the store sent fewer bytes than it said"));
        }
        Ok(bytes)
    }

    /// What was listed a moment ago and is not there any more has changed.
    fn explained(&self, table: &str, error: &object_store::Error) -> SourceError {
        match self.bucket.explained(table, "reading", error) {
            SourceError::NotFound { table, .. } => SourceError::Changed { table },
            other => other,
        }
    }
}

/// Some stores list tags without the quotes that they send them with.
fn is_same_tag(answered: Option<&str>, listed: &str) -> bool {
    answered.is_some_and(|tag| tag.trim_matches('"') == listed.trim_matches('"'))
}

fn parts_of(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let end = range.end;
    let mut start = range.start;
    std::iter::from_fn(move || {
        let part = (start < end).then(|| start..start.saturating_add(PART_BYTES).min(end))?;
        start = part.end;
        Some(part)
    })
}

/// For the node's log.
impl fmt::Display for BucketObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket.name, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_ranges_come_in_parts_that_cover_them() {
        let parts: Vec<_> = parts_of(5..2 * PART_BYTES + 7).collect();
        assert_eq!(
            parts,
            [5..PART_BYTES + 5, PART_BYTES + 5..2 * PART_BYTES + 5, 2 * PART_BYTES + 5..2 * PART_BYTES + 7]
        );
        assert_eq!(parts_of(3..3).count(), 0);
    }
}
