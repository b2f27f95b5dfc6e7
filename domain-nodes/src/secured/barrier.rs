//! The operator at the top of a secured table's scan.
//!
//! To the planner it is a leaf that happens to have a child: it reports
//! nothing of it but the number of partitions, and lets nothing through but
//! harmless predicates (see [`super::harmless`]) and, where all rows are
//! visible, limits. What it does not override stays at the engine's most
//! reserved default; `tests/trait_methods.rs` notices new methods.
//!
//! To data it is the last check: required columns hold no NULL, arrays are
//! scrubbed, names, types and nullability are the decision's, metadata is
//! gone, errors say no more than an id.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::{DataType, Schema, SchemaRef},
};
use datafusion::{
    common::{config::ConfigOptions, tree_node::TreeNodeRecursion},
    error::{DataFusionError, Result},
    execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, PhysicalExpr, expressions::Column},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
        execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions},
        filter_pushdown::{ChildFilterDescription, FilterDescription, FilterPushdownPhase},
    },
};
use futures::{Stream, StreamExt};

use super::{
    error::{Failure, withhold},
    harmless::is_harmless,
    scrub,
    walker::Fingerprint,
};

/// What the barrier knows of its table; the same for all its partitions.
#[derive(Debug)]
pub(super) struct BarrierTable {
    /// For logs and rendered plans.
    pub(super) name: String,
    /// The requested columns, as the principal sees them.
    pub(super) schema: SchemaRef,
    /// Per column: does it show raw values to the principal in every row?
    pub(super) plain: Vec<bool>,
    /// Per column: can arrays carry values that the principal may not see?
    pub(super) scrubbed: Vec<bool>,
    /// No row is hidden, so a limit above may stop the scan early.
    pub(super) all_rows: bool,
    /// What was built below, for the walker.
    pub(super) fingerprint: Fingerprint,
}

/// The barrier. Only [`super::SecuredTable`] makes one.
pub struct BarrierExec {
    table: Arc<BarrierTable>,
    child: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl BarrierExec {
    /// `child` must produce the table's columns, in order.
    pub(super) fn try_new(table: Arc<BarrierTable>, child: Arc<dyn ExecutionPlan>) -> Result<Self> {
        check_shape(&table.schema, &child.schema())?;
        if child.boundedness().is_unbounded() {
            return Err(DataFusionError::Plan("a secured table must end".to_owned()));
        }
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&table.schema)),
            Partitioning::UnknownPartitioning(child.output_partitioning().partition_count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self { table, child, properties: Arc::new(properties) })
    }

    pub(super) fn table(&self) -> &BarrierTable {
        &self.table
    }

    pub(super) fn child(&self) -> &Arc<dyn ExecutionPlan> {
        &self.child
    }

    fn is_plain(&self, expr: &Arc<dyn PhysicalExpr>, data_type: Option<&DataType>) -> bool {
        expr.downcast_ref::<Column>().is_some_and(|column| {
            let field = self.table.schema.fields().get(column.index());
            let named = field.is_some_and(|field| {
                field.name() == column.name()
                    && data_type.is_none_or(|expected| field.data_type() == expected)
            });
            named && self.table.plain.get(column.index()) == Some(&true)
        })
    }
}

/// Rules of the optimizer may put other operators below, not other columns.
fn check_shape(expected: &Schema, found: &Schema) -> Result<()> {
    if same_columns(expected, found) {
        Ok(())
    } else {
        Err(DataFusionError::Internal("a barrier over other columns than its table's".to_owned()))
    }
}

/// Are these the same columns, whatever is said about NULLs in them?
pub(super) fn same_columns(expected: &Schema, found: &Schema) -> bool {
    expected.fields().len() == found.fields().len()
        && expected.fields().iter().zip(found.fields()).all(|(expected, found)| {
            expected.name() == found.name() && expected.data_type().equals_datatype(found.data_type())
        })
}

impl fmt::Debug for BarrierExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The engine puts plans into texts of errors: neither rules nor what lies below.
        f.debug_struct("BarrierExec").field("table", &self.table.name).finish_non_exhaustive()
    }
}

impl DisplayAs for BarrierExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BarrierExec: table={}", self.table.name)
    }
}

impl ExecutionPlan for BarrierExec {
    fn name(&self) -> &'static str {
        "BarrierExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.child]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [child] = <[_; 1]>::try_from(children)
            .map_err(|_| DataFusionError::Internal("a barrier has one child".to_owned()))?;
        Ok(Arc::new(Self::try_new(Arc::clone(&self.table), child)?))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(
            datafusion::physical_plan::execution_plan::ChildrenPropertiesMode::Recompute,
        );
        self.replace_children(children, options)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self
            .child
            .execute(partition, context)
            .map_err(|error| DataFusionError::from(withhold(&self.table.name, &Failure::Below(error))))?;
        Ok(Box::pin(BarrierStream { table: Arc::clone(&self.table), partition, input: Some(input), rows: 0 }))
    }

    fn supports_limit_pushdown(&self) -> bool {
        self.table.all_rows
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        // A filter over a column that no schema has is reported as unsupported,
        // in the place of the one that must not pass.
        let stays_above: Arc<dyn PhysicalExpr> = Arc::new(Column::new("", usize::MAX));
        let offered: Vec<_> = parent_filters
            .iter()
            .map(|filter| {
                let passes = is_harmless(filter, &|expr, data_type| self.is_plain(expr, data_type));
                Arc::clone(if passes { filter } else { &stays_above })
            })
            .collect();
        let plain =
            (0..self.table.plain.len()).filter(|index| self.table.plain.get(*index) == Some(&true)).collect();
        let child = ChildFilterDescription::from_child_with_allowed_indices(&offered, plain, &self.child)?;
        Ok(FilterDescription::new().with_child(child))
    }
}

/// One partition, as it leaves.
struct BarrierStream {
    table: Arc<BarrierTable>,
    partition: usize,
    /// Gone after the end and after an error: nothing follows either.
    input: Option<SendableRecordBatchStream>,
    rows: u64,
}

impl BarrierStream {
    fn release(&mut self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let schema = &self.table.schema;
        if batch.num_columns() != schema.fields().len() {
            return Err(Failure::Shape("a batch with other columns than its table's".to_owned()));
        }
        let mut columns = Vec::with_capacity(batch.num_columns());
        for index in 0..batch.num_columns() {
            columns.push(self.column(batch.column(index), index)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let released = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
            .map_err(|error| Failure::Below(error.into()))?;
        self.rows += batch.num_rows() as u64;
        Ok(released)
    }

    fn column(&self, array: &ArrayRef, index: usize) -> Result<ArrayRef, Failure> {
        let field = self.table.schema.field(index);
        if !field.is_nullable() {
            self.check_promise(array, field.name())?;
        }
        let scrubbed = self.table.scrubbed.get(index) != Some(&false);
        // What a reader leaves below a NULL is the caller's to see here, but equal answers should have equal bytes.
        if !scrubbed && array.null_count() == 0 && array.data_type() == field.data_type() {
            return Ok(Arc::clone(array));
        }
        scrub::rebuild(array, field.data_type())
            .map_err(|cause| Failure::Scrub { column: field.name().clone(), cause })
    }

    fn check_promise(&self, array: &ArrayRef, column: &str) -> Result<(), Failure> {
        let Some(nulls) = array.logical_nulls().filter(|nulls| nulls.null_count() > 0) else {
            return Ok(());
        };
        let row = nulls.iter().position(|valid| !valid).unwrap_or_default() as u64;
        Err(Failure::PromiseBroken {
            column: column.to_owned(),
            row: self.rows + row,
            partition: self.partition,
        })
    }

    fn fail(&mut self, failure: &Failure) -> DataFusionError {
        self.input = None;
        withhold(&self.table.name, failure).into()
    }
}

impl Stream for BarrierStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(input) = self.input.as_mut() else {
            return Poll::Ready(None);
        };
        let next = std::task::ready!(input.poll_next_unpin(context));
        Poll::Ready(match next {
            None => {
                self.input = None;
                None
            }
            Some(Err(error)) => Some(Err(self.fail(&Failure::Below(error)))),
            Some(Ok(batch)) => Some(self.release(&batch).map_err(|failure| self.fail(&failure))),
        })
    }
}

impl RecordBatchStream for BarrierStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table.schema)
    }
}
