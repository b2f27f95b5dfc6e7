//! Byte ranges of one pinned file. Each read is followed by a look whether the
//! file is still the same.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::io::{pread, retry_on_intr};
use tokio::runtime::Handle;

use super::disk::DiskFile;
use super::error::SourceError;
use super::files::{FileSet, PinnedFile, Place};
use super::input::Input;

/// Reads parts of a file in any order.
#[derive(Debug)]
pub(super) struct RangeReader {
    files: Arc<FileSet>,
    file: Arc<PinnedFile>,
    opened: Option<Arc<File>>,
}

impl RangeReader {
    pub(super) fn new(files: &Arc<FileSet>, file: &Arc<PinnedFile>) -> Self {
        Self { files: Arc::clone(files), file: Arc::clone(file), opened: None }
    }

    /// The bytes of these ranges.
    pub(super) async fn read(&mut self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>, SourceError> {
        self.check(&ranges)?;
        if let Place::Bucket(object) = &self.file.place {
            return object.read_all(&self.files.table, &ranges).await;
        }
        let mut blocking = Self { opened: self.opened.take(), ..Self::new(&self.files, &self.file) };
        let read = tokio::task::spawn_blocking(move || {
            let parts = blocking.read_disk(&ranges)?;
            Ok((blocking.opened, parts))
        });
        let read = read.await.map_err(|cause| SourceError::unreadable(&self.files.table, cause))?;
        let (opened, parts) = read?;
        self.opened = opened;
        Ok(parts)
    }

    /// The same for one range, on a thread that may block.
    pub(super) fn read_blocking(&mut self, range: Range<u64>) -> Result<Bytes, SourceError> {
        let ranges = [range];
        self.check(&ranges)?;
        let parts = match &self.file.place {
            Place::Bucket(object) => {
                Handle::current().block_on(object.read_all(&self.files.table, &ranges))?
            }
            Place::Disk(_) => self.read_disk(&ranges)?,
        };
        let nothing = || SourceError::unreadable(&self.files.table, "nothing was read");
        parts.into_iter().next().ok_or_else(nothing)
    }

    /// Offsets come from the file: they are not believed.
    fn check(&self, ranges: &[Range<u64>]) -> Result<(), SourceError> {
        match ranges.iter().find(|range| range.start > range.end || range.end > self.file.size()) {
            None => Ok(()),
            Some(_) => {
                let cause = "a range outside the file was asked for";
                Err(SourceError::unreadable(&self.files.table, cause))
            }
        }
    }

    fn read_disk(&mut self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, SourceError> {
        let table = &self.files.table;
        let (opened, file) = match (self.opened.clone(), &self.file.place) {
            (Some(opened), Place::Disk(file)) => (opened, file),
            _ => match (self.files.open(&self.file)?, &self.file.place) {
                (Input::Disk(opened), Place::Disk(file)) => (Arc::new(opened), file),
                _ => return Err(SourceError::unreadable(table, "the file does not lie on a disk")),
            },
        };
        let parts = read_ranges(table, file, &opened, ranges)?;
        self.opened = Some(opened);
        Ok(parts)
    }
}

fn read_ranges(
    table: &str,
    file: &DiskFile,
    opened: &File,
    ranges: &[Range<u64>],
) -> Result<Vec<Bytes>, SourceError> {
    let failed = |cause| SourceError::unreadable(table, cause);
    let mut parts = Vec::with_capacity(ranges.len());
    for range in ranges {
        let length = usize::try_from(range.end.saturating_sub(range.start))
            .map_err(|cause| SourceError::unreadable(table, cause))?;
        parts.push(read_range(opened, range.start, length).map_err(failed)?);
    }
    match file.is_same(opened).map_err(failed)? {
        true => Ok(parts),
        false => Err(SourceError::changed(table)),
    }
}

/// `length` bytes from `start`. The standard library reads at a place only into what was filled with zeros before, which
/// costs as much as a quarter of the reading.
fn read_range(file: &File, start: u64, length: usize) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let offset = start.saturating_add(bytes.len() as u64);
        if retry_on_intr(|| pread(file, spare_capacity(&mut bytes), offset))? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    // There may be more room than was asked for.
    bytes.truncate(length);
    Ok(Bytes::from(bytes))
}
