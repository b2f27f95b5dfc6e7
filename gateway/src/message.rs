//! What is looked at of the messages of nodes and clients before they are decoded.
//!
//! Decoding allocates what a message says that it needs: a compressed buffer
//! names its own length, and rows without columns take no bytes at all. Who
//! says too much must not end the gateway.

use arrow::ipc::{self, CompressionType, MessageHeader, root_as_message};
use arrow_flight::FlightData;
use meshgate_engine::compressed::decompressed_bytes;

/// What one message may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageBounds {
    rows: i64,
    /// Of one column, counting what lies in lists.
    values: i64,
    /// Bytes of all columns, where they may be compressed at all.
    decompressed: Option<usize>,
}

/// Of nodes: some hundred times the rows of an engine's batch.
pub(crate) const RESULT: MessageBounds = MessageBounds { rows: 1 << 20, values: 1 << 26, decompressed: None };
/// Of nodes that were asked to compress.
pub(crate) const COMPRESSED_RESULT: MessageBounds = MessageBounds { decompressed: Some(64 << 20), ..RESULT };
/// Of clients that bind parameters: one row is wanted, and two are told apart from it.
pub(crate) const PARAMETERS: MessageBounds =
    MessageBounds { rows: 1 << 10, values: 1 << 16, decompressed: None };

/// May this message be decoded? If not, why.
pub(crate) fn check(message: &FlightData, bounds: MessageBounds) -> Result<(), &'static str> {
    let header = root_as_message(&message.data_header).map_err(|_| "a message has no header")?;
    match header.header_type() {
        MessageHeader::Schema => Ok(()),
        MessageHeader::RecordBatch => {
            let batch = header.header_as_record_batch().ok_or("a batch has no header")?;
            let fits = |length: i64, limit: i64| (0..=limit).contains(&length);
            check_buffers(batch, &message.data_body, bounds.decompressed)?;
            if !fits(batch.length(), bounds.rows) {
                Err("a batch has too many rows")
            } else if !batch
                .nodes()
                .is_none_or(|nodes| nodes.iter().all(|node| fits(node.length(), bounds.values)))
            {
                Err("a column has too many values")
            } else {
                Ok(())
            }
        }
        // No type of a contract is a dictionary.
        _ => Err("a message is neither a schema nor a batch"),
    }
}

/// Of ZSTD, the decoder takes no more than the length that a buffer has in front; of LZ4 it takes what comes.
fn check_buffers(batch: ipc::RecordBatch<'_>, body: &[u8], limit: Option<usize>) -> Result<(), &'static str> {
    let bytes =
        decompressed_bytes(batch, body).ok_or("a buffer lies outside its message, or says no length")?;
    let Some(compression) = batch.compression() else { return Ok(()) };
    match limit {
        Some(limit) if compression.codec() == CompressionType::ZSTD => {
            if bytes <= limit {
                Ok(())
            } else {
                Err("a compressed batch is too long")
            }
        }
        _ => Err("a batch is compressed in a way that was not asked for"),
    }
}

#[cfg(test)]
mod tests;
