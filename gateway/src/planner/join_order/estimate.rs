//! How many rows a part of a plan may give: guesses for the order of joins, and for nothing else.

use std::{collections::BTreeSet, sync::Arc};

use datafusion::{
    common::{Column, DFSchemaRef, Result, tree_node::TreeNodeRecursion},
    datasource::source_as_provider,
    logical_expr::{
        BinaryExpr, Distinct, Expr, FetchType, JoinType, LogicalPlan, Operator, TableScan,
        utils::split_conjunction,
    },
};

use crate::catalog::GovernedTable;

/// A table of which nothing is known: not small, so that what is known to be small comes first.
const UNKNOWN: f64 = 1_000_000.0;
/// The part of the rows that an equality, or another condition, leaves.
const EQUAL: f64 = 0.05;
pub(super) const OTHER: f64 = 0.33;

/// An input of joins.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) schema: DFSchemaRef,
    /// The domain that all its tables are of.
    pub(super) domain: Option<String>,
    /// What it may give.
    pub(super) rows: f64,
    /// The same without its conditions.
    pub(super) all_rows: f64,
    /// The names of its primary key.
    unique: Vec<String>,
}

impl Leaf {
    /// `conditions` stand above the joins; those over this leaf alone will be its own.
    pub(super) fn of(plan: &LogicalPlan, conditions: &[Expr]) -> Result<Self> {
        let is_own = |condition: &&Expr| {
            let columns = condition.column_refs();
            !columns.is_empty() && columns.iter().all(|column| plan.schema().has_column(column))
        };
        let left = conditions.iter().filter(is_own).map(selectivity).product::<f64>();
        let table = governed(plan)?;
        let all_rows = match &table {
            Some(scan) => all_rows(scan)?,
            None => rows(plan)?,
        };
        Ok(Self {
            schema: Arc::clone(plan.schema()),
            domain: domain(plan)?,
            rows: (rows(plan)? * left).max(1.0),
            all_rows,
            unique: table.map(primary_key).transpose()?.unwrap_or_default(),
        })
    }

    /// Do these expressions hold all of its primary key?
    pub(super) fn is_unique_by(&self, expressions: &[Expr]) -> bool {
        let names: BTreeSet<&str> = expressions
            .iter()
            .filter_map(|expression| match expression {
                Expr::Column(column) => Some(column.name.as_str()),
                _ => None,
            })
            .collect();
        !self.unique.is_empty() && self.unique.iter().all(|name| names.contains(name.as_str()))
    }
}

/// The table whose rows these are, under their own names.
fn governed(plan: &LogicalPlan) -> Result<Option<&TableScan>> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => governed(&alias.input),
        LogicalPlan::Filter(filter) => governed(&filter.input),
        LogicalPlan::Projection(projection)
            if projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_))) =>
        {
            governed(&projection.input)
        }
        LogicalPlan::TableScan(scan) => {
            Ok(source_as_provider(&scan.source)?.downcast_ref::<GovernedTable>().map(|_| scan))
        }
        _ => Ok(None),
    }
}

fn primary_key(scan: &TableScan) -> Result<Vec<String>> {
    let provider = source_as_provider(&scan.source)?;
    Ok(provider
        .downcast_ref::<GovernedTable>()
        .map(|table| table.table().primary_key.clone())
        .unwrap_or_default())
}

fn all_rows(scan: &TableScan) -> Result<f64> {
    Ok(known_table_rows(scan)?.unwrap_or(UNKNOWN))
}

#[expect(clippy::cast_precision_loss, reason = "a guess")]
fn known_table_rows(scan: &TableScan) -> Result<Option<f64>> {
    let provider = source_as_provider(&scan.source)?;
    let estimated = provider.downcast_ref::<GovernedTable>().and_then(|table| table.table().estimated_rows());
    Ok(estimated.map(|rows| (rows as f64).max(1.0)))
}

/// What a plan may give, if something is known of all its tables.
pub(in crate::planner) fn known_rows(plan: &LogicalPlan) -> Result<Option<f64>> {
    let mut all_known = true;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            all_known &= known_table_rows(scan)?.is_some();
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if all_known { rows(plan).map(Some) } else { Ok(None) }
}

/// How many rows the table has that a column of a plan comes from, if that is known.
pub(in crate::planner) fn rows_behind(plan: &LogicalPlan, column: &Column) -> Result<Option<f64>> {
    if let LogicalPlan::Join(join) = plan {
        let inputs = [&join.left, &join.right];
        let side = inputs.into_iter().find(|side| side.schema().has_column(column));
        return side.map_or(Ok(None), |side| rows_behind(side, column));
    }
    governed(plan)?.map_or(Ok(None), known_table_rows)
}

/// The one domain that all tables of a plan are of.
pub(in crate::planner) fn domain(plan: &LogicalPlan) -> Result<Option<String>> {
    let mut domains = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            domains
                .insert(provider.downcast_ref::<GovernedTable>().map(|table| table.table().domain.clone()));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(if domains.len() == 1 { domains.pop_first().flatten() } else { None })
}

#[expect(clippy::cast_precision_loss, reason = "a guess")]
fn rows(plan: &LogicalPlan) -> Result<f64> {
    let of_inputs = || plan.inputs().into_iter().map(rows).collect::<Result<Vec<f64>>>();
    let most = |rows: Vec<f64>| rows.into_iter().fold(1.0, f64::max);
    Ok(match plan {
        LogicalPlan::TableScan(scan) => {
            all_rows(scan)? * scan.filters.iter().map(selectivity).product::<f64>()
        }
        LogicalPlan::Filter(filter) => rows(&filter.input)? * selectivity(&filter.predicate),
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => 1.0,
        LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(Distinct::All(_) | Distinct::On(_)) => {
            most(of_inputs()?) * OTHER
        }
        LogicalPlan::Limit(limit) => match limit.get_fetch_type()? {
            FetchType::Literal(Some(fetch)) => most(of_inputs()?).min(fetch as f64),
            _ => most(of_inputs()?),
        },
        LogicalPlan::Sort(sort) => {
            let all = rows(&sort.input)?;
            sort.fetch.map_or(all, |fetch| all.min(fetch as f64))
        }
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => rows(&join.left)? * OTHER,
            JoinType::RightSemi | JoinType::RightAnti => rows(&join.right)? * OTHER,
            _ => most(of_inputs()?),
        },
        LogicalPlan::Union(_) => of_inputs()?.into_iter().sum(),
        LogicalPlan::Values(values) => values.values.len() as f64,
        _ => most(of_inputs()?),
    }
    .max(1.0))
}

fn selectivity(condition: &Expr) -> f64 {
    split_conjunction(condition).into_iter().map(of_one).product()
}

fn of_one(condition: &Expr) -> f64 {
    match condition {
        Expr::BinaryExpr(BinaryExpr { op: Operator::Eq, .. }) => EQUAL,
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            (selectivity(left) + selectivity(right)).min(1.0)
        }
        #[expect(clippy::cast_precision_loss, reason = "a guess")]
        Expr::InList(list) if !list.negated => (EQUAL * list.list.len() as f64).min(1.0),
        Expr::IsNotNull(_) => 1.0,
        _ => OTHER,
    }
}
