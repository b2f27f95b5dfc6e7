//! The head of a log: which lines there must be.
//!
//! It is written in place and always as long, so that it needs no new disk and
//! is never half of an old and half of a new one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use meshgate_policies::Digest;
use serde::{Deserialize, Serialize};

use super::{chain, files};
use crate::bounded_file;

/// One block of a disk, which is written whole or not at all.
const BYTES: usize = 512;
/// A server that was just stopped may still hold the lock.
const LOCK_WITHIN: Duration = Duration::from_secs(5);
const LOCK_AGAIN: Duration = Duration::from_millis(50);

/// What a log must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Number of the oldest line that is kept, and the digest of the line before it.
    pub(super) first: u64,
    pub(super) before: Digest,
    /// Number and digest of the newest line; one less than `first` if there is none.
    pub(super) last: u64,
    pub(super) digest: Digest,
}

#[derive(Serialize, Deserialize)]
struct Text {
    first: u64,
    before: String,
    last: u64,
    digest: String,
}

impl Head {
    /// Of a log without lines.
    pub(super) fn new() -> Self {
        let beginning = chain::beginning();
        Self { first: 1, before: beginning, last: 0, digest: beginning }
    }

    /// The head of the log at `path`, if it has one.
    pub(super) fn read(log: &Path) -> io::Result<Option<Self>> {
        match bounded_file::read(&files::head(log), BYTES as u64) {
            Ok(bytes) if bytes.is_empty() => Ok(None),
            Ok(bytes) => Self::parse(&bytes).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let damaged = || io::Error::new(ErrorKind::InvalidData, "the head of the log is damaged");
        let text: Text = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        let digest = |text: &str| Digest::from_hex(text).ok_or_else(damaged);
        let numbers = 1..=chain::NUMBER_MAX;
        if !numbers.contains(&text.first) || text.last > chain::NUMBER_MAX || text.last + 1 < text.first {
            return Err(damaged());
        }
        Ok(Self {
            first: text.first,
            before: digest(&text.before)?,
            last: text.last,
            digest: digest(&text.digest)?,
        })
    }

    fn to_bytes(self) -> io::Result<Vec<u8>> {
        let text = Text {
            first: self.first,
            before: self.before.to_string(),
            last: self.last,
            digest: self.digest.to_string(),
        };
        let mut bytes = serde_json::to_vec(&text)?;
        // JSON may be followed by blanks.
        bytes.resize(BYTES - 1, b' ');
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// The file of a head, locked: a chain has one writer.
#[derive(Debug)]
pub(super) struct HeadFile {
    path: PathBuf,
    file: File,
}

impl HeadFile {
    /// Takes the lock and reads what is there.
    pub(super) fn open(log: &Path) -> io::Result<(Self, Option<Head>)> {
        let path = files::head(log);
        let file = locked(&path)?;
        Ok((Self { path, file }, Head::read(log)?))
    }

    /// Writes it anew if somebody took it away.
    pub(super) fn write(&mut self, head: Head) -> io::Result<()> {
        if !files::is_at(&self.file, &self.path)? {
            self.file = locked(&self.path)?;
        }
        self.file.write_all_at(&head.to_bytes()?, 0)
    }
}

fn locked(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    lock(&file)?;
    Ok(file)
}

fn lock(file: &File) -> io::Result<()> {
    let began = std::time::Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_WITHIN => std::thread::sleep(LOCK_AGAIN),
            Err(TryLockError::WouldBlock) => {
                let message = "another server writes this log: each needs a file of its own";
                return Err(io::Error::new(ErrorKind::ResourceBusy, message));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
