//! What messages to clients are, whichever server sends them: how large, and of which types.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{FieldRef, Schema};
use arrow::record_batch::RecordBatch;

/// Longest message to a client, as far as rows can be told apart: those with the smallest bound take 4 MiB.
pub const MESSAGE_BYTES: usize = 2 << 20;

/// Can columns of `from` leave in `to` as they are? Names and metadata are no matter of theirs.
pub fn keeps_types(from: &Schema, to: &Schema) -> bool {
    let keeps = |(from, to): (&FieldRef, &FieldRef)| {
        from.data_type() == to.data_type() && (to.is_nullable() || !from.is_nullable())
    };
    from.fields().len() == to.fields().len() && from.fields().iter().zip(to.fields()).all(keeps)
}

/// `batch` in pieces of at most `bytes_max`, as far as rows can be told apart.
pub fn split(batch: RecordBatch, bytes_max: usize) -> Vec<RecordBatch> {
    let rows = batch.num_rows();
    if rows < 2 || size(&batch) <= bytes_max {
        return vec![batch];
    }
    let half = rows / 2;
    let halves = [batch.slice(0, half), batch.slice(half, rows - half)];
    halves.into_iter().flat_map(|half| split(half, bytes_max)).collect()
}

/// Bytes of the rows of `batch`. What its buffers hold beside them does not
/// count: decoded columns share one buffer.
pub fn size(batch: &RecordBatch) -> usize {
    let bytes = |column: &ArrayRef| {
        let sliced = column.to_data().get_slice_memory_size();
        sliced.unwrap_or_else(|_| column.get_array_memory_size())
    };
    batch.columns().iter().map(bytes).sum()
}
