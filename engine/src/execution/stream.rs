//! The result of a plan, computed elsewhere.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::error::{DataFusionError, Result};
use datafusion::execution::{RecordBatchStream, TaskContext};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::{Stream, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Alarm;
use crate::failure::Interruption;

/// Batches between the threads that compute and the one that reads, beside the one that is computed.
const BATCHES_IN_FLIGHT: usize = 1;

/// A query's result. Ends with an error unless it is complete; dropping it
/// ends the work.
#[derive(Debug)]
pub struct QueryStream {
    schema: SchemaRef,
    batches: mpsc::Receiver<RecordBatch>,
    work: JoinHandle<Result<()>>,
    alarm: Option<Alarm>,
    finished: bool,
}

impl QueryStream {
    /// Starts the plan on `runtime`; `alarm` gets the handle that aborts it.
    pub(crate) fn start(
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
        runtime: &Handle,
        alarm: impl FnOnce(tokio::task::AbortHandle) -> Option<Alarm>,
    ) -> Self {
        let schema = plan.schema();
        let (sender, batches) = mpsc::channel(BATCHES_IN_FLIGHT);
        let work = runtime.spawn(produce(plan, context, sender));
        let alarm = alarm(work.abort_handle());
        if alarm.is_none() {
            work.abort();
        }
        Self { schema, batches, work, alarm, finished: false }
    }

    fn finish(&mut self) {
        self.finished = true;
        self.alarm = None;
        self.work.abort();
        self.batches.close();
    }

    fn poll_batch(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        if let Some(alarm) = &mut self.alarm
            && Pin::new(alarm).poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(Interruption::Deadline.into())));
        }
        match ready!(self.batches.poll_recv(context)) {
            Some(batch) => Poll::Ready(Some(Ok(batch))),
            // The channel closes when the work is done, and also when it was aborted or panicked.
            None => Poll::Ready(match ready!(Pin::new(&mut self.work).poll(context)) {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(Err(error)),
                Err(error) if error.is_panic() => Some(Err(Interruption::Panic.into())),
                Err(_) => Some(Err(Interruption::Cancelled.into())),
            }),
        }
    }
}

async fn produce(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    sender: mpsc::Sender<RecordBatch>,
) -> Result<()> {
    let plan = match plan.output_partitioning().partition_count() {
        0 => return Ok(()),
        1 => plan,
        _ => Arc::new(CoalescePartitionsExec::new(plan)),
    };
    let mut stream = plan.execute(0, context)?;
    while let Some(batch) = stream.next().await {
        if sender.send(batch?).await.is_err() {
            return Err(DataFusionError::from(Interruption::Cancelled));
        }
    }
    Ok(())
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.finished {
            return Poll::Ready(None);
        }
        let item = ready!(self.poll_batch(context));
        if !matches!(item, Some(Ok(_))) {
            self.finish();
        }
        Poll::Ready(item)
    }
}

impl RecordBatchStream for QueryStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Drop for QueryStream {
    fn drop(&mut self) {
        self.finish();
    }
}
