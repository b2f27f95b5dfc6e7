//! Below a union each part is grouped by itself.

use std::{collections::BTreeSet, sync::Arc};

use datafusion::{
    common::{Column, Result, TableReference},
    logical_expr::{Aggregate, Expr, LogicalPlan, Projection, Union},
};

use super::{
    groups_are_plain, is_grouped,
    partial::{TwoSteps, grouped, whole},
};
use crate::planner::whole_part::domain_of_part;

/// The same rows from parts of which each is grouped first. `None` where that does not help or is not exact.
pub(super) fn early(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    let Some((union, names)) = union(&aggregate.input) else { return Ok(None) };
    if !reads_several_domains(union)? || !groups_are_plain(aggregate) {
        return Ok(None);
    }
    match TwoSteps::of(aggregate)? {
        Some(aggregates) => split(aggregate, union, &names, &aggregates).map(Some),
        None => Ok(None),
    }
}

/// `names` are those by which the aggregates know the union's columns.
pub(super) fn split(
    aggregate: &Aggregate,
    union: &Union,
    names: &[Column],
    aggregates: &[TwoSteps],
) -> Result<LogicalPlan> {
    let mut keys = Vec::new();
    for column in aggregate.group_expr.iter().flat_map(Expr::column_refs) {
        if !keys.contains(column) {
            keys.push(column.clone());
        }
    }
    let mut parts = Vec::new();
    for input in &union.inputs {
        let columns = input.schema().columns().into_iter().zip(names);
        let named = columns.map(|(column, name)| renamed(column, name)).collect();
        let input = Arc::new(LogicalPlan::Projection(Projection::try_new(named, Arc::clone(input))?));
        parts.push(Arc::new(without_names(grouped(input, &keys, aggregates)?, &keys)?));
    }
    let parts = Arc::new(LogicalPlan::Union(Union::try_new(parts)?));
    let parts = Arc::new(with_names(parts, &keys)?);
    whole(aggregate, parts, aggregates)
}

/// A union, and the names of its columns above it.
fn union(plan: &LogicalPlan) -> Option<(&Union, Vec<Column>)> {
    let union = match plan {
        LogicalPlan::Union(union) => union,
        LogicalPlan::SubqueryAlias(alias) => self::union(&alias.input)?.0,
        _ => return None,
    };
    Some((union, plan.schema().columns()))
}

/// Of one domain each, of more than one together, and nothing is grouped yet.
fn reads_several_domains(union: &Union) -> Result<bool> {
    let mut domains = BTreeSet::new();
    for input in &union.inputs {
        match domain_of_part(input)? {
            Some(domain) if !is_grouped(input) => domains.insert(domain),
            _ => return Ok(false),
        };
    }
    Ok(domains.len() > 1)
}

fn renamed(column: Column, name: &Column) -> Expr {
    Expr::Column(column).alias_qualified(name.relation.clone(), name.name.clone())
}

fn key_name(position: usize) -> String {
    format!("__key_{position}")
}

/// A union does not keep the tables' names of its columns.
fn without_names(plan: LogicalPlan, keys: &[Column]) -> Result<LogicalPlan> {
    let shown = plan.schema().columns().into_iter().enumerate().map(|(position, column)| {
        let is_key = position < keys.len();
        let column = Expr::Column(column);
        if is_key { column.alias_qualified(None::<TableReference>, key_name(position)) } else { column }
    });
    let shown = shown.collect();
    Ok(LogicalPlan::Projection(Projection::try_new(shown, Arc::new(plan))?))
}

fn with_names(plan: Arc<LogicalPlan>, keys: &[Column]) -> Result<LogicalPlan> {
    let shown =
        plan.schema().columns().into_iter().enumerate().map(|(position, column)| match keys.get(position) {
            Some(key) => renamed(column, key),
            None => Expr::Column(column),
        });
    let shown = shown.collect();
    Ok(LogicalPlan::Projection(Projection::try_new(shown, plan)?))
}
