//! What is known of the columns of a domain query's answer: whose values they
//! are, and whether the domain can be asked for some of them only.

use datafusion::{
    common::{Column, DFSchema, Result, tree_node::TreeNode},
    datasource::source_as_provider,
    logical_expr::{Expr, Filter, LogicalPlan, Projection, TableScan},
};

use crate::{
    catalog::GovernedTable,
    query::{AnsweredColumn, SourceColumn},
};

/// The columns of rows of one table.
pub(in crate::planner) fn of_scan(governed: &GovernedTable, scan: &TableScan) -> Vec<AnsweredColumn> {
    // A limit takes its rows first.
    let takes_conditions = |column: &Column| scan.fetch.is_none() && governed.table().is_plain(&column.name);
    let columns = scan.projected_schema.columns().into_iter();
    let answered = |(column, source)| AnsweredColumn {
        takes_conditions: takes_conditions(&column),
        name: column,
        source,
    };
    columns.zip(scanned(governed, scan)).map(answered).collect()
}

/// The columns of a part of a plan: a condition on them is a filter above it.
pub(in crate::planner) fn of_part(plan: &LogicalPlan) -> Result<Vec<AnsweredColumn>> {
    let answered = |(name, source)| AnsweredColumn { name, takes_conditions: true, source };
    Ok(plan.schema().columns().into_iter().zip(sources(plan)?).map(answered).collect())
}

type Sources = Vec<Option<SourceColumn>>;

/// Followed are filters and columns that are passed on, down to one table: what joins, groups or
/// limits choose can depend on other values than the column's own.
fn sources(plan: &LogicalPlan) -> Result<Sources> {
    Ok(match plan {
        LogicalPlan::TableScan(scan) => {
            match source_as_provider(&scan.source)?.downcast_ref::<GovernedTable>() {
                Some(governed) => scanned(governed, scan),
                None => nobodys(plan.schema()),
            }
        }
        LogicalPlan::Filter(filter) if !has_subquery(filter)? => sources(&filter.input)?,
        LogicalPlan::SubqueryAlias(alias) => sources(&alias.input)?,
        LogicalPlan::Projection(projection) => projected(projection)?,
        _ => nobodys(plan.schema()),
    })
}

fn nobodys(schema: &DFSchema) -> Sources {
    vec![None; schema.fields().len()]
}

fn scanned(governed: &GovernedTable, scan: &TableScan) -> Sources {
    let table = governed.table();
    let source = |name: &String| {
        let column = table.decision.columns.iter().find(|column| column.name == *name)?;
        let is_told = scan.fetch.is_none() && !column.disclosed.is_empty();
        is_told.then(|| SourceColumn {
            name: format!("{}.{name}", table.qualified_name()),
            disclosed: column.disclosed.clone(),
        })
    };
    scan.projected_schema.fields().iter().map(|field| source(field.name())).collect()
}

fn has_subquery(filter: &Filter) -> Result<bool> {
    filter.predicate.exists(|expression| {
        let is_subquery = |expression: &Expr| {
            matches!(
                expression,
                Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_)
            )
        };
        Ok(is_subquery(expression))
    })
}

fn projected(projection: &Projection) -> Result<Sources> {
    let below = sources(&projection.input)?;
    let source = |expression: &Expr| {
        let column = match expression {
            Expr::Column(column) => column,
            Expr::Alias(alias) => match alias.expr.as_ref() {
                Expr::Column(column) => column,
                _ => return None,
            },
            _ => return None,
        };
        let position = projection.input.schema().maybe_index_of_column(column)?;
        below.get(position).cloned().flatten()
    };
    Ok(projection.expr.iter().map(source).collect())
}
