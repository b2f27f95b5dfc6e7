//! One message with its body, checked before anything is allocated or sliced
//! for it: what a block says about lengths is not believed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::buffer::Buffer;
use arrow::error::ArrowError;
use arrow::ipc::reader::FileDecoder;
use arrow::ipc::{Block, Message, MessageHeader, RecordBatch as BatchMessage, root_as_message};

use meshgate_engine::compressed::decompressed_bytes;

use crate::source::error::SourceError;
use crate::source::files::{FileSet, PinnedFile};

/// Longest description of a message.
pub(super) const MAX_METADATA_BYTES: usize = 16 << 20;
/// Longest body of a message, as it lies in the file and decompressed.
pub(super) const MAX_BODY_BYTES: usize = 256 << 20;
/// Marker and length in front of a message.
pub(super) const PREFIX_BYTES: usize = 8;
pub(super) const MARKER: [u8; 4] = [0xFF; 4];

/// Prefix, description and body of a message.
#[derive(Debug)]
pub(super) struct Framed {
    pub(super) block: Block,
    pub(super) bytes: Buffer,
}

impl Framed {
    /// `bytes` is the whole block; `metadata` of them are prefix and description.
    pub(super) fn new(bytes: Buffer, metadata: usize) -> Result<Self, ArrowError> {
        let body = bytes.len().checked_sub(metadata).ok_or_else(|| broken("a block is too short"))?;
        let metadata = i32::try_from(metadata).map_err(|_| broken("a block is too long"))?;
        let body = i64::try_from(body).map_err(|_| broken("a block is too long"))?;
        Ok(Self { block: Block::new(0, metadata, body), bytes })
    }

    /// The description, whose lengths fit the block.
    pub(super) fn message(&self) -> Result<Message<'_>, ArrowError> {
        let metadata = usize::try_from(self.block.metaDataLength()).unwrap_or_default();
        let described = self.bytes.get(PREFIX_BYTES..metadata);
        let described = described.filter(|_| self.bytes.starts_with(&MARKER));
        let described = described.ok_or_else(|| broken("a block does not begin with a message"))?;
        root_as_message(described).map_err(|error| broken(&error.to_string()))
    }

    fn body(&self) -> &[u8] {
        let metadata = usize::try_from(self.block.metaDataLength()).unwrap_or_default();
        self.bytes.get(metadata..).unwrap_or_default()
    }

    /// Adds a dictionary to the decoder.
    pub(super) fn decode_dictionary(&self, decoder: &mut FileDecoder) -> Result<(), ArrowError> {
        let message = self.message()?;
        let batch = message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
        check_buffers(batch, self.body())?;
        guarded(|| decoder.read_dictionary(&self.block, &self.bytes))
    }

    /// The rows of the block.
    pub(super) fn decode_rows(&self, decoder: &FileDecoder) -> Result<arrow::array::RecordBatch, ArrowError> {
        let message = self.message()?;
        check_buffers(message.header_as_record_batch(), self.body())?;
        let batch = guarded(|| decoder.read_record_batch(&self.block, &self.bytes))?;
        batch.ok_or_else(|| broken("a block holds no rows"))
    }

    pub(super) fn is(&self, kind: MessageHeader) -> Result<bool, ArrowError> {
        Ok(self.message()?.header_type() == kind)
    }
}

/// Why a file gave no rows: it could not be read, or what was read is no
/// Arrow IPC.
#[derive(Debug)]
pub(super) enum IpcError {
    Source(SourceError),
    Broken(ArrowError),
}

impl IpcError {
    /// Tells the log what is broken.
    pub(super) fn reported(self, files: &FileSet, file: &PinnedFile) -> SourceError {
        match self {
            Self::Source(error) => error,
            Self::Broken(cause) => {
                let table = &files.table;
                tracing::error!(table, path = %file, %cause, "an Arrow IPC file cannot be read");
                SourceError::unreadable(table, cause)
            }
        }
    }
}

impl From<SourceError> for IpcError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<ArrowError> for IpcError {
    fn from(error: ArrowError) -> Self {
        Self::Broken(error)
    }
}

pub(super) fn broken(what: &str) -> ArrowError {
    ArrowError::IpcError(what.to_owned())
}

/// The decoder trusts some of what a message says and panics where it is not so.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, ArrowError> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(broken("a message contradicts itself")))
}

/// All buffers lie in the body, and decompressed they are not too long.
fn check_buffers(batch: Option<BatchMessage<'_>>, body: &[u8]) -> Result<(), ArrowError> {
    let batch = batch.ok_or_else(|| broken("a message is of another kind than its place says"))?;
    if batch.length() < 0 {
        return Err(broken("a batch has less than no rows"));
    }
    let bytes = decompressed_bytes(batch, body).ok_or_else(|| broken("a buffer lies outside its block"))?;
    if bytes > MAX_BODY_BYTES {
        return Err(too_long());
    }
    Ok(())
}

pub(super) fn too_long() -> ArrowError {
    broken(&format!("a block is longer than {MAX_BODY_BYTES} bytes; write smaller batches"))
}
