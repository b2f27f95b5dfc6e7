//! The bytes of one pinned file from its beginning, for readers that block.

use std::fs::File;
use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use tokio::runtime::Handle;

use super::bucket::BucketObject;
use super::error::SourceError;

/// The first read of an object, which is often the only one; each next one is
/// larger, up to a bound.
const FIRST_BYTES: u64 = 64 << 10;
const LONGEST_BYTES: u64 = 8 << 20;

/// An open file.
#[derive(Debug)]
pub(super) enum Input {
    Disk(File),
    Bucket(Box<ObjectInput>),
}

/// An object that is read part by part. Every part is asked for with the
/// object's tag, so that no two of them are of different objects.
#[derive(Debug)]
pub(super) struct ObjectInput {
    table: String,
    object: BucketObject,
    position: u64,
    part_bytes: u64,
    waiting: Bytes,
}

impl Input {
    pub(super) fn object(table: &str, object: BucketObject) -> Self {
        Self::Bucket(Box::new(ObjectInput {
            table: table.to_owned(),
            object,
            position: 0,
            part_bytes: FIRST_BYTES,
            waiting: Bytes::new(),
        }))
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Disk(file) => file.read(buffer),
            Self::Bucket(object) => object.read(buffer),
        }
    }
}

impl ObjectInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.waiting.is_empty() && self.position < self.object.size {
            self.fetch()?;
        }
        let length = buffer.len().min(self.waiting.len());
        if let Some(target) = buffer.get_mut(..length) {
            self.waiting.copy_to_slice(target);
        }
        Ok(length)
    }

    fn fetch(&mut self) -> io::Result<()> {
        let end = self.position.saturating_add(self.part_bytes).min(self.object.size);
        // The thread is one for blocking work; the runtime's own threads bring the bytes.
        let part = Handle::current().block_on(self.object.read(&self.table, self.position..end));
        self.waiting = part.map_err(io::Error::other)?;
        self.position = end;
        self.part_bytes = (self.part_bytes * 2).min(LONGEST_BYTES);
        Ok(())
    }
}

/// What an error of reading an input means.
pub(super) fn explained(table: &str, cause: io::Error) -> SourceError {
    match cause.downcast::<SourceError>() {
        Ok(error) => error,
        Err(cause) => SourceError::unreadable(table, cause),
    }
}
