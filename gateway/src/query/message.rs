//! What is looked at of a node's messages before they are decoded.
//!
//! Decoding allocates what a message says that it needs: a compressed buffer
//! names its own length, and rows without columns take no bytes at all. No
//! node of ours sends either; one that does must not end the gateway.

use arrow::ipc::{MessageHeader, root_as_message};
use arrow_flight::FlightData;

/// Most rows of a message: some hundred times those of an engine's batch.
const ROWS_MAX: i64 = 1 << 20;
/// Most values of one column of a message, counting what lies in lists.
const VALUES_MAX: i64 = 1 << 26;

/// May this message be decoded? If not, why.
pub(super) fn check(message: &FlightData) -> Result<(), &'static str> {
    let header = root_as_message(&message.data_header).map_err(|_| "a message has no header")?;
    match header.header_type() {
        MessageHeader::Schema => Ok(()),
        MessageHeader::RecordBatch => {
            let batch = header.header_as_record_batch().ok_or("a batch has no header")?;
            let fits = |length: i64, limit: i64| (0..=limit).contains(&length);
            if batch.compression().is_some() {
                Err("a batch is compressed")
            } else if !fits(batch.length(), ROWS_MAX) {
                Err("a batch has too many rows")
            } else if !batch
                .nodes()
                .is_none_or(|nodes| nodes.iter().all(|node| fits(node.length(), VALUES_MAX)))
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
