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

use arrow::{
    datatypes::SchemaRef,
    error::ArrowError,
    ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions},
};
use arrow_flight::{FlightData, SchemaAsIpc};
use datafusion::common::DataFusionError;
use futures::{
    Stream, StreamExt, TryStreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use meshgate_engine::failure::{self, EngineFailure};
use tokio::sync::{mpsc, watch};
use tonic::Status;

use super::record::QueryRecord;
use crate::{
    admission::Admitted,
    config::Limits,
    edge,
    query::{Portion, QueryContext},
    status::{ExpressionFault, GatewayError, Limit},
};

/// Messages that wait for the client.
const CHANNEL_MESSAGES: usize = 2;

/// The result of a running query, as the engine or a node gives it.
pub(super) type Portions = BoxStream<'static, Result<Portion, GatewayError>>;

/// A query that runs.
pub(super) struct Delivery {
    pub(super) portions: Portions,
    pub(super) query_id: String,
    /// In which the result leaves the gateway.
    pub(super) schema: SchemaRef,
    pub(super) record: QueryRecord,
    pub(super) admitted: Admitted,
    pub(super) stopping: watch::Receiver<bool>,
    /// Completes when the result may not go on.
    pub(super) lost: BoxFuture<'static, ()>,
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
        let (query_id, idle_time, given) = (self.query_id, limits.idle_time, Arc::new(Given::default()));
        let messages = messages(self.portions, self.schema, Arc::clone(&given), limits);
        let task = Task {
            messages,
            sender: sender.clone(),
            given,
            idle_time,
            stopping: self.stopping,
            admitted: self.admitted,
        };
        let task_end = Arc::clone(&end);
        let (record, lost) = (self.record, self.lost);
        tokio::spawn(async move {
            let ended = task.run(record, lost).await.map_err(|error| error.status(&query_id));
            // The client's stream looks for the end when the channel has closed.
            drop(task_end.set(ended));
            drop(sender);
        });
        client_stream(receiver, end).boxed()
    }
}

struct Task {
    messages: BoxStream<'static, Result<FlightData, GatewayError>>,
    sender: mpsc::Sender<FlightData>,
    given: Arc<Given>,
    idle_time: Duration,
    stopping: watch::Receiver<bool>,
    admitted: Admitted,
}

impl Task {
    async fn run(
        mut self,
        mut record: QueryRecord,
        lost: BoxFuture<'static, ()>,
    ) -> Result<(), GatewayError> {
        let driven = tokio::select! {
            biased;
            () = lost => Err(GatewayError::AccessChanged),
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
            self.send(message?).await?;
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

/// The query's result as Flight messages, within the bounds of a result.
fn messages(
    portions: Portions,
    schema: SchemaRef,
    given: Arc<Given>,
    limits: &Limits,
) -> BoxStream<'static, Result<FlightData, GatewayError>> {
    let (rows_max, bytes_max) = (limits.result_rows, limits.result_bytes);
    let first = FlightData::from(SchemaAsIpc::new(&schema, &IpcWriteOptions::default()));
    let further = portions
        .and_then(move |portion| {
            let counted = pieces(portion, &schema).and_then(|portion| {
                count(&given, rows_max, bytes_max, portion.rows, portion.bytes).map(|()| portion.pieces)
            });
            std::future::ready(counted.map(|pieces| stream::iter(pieces).map(Ok)))
        })
        .try_flatten()
        .and_then(|piece| std::future::ready(message(piece)));
    stream::once(async { Ok(first) }).chain(further).boxed()
}

/// A portion of which each piece is one message.
struct Pieces {
    rows: usize,
    bytes: usize,
    pieces: Vec<Portion>,
}

/// Rows in the types of `schema`; a node's message has them already.
fn pieces(portion: Portion, schema: &SchemaRef) -> Result<Pieces, GatewayError> {
    match portion {
        Portion::Rows(batch) => {
            let batch = edge::convert(&batch, schema).map_err(|error| unconvertible(&error))?;
            let (rows, bytes) = (batch.num_rows(), edge::size(&batch));
            let pieces = edge::split(batch, edge::MESSAGE_BYTES);
            Ok(Pieces { rows, bytes, pieces: pieces.into_iter().map(Portion::Rows).collect() })
        }
        Portion::Message(relayed) => {
            Ok(Pieces { rows: relayed.rows, bytes: relayed.bytes, pieces: vec![Portion::Message(relayed)] })
        }
    }
}

fn message(piece: Portion) -> Result<FlightData, GatewayError> {
    let batch = match piece {
        Portion::Message(relayed) => return Ok(relayed.message),
        Portion::Rows(batch) => batch,
    };
    // No type in which a result leaves is a dictionary: nothing is remembered between messages.
    let encoded = IpcDataGenerator::default().encode(
        &batch,
        &mut DictionaryTracker::new(true),
        &IpcWriteOptions::default(),
        &mut IpcWriteContext::default(),
    );
    let (_, batch) =
        encoded.map_err(|error| GatewayError::Internal(format!("a result cannot be encoded: {error}")))?;
    Ok(batch.into())
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

fn count(
    given: &Given,
    rows_max: u64,
    bytes_max: u64,
    rows: usize,
    bytes: usize,
) -> Result<(), GatewayError> {
    let (rows, bytes) = given.add(rows, bytes);
    if rows > rows_max {
        Err(GatewayError::Limit(Limit::ResultRows))
    } else if bytes > bytes_max {
        Err(GatewayError::Limit(Limit::ResultBytes))
    } else {
        Ok(())
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
