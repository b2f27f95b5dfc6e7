//! The cut: which parts of an optimized plan become domain queries.
//!
//! A function after the optimizer, one pass, so that no rule changes a plan
//! behind it. At present each scan of a domain's table is a domain query of
//! its own, in subqueries as well.

use std::{cmp::Ordering, fmt, sync::Arc};

use async_trait::async_trait;
use datafusion::{
    catalog::Session,
    common::{DFSchemaRef, DataFusionError, Result, tree_node::Transformed},
    datasource::source_as_provider,
    logical_expr::{
        Expr, Extension, LogicalPlan, TableScan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
        physical_planning_context::PhysicalPlanningContext,
    },
    physical_plan::ExecutionPlan,
    physical_planner::{ExtensionPlanner, PhysicalPlanner},
};

use super::notice::Notice;
use crate::{
    catalog::GovernedTable,
    query::{DomainQuery, DomainQueryExec},
};

/// A plan whose domain queries are cut out.
#[derive(Debug)]
pub(super) struct CutPlan {
    pub(super) plan: LogicalPlan,
    /// What policy does to the columns and rows that the plan reads.
    pub(super) notice: Notice,
}

/// Replaces each scan of a domain's table by its domain query.
pub(super) fn cut(plan: LogicalPlan) -> Result<CutPlan> {
    let mut notice = Notice::default();
    let plan = plan.transform_up_with_subqueries(|node| cut_node(node, &mut notice))?.data;
    Ok(CutPlan { plan, notice })
}

fn cut_node(node: LogicalPlan, notice: &mut Notice) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::TableScan(scan) = &node else {
        return Ok(Transformed::no(node));
    };
    let provider = source_as_provider(&scan.source)?;
    let Some(governed) = provider.downcast_ref::<GovernedTable>() else {
        return Ok(Transformed::no(node));
    };
    notice.add(Arc::clone(governed.table()), scan.projection.as_deref());
    let node = DomainQueryNode::new(governed, scan)?;
    Ok(Transformed::yes(LogicalPlan::Extension(Extension { node: Arc::new(node) })))
}

/// A domain query in a logical plan: a leaf.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DomainQueryNode {
    query: Arc<DomainQuery>,
    schema: DFSchemaRef,
    asked: AskedOfDomain,
}

/// What a domain query asks for, for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct AskedOfDomain {
    /// `domain.table`.
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    /// The statement's own conditions that the domain's node looks at.
    pub(super) conditions: Vec<Expr>,
    pub(super) rows_at_most: Option<usize>,
}

impl DomainQueryNode {
    fn new(governed: &GovernedTable, scan: &TableScan) -> Result<Self> {
        let query = governed.domain_query(scan.projection.as_deref(), &scan.filters, scan.fetch)?;
        let asked = AskedOfDomain {
            table: governed.table().qualified_name(),
            columns: query.schema.fields().iter().map(|field| field.name().clone()).collect(),
            conditions: scan.filters.iter().filter(|filter| governed.takes(filter)).cloned().collect(),
            rows_at_most: scan.fetch.filter(|_| scan.filters.is_empty()),
        };
        Ok(Self { query: Arc::new(query), schema: Arc::clone(&scan.projected_schema), asked })
    }

    /// What is asked, for people.
    pub(super) fn asked(&self) -> &AskedOfDomain {
        &self.asked
    }

    /// What is asked.
    pub(super) fn query(&self) -> &Arc<DomainQuery> {
        &self.query
    }
}

/// Leaves of a plan have no order among them.
impl PartialOrd for DomainQueryNode {
    fn partial_cmp(&self, _: &Self) -> Option<Ordering> {
        None
    }
}

impl UserDefinedLogicalNodeCore for DomainQueryNode {
    fn name(&self) -> &str {
        "DomainQuery"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DomainQuery: {}", self.query.domain)
    }

    fn with_exprs_and_inputs(&self, expressions: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        if expressions.is_empty() && inputs.is_empty() {
            let (query, schema) = (Arc::clone(&self.query), Arc::clone(&self.schema));
            Ok(Self { query, schema, asked: self.asked.clone() })
        } else {
            Err(DataFusionError::Internal("a domain query is a leaf".to_owned()))
        }
    }
}

/// Plans domain queries for execution.
#[derive(Debug)]
pub(super) struct DomainQueryPlanner;

#[async_trait]
impl ExtensionPlanner for DomainQueryPlanner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        _physical_inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let query = node.as_any().downcast_ref::<DomainQueryNode>().map(DomainQueryNode::query);
        Ok(query.map(|query| Arc::new(DomainQueryExec::new(Arc::clone(query))) as Arc<dyn ExecutionPlan>))
    }
}
