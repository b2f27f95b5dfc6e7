//! Clauses that parse and that the engine would ignore, or that make no query;
//! and bounds on lists, which tokens do not show.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, ObjectName, OrderBy, OrderByKind,
    Query, Select, SetExpr, Statement, TableFactor, Value, ValueWithSpan, Visit, Visitor,
};

use super::parameters::Parameters;
use super::{StatementError, StatementLimits, not_a_query};
use crate::classification;

/// Is every part of `query` executed as it is written, and no list too long?
pub(super) fn check(query: &Query, limits: &StatementLimits) -> Result<(), StatementError> {
    let mut shape = Shape { limits, joined: 0, parameters: Parameters::default() };
    match query.visit(&mut shape) {
        ControlFlow::Continue(()) => shape.parameters.check(limits),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Shape<'a> {
    limits: &'a StatementLimits,
    joined: usize,
    parameters: Parameters,
}

/// Refuses `clause` if it is there.
fn absent(clause: &'static str, is_there: bool) -> ControlFlow<StatementError> {
    if is_there {
        ControlFlow::Break(StatementError::Unsupported { clause })
    } else {
        ControlFlow::Continue(())
    }
}

fn at_most(what: &'static str, limit: usize, count: usize) -> ControlFlow<StatementError> {
    if count > limit {
        ControlFlow::Break(StatementError::TooMany { what, limit })
    } else {
        ControlFlow::Continue(())
    }
}

impl Visitor for Shape<'_> {
    type Break = StatementError;

    /// A query holds a statement only where it changes something.
    fn pre_visit_statement(&mut self, _statement: &Statement) -> ControlFlow<StatementError> {
        ControlFlow::Break(not_a_query("a statement inside a query"))
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<StatementError> {
        absent("FOR UPDATE", !query.locks.is_empty())?;
        absent("FOR XML or JSON", query.for_clause.is_some())?;
        absent("SETTINGS", query.settings.is_some())?;
        absent("FORMAT", query.format_clause.is_some())?;
        absent("the pipe syntax", !query.pipe_operators.is_empty())?;
        absent("TABLE as a query", matches!(query.body.as_ref(), SetExpr::Table(_)))?;
        absent("a filling ORDER BY", query.order_by.as_ref().is_some_and(fills))
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<StatementError> {
        absent("a hint", !select.optimizer_hints.is_empty())?;
        absent("SELECT INTO", select.into.is_some())?;
        absent("TOP", select.top.is_some())?;
        absent("LATERAL VIEW", !select.lateral_views.is_empty())?;
        absent("PREWHERE", select.prewhere.is_some())?;
        absent("CONNECT BY", !select.connect_by.is_empty())?;
        absent("CLUSTER BY", !select.cluster_by.is_empty())?;
        absent("DISTRIBUTE BY", !select.distribute_by.is_empty())?;
        absent("SORT BY", !select.sort_by.is_empty())?;
        absent("SELECT AS VALUE", select.value_table_mode.is_some())?;
        absent("a modifier of SELECT", select.select_modifiers.is_some())?;
        absent("EXCLUDE behind the columns", select.exclude.is_some())?;
        absent("a modifier of GROUP BY", has_modifiers(&select.group_by))?;
        at_most("columns in a SELECT", self.limits.projections, select.projection.len())?;
        self.joined += select.from.len().saturating_sub(1);
        for table in &select.from {
            absent("GLOBAL before JOIN", table.joins.iter().any(|join| join.global))?;
            self.joined += table.joins.len();
        }
        at_most("JOINs", self.limits.joins, self.joined)
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<StatementError> {
        match table {
            TableFactor::Table {
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
                ..
            } => {
                absent("a table function", args.is_some())?;
                absent("a table hint", !with_hints.is_empty() || !index_hints.is_empty())?;
                absent("FOR SYSTEM_TIME", version.is_some())?;
                absent("WITH ORDINALITY", *with_ordinality)?;
                absent("PARTITION", !partitions.is_empty())?;
                absent("a path into a table", json_path.is_some())?;
                absent("TABLESAMPLE", sample.is_some())
            }
            TableFactor::Derived { sample, .. } => absent("TABLESAMPLE", sample.is_some()),
            TableFactor::NestedJoin { .. } | TableFactor::UNNEST { .. } => ControlFlow::Continue(()),
            TableFactor::Pivot { .. } | TableFactor::Unpivot { .. } => absent("PIVOT", true),
            TableFactor::MatchRecognize { .. } => absent("MATCH_RECOGNIZE", true),
            _ => absent("a table function", true),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<StatementError> {
        match expr {
            Expr::InList { list, .. } => at_most("values in an IN list", self.limits.list_values, list.len()),
            Expr::Function(call) if is_cast(&call.name) => {
                absent("a type that is not a short text in single quotes", !has_short_type(&call.args))
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<StatementError> {
        match &value.value {
            Value::Placeholder(name) => match self.parameters.add(name) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            },
            _ => ControlFlow::Continue(()),
        }
    }
}

fn is_cast(name: &ObjectName) -> bool {
    let last = name.0.last().and_then(|part| part.as_ident());
    last.is_some_and(|name| classification::is_cast(&name.value.to_lowercase()))
}

/// Is the second argument a text that can be read as a type without much stack? The planner reads it before any plan
/// can be looked at.
fn has_short_type(arguments: &FunctionArguments) -> bool {
    let FunctionArguments::List(list) = arguments else { return false };
    match list.args.as_slice() {
        [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] => match &value.value {
            Value::SingleQuotedString(name) => name.len() <= classification::TYPE_NAME_MAX,
            _ => false,
        },
        _ => false,
    }
}

fn fills(order_by: &OrderBy) -> bool {
    let expressions = match &order_by.kind {
        OrderByKind::Expressions(expressions) => expressions.as_slice(),
        OrderByKind::All(_) => &[],
    };
    order_by.interpolate.is_some() || expressions.iter().any(|expression| expression.with_fill.is_some())
}

fn has_modifiers(group_by: &GroupByExpr) -> bool {
    match group_by {
        GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers) => !modifiers.is_empty(),
    }
}
