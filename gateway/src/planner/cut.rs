//! The cut: which parts of an optimized plan become domain queries.
//!
//! A function after the optimizer, one pass, so that no rule changes a plan
//! behind it. From the top down, the first part all of whose tables belong to
//! one domain is that domain's; what cannot be shipped is tried in smaller
//! parts, down to scans, which every node understands.

use std::{cmp::Ordering, fmt, sync::Arc};

use async_trait::async_trait;
use datafusion::{
    catalog::Session,
    common::{
        DFSchemaRef, DataFusionError, Result,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    datasource::source_as_provider,
    execution::SessionState,
    logical_expr::{
        Expr, Extension, LogicalPlan, Sort, TableScan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
        physical_planning_context::PhysicalPlanningContext,
    },
    physical_plan::ExecutionPlan,
    physical_planner::{ExtensionPlanner, PhysicalPlanner},
};

use super::{notice::Notice, reduce::answered, whole_part::WholeParts};
use crate::{
    catalog::GovernedTable,
    query::{AnsweredColumn, DomainQuery, DomainQueryExec},
};

/// A plan whose domain queries are cut out.
#[derive(Debug)]
pub(super) struct CutPlan {
    pub(super) plan: LogicalPlan,
    /// What policy does to the columns and rows that the plan reads.
    pub(super) notice: Notice,
}

/// Replaces each largest part that one domain can execute by its domain query.
pub(super) fn cut(plan: LogicalPlan, state: &SessionState) -> Result<CutPlan> {
    let notice = notice(&plan)?;
    let plan = Cut { whole: WholeParts::new(state) }.part(plan, Place::Top)?;
    Ok(CutPlan { plan, notice })
}

/// What policy does to all that is read, wherever that happens.
fn notice(plan: &LogicalPlan) -> Result<Notice> {
    let mut notice = Notice::default();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(governed) = source_as_provider(&scan.source)?.downcast_ref::<GovernedTable>()
        {
            notice.add(Arc::clone(governed.table()), scan.projection.as_deref(), &scan.filters);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(notice)
}

/// Where a part of a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// What it gives is the result, in this order.
    Top,
    /// Something else reads what it gives. A domain query promises no order, so none may be relied on.
    Inside,
}

struct Cut<'a> {
    whole: WholeParts<'a>,
}

impl Cut<'_> {
    fn part(&mut self, plan: LogicalPlan, place: Place) -> Result<LogicalPlan> {
        if let LogicalPlan::TableScan(scan) = &plan {
            let provider = source_as_provider(&scan.source)?;
            return match provider.downcast_ref::<GovernedTable>() {
                Some(governed) => Ok(DomainQueryNode::scan(governed, scan)?.into_plan()),
                None => Ok(plan),
            };
        }
        if let Some(plan) = self.whole_part(&plan, place)? {
            return Ok(plan);
        }
        let plan = plan.map_children(|child| self.part(child, Place::Inside).map(Transformed::yes))?.data;
        // What stands in an expression comes as `LogicalPlan::Subquery` and must stay one.
        let inside = |subquery: LogicalPlan| {
            subquery.map_children(|child| self.part(child, Place::Inside).map(Transformed::yes))
        };
        Ok(plan.map_subqueries(inside)?.data)
    }

    fn whole_part(&mut self, plan: &LogicalPlan, place: Place) -> Result<Option<LogicalPlan>> {
        if place == Place::Top || !carries_order(plan) {
            return Ok(self.whole.domain_query(plan)?.map(DomainQueryNode::into_plan));
        }
        match plan {
            // The first rows of a domain are few; which they are, and in what order, is found out again.
            LogicalPlan::Sort(sort) if sort.fetch.is_some() => {
                let first = self.whole.domain_query(plan)?;
                Ok(first.map(|node| {
                    LogicalPlan::Sort(Sort { input: Arc::new(node.into_plan()), ..sort.clone() })
                }))
            }
            _ => Ok(None),
        }
    }
}

/// Are its rows in an order that somebody asked for?
fn carries_order(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_) => plan.inputs().into_iter().any(carries_order),
        _ => false,
    }
}

/// A domain query in a logical plan: a leaf.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DomainQueryNode {
    query: Arc<DomainQuery>,
    schema: DFSchemaRef,
    /// Each column of the answer.
    columns: Vec<AnsweredColumn>,
    asked: AskedOfDomain,
}

/// What a domain query asks for, for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum AskedOfDomain {
    Rows(AskedRows),
    /// A part of the statement's plan.
    Part(Arc<LogicalPlan>),
}

/// Rows of one table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct AskedRows {
    /// `domain.table`.
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    /// The statement's own conditions that the domain's node looks at.
    pub(super) conditions: Vec<Expr>,
    pub(super) rows_at_most: Option<usize>,
}

impl DomainQueryNode {
    fn scan(governed: &GovernedTable, scan: &TableScan) -> Result<Self> {
        let query = governed.domain_query(scan.projection.as_deref(), &scan.filters, scan.fetch)?;
        let asked = AskedOfDomain::Rows(AskedRows::of(governed, scan));
        let columns = answered::of_scan(governed, scan);
        Ok(Self { query: Arc::new(query), schema: Arc::clone(&scan.projected_schema), columns, asked })
    }

    pub(super) fn part(query: DomainQuery, plan: &LogicalPlan) -> Result<Self> {
        let (query, schema, columns) = (Arc::new(query), Arc::clone(plan.schema()), answered::of_part(plan)?);
        Ok(Self { query, schema, columns, asked: AskedOfDomain::Part(Arc::new(plan.clone())) })
    }

    fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
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

impl AskedRows {
    /// What a scan asks for: all that it was given, if the domain takes that along.
    pub(super) fn of(governed: &GovernedTable, scan: &TableScan) -> Self {
        Self {
            table: governed.table().qualified_name(),
            columns: scan.projected_schema.fields().iter().map(|field| field.name().clone()).collect(),
            conditions: scan.filters.iter().filter(|filter| governed.takes(filter)).cloned().collect(),
            rows_at_most: scan.fetch.filter(|_| scan.filters.is_empty()),
        }
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
            Ok(Self { query, schema, columns: self.columns.clone(), asked: self.asked.clone() })
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
        let Some(node) = node.as_any().downcast_ref::<DomainQueryNode>() else { return Ok(None) };
        Ok(Some(Arc::new(DomainQueryExec::new(Arc::clone(&node.query), node.columns.clone()))))
    }
}
