//! Gives a running query's rows to its client.
//!
//! One task drives the query into a short channel. It ends the query when the
//! client goes away, when the client stops reading, when a bound is reached.
//! The client's stream ends well only if the task said that it did.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arrow::{datatypes::SchemaRef, error::ArrowError, record_batch::RecordBatch};
use arrow_flight::{FlightData, encode::FlightDataEncoderBuilder, error::FlightError};
use datafusion::common::DataFusionError;
use futures::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use meshgate_engine::failure::{self, EngineFailure};
use tokio::sync::{mpsc, watch};
use tonic::Status;

use super::{access::Access, record::QueryRecord};
use crate::{
    admission::Admitted,
    config::Limits,
    edge,
    query::QueryContext,
    status::{ExpressionFault, GatewayError, Limit},
};

/// Messages that wait for the client.
const CHANNEL_MESSAGES: usize = 2;
/// Clients with the smallest bound on messages take 4 MiB.
const MESSAGE_BYTES: usize = 2 << 20;

/// Rows of a running query, as the engine gives them.
pub(super) type Batches = BoxStream<'static, Result<RecordBatch, DataFusionError>>;

/// A query that runs.
pub(super) struct Delivery {
    pub(super) batches: Batches,
    pub(super) context: Arc<QueryContext>,
    /// In which the result leaves the gateway.
    pub(super) schema: SchemaRef,
    pub(super) record: QueryRecord,
    pub(super) admitted: Admitted,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) access: Access,
}

/// What was given to the client so far.
#[derive(Debug, Default)]
struct Given {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Given {
    /// Counts a batch; gives rows and bytes with it.
    fn add(&self, rows: usize, bytes: usize) -> (u64, u64) {
        let (rows, bytes) = (rows as u64, bytes as u64);
        let before =
            (self.rows.fetch_add(rows, Ordering::Relaxed), self.bytes.fetch_add(bytes, Ordering::Relaxed));
        (before.0.saturating_add(rows), before.1.saturating_add(bytes))
    }

    fn total(&self) -> (u64, u64) {
        (self.rows.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// Set once, when it is known how the result ended.
type End = Arc<OnceLock<Result<(), Status>>>;

impl Delivery {
    /// Starts to deliver.
    pub(super) fn start(self, limits: &Limits) -> BoxStream<'static, Result<FlightData, Status>> {
        let (sender, receiver) = mpsc::channel(CHANNEL_MESSAGES);
        let end = End::default();
        let (query_id, idle_time, given) =
            (self.context.query_id.clone(), limits.idle_time, Arc::new(Given::default()));
        let messages = messages(self.batches, self.context, self.schema, Arc::clone(&given), limits);
        let task = Task {
            messages,
            sender: sender.clone(),
            given,
            idle_time,
            stopping: self.stopping,
            admitted: self.admitted,
        };
        let task_end = Arc::clone(&end);
        let (record, access) = (self.record, self.access);
        tokio::spawn(async move {
            let ended = task.run(record, access).await.map_err(|error| error.status(&query_id));
            // The client's stream looks for the end when the channel has closed.
            drop(task_end.set(ended));
            drop(sender);
        });
        client_stream(receiver, end).boxed()
    }
}

struct Task {
    messages: BoxStream<'static, Result<FlightData, FlightError>>,
    sender: mpsc::Sender<FlightData>,
    given: Arc<Given>,
    idle_time: Duration,
    stopping: watch::Receiver<bool>,
    admitted: Admitted,
}

impl Task {
    async fn run(mut self, mut record: QueryRecord, access: Access) -> Result<(), GatewayError> {
        let driven = tokio::select! {
            biased;
            () = access.lost() => Err(GatewayError::AccessChanged),
            driven = self.drive() => driven,
        };
        let (rows, bytes) = self.given.total();
        record.gave(rows, bytes);
        // The query's work ends before its end is told.
        drop(self.messages);
        drop(self.admitted);
        match driven {
            Ok(()) => record.completed(),
            Err(error) => Err(record.failed(error)),
        }
    }

    async fn drive(&mut self) -> Result<(), GatewayError> {
        loop {
            let next = tokio::select! {
                biased;
                () = self.sender.closed() => return Err(GatewayError::Cancelled),
                _ = self.stopping.wait_for(|stopping| *stopping) => return Err(GatewayError::Stopping),
                next = self.messages.next() => next,
            };
            let Some(message) = next else {
                return Ok(());
            };
            self.send(message.map_err(gateway_error)?).await?;
        }
    }

    async fn send(&mut self, message: FlightData) -> Result<(), GatewayError> {
        tokio::select! {
            biased;
            _ = self.stopping.wait_for(|stopping| *stopping) => Err(GatewayError::Stopping),
            sent = tokio::time::timeout(self.idle_time, self.sender.send(message)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(GatewayError::Cancelled),
                Err(_) => Err(GatewayError::Limit(Limit::IdleTime)),
            },
        }
    }
}

/// The query's rows as Flight messages, within the bounds of a result.
fn messages(
    batches: Batches,
    context: Arc<QueryContext>,
    schema: SchemaRef,
    given: Arc<Given>,
    limits: &Limits,
) -> BoxStream<'static, Result<FlightData, FlightError>> {
    let (rows_max, bytes_max) = (limits.result_rows, limits.result_bytes);
    let edge_schema = Arc::clone(&schema);
    let converted = batches
        .map_err(move |error| execution_error(&context, &error))
        .and_then(move |batch| {
            let converted = edge::convert(&batch, &edge_schema)
                .map_err(|error| unconvertible(&error))
                .and_then(|batch| count(&given, rows_max, bytes_max, &batch).map(|()| batch));
            let pieces = converted
                .map(|batch| stream::iter(edge::split(batch, MESSAGE_BYTES)).map(Ok::<_, GatewayError>));
            std::future::ready(pieces)
        })
        .try_flatten()
        .map_err(|error| FlightError::ExternalError(Box::new(error)));
    FlightDataEncoderBuilder::new()
        .with_schema(schema)
        // They are small enough, and the encoder would count shared buffers once for each column.
        .with_max_flight_data_size(usize::MAX)
        .build(converted)
        .boxed()
}

/// A number beyond the type in which it leaves the gateway, or a mistake of ours.
fn unconvertible(error: &ArrowError) -> GatewayError {
    match error {
        ArrowError::CastError(_) => GatewayError::Expression(ExpressionFault::Overflow),
        other => GatewayError::Internal(format!("a result cannot be converted: {other}")),
    }
}

/// A domain's failure is told as such, however the operators above wrapped it.
pub(crate) fn execution_error(context: &QueryContext, error: &DataFusionError) -> GatewayError {
    context.failure().unwrap_or_else(|| match failure::classify(error) {
        EngineFailure::Deadline => GatewayError::Limit(Limit::QueryTime),
        EngineFailure::Cancelled => GatewayError::Cancelled,
        _ => GatewayError::from_execution(error),
    })
}

fn count(given: &Given, rows_max: u64, bytes_max: u64, batch: &RecordBatch) -> Result<(), GatewayError> {
    let (rows, bytes) = given.add(batch.num_rows(), edge::size(batch));
    if rows > rows_max {
        Err(GatewayError::Limit(Limit::ResultRows))
    } else if bytes > bytes_max {
        Err(GatewayError::Limit(Limit::ResultBytes))
    } else {
        Ok(())
    }
}

fn gateway_error(error: FlightError) -> GatewayError {
    match error {
        FlightError::ExternalError(source) => match source.downcast::<GatewayError>() {
            Ok(error) => *error,
            Err(other) => GatewayError::Internal(format!("a result cannot be encoded: {other}")),
        },
        other => GatewayError::Internal(format!("a result cannot be encoded: {other}")),
    }
}

/// What came, and then how it ended. Without a known end it did not end well.
fn client_stream(
    receiver: mpsc::Receiver<FlightData>,
    end: End,
) -> impl Stream<Item = Result<FlightData, Status>> + Send {
    let unknown = || Err(Status::internal("the result could not be completed"));
    let last = stream::once(async move { end.get().cloned().unwrap_or_else(unknown) });
    let last = last.filter_map(|ended| std::future::ready(ended.err().map(Err)));
    tokio_stream::wrappers::ReceiverStream::new(receiver).map(Ok).chain(last)
}
