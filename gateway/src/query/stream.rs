//! The answer to a domain query as rows, for operators that go on with them.

use std::sync::Arc;

use arrow::{
    datatypes::SchemaRef,
    record_batch::{RecordBatch, RecordBatchOptions},
};
use arrow_flight::{decode::FlightRecordBatchStream, error::FlightError};
use datafusion::{common::DataFusionError, physical_plan::stream::RecordBatchReceiverStream};
use futures::{Stream, StreamExt, TryStreamExt, stream, stream::BoxStream};
use meshgate_engine::narrow::widened;

use super::{
    DomainQuery, QueryContext,
    attempt::{self, Attempt, Batches},
};
use crate::status::GatewayError;

/// Batches of one answer that wait for whoever reads them, beside what lies in the connection's window.
const BATCHES_AHEAD: usize = 1;

/// The rows of `query`, which is final when the first of them is asked for. Dropping the stream
/// ends the work of the node.
pub(super) fn answer(
    query: impl Future<Output = Arc<DomainQuery>> + Send,
    context: Arc<QueryContext>,
) -> impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send {
    stream::once(async move { Attempt::open(query.await, context, Batches::Decoded).await })
        .map_ok(|attempt| Answer::new(attempt).into_batches())
        .try_flatten()
        .map_err(|error| DataFusionError::External(Box::new(error)))
}

/// The same batches, which come from now on and not from when they are asked for: domains work at the same time.
/// No more than a few of them wait. Dropping the stream ends what brings them.
pub(super) fn ahead(
    schema: SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send + 'static,
) -> BoxStream<'static, Result<RecordBatch, DataFusionError>> {
    let mut ahead = RecordBatchReceiverStream::builder(schema, BATCHES_AHEAD);
    let sender = ahead.tx();
    ahead.spawn(async move {
        let mut batches = std::pin::pin!(batches);
        while let Some(batch) = batches.next().await {
            if sender.send(batch).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    ahead.build()
}

/// Keeps why an answer failed, once somebody needed it.
pub(super) fn note(context: &QueryContext, error: &DataFusionError) {
    if let DataFusionError::External(error) = error
        && let Some(error) = error.downcast_ref()
    {
        context.fail(error);
    }
}

struct Answer {
    query: Arc<DomainQuery>,
    messages: FlightRecordBatchStream,
}

impl Answer {
    fn new(attempt: Attempt) -> Self {
        let query = Arc::clone(attempt.query());
        let messages = stream::try_unfold(attempt, |mut attempt| async move {
            Ok::<_, GatewayError>(attempt.next().await?.map(|message| (message, attempt)))
        });
        let messages = messages.map_err(|error| FlightError::ExternalError(Box::new(error)));
        Self { query, messages: FlightRecordBatchStream::new_from_flight_data(messages) }
    }

    fn into_batches(self) -> impl Stream<Item = Result<RecordBatch, GatewayError>> + Send {
        stream::try_unfold(
            self,
            |mut answer| async move { Ok(answer.next().await?.map(|batch| (batch, answer))) },
        )
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>, GatewayError> {
        let next = self.messages.next().await.transpose().map_err(|error| self.failed(error))?;
        attempt::check_schema(&self.query, self.messages.schema().map(AsRef::as_ref), Batches::Decoded)?;
        let Some(batch) = next else {
            return Ok(None);
        };
        // The promised schema has no metadata: what a node puts there is not handed on.
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let fields = self.query.schema.fields().iter();
        let columns =
            batch.columns().iter().zip(fields).map(|(column, field)| widened(column, field.data_type()));
        columns
            .collect::<Result<Vec<_>, _>>()
            .and_then(|columns| {
                RecordBatch::try_new_with_options(Arc::clone(&self.query.schema), columns, &rows)
            })
            .map(Some)
            .map_err(|_| attempt::other_schema(&self.query))
    }

    fn failed(&self, error: FlightError) -> GatewayError {
        match error {
            FlightError::ExternalError(source) => match source.downcast::<GatewayError>() {
                Ok(error) => *error,
                Err(_) => attempt::unusable(&self.query, "it cannot be read"),
            },
            FlightError::Tonic(status) => GatewayError::from_domain(&self.query.domain, &status),
            // The text can hold what was in the message: only its kind is kept.
            FlightError::Arrow(_)
            | FlightError::DecodeError(_)
            | FlightError::ProtocolError(_)
            | FlightError::NotYetImplemented(_) => attempt::unusable(&self.query, "it cannot be decoded"),
        }
    }
}
