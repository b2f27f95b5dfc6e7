//! Files in folders of this machine: where they may lie, and that they stay
//! what they were when they were listed.

mod listing;

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::SourceError;

pub(super) use listing::{leaves, list};

/// Folders that sources may lie in, resolved.
#[derive(Debug, Clone)]
pub(super) struct Roots(Arc<[PathBuf]>);

/// A file and what it was when it was listed.
#[derive(Debug)]
pub(super) struct DiskFile {
    /// Without symbolic links.
    pub(super) path: PathBuf,
    pub(super) stamp: Stamp,
}

/// What tells that a file is still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    pub(super) size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Roots {
    pub(super) fn new(roots: &[PathBuf]) -> Result<Self, SourceError> {
        let resolved: io::Result<Vec<PathBuf>> = roots.iter().map(fs::canonicalize).collect();
        Ok(Self(resolved.map_err(|cause| SourceError::Root { cause })?.into()))
    }

    /// The part of a resolved path below the innermost root that holds it.
    pub(super) fn below<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        self.0
            .iter()
            .filter_map(|root| path.strip_prefix(root).ok())
            .min_by_key(|below| below.components().count())
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        }
    }
}

impl DiskFile {
    /// Opens the file if it is still the same.
    pub(super) fn open(&self) -> io::Result<Option<File>> {
        // The kind first: opening a pipe would wait for its writer.
        if !self.is_unchanged() {
            return Ok(None);
        }
        let file = File::open(&self.path)?;
        Ok(self.is_same(&file)?.then_some(file))
    }

    /// Is an open file still the one that was listed?
    pub(super) fn is_same(&self, file: &File) -> io::Result<bool> {
        Ok(Stamp::of(&file.metadata()?) == self.stamp)
    }

    /// Is what lies at the path still the file that was listed?
    pub(super) fn is_unchanged(&self) -> bool {
        fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| metadata.is_file() && Stamp::of(&metadata) == self.stamp)
    }
}
