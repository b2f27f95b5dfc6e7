//! Files of one statement, wherever they lie, and that they stay what they
//! were when they were listed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};

use super::bucket::BucketObject;
use super::disk::{DiskFile, Stamp};
use super::error::SourceError;
use super::input::Input;

/// Most files of a table, and most names that are looked at to find them.
pub(super) const MAX_FILES: usize = 10_000;
pub(super) const MAX_ENTRIES: usize = 100_000;
/// Files whose beginning or end is looked at at the same time.
const LOOKS_AT_A_TIME: usize = 8;

/// The files of a table as one statement reads them.
#[derive(Debug)]
pub(super) struct FileSet {
    pub(super) table: String,
    pub(super) files: Vec<Arc<PinnedFile>>,
}

/// A file and what it was when it was listed.
#[derive(Debug)]
pub(super) struct PinnedFile {
    pub(super) place: Place,
    /// The path below the node's root or in the bucket: what lies above says nothing of the data.
    pub(super) below_root: PathBuf,
}

/// Where a file lies.
#[derive(Debug)]
pub(super) enum Place {
    Disk(DiskFile),
    Bucket(BucketObject),
}

/// What tells one state of a file from all others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    Disk(Stamp),
    Bucket { key: String, e_tag: String },
}

impl PinnedFile {
    pub(super) fn size(&self) -> u64 {
        match &self.place {
            Place::Disk(file) => file.stamp.size,
            Place::Bucket(object) => object.size,
        }
    }

    pub(super) fn below_root(&self) -> &Path {
        &self.below_root
    }

    pub(super) fn identity(&self) -> Identity {
        match &self.place {
            Place::Disk(file) => Identity::Disk(file.stamp),
            Place::Bucket(object) => {
                Identity::Bucket { key: object.key.to_string(), e_tag: object.e_tag.clone() }
            }
        }
    }
}

/// For the node's log.
impl fmt::Display for PinnedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Disk(file) => file.path.display().fmt(f),
            Place::Bucket(object) => object.fmt(f),
        }
    }
}

impl FileSet {
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size()).fold(0, u64::saturating_add)
    }

    /// After reading: did all files stay what they were? Objects of a bucket
    /// are not looked at again: every part of them came with the tag that they
    /// were listed with.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        let changed = self.files.iter().find(|file| match &file.place {
            Place::Disk(file) => !file.is_unchanged(),
            Place::Bucket(_) => false,
        });
        match changed {
            None => Ok(()),
            Some(file) => {
                let table = &self.table;
                tracing::error!(table, path = %file, "a file changed or disappeared while it was read");
                Err(SourceError::changed(table))
            }
        }
    }

    /// Opens one of the files if it is still the same. Blocks.
    pub(super) fn open(&self, file: &PinnedFile) -> Result<Input, SourceError> {
        let table = &self.table;
        let on_disk = match &file.place {
            Place::Disk(on_disk) => on_disk,
            Place::Bucket(object) => return Ok(Input::object(table, object.clone())),
        };
        match on_disk.open() {
            Ok(Some(opened)) => Ok(Input::Disk(opened)),
            Ok(None) => {
                tracing::error!(table, path = %file, "a file changed or disappeared since it was listed");
                Err(SourceError::changed(table))
            }
            Err(cause) => {
                tracing::error!(table, path = %file, %cause, "a file cannot be opened");
                Err(SourceError::unreadable(table, cause))
            }
        }
    }

    /// After reading one of the files: is what was read still what was listed?
    pub(super) fn check_read(&self, file: &PinnedFile, input: &Input) -> Result<(), SourceError> {
        match (&file.place, input) {
            (Place::Disk(file), Input::Disk(opened)) if !file.is_same(opened).unwrap_or(false) => {
                Err(SourceError::changed(&self.table))
            }
            _ => Ok(()),
        }
    }

    /// Looks at all files, some at a time, and gives what was seen in their
    /// order. `look` may block.
    pub(super) async fn each<T, F>(self: &Arc<Self>, look: F) -> Result<Vec<T>, SourceError>
    where
        T: Send + 'static,
        F: Fn(&Arc<Self>, &Arc<PinnedFile>) -> Result<T, SourceError> + Clone + Send + 'static,
    {
        let looks = futures::stream::iter(self.files.clone()).map(|file| {
            let (files, look) = (Arc::clone(self), look.clone());
            let work = tokio::task::spawn_blocking(move || look(&files, &file));
            // A panic while reading a damaged file is an unreadable file.
            async { work.await.unwrap_or_else(|cause| Err(SourceError::unreadable(&self.table, cause))) }
        });
        looks.buffered(LOOKS_AT_A_TIME).try_collect().await
    }
}
