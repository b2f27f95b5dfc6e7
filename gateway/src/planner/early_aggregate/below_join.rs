//! Below a join one side is grouped by what the join and the groups above it need of it.

use std::sync::Arc;

use datafusion::{
    common::{Column, ExprSchema, Result},
    logical_expr::{Aggregate, Expr, Join, LogicalPlan, Projection},
};

use super::{
    groups_are_plain, is_grouped,
    partial::{TwoSteps, grouped, has_one_order, whole},
};
use crate::planner::{
    join_order::{domain, is_free, known_rows, rows_behind},
    whole_part::domain_of_part,
};

/// How many rows a group has to stand for, so that grouping is worth it.
const ROWS_OF_A_GROUP: f64 = 3.0;

/// The same rows from a join of which one side is grouped first. `None` where that does not help or is not exact.
pub(super) fn early(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    let Some(join) = join(&aggregate.input) else { return Ok(None) };
    if !groups_are_plain(aggregate) {
        return Ok(None);
    }
    let Some(aggregates) = TwoSteps::of(aggregate)? else { return Ok(None) };
    for left in [true, false] {
        let (side, other) = if left { (&join.left, &join.right) } else { (&join.right, &join.left) };
        let of = domain_of_part(side)?;
        if of.is_none() || domain(other)? == of || is_grouped(side) || !takes_from(side, &aggregates) {
            continue;
        }
        let Some(keys) = keys(join, left, aggregate) else { continue };
        if !is_worth_it(join, left, &keys)? {
            continue;
        }
        let side = Arc::new(grouped(Arc::clone(side), &keys, &aggregates)?);
        let (left, right) =
            if left { (side, Arc::clone(&join.right)) } else { (Arc::clone(&join.left), side) };
        let joined = Arc::new(LogicalPlan::Join(Join::try_new(
            left,
            right,
            join.on.clone(),
            join.filter.clone(),
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?));
        return whole(aggregate, joined, &aggregates).map(Some);
    }
    Ok(None)
}

/// An inner join, of whose columns the aggregates see some under their own names.
fn join(plan: &LogicalPlan) -> Option<&Join> {
    match plan {
        LogicalPlan::Join(join) if is_free(join) => Some(join),
        LogicalPlan::Projection(Projection { expr, input, .. })
            if expr.iter().all(|shown| matches!(shown, Expr::Column(_))) =>
        {
            self::join(input)
        }
        _ => None,
    }
}

/// Are all aggregates of plain columns of this side, or of none at all?
fn takes_from(side: &LogicalPlan, aggregates: &[TwoSteps]) -> bool {
    aggregates.iter().all(|aggregate| match aggregate.argument() {
        Some(Expr::Column(column)) => side.schema().has_column(column),
        Some(Expr::Literal(..)) => true,
        _ => false,
    })
}

/// The columns of a side by which rows can be told apart above it. `None` if the join computes something of them.
fn keys(join: &Join, left: bool, aggregate: &Aggregate) -> Option<Vec<Column>> {
    let side = if left { &join.left } else { &join.right };
    let mut keys: Vec<Column> = Vec::new();
    let mut add = |column: &Column| {
        let field = side.schema().field_from_column(column).ok()?;
        if !keys.contains(column) {
            keys.push(column.clone());
        }
        has_one_order(field.data_type()).then_some(())
    };
    for (of_left, of_right) in &join.on {
        let Expr::Column(column) = (if left { of_left } else { of_right }) else { return None };
        add(column)?;
    }
    let further = aggregate.group_expr.iter().chain(&join.filter).flat_map(Expr::column_refs);
    for column in further.filter(|column| side.schema().has_column(column)) {
        add(column)?;
    }
    Some(keys)
}

/// Does each group stand for several rows, as far as is known? There are no more groups than the other side's
/// table has rows, where all that tells them apart is the join's one key.
fn is_worth_it(join: &Join, left: bool, keys: &[Column]) -> Result<bool> {
    let ([key], [(of_left, of_right)]) = (keys, join.on.as_slice()) else { return Ok(false) };
    let (side, own, other, theirs) = if left {
        (&join.left, of_left, &join.right, of_right)
    } else {
        (&join.right, of_right, &join.left, of_left)
    };
    if *own != Expr::Column(key.clone()) {
        return Ok(false);
    }
    let Expr::Column(theirs) = theirs else { return Ok(false) };
    let (Some(rows), Some(groups)) = (known_rows(side)?, rows_behind(other, theirs)?) else {
        return Ok(false);
    };
    Ok(rows >= ROWS_OF_A_GROUP * groups)
}
