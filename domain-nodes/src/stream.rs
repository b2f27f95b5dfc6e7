//! The result of one domain query on its way out.
//!
//! A pump moves messages from the engine to the response, and alone decides
//! how the stream ends. The response says OK only if the pump said so: a pump
//! that is gone without a word ends the stream in an error, never short.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;
use arrow_flight::error::FlightError;
use futures::{Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::Instant;
use tonic::Status;

use crate::access::Access;
use crate::node::Phase;
use crate::record::OpenRecord;
use crate::shadow::Counting;
use crate::status::{Bound, QueryError, Told};
use crate::wire::Wire;

/// What a pump needs beside the batches.
#[derive(Debug)]
pub(crate) struct Pump {
    pub(crate) record: OpenRecord,
    pub(crate) slot: OwnedSemaphorePermit,
    pub(crate) deadline: Instant,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) access: Access,
    pub(crate) told: Told,
    /// Longest time that the result may wait for its reader; none for gateways, which have their own.
    pub(crate) idle_time: Option<Duration>,
    pub(crate) wire: Wire,
    /// What is done once the result has ended well.
    pub(crate) counting: Option<Counting>,
}

/// Starts to pump; dropping the answer cancels the query.
pub(crate) fn start<S>(batches: S, schema: SchemaRef, pump: Pump) -> ResultStream
where
    S: Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(1);
    let end = Arc::new(OnceLock::new());
    let result = ResultStream { receiver, end: end.clone(), ended: false, told: pump.told };
    tokio::spawn(async move {
        let last_word = pump.run(batches, schema, &sender).await;
        // Before the channel closes, or the response would not find it.
        end.get_or_init(|| last_word);
        drop(sender);
    });
    result
}

impl Pump {
    async fn run<S>(
        mut self,
        batches: S,
        schema: SchemaRef,
        sender: &mpsc::Sender<FlightData>,
    ) -> Result<(), Status>
    where
        S: Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static,
    {
        let (rows, bytes) = (Arc::new(AtomicU64::new(0)), AtomicU64::new(0));
        let messages = self
            .wire
            .encode(count_rows(batches, rows.clone()), schema)
            .map(|message| message.map_err(query_error));
        let moved = tokio::select! {
            biased;
            () = sender.closed() => Err(QueryError::Cancelled),
            _ = self.phase.wait_for(|phase| *phase == Phase::Cut) => Err(QueryError::Stopping),
            () = self.access.lost() => Err(QueryError::AccessChanged),
            () = tokio::time::sleep_until(self.deadline) => Err(QueryError::QueryTime),
            moved = move_all(messages, sender, &bytes, self.idle_time) => moved,
        };
        drop(self.slot);
        self.record.count(rows.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed));
        self.record.close(moved)?;
        if let Some(counting) = self.counting {
            tokio::spawn(counting.run(self.phase));
        }
        Ok(())
    }
}

fn count_rows<S>(
    batches: S,
    rows: Arc<AtomicU64>,
) -> impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static
where
    S: Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static,
{
    batches.map(move |batch| match batch {
        Ok(batch) => {
            rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            Ok(batch)
        }
        Err(error) => Err(FlightError::ExternalError(Box::new(error))),
    })
}

/// The error as it was before it went through the encoder.
fn query_error(error: FlightError) -> QueryError {
    match error {
        FlightError::ExternalError(error) => match error.downcast::<QueryError>() {
            Ok(error) => *error,
            Err(_) => QueryError::Internal("an unknown error came out of the encoder"),
        },
        FlightError::Arrow(_)
        | FlightError::NotYetImplemented(_)
        | FlightError::Tonic(_)
        | FlightError::ProtocolError(_)
        | FlightError::DecodeError(_) => QueryError::Internal("a batch cannot be encoded"),
    }
}

async fn move_all(
    messages: impl Stream<Item = Result<FlightData, QueryError>>,
    sender: &mpsc::Sender<FlightData>,
    bytes: &AtomicU64,
    idle_time: Option<Duration>,
) -> Result<(), QueryError> {
    let mut messages = std::pin::pin!(messages);
    while let Some(message) = messages.next().await {
        let message = message?;
        let length = message.data_header.len() + message.data_body.len();
        let sent = sender.send(message);
        let sent = match idle_time {
            Some(time) => {
                tokio::time::timeout(time, sent).await.map_err(|_| QueryError::Bound(Bound::IdleTime))?
            }
            None => sent.await,
        };
        sent.map_err(|_| QueryError::Cancelled)?;
        bytes.fetch_add(length as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// The messages of a result, and then how it ended.
#[derive(Debug)]
pub(crate) struct ResultStream {
    receiver: mpsc::Receiver<FlightData>,
    end: Arc<OnceLock<Result<(), Status>>>,
    ended: bool,
    told: Told,
}

impl Stream for ResultStream {
    type Item = Result<FlightData, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match self.receiver.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(message)) => Poll::Ready(Some(Ok(message))),
            Poll::Ready(None) => {
                self.ended = true;
                match self.end.get() {
                    Some(Ok(())) => Poll::Ready(None),
                    Some(Err(status)) => Poll::Ready(Some(Err(status.clone()))),
                    None => {
                        let lost = QueryError::Internal("the query's task is gone");
                        Poll::Ready(Some(Err(lost.report("", self.told))))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use meshgate_engine::audit::AuditSettings;
    use meshgate_proto::v1::domain_error::Class;
    use meshgate_proto::v1::{DomainError, Permit};
    use prost::Message;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::audit::AuditLog;
    use crate::readiness::Readiness;
    use crate::state::State;
    use crate::testing::Domain;

    fn batch() -> RecordBatch {
        RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1, 2])) as _)]).unwrap()
    }

    /// What comes of these batches, and the outcome in the audit.
    async fn stream<S>(batches: S) -> (Vec<Result<FlightData, Status>>, String)
    where
        S: Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static,
    {
        stream_with(Access::to_nothing, batches).await
    }

    /// The same while access may be lost.
    async fn stream_with<S>(
        access: impl FnOnce(watch::Receiver<Arc<State>>) -> Access,
        batches: S,
    ) -> (Vec<Result<FlightData, Status>>, String)
    where
        S: Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static,
    {
        let domain = Domain::new();
        let audit =
            AuditLog::open(&AuditSettings::at(&domain.path("audit/node.jsonl")), Readiness::default())
                .unwrap();
        let (_phase, phase) = watch::channel(Phase::Serving);
        let pump = Pump {
            record: OpenRecord::open(Arc::new(audit), &Permit::default(), &domain.state(), Told::Gateway),
            slot: Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap(),
            deadline: Instant::now() + Duration::from_secs(60),
            phase,
            access: access(watch::channel(domain.state()).1),
            told: Told::Gateway,
            idle_time: None,
            wire: Wire::default(),
            counting: None,
        };
        let messages = start(batches, batch().schema(), pump).collect().await;
        let outcome = domain.audit_records().pop().unwrap()["outcome"].as_str().unwrap().to_owned();
        (messages, outcome)
    }

    fn class(status: &Status) -> Class {
        DomainError::decode(status.details()).unwrap().class()
    }

    #[tokio::test]
    async fn a_stream_is_ok_after_its_record_is_written() {
        let (messages, outcome) = stream(futures::stream::iter([Ok(batch()), Ok(batch())])).await;
        assert_eq!((messages.len(), outcome.as_str()), (3, "ok"));
        assert!(messages.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn an_error_is_the_streams_last_word() {
        let (messages, outcome) =
            stream(futures::stream::iter([Ok(batch()), Err(QueryError::QueryTime), Ok(batch())])).await;
        assert_eq!((messages.len(), outcome.as_str()), (3, "error"));
        assert_eq!(class(messages[2].as_ref().unwrap_err()), Class::Limit);
    }

    #[tokio::test]
    async fn a_stream_ends_in_an_error_once_access_is_lost_whether_or_not_anything_comes() {
        let batches = futures::stream::iter([Ok(batch())]).chain(futures::stream::pending());
        let (messages, outcome) = stream_with(Access::lost_at_once, batches).await;
        assert_eq!(outcome, "error");
        assert_eq!(class(messages.last().unwrap().as_ref().unwrap_err()), Class::AccessChanged);
    }

    #[tokio::test]
    async fn r44_a_panic_ends_the_stream_in_an_error() {
        let panicking = futures::stream::iter([false, true]).map(|panics| {
            assert!(!panics, "on purpose");
            Ok(batch())
        });
        let (messages, outcome) = stream(panicking).await;
        assert_eq!(outcome, "cancelled");
        assert_eq!(class(messages.last().unwrap().as_ref().unwrap_err()), Class::Internal);
    }
}
