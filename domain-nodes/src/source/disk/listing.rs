//! From the path of a contract to files: a file, a folder with everything
//! below it, or a glob (`*`, `?`, and `**` for any folders).
//!
//! The part before the first wildcard is resolved and must lie in one of the
//! node's roots; below it no symbolic link is followed, so that every file
//! found lies there too.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::{DiskFile, Roots, Stamp};
use crate::source::error::SourceError;
use crate::source::files::{FileSet, MAX_ENTRIES, MAX_FILES, PinnedFile, Place};
use crate::source::glob::{MAX_DEPTH, has_extension, is_data_name, is_wild, matches};

/// The files of a table, sorted by path.
pub(in crate::source) fn list(
    table: &str,
    path: &Path,
    extensions: &[&str],
    roots: &Roots,
) -> Result<FileSet, SourceError> {
    let (fixed, pattern) = split(path, table)?;
    let base = fs::canonicalize(&fixed).map_err(|cause| {
        tracing::error!(table, path = %fixed.display(), %cause, "the path of a source cannot be resolved");
        SourceError::NotFound { table: table.to_owned(), cause }
    })?;
    if roots.below(&base).is_none() {
        tracing::error!(table, path = %base.display(), "the path of a source lies outside the allowed folders");
        return Err(SourceError::OutsideRoots { table: table.to_owned() });
    }
    let mut walk = Walk { table, extensions, found: BTreeSet::new(), entries: 0 };
    walk.visit(&base, &pattern, 0)?;
    let files = walk.found.into_iter().map(|path| pin(table, path, roots)).collect::<Result<Vec<_>, _>>()?;
    if files.is_empty() {
        tracing::error!(table, path = %path.display(), "there are no files at the path of a source");
        return Err(SourceError::NoFiles { table: table.to_owned() });
    }
    Ok(FileSet { table: table.to_owned(), files })
}

/// Does the path, as far as it leads anywhere here, leave the roots?
pub(in crate::source) fn leaves(path: &Path, roots: &Roots) -> bool {
    match split(path, "") {
        Ok((fixed, _)) => fs::canonicalize(fixed).is_ok_and(|base| roots.below(&base).is_none()),
        Err(_) => true,
    }
}

fn pin(table: &str, path: PathBuf, roots: &Roots) -> Result<Arc<PinnedFile>, SourceError> {
    let metadata = fs::symlink_metadata(&path).map_err(|cause| unreadable(table, &path, cause))?;
    if !metadata.is_file() {
        return Err(SourceError::NotAFile { table: table.to_owned() });
    }
    let below_root = roots.below(&path).map(Path::to_path_buf);
    let below_root = below_root.ok_or_else(|| SourceError::OutsideRoots { table: table.to_owned() })?;
    let file = DiskFile { stamp: Stamp::of(&metadata), path };
    Ok(Arc::new(PinnedFile { place: Place::Disk(file), below_root }))
}

fn unreadable(table: &str, path: &Path, cause: io::Error) -> SourceError {
    tracing::error!(table, path = %path.display(), %cause, "a folder of a source cannot be read");
    SourceError::unreadable(table, cause)
}

/// The part before the first wildcard, and the rest segment by segment.
fn split(path: &Path, table: &str) -> Result<(PathBuf, Vec<String>), SourceError> {
    let mut fixed = PathBuf::new();
    let mut pattern = Vec::new();
    for component in path.components() {
        let text = component.as_os_str().to_str();
        let is_wild = text.is_some_and(is_wild);
        if pattern.is_empty() && !is_wild {
            fixed.push(component);
            continue;
        }
        match (component, text) {
            (Component::CurDir, _) => {}
            (Component::Normal(_), Some(text)) => pattern.push(text.to_owned()),
            // `..` behind a wildcard leads anywhere.
            _ => return Err(SourceError::OutsideRoots { table: table.to_owned() }),
        }
    }
    if fixed.as_os_str().is_empty() {
        fixed.push(".");
    }
    Ok((fixed, pattern))
}

struct Walk<'a> {
    table: &'a str,
    extensions: &'a [&'a str],
    found: BTreeSet<PathBuf>,
    entries: usize,
}

impl Walk<'_> {
    /// Matches what lies at `path` against the segments that are left.
    fn visit(&mut self, path: &Path, pattern: &[String], depth: usize) -> Result<(), SourceError> {
        if depth > MAX_DEPTH {
            return Err(SourceError::TooDeep { table: self.table.to_owned(), limit: MAX_DEPTH });
        }
        let metadata = fs::symlink_metadata(path).map_err(|cause| unreadable(self.table, path, cause))?;
        if metadata.is_symlink() {
            tracing::error!(table = self.table, path = %path.display(), "symbolic links are not followed");
            return Err(SourceError::SymbolicLink { table: self.table.to_owned() });
        }
        if metadata.is_dir() {
            return self.visit_folder(path, pattern, depth);
        }
        if pattern.is_empty() {
            self.add(path)?;
        }
        Ok(())
    }

    fn visit_folder(&mut self, folder: &Path, pattern: &[String], depth: usize) -> Result<(), SourceError> {
        let Some((segment, rest)) = pattern.split_first() else {
            return self.visit_everything(folder, depth);
        };
        if segment == "**" {
            if rest.is_empty() {
                return self.visit_everything(folder, depth);
            }
            self.visit(folder, rest, depth + 1)?;
        }
        for path in self.children(folder)? {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if segment == "**" {
                if path.is_dir() {
                    self.visit(&path, pattern, depth + 1)?;
                }
            } else if matches(segment, name) && (rest.is_empty() || !path.is_file()) {
                self.visit(&path, rest, depth + 1)?;
            }
        }
        Ok(())
    }

    /// A folder stands for all files of the format in it and below it.
    fn visit_everything(&mut self, folder: &Path, depth: usize) -> Result<(), SourceError> {
        for path in self.children(folder)? {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let is_data = has_extension(name, self.extensions);
            if is_data || path.is_symlink() || path.is_dir() {
                self.visit(&path, &[], depth + 1)?;
            } else {
                tracing::debug!(table = self.table, path = %path.display(), "not a file of the source's format");
            }
        }
        Ok(())
    }

    fn children(&mut self, folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
        let mut children = Vec::new();
        for entry in fs::read_dir(folder).map_err(|cause| unreadable(self.table, folder, cause))? {
            let entry = entry.map_err(|cause| unreadable(self.table, folder, cause))?;
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(SourceError::TooManyFiles { table: self.table.to_owned(), limit: MAX_ENTRIES });
            }
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| {
                // Passing over it would be a shorter answer.
                let cause = io::Error::new(io::ErrorKind::InvalidData, "a name is not UTF-8");
                unreadable(self.table, &entry.path(), cause)
            })?;
            if is_data_name(name) {
                children.push(entry.path());
            }
        }
        children.sort();
        Ok(children)
    }

    fn add(&mut self, path: &Path) -> Result<(), SourceError> {
        self.found.insert(path.to_path_buf());
        if self.found.len() > MAX_FILES {
            return Err(SourceError::TooManyFiles { table: self.table.to_owned(), limit: MAX_FILES });
        }
        Ok(())
    }
}
