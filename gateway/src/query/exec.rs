//! The operator that reads the answer to a domain query.

use std::{fmt, sync::Arc};

use datafusion::{
    common::{DataFusionError, Result, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        ReplaceChildrenOptions,
        execution_plan::{Boundedness, EmissionType, SchedulingType},
        stream::RecordBatchStreamAdapter,
    },
};

use super::{DomainQuery, QueryContext, stream};

/// A leaf that gives the rows of one domain query, in one partition. It tells
/// the planner nothing about them: no statistics, no order.
#[derive(Debug)]
pub(crate) struct DomainQueryExec {
    query: Arc<DomainQuery>,
    properties: Arc<PlanProperties>,
}

impl DomainQueryExec {
    /// Reads the answer to `query`.
    pub(crate) fn new(query: Arc<DomainQuery>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&query.schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::NonCooperative);
        Self { query, properties: Arc::new(properties) }
    }

    /// What is asked.
    pub(crate) fn query(&self) -> &Arc<DomainQuery> {
        &self.query
    }
}

impl DisplayAs for DomainQueryExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DomainQueryExec: domain={}", self.query.domain)
    }
}

impl ExecutionPlan for DomainQueryExec {
    fn name(&self) -> &'static str {
        "DomainQueryExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
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
        if children.is_empty() {
            Ok(self)
        } else {
            Err(DataFusionError::Internal("a domain query has no children".to_owned()))
        }
    }

    // Still required by the trait, although nothing calls it any more.
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let context = context
            .session_config()
            .get_extension::<QueryContext>()
            .ok_or_else(|| DataFusionError::Internal("a domain query outside of a query".to_owned()))?;
        let batches = stream::answer(Arc::clone(&self.query), context);
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.query.schema), batches)))
    }
}
