//! The row of values that a client binds to a prepared statement: its messages,
//! bounded before and while they are decoded.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use arrow::record_batch::RecordBatch;
use arrow_flight::{FlightData, decode::FlightRecordBatchStream, error::FlightError};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use tonic::Status;

use crate::{
    message,
    parameters::ParameterFault,
    status::{GatewayError, Limit},
};

/// Most bytes of all messages: many parameters have a long schema, however short their values are.
const BYTES_MAX: usize = 512 << 10;
/// A schema and a batch, and some that hold nothing.
const MESSAGES_MAX: usize = 16;

/// The rows in `messages`, at most few.
pub(super) async fn read(
    messages: impl Stream<Item = Result<FlightData, Status>> + Send + Unpin,
    within: Duration,
) -> Result<RecordBatch, GatewayError> {
    let messages = tokio::time::timeout(within, bounded(messages))
        .await
        .map_err(|_| GatewayError::Limit(Limit::IdleTime))??;
    // Arrow's reader panics on some schemas that nobody writes by accident.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(messages)));
    Ok(decoded.ok().flatten().ok_or(ParameterFault::Undecodable)?)
}

async fn bounded(
    mut messages: impl Stream<Item = Result<FlightData, Status>> + Send + Unpin,
) -> Result<Vec<FlightData>, GatewayError> {
    let mut read = Vec::new();
    let mut bytes = 0_usize;
    while let Some(message) = messages.next().await {
        let message =
            message.map_err(|_| GatewayError::InvalidRequest("the messages end before their time"))?;
        bytes = bytes.saturating_add(message.data_header.len()).saturating_add(message.data_body.len());
        if bytes > BYTES_MAX {
            return Err(ParameterFault::TooLong { limit: BYTES_MAX }.into());
        }
        if read.len() >= MESSAGES_MAX {
            return Err(ParameterFault::Rows.into());
        }
        message::check(&message, message::PARAMETERS).map_err(|_| ParameterFault::Undecodable)?;
        read.push(message);
    }
    Ok(read)
}

/// All is there already: nothing here waits.
fn decode(messages: Vec<FlightData>) -> Option<RecordBatch> {
    let messages = stream::iter(messages).map(Ok::<_, FlightError>);
    let mut batches = FlightRecordBatchStream::new_from_flight_data(messages);
    let all = batches.by_ref().try_collect::<Vec<_>>().now_or_never()?.ok()?;
    arrow::compute::concat_batches(batches.schema()?, &all).ok()
}
