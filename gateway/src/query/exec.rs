//! The operator that reads the answer to a domain query.

use std::{fmt, sync::Arc};

use datafusion::{
    common::{DataFusionError, Result, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, PhysicalExpr, expressions::DynamicFilterPhysicalExpr},
    physical_plan::{
        ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        ReplaceChildrenOptions,
        execution_plan::{Boundedness, EmissionType, SchedulingType},
        stream::RecordBatchStreamAdapter,
    },
};

use futures::{StreamExt, TryStreamExt};

use super::{AnsweredColumn, DomainQuery, Measure, QueryContext, Reduction, reduction, stream};

/// A leaf that gives the rows of one domain query, in one partition. It tells
/// the planner nothing about them: no statistics, no order. All domains of a
/// statement are asked at once, but for those that joins can tell something first.
#[derive(Debug)]
pub(crate) struct DomainQueryExec {
    query: Arc<DomainQuery>,
    properties: Arc<PlanProperties>,
    columns: Vec<AnsweredColumn>,
    /// What joins above it will know.
    reductions: Vec<Reduction>,
    measure: Arc<Measure>,
}

impl DomainQueryExec {
    /// Reads the answer to `query`. Columns that nothing is known of are nobody's, and take no conditions.
    pub(crate) fn new(query: Arc<DomainQuery>, columns: Vec<AnsweredColumn>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&query.schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::NonCooperative);
        Self {
            query,
            properties: Arc::new(properties),
            columns,
            reductions: Vec::new(),
            measure: Arc::default(),
        }
    }

    /// What is known of a column of the answer.
    pub(crate) fn column(&self, position: usize) -> Option<&AnsweredColumn> {
        self.columns.get(position)
    }

    /// The same, asking for no more than a join needs.
    #[must_use]
    pub(crate) fn reduced_by(&self, reduction: Reduction) -> Self {
        let mut reductions = self.reductions.clone();
        reductions.push(reduction);
        let (query, properties) = (Arc::clone(&self.query), Arc::clone(&self.properties));
        Self { query, properties, columns: self.columns.clone(), reductions, measure: Arc::default() }
    }

    /// What joins may tell the domain.
    pub(crate) fn reductions(&self) -> &[Reduction] {
        &self.reductions
    }

    /// What came of it so far.
    pub(crate) fn measure(&self) -> &Measure {
        &self.measure
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
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        // A join collects what it knows only if it finds its filter below.
        for reduction in &self.reductions {
            let filter: Arc<dyn PhysicalExpr> = Arc::<DynamicFilterPhysicalExpr>::clone(&reduction.filter);
            if visit(&filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
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
        let (query, columns, reductions) =
            (Arc::clone(&self.query), self.columns.clone(), self.reductions.clone());
        let (on_first_poll, on_error) = (Arc::clone(&context), Arc::clone(&context));
        let query = async move { reduction::reduced(query, &columns, &reductions, &on_first_poll) };
        let batches = Measure::over(Arc::clone(&self.measure), stream::answer(query, context));
        // What waits for a join's other side must not ask before that is known.
        let batches = if self.reductions.is_empty() {
            stream::ahead(Arc::clone(&self.query.schema), batches)
        } else {
            batches.boxed()
        };
        let batches = batches.inspect_err(move |error| stream::note(&on_error, error));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.query.schema), batches)))
    }
}
