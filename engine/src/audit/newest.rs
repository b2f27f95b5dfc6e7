//! The newest lines of a log, newest first, without reading all of it.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::files;

const PIECE: u64 = 256 << 10;

/// How far a look back goes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Lines that are taken.
    pub lines: usize,
    /// Bytes that are read, lines that are not taken included.
    pub bytes: u64,
}

/// Gives `take` the newest lines until it has taken as many as it may; a line counts if `take` says so.
pub fn newest(log: &Path, bounds: Bounds, mut take: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let (mut lines, mut bytes) = (bounds.lines, bounds.bytes);
    for file in newest_first(log)? {
        let mut backwards = Backwards { end: file.metadata()?.len(), file, left: bytes, rest: Vec::new() };
        backwards.skip_unfinished()?;
        while lines > 0 {
            let Some(line) = backwards.next_line()? else { break };
            lines -= usize::from(take(&line));
        }
        bytes = backwards.left;
    }
    Ok(())
}

/// All files of the log, open. The one that is written is opened before the others are listed: put aside
/// meanwhile, it is one of them, and not taken twice.
fn newest_first(log: &Path) -> io::Result<Vec<File>> {
    let written = open(log)?;
    let mut files = Vec::new();
    for (_, path) in files::put_aside(log)?.into_iter().rev() {
        let is_written =
            written.as_ref().map(|file| files::is_at(file, &path)).transpose()?.unwrap_or_default();
        if !is_written {
            files.extend(open(&path)?);
        }
    }
    Ok(written.into_iter().chain(files).collect())
}

/// None if it was removed meanwhile.
fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file from its end.
struct Backwards {
    file: File,
    /// Where what is not read yet ends.
    end: u64,
    /// How much may still be read.
    left: u64,
    /// What was read and not given: the end of a line is at its end.
    rest: Vec<u8>,
}

impl Backwards {
    /// The line before, without its line break; `None` at the beginning, or where reading must end.
    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = self.rest.iter().rposition(|byte| *byte == b'\n') {
                let line = self.rest.split_off(at + 1);
                self.rest.pop();
                return Ok(Some(line));
            }
            if !self.read_more()? {
                let line = std::mem::take(&mut self.rest);
                // Only at the beginning of the file it is known to be whole.
                return Ok((self.end == 0 && !line.is_empty()).then_some(line));
            }
        }
    }

    /// A line that is being written has no line break yet.
    fn skip_unfinished(&mut self) -> io::Result<()> {
        self.next_line().map(drop)
    }

    fn read_more(&mut self) -> io::Result<bool> {
        let length = PIECE.min(self.end).min(self.left);
        if length == 0 {
            return Ok(false);
        }
        let mut piece = vec![0; usize::try_from(length).unwrap_or_default()];
        self.file.read_exact_at(&mut piece, self.end - length)?;
        self.end -= length;
        self.left -= length;
        piece.append(&mut self.rest);
        self.rest = piece;
        Ok(true)
    }
}
