//! Aggregates in two steps: of parts, and then of what those gave.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::DataType,
    common::{Column, Result},
    functions::core::expr_fn::coalesce,
    functions_aggregate::expr_fn::sum,
    logical_expr::{
        Aggregate, Expr, ExprSchemable, LogicalPlan, Projection, cast, expr::AggregateFunction, lit,
    },
};

/// What an aggregate of aggregates is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merge {
    /// Sums of sums.
    Sum,
    /// Sums of counts, of which nothing is 0.
    Count,
    /// The least of the least, the greatest of the greatest.
    Same,
}

/// An aggregate that can be computed in two steps.
#[derive(Debug, Clone)]
pub(super) struct TwoSteps {
    function: AggregateFunction,
    merge: Merge,
    /// Of the whole aggregate.
    data_type: DataType,
}

impl TwoSteps {
    /// All aggregates of a plan; `None` if one of them has to see all rows at once.
    pub(super) fn of(aggregate: &Aggregate) -> Result<Option<Vec<Self>>> {
        aggregate.aggr_expr.iter().map(|expression| Self::of_one(expression, aggregate)).collect()
    }

    fn of_one(expression: &Expr, aggregate: &Aggregate) -> Result<Option<Self>> {
        let Expr::AggregateFunction(function) = expression else { return Ok(None) };
        let params = &function.params;
        let [argument] = params.args.as_slice() else { return Ok(None) };
        if params.distinct
            || params.filter.is_some()
            || !params.order_by.is_empty()
            || params.null_treatment.is_some()
        {
            return Ok(None);
        }
        let schema = aggregate.input.schema();
        let of = argument.get_type(schema)?;
        let merge = match function.func.name() {
            "count" => Merge::Count,
            "sum" if of.is_integer() || matches!(of, DataType::Decimal128(..)) => Merge::Sum,
            "min" | "max" if has_one_order(&of) => Merge::Same,
            _ => return Ok(None),
        };
        Ok(Some(Self { function: function.clone(), merge, data_type: expression.get_type(schema)? }))
    }

    /// What it is computed from.
    pub(super) fn argument(&self) -> Option<&Expr> {
        self.function.params.args.first()
    }

    /// What gives the whole of what parts gave in column `part`.
    fn merged(&self, part: &str) -> Expr {
        let part = Expr::Column(Column::new_unqualified(part));
        match self.merge {
            Merge::Sum | Merge::Count => sum(part),
            Merge::Same => {
                let mut function = self.function.clone();
                function.params.args = vec![part];
                Expr::AggregateFunction(function)
            }
        }
    }

    /// The whole in its own type, of what `merged` gave.
    fn finished(&self, merged: Expr) -> Expr {
        match self.merge {
            // Without groups and rows, a sum is NULL and a count is not.
            Merge::Count => coalesce(vec![merged, lit(0_i64)]),
            // A sum of sums has more digits; those of a sum suffice for as many rows as there can be.
            Merge::Sum => cast(merged, self.data_type.clone()),
            Merge::Same => merged,
        }
    }
}

/// Whichever of two equal values is taken, nobody can tell.
pub(super) fn has_one_order(data_type: &DataType) -> bool {
    !data_type.is_floating() && !data_type.is_nested()
}

fn part_name(position: usize) -> String {
    format!("__part_{position}")
}

/// `input` grouped by `keys`, with parts of the aggregates. The keys keep their names.
pub(super) fn grouped(
    input: Arc<LogicalPlan>,
    keys: &[Column],
    aggregates: &[TwoSteps],
) -> Result<LogicalPlan> {
    let group = keys.iter().cloned().map(Expr::Column).collect();
    // Two of the same stand once.
    let mut functions: Vec<Expr> = Vec::new();
    let mut positions = Vec::new();
    for aggregate in aggregates {
        let function = Expr::AggregateFunction(aggregate.function.clone());
        positions.push(functions.iter().position(|own| *own == function).unwrap_or_else(|| {
            functions.push(function);
            functions.len() - 1
        }));
    }
    let plan = Arc::new(LogicalPlan::Aggregate(Aggregate::try_new(input, group, functions)?));
    let columns: Vec<Column> = plan.schema().columns();
    let (own_keys, parts) = columns.split_at(keys.len().min(columns.len()));
    let parts = positions.iter().enumerate().filter_map(|(position, part)| {
        Some(Expr::Column(parts.get(*part)?.clone()).alias(part_name(position)))
    });
    let shown = own_keys.iter().cloned().map(Expr::Column).chain(parts).collect();
    Ok(LogicalPlan::Projection(Projection::try_new(shown, plan)?))
}

/// The whole of `aggregate` out of `parts`, in which its groups can be computed.
pub(super) fn whole(
    aggregate: &Aggregate,
    parts: Arc<LogicalPlan>,
    aggregates: &[TwoSteps],
) -> Result<LogicalPlan> {
    let merged: Vec<Expr> =
        aggregates.iter().enumerate().map(|(position, own)| own.merged(&part_name(position))).collect();
    let plan = LogicalPlan::Aggregate(Aggregate::try_new(parts, aggregate.group_expr.clone(), merged)?);
    let columns = plan.schema().columns();
    let groups = columns.len().saturating_sub(aggregates.len());
    let mut shown = Vec::with_capacity(columns.len());
    for (position, column) in columns.into_iter().enumerate() {
        let (relation, field) = aggregate.schema.qualified_field(position);
        let column = Expr::Column(column);
        shown.push(match position.checked_sub(groups).and_then(|own| aggregates.get(own)) {
            None => column,
            Some(own) => own.finished(column).alias_qualified(relation.cloned(), field.name()),
        });
    }
    Ok(LogicalPlan::Projection(Projection::try_new(shown, Arc::new(plan))?))
}
