//! What is looked at of the messages of nodes and clients before they are decoded.
//!
//! Decoding allocates what a message says that it needs: a compressed buffer
//! names its own length, and rows without columns take no bytes at all. No
//! node of ours sends either; one that does must not end the gateway, nor
//! must a client.

use arrow::ipc::{MessageHeader, root_as_message};
use arrow_flight::FlightData;

/// What one message may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageBounds {
    rows: i64,
    /// Of one column, counting what lies in lists.
    values: i64,
}

/// Of nodes: some hundred times the rows of an engine's batch.
pub(crate) const RESULT: MessageBounds = MessageBounds { rows: 1 << 20, values: 1 << 26 };
/// Of clients that bind parameters: one row is wanted, and two are told apart from it.
pub(crate) const PARAMETERS: MessageBounds = MessageBounds { rows: 1 << 10, values: 1 << 16 };

/// May this message be decoded? If not, why.
pub(crate) fn check(message: &FlightData, bounds: MessageBounds) -> Result<(), &'static str> {
    let header = root_as_message(&message.data_header).map_err(|_| "a message has no header")?;
    match header.header_type() {
        MessageHeader::Schema => Ok(()),
        MessageHeader::RecordBatch => {
            let batch = header.header_as_record_batch().ok_or("a batch has no header")?;
            let fits = |length: i64, limit: i64| (0..=limit).contains(&length);
            if batch.compression().is_some() {
                Err("a batch is compressed")
            } else if !fits(batch.length(), bounds.rows) {
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
