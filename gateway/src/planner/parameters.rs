//! Types of a statement's parameters, and values in their place.
//!
//! The engine infers a type where a parameter is compared with something. The
//! rest is inferred here: what is cast has the cast's type, bounds of rows are
//! numbers, and what nothing tells about is text. A value becomes a literal of
//! exactly that type, so that the plan is the same for every value.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::{
    common::{
        ParamValues, Result, ScalarValue,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{
        Between, Cast, Expr, LogicalPlan, TryCast,
        expr::{InList, Placeholder},
        expr_rewriter::NamePreserver,
        utils::merge_schema,
    },
};

use crate::{
    parameters::{self, ParameterFault, ParameterValues},
    status::GatewayError,
};

/// What stands for the parameters of a statement while it is planned.
#[derive(Debug, Clone)]
pub(crate) enum Parameters {
    Given(ParameterValues),
    /// Nothing is bound yet: NULLs of their types, to learn what the statement would give.
    Open,
}

/// `plan` with literals in place of its `count` parameters, and their types.
pub(super) fn fill(
    plan: LogicalPlan,
    count: usize,
    parameters: &Parameters,
) -> Result<(LogicalPlan, SchemaRef), GatewayError> {
    let planning = |error| GatewayError::from_planning(&error);
    let plan = if count == 0 { plan } else { infer(plan).map_err(planning)? };
    let types = types(&plan, count)?;
    let literals = match parameters {
        Parameters::Given(values) => values.literals(&types)?,
        Parameters::Open => nulls(&types).map_err(planning)?,
    };
    if count == 0 {
        return Ok((plan, types));
    }
    let plan = plan.replace_params_with_values(&ParamValues::from(literals)).map_err(planning)?;
    Ok((plan, types))
}

fn nulls(types: &Schema) -> Result<Vec<ScalarValue>> {
    types.fields().iter().map(|field| ScalarValue::try_from(field.data_type())).collect()
}

/// The parameters `$1` to `$count`.
fn types(plan: &LogicalPlan, count: usize) -> Result<SchemaRef, GatewayError> {
    let mut known: BTreeMap<String, DataType> = BTreeMap::new();
    let mut conflict = None;
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Placeholder(Placeholder { id, field: Some(field) }) = expr
                    && field.data_type() != &DataType::Null
                {
                    let first = known.entry(id.clone()).or_insert_with(|| field.data_type().clone());
                    if first != field.data_type() {
                        conflict = id.strip_prefix('$').and_then(|number| number.parse().ok());
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    walked.map_err(|error| GatewayError::from_planning(&error))?;
    if let Some(number) = conflict {
        return Err(ParameterFault::Conflict { number }.into());
    }
    let types = (1..=count).map(|number| known.remove(&format!("${number}")).unwrap_or(DataType::Utf8));
    Ok(parameters::schema(types))
}

/// Gives parameters a type where the engine does not look.
fn infer(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(infer_in_node)?.data)
}

fn infer_in_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let row_bounds = matches!(node, LogicalPlan::Limit(_));
    let inputs = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    node.map_expressions(|expr| {
        let name = names.save(&expr);
        let typed = expr.transform_up(|mut expr| {
            let changed = match &mut expr {
                Expr::Cast(Cast { expr: inner, field }) => set(inner, field.data_type()),
                // What may not be convertible is text.
                Expr::TryCast(TryCast { expr: inner, .. }) => set(inner, &DataType::Utf8),
                Expr::Between(Between { expr: inner, low: other, .. }) if is_open(inner) => {
                    set_like(inner, other, &inputs)
                }
                Expr::InList(InList { expr: inner, list, .. }) if is_open(inner) => {
                    list.first().is_some_and(|other| set_like(inner, other, &inputs))
                }
                inner if row_bounds => set(inner, &DataType::Int64),
                _ => false,
            };
            Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
        })?;
        Ok(if typed.transformed { typed.update_data(|expr| name.restore(expr)) } else { typed })
    })
}

fn is_open(expr: &Expr) -> bool {
    let known = |data_type: &DataType| data_type != &DataType::Null;
    matches!(expr, Expr::Placeholder(Placeholder { field, .. })
        if !field.as_ref().is_some_and(|field| known(field.data_type())))
}

/// Is `expr` a parameter without a type? It gets this one.
fn set(expr: &mut Expr, data_type: &DataType) -> bool {
    if !is_open(expr) {
        return false;
    }
    let Expr::Placeholder(parameter) = expr else {
        return false;
    };
    let field = arrow::datatypes::Field::new("", data_type.clone(), true);
    parameter.field = Some(std::sync::Arc::new(field));
    true
}

fn set_like(expr: &mut Expr, other: &Expr, inputs: &datafusion::common::DFSchema) -> bool {
    use datafusion::logical_expr::ExprSchemable;
    other.get_type(inputs).is_ok_and(|data_type| set(expr, &data_type))
}
