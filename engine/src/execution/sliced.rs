//! Feeds a join in portions that it gets through in a few milliseconds.
//!
//! How long a join works on one of its input's rows depends on how many rows
//! of the other side it meets, which nobody knows beforehand. So the time
//! between handing out one portion and being asked for the next decides on the
//! size of the next one.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::error::Result;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{Stream, StreamExt};

/// Rows of the first portion, which meets an unknown number of rows.
const FIRST_ROWS: usize = 16;
/// More rows than a batch has.
const MOST_ROWS: usize = 64 * 1024;
const SHORT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_millis(50);

/// Passes its input through in portions.
#[derive(Debug)]
pub(super) struct SlicedExec {
    input: Arc<dyn ExecutionPlan>,
}

impl SlicedExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        Self { input }
    }
}

impl DisplayAs for SlicedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlicedExec")
    }
}

impl ExecutionPlan for SlicedExec {
    fn name(&self) -> &'static str {
        "SlicedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input))),
            _ => internal_err!("SlicedExec has one child"),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Ok(Box::pin(SlicedStream {
            input: self.input.execute(partition, context)?,
            rest: None,
            rows: FIRST_ROWS,
            handed_out: None,
            must_yield: false,
        }))
    }
}

struct SlicedStream {
    input: SendableRecordBatchStream,
    /// What is left of the batch that the input gave last.
    rest: Option<RecordBatch>,
    /// Rows of the next portion.
    rows: usize,
    handed_out: Option<Instant>,
    must_yield: bool,
}

impl SlicedStream {
    fn adapt(&mut self) {
        let Some(handed_out) = self.handed_out.take() else { return };
        let spent = handed_out.elapsed();
        self.must_yield = spent > SHORT;
        if spent < SHORT {
            self.rows = self.rows.saturating_mul(2).min(MOST_ROWS);
        } else if spent > LONG {
            self.rows = (self.rows / 4).max(1);
        }
    }

    fn portion(&mut self, batch: RecordBatch) -> RecordBatch {
        self.handed_out = Some(Instant::now());
        if batch.num_rows() <= self.rows {
            return batch;
        }
        let portion = batch.slice(0, self.rows);
        self.rest = Some(batch.slice(self.rows, batch.num_rows() - self.rows));
        portion
    }
}

impl Stream for SlicedStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.adapt();
        if std::mem::take(&mut self.must_yield) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match ready!(self.input.poll_next_unpin(context)) {
                Some(Ok(batch)) => batch,
                end => return Poll::Ready(end),
            },
        };
        Poll::Ready(Some(Ok(self.portion(batch))))
    }
}

impl RecordBatchStream for SlicedStream {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
