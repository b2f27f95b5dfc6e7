//! EXPLAIN ANALYZE: the steps of a query that has run, with what came from each domain.
//!
//! Of the domains it says what they gave, which the caller may see, and how
//! long that took; of what they did below that, nothing.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{
    common::{DataFusionError, Result, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        ReplaceChildrenOptions, execute_stream,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{TryStreamExt, stream};

use super::steps::{self, Steps};
use crate::query::{DomainQuery, DomainQueryExec};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = steps::fields();
    fields.push(Field::new("rows", DataType::Int64, true));
    fields.push(Field::new("bytes", DataType::Int64, true));
    fields.push(Field::new("milliseconds", DataType::Float64, true));
    Arc::new(Schema::new(fields))
});

/// Runs a query to its end and gives its steps in the place of its rows.
pub(in crate::planner) struct AnalyzeExec {
    query: Arc<dyn ExecutionPlan>,
    steps: Arc<Steps>,
    properties: Arc<PlanProperties>,
}

impl AnalyzeExec {
    /// `steps` are those of `query`.
    pub(in crate::planner) fn new(query: Arc<dyn ExecutionPlan>, mut steps: Steps) -> Self {
        steps.delivers("would give the result".to_owned());
        Self::over(query, Arc::new(steps))
    }

    fn over(query: Arc<dyn ExecutionPlan>, steps: Arc<Steps>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&SCHEMA)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { query, steps, properties: Arc::new(properties) }
    }
}

impl fmt::Debug for AnalyzeExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnalyzeExec").field("query", &self.query).finish_non_exhaustive()
    }
}

impl DisplayAs for AnalyzeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnalyzeExec")
    }
}

impl ExecutionPlan for AnalyzeExec {
    fn name(&self) -> &'static str {
        "AnalyzeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.query]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [query] = <[_; 1]>::try_from(children)
            .map_err(|_| DataFusionError::Internal("one query is explained".to_owned()))?;
        Ok(Arc::new(Self::over(query, Arc::clone(&self.steps))))
    }

    // Still required by the trait, although nothing calls it any more.
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (query, steps) = (Arc::clone(&self.query), Arc::clone(&self.steps));
        let explained = stream::once(async move {
            let started = Instant::now();
            let mut rows = 0;
            let mut batches = execute_stream(Arc::clone(&query), context)?;
            while let Some(batch) = batches.try_next().await? {
                rows += batch.num_rows() as u64;
            }
            drop(batches);
            let mut measures = Vec::new();
            collect(&query, &mut measures);
            explain(&steps, &measures, (rows, started.elapsed()))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&SCHEMA), explained)))
    }
}

/// What came of a domain query, each time that it stands in a plan.
type Measured = (Arc<DomainQuery>, u64, u64, Duration);

fn collect(plan: &Arc<dyn ExecutionPlan>, measures: &mut Vec<Measured>) {
    if let Some(exec) = plan.downcast_ref::<DomainQueryExec>() {
        let measure = exec.measure();
        measures.push((Arc::clone(exec.query()), measure.rows(), measure.bytes(), measure.time()));
    }
    plan.children().into_iter().for_each(|child| collect(child, measures));
}

fn explain(steps: &Steps, measures: &[Measured], result: (u64, Duration)) -> Result<RecordBatch> {
    let (mut rows, mut bytes, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for position in 0..steps.count() {
        let query = steps.query(position);
        let own = query.map(|query| measures.iter().filter(move |(asked, ..)| Arc::ptr_eq(asked, query)));
        let sum = own.and_then(|own| {
            own.map(|(_, rows, bytes, time)| (*rows, *bytes, *time))
                .reduce(|one, other| (one.0 + other.0, one.1 + other.1, one.2 + other.2))
        });
        let (given, size, time) = match sum {
            Some((rows, bytes, time)) => (Some(rows), Some(bytes), Some(time)),
            None if position + 1 == steps.count() => (Some(result.0), None, Some(result.1)),
            None => (None, None, None),
        };
        rows.push(given.and_then(|rows| i64::try_from(rows).ok()));
        bytes.push(size.and_then(|bytes| i64::try_from(bytes).ok()));
        times.push(time.map(|time| time.as_secs_f64() * 1_000.0));
    }
    let mut columns = steps.columns();
    columns.push(Arc::new(Int64Array::from(rows)) as ArrayRef);
    columns.push(Arc::new(Int64Array::from(bytes)));
    columns.push(Arc::new(Float64Array::from(times)));
    Ok(RecordBatch::try_new(Arc::clone(&SCHEMA), columns)?)
}
