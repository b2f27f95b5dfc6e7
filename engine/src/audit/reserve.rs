//! Disk that is held back, so that what ran while the disk became full can still be recorded.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::files;

/// Enough for the records of all queries that run at a time.
const BYTES: usize = 1 << 20;
const PIECE: usize = 64 << 10;

/// A file that only takes room.
#[derive(Debug)]
pub(super) struct Reserve {
    file: File,
    is_held: bool,
}

impl Reserve {
    /// Opens it; whether there is room for it is for [`Self::hold`] to say.
    pub(super) fn open(log: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600).open(files::reserve(log))?;
        let is_held = file.metadata()?.len() >= BYTES as u64;
        Ok(Self { file, is_held })
    }

    /// Takes the room if it is not taken; an error if there is not enough.
    pub(super) fn hold(&mut self) -> io::Result<()> {
        if self.is_held {
            return Ok(());
        }
        self.file.set_len(0)?;
        // Written, not only declared: a hole takes no room.
        let piece = [b'.'; PIECE];
        let written = (0..BYTES / PIECE).try_for_each(|_| self.file.write_all(&piece));
        self.is_held = written.is_ok();
        // What there is of room is for records.
        written.or_else(|error| self.file.set_len(0).and(Err(error)))
    }

    /// Gives the room back. False if there is none to give.
    pub(super) fn release(&mut self) -> bool {
        std::mem::take(&mut self.is_held) && self.file.set_len(0).is_ok()
    }
}
