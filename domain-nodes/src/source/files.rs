//! Files of one statement: where they may lie, and that they stay what they
//! were when they were listed.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::SourceError;

/// Folders that sources may lie in, resolved.
#[derive(Debug, Clone)]
pub(super) struct Roots(Arc<[PathBuf]>);

/// The files of a table as one statement reads them.
#[derive(Debug)]
pub(super) struct FileSet {
    pub(super) table: String,
    pub(super) files: Vec<Arc<PinnedFile>>,
}

/// A file and what it was when it was listed.
#[derive(Debug)]
pub(super) struct PinnedFile {
    /// Without symbolic links.
    pub(super) path: PathBuf,
    /// The path below the node's root: what lies above says nothing of the data.
    pub(super) below_root: PathBuf,
    pub(super) identity: Identity,
}

/// What tells that a file is still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
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

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        }
    }
}

impl PinnedFile {
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
        Ok(Identity::of(&file.metadata()?) == self.identity)
    }

    /// Is what lies at the path still the file that was listed?
    pub(super) fn is_unchanged(&self) -> bool {
        fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| metadata.is_file() && Identity::of(&metadata) == self.identity)
    }
}

impl FileSet {
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.identity.size).fold(0, u64::saturating_add)
    }

    /// After reading: did all files stay what they were?
    pub(super) fn check(&self) -> Result<(), SourceError> {
        match self.files.iter().find(|file| !file.is_unchanged()) {
            None => Ok(()),
            Some(file) => {
                let (table, path) = (&self.table, file.path.display());
                tracing::error!(table, %path, "a file changed or disappeared while it was read");
                Err(SourceError::changed(&self.table))
            }
        }
    }

    /// Opens one of the files if it is still the same.
    pub(super) fn open(&self, file: &PinnedFile) -> Result<File, SourceError> {
        let (table, path) = (&self.table, file.path.display());
        match file.open() {
            Ok(Some(opened)) => Ok(opened),
            Ok(None) => {
                tracing::error!(table, %path, "a file changed or disappeared since it was listed");
                Err(SourceError::changed(table))
            }
            Err(cause) => {
                tracing::error!(table, %path, %cause, "a file cannot be opened");
                Err(SourceError::unreadable(table, cause))
            }
        }
    }
}
