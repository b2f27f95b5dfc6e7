//! The schema that the gateway expects, as bytes in its message.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::datatypes::{Field, Schema};
use arrow::ipc::convert::try_schema_from_ipc_buffer;

/// Reads an encapsulated schema message. `None` if it is none.
pub(crate) fn decode(message: &[u8]) -> Option<Schema> {
    // arrow-ipc still panics on some crafted schemas. What it is given is not
    // used after a panic, so nothing broken can be observed.
    catch_unwind(AssertUnwindSafe(|| try_schema_from_ipc_buffer(message))).ok()?.ok()
}

/// True if names, order, types and nullability are equal. Metadata is none of the promise.
pub(crate) fn same_promise(left: &Schema, right: &Schema) -> bool {
    let same = |(left, right): (&std::sync::Arc<Field>, &std::sync::Arc<Field>)| {
        left.name() == right.name()
            && left.data_type() == right.data_type()
            && left.is_nullable() == right.is_nullable()
    };
    left.fields().len() == right.fields().len() && left.fields().iter().zip(right.fields()).all(same)
}
